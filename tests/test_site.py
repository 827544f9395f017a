"""The pages of the documentation fit together; `make docs` builds them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import site_links
import site_reference

import napari_seem

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("sections/*.md")])
OTHERS = [ROOT / name for name in (
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "training/README.md",
)]  # fmt: skip
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.DOTALL | re.MULTILINE)
RAW = site_links.SOURCE.replace("github.com", "raw.githubusercontent.com")
MADE = {"gallery", "reference"}
"""Folders that the build writes."""


def in_toctrees() -> Counter[Path]:
    """How often each page stands in a table of contents."""
    found: Counter[Path] = Counter()
    for page in PAGES:
        for tree in TOCTREE.findall(page.read_text(encoding="utf-8")):
            entries = [line for line in tree.splitlines() if line and not line.startswith(":")]
            found.update((page.parent / f"{entry}.md").resolve() for entry in entries)
    return found


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub and MyST give the headings of a page."""
    titles = re.findall(r"^#{1,3} (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title).lower() for title in titles]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain}


def test_every_page_is_in_one_table_of_contents():
    found = in_toctrees()
    wanted = set(PAGES) - {DOCS / "index.md"}

    assert {page.name: found[page] for page in wanted if found[page] != 1} == {}
    absent = {page for page in found if page.parent.name not in MADE} - wanted
    assert absent == set()


@pytest.mark.parametrize(
    "page", [*PAGES, *OTHERS], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_links_lead_somewhere(page):
    broken = []
    for target in site_links.links(page.read_text(encoding="utf-8")):
        for place in (f"{site_links.SOURCE}/blob", f"{site_links.SOURCE}/tree", RAW):
            target = target.removeprefix(f"{place}/main/")
        if "://" in target:
            continue
        home = page.parent if target in page.read_text(encoding="utf-8") else ROOT
        file, _, anchor = target.partition("#")
        path = (home / file).resolve() if file else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)

    assert broken == []


@pytest.mark.parametrize(("page", "target", "there"), [
    ("annotate.md", "files.md#anchor", "files.md#anchor"),
    ("annotate.md", "https://napari.org", "https://napari.org"),
    ("annotate.md", "images/window.png", "images/window.png"),
    ("index.md", "../examples", "gallery/index.rst"),
    ("sections/start.md", "../../examples/plot_clicks.py", "../gallery/plot_clicks.rst"),
    ("faq.md", "../training/README.md", f"{site_links.SOURCE}/blob/main/training/README.md"),
])  # fmt: skip
def test_a_link_on_the_site(page, target, there):
    assert site_links.on_site(target, DOCS / page) == there


def test_the_reference_has_every_public_name_once():
    named = [name for names in site_reference.topics().values() for name in names]

    assert sorted(named) == sorted(set(napari_seem.__all__) - {"__version__"})


def test_the_reference_refuses_a_name_without_a_topic(monkeypatch):
    monkeypatch.setattr(napari_seem, "__all__", [*napari_seem.__all__, "left_out"])

    with pytest.raises(ValueError, match="left_out"):
        site_reference.topics()


def test_the_reference_refuses_a_method_without_a_docstring(monkeypatch):
    monkeypatch.setattr(napari_seem.Session.undo, "__doc__", None)

    with pytest.raises(ValueError, match=r"Session\.undo has no docstring"):
        site_reference.page_of_topic("One object", ["Session"])


def test_every_page_of_the_reference_can_be_made():
    pages = dict(site_reference.pages())

    assert ".. autoclass:: Session" in pages["one-object"]
    assert "napari-seem segment" in pages["command-line"]


@pytest.mark.parametrize("name", site_reference.parsers())
def test_every_command_and_option_says_what_it_does(name):
    parser = site_reference.parsers()[name]

    assert [action.dest for action in parser._actions if not action.help] == []
    assert "usage: napari-seem" in site_reference.help_of(parser)
