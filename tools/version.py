"""Check that a tag names the version of the package: version.py v0.1.0."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parents[1] / "src" / "napari_seem" / "__init__.py"


def version() -> str:
    """Return the version of the package, from the one place where it is written."""
    found = re.search(r'^__version__ = "(.+)"$', HOME.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"{HOME} has no line with __version__")
    return found[1]


if __name__ == "__main__":
    tag = sys.argv[1].removeprefix("v")
    sys.exit(None if tag == version() else f"the tag is {tag}, the package is {version()}")
