"""Change the address of the repository wherever it is written: address.py OWNER/NAME.

Other places take it from `pyproject.toml`, and links of pages name files by their path.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WRITTEN_IN = ("pyproject.toml", "CITATION.cff", "SECURITY.md", "conda/recipe.yaml", "docs/cite.md")


def here(root: Path = ROOT) -> str:
    """Return owner and name of the repository, as `pyproject.toml` has them."""
    about = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return str(about["project"]["urls"]["Source"]).removeprefix("https://github.com/")


def change(to: str, root: Path = ROOT) -> None:
    """Write another owner and name, and the address of the site that follows from them.

    Raises
    ------
    SystemExit
        They are not "OWNER/NAME".
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", to):
        raise SystemExit(f"'{to}' is no address of a repository; give OWNER/NAME")
    former = here(root)
    pairs = [(former, to), (_site(former), _site(to))]
    for name in WRITTEN_IN:
        text = (root / name).read_text(encoding="utf-8")
        for old, new in pairs:
            text = re.sub(rf"(?<=/){re.escape(old)}\b", new, text)
        (root / name).write_text(text, encoding="utf-8", newline="\n")


def _site(address: str) -> str:
    owner, name = address.split("/")
    return f"{owner}.github.io/{name}"


if __name__ == "__main__":
    change(*sys.argv[1:2] or [""])
