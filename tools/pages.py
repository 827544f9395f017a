"""The Python programs of README and docs, and whether type checkers agree with them.

All Python blocks of a page are one program. What a page takes for granted, such as an image of the
reader's, stands before it in a comment that begins with `<!-- setup`.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^<!-- setup\n(.*?)^-->|^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if "```python" in path.read_text(encoding="utf-8")
]


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the blocks of a page in order; of each the text of a setup, or that which is shown."""
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def program(page: str) -> str:
    """Return the program of a page."""
    return "\n".join(setup or shown for setup, shown in blocks(page))


def run(page: str) -> dict[str, object]:
    """Run the program of a page in the present folder; return what it left."""
    left: dict[str, object] = {"__name__": "page"}
    exec(compile(program(page), page, "exec"), left)
    return left


def main() -> int:
    """Write the programs into a folder, or let mypy check them as a user's scripts: strictly."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write them only")
    folder = parser.parse_args().write
    if folder is not None:
        write(folder)
        return 0
    from mypy import api

    with TemporaryDirectory() as made:
        write(Path(made) / "programs")
        options = ["--strict", "--ignore-missing-imports", "--config-file", ""]
        options += ["--follow-imports", "silent"]  # what is wrong elsewhere is no fault of a page
        options += ["--untyped-calls-exclude", "skimage"]  # it says it has types, and has few
        options += ["--cache-dir", str(ROOT / ".mypy_cache" / "pages")]
        said, trouble, status = api.run([*options, made])
    print(said if status == 0 else said.replace(made, "") + trouble, end="")
    return status


def write(folder: Path) -> None:
    """Write the program of each page into a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    for page in PAGES:
        name = re.sub(r"\W", "_", page.removesuffix(".md")) + ".py"
        (folder / name).write_text(program(page), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
