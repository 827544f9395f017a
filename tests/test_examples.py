"""Every script of the gallery runs, and shows something."""

from __future__ import annotations

import ast
from pathlib import Path

import napari
import numpy as np
import pytest
import site_gallery
from imageio.v3 import imread

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("plot_*.py"))
LONG = {"plot_batch", "plot_ct_organ", "plot_label_like", "plot_words"}
"""What the programs of the pages show, too."""
FEWEST = 12


def shown_by(path: Path) -> list[object]:
    """Run an example; return the values that the blocks of its page show."""
    names: dict[str, object] = {"__name__": "__main__"}
    shown = []
    for block in path.read_text(encoding="utf-8").split("\n# %%\n"):
        *before, last = ast.parse(block).body
        exec(compile(ast.Module(before, []), path.name, "exec"), names)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), path.name, "eval"), names))
        else:
            exec(compile(ast.Module([last], []), path.name, "exec"), names)
    return shown


@pytest.fixture
def viewer(make_napari_viewer, monkeypatch):
    """The viewer that an example opens."""
    monkeypatch.setattr(napari, "Viewer", make_napari_viewer)
    monkeypatch.setattr(napari, "run", lambda: None)
    yield make_napari_viewer
    for dock in [*_docks()]:
        dock.release()


def _docks():
    viewer = napari.current_viewer()
    for dock in viewer.window.dock_widgets.values() if viewer else ():
        yield from [dock] if hasattr(dock, "release") else []


def test_there_are_enough():
    assert len(EXAMPLES) >= FEWEST
    assert sorted(site_gallery.ORDER) == [path.stem.removeprefix("plot_") for path in EXAMPLES]
    assert {path.stem for path in EXAMPLES} > LONG


@pytest.mark.parametrize("path", [
    pytest.param(path, id=path.stem, marks=[pytest.mark.long] * (path.stem in LONG))
    for path in EXAMPLES if "napari.Viewer" not in path.read_text(encoding="utf-8")
])  # fmt: skip
def test_an_example_runs_and_shows_a_picture(path, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    pictures = [p for value in shown_by(path) for p in site_gallery.pictures(value)]

    assert pictures
    for picture in pictures:
        assert np.ptp(imread(picture, extension=".png")) > 0


@pytest.mark.parametrize("path", [
    pytest.param(path, id=path.stem)
    for path in EXAMPLES if "napari.Viewer" in path.read_text(encoding="utf-8")
])  # fmt: skip
def test_an_example_with_a_viewer_runs_and_leaves_labels(path, viewer):
    shown_by(path)

    layers = napari.current_viewer().layers
    assert any(
        np.asarray(layer.data).any() for layer in layers if isinstance(layer, napari.layers.Labels)
    )
