"""Put a run's weights into the package: `python -m training.ship training/runs/compact2`.

The model card is told size and sha256 of the new file; how it was made is for a person to write.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import sys
from pathlib import Path

from benchmarks.pages import put_table

CARD = Path(__file__).parents[1] / "docs/model-card.md"
MARK = "weights"
HOME = Path(__file__).parents[1] / "src/napari_seem/models/compact"
LIMIT = 20_000_000


def ship(run: Path) -> None:
    """Copy `run`/compact.safetensors into the package and note its digest."""
    source = run / "compact.safetensors"
    size = source.stat().st_size
    if size > LIMIT:
        raise SystemExit(f"{source} has {size} bytes; the package takes at most {LIMIT}")
    shutil.copyfile(source, HOME / source.name)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    facts = {"sha256": digest, "size": size}
    (HOME / "compact.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    put_table(CARD, described(HOME / source.name), MARK, "Model card")
    print(f"{size / 1e6:.1f} MB, sha256 {digest}")


def described(path: Path) -> str:
    """Return size, sha256 and number of parameters and words of a weights file as a table."""
    from safetensors import safe_open

    content = path.read_bytes()
    counts = {"encoder": 0, "decoder": 0}
    with safe_open(path, "np") as file:
        words = len(json.loads(file.metadata()["words"]))
        for name in file.keys():  # noqa: SIM118
            part = name.split(".")[0]
            if part in counts:
                counts[part] += math.prod(file.get_slice(name).get_shape())
    rows = {
        "File": f"`{path.name}`, {len(content) / 1e6:.1f} MB, half precision",
        "sha256": f"`{hashlib.sha256(content).hexdigest()}`",
        "Parameters": ", ".join(f"{n / 1e6:.1f} M {part}" for part, n in counts.items()),
        "Vocabulary": f"{words} words",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {text} |" for key, text in rows.items())])


if __name__ == "__main__":
    ship(Path(sys.argv[1]))
