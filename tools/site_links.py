"""Links of the Markdown pages, on GitHub and on the documentation site alike.

A page names files by their path, as GitHub wants it. On the site, a script of `examples/` is its
page in the gallery, and any other file outside `docs/` is the file in the repository.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SOURCE: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "urls"
]["Source"]
LINK = re.compile(r"(\[[^\]]*\]\()([^)\s]+)(\))")
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def links(text: str) -> list[str]:
    """Return the targets of the links and pictures of a page, those in code apart."""
    return [target for _, target, _ in LINK.findall(CODE.sub("", text))]


def on_site(target: str, page: Path) -> str:
    """Return what a link of a page of `docs/` is on the site.

    Parameters
    ----------
    target : str
        As it stands in the page.
    page : Path
        The page's file.
    """
    if "://" in target or target.startswith(("#", "mailto:")):
        return target
    file, _, anchor = target.partition("#")
    path = (page.parent / file).resolve()
    if path.is_relative_to(DOCS):
        return target
    inside = path.relative_to(ROOT)
    if inside.parts[0] == "examples":
        up = "../" * len(page.relative_to(DOCS).parents[:-1])
        return f"{up}gallery/{path.stem if path.suffix == '.py' else 'index'}.rst"
    kind = "tree" if path.is_dir() else "blob"
    return f"{SOURCE}/{kind}/main/{inside.as_posix()}" + (f"#{anchor}" if anchor else "")


def rewrite(app: object, name: str, source: list[str]) -> None:
    """Change the links of a Markdown page that Sphinx has read, in place."""
    page = DOCS / f"{name}.md"
    if page.exists():
        source[0] = LINK.sub(lambda m: m[1] + on_site(m[2], page) + m[3], source[0])
