"""Write whose data the weights learned from: `python -m training.attribution ../shared/data`.

The list of the model card is made of the collection's own: `LICENSES.md` (source and licence of
each set) and `manifest.json` (every file, with the licence of each photograph where they differ).
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from benchmarks.pages import put_table

CARD = Path(__file__).parents[1] / "docs/model-card.md"
MARK = "data"


def table(collection: Path) -> str:
    """Return a table of all sets of the train half: images, source and licence of each.

    Parameters
    ----------
    collection : Path
        A folder with `LICENSES.md` and `manifest.json`.
    """
    licences: dict[tuple[str, str], Counter[str]] = {}
    for file in json.loads((collection / "manifest.json").read_text(encoding="utf-8")):
        if file["split"] == "train" and file["kind"] == "image":
            key = file["domain"], file["set"]
            licences.setdefault(key, Counter())[file["licence"]] += 1
    known = _sources(collection / "LICENSES.md")
    rows = ["| Set | images | source | licence |", "|---|---|---|---|"]
    for (domain, name), found in sorted(licences.items()):
        source, licence = known[name]
        if len(found) > 1:
            each = ", ".join(f"{count} {one}" for one, count in sorted(found.items()))
            licence = f"{licence.split(';')[0]}; images {each}"
        rows.append(f"| {domain}/{name} | {found.total()} | {source} | {licence} |")
    total = sum(found.total() for found in licences.values())
    return f"{len(licences)} sets, {total:,} images.\n\n" + "\n".join(rows)


def _sources(path: Path) -> dict[str, tuple[str, str]]:
    """Return source and licence of each set, out of the table of a Markdown file."""
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("| ")
    ]
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    return {name: (source, licence) for name, source, _, licence, *_ in cells}


if __name__ == "__main__":
    put_table(CARD, table(Path(sys.argv[1])), MARK, "Model card")
