"""House rules that `make lint` does not check: whole contracts, short files, cheap imports."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "napari_seem"
MANIFEST = PACKAGE / "napari.yaml"
LONGEST = 400
ALLOWED = {
    "napari": {"viewer", "widgets", "demo"},
    "qtpy": {"widgets", "demo"},
    "torch": {"models", "training"},
}
"""Rooms that may import each library; all others must be named in its contract."""


def contracts() -> list[dict]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return settings["tool"]["importlinter"]["contracts"]


def rooms() -> set[str]:
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    return modules | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


@pytest.mark.parametrize("library", ALLOWED)
def test_every_room_is_under_the_contract(library):
    """A new room must be added to the contracts, or to those that may import the library."""
    forbidden = next(c for c in contracts() if library in c.get("forbidden_modules", ()))
    named = {source.removeprefix("napari_seem.") for source in forbidden["source_modules"]}

    assert not rooms() - named - ALLOWED[library]
    assert not named & ALLOWED[library]


def test_every_room_has_its_place_above_or_below_the_others():
    """`make lint` checks the directions; a contract that forgets a room would check nothing."""
    layers = next(c for c in contracts() if c["type"] == "layers")
    placed = {room.strip(" ()") for layer in layers["layers"] for room in layer.split(":")}

    assert layers["exhaustive"]
    assert not rooms() - placed


@pytest.mark.parametrize("folder", ["src", "training", "benchmarks", "tests", "tools"])
def test_no_file_is_too_long(folder):
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in (ROOT / folder).rglob("*.py")
    }

    assert not {name: length for name, length in lengths.items() if length > LONGEST}


def test_importing_the_package_is_cheap():
    """Neither torch nor Qt nor napari is loaded, not even by sessions and the list of models."""
    script = (
        f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r});"
        "import napari_seem; napari_seem.Point(1, 2); napari_seem.Session; napari_seem.MODELS;"
        "heavy = {'torch', 'napari', 'qtpy', 'PyQt6', 'scipy', 'skimage', 'pandas', 'dask'};"
        "print(sorted(heavy & set(sys.modules)))"
    )

    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "[]", done.stderr


def test_every_public_name_exists():
    import napari_seem

    assert [n for n in napari_seem.__all__ if not hasattr(napari_seem, n)] == []
    with pytest.raises(AttributeError, match="no_such_name"):
        napari_seem.no_such_name  # noqa: B018


def test_the_manifest_is_valid_and_its_commands_exist():
    from npe2 import PluginManifest

    manifest = PluginManifest.from_file(MANIFEST)

    assert manifest.contributions.commands
    manifest.validate_imports()


def test_no_two_test_modules_have_one_name():
    """pytest imports them by their names, and collects only one of two in one run."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))

    assert [name for name, count in names.items() if count > 1] == []
