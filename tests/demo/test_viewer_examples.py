"""The scripts of the gallery that open a viewer."""

from __future__ import annotations

import napari
import numpy as np
import pytest
from examples_run import WITH_VIEWER, shown_by


@pytest.fixture
def _viewer(make_napari_viewer, monkeypatch):
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


@pytest.mark.long
@pytest.mark.usefixtures("_viewer")
@pytest.mark.parametrize("path", WITH_VIEWER, ids=lambda path: path.stem)
def test_an_example_with_a_viewer_runs_and_leaves_labels(path):
    shown_by(path)

    layers = napari.current_viewer().layers
    assert any(
        np.asarray(layer.data).any() for layer in layers if isinstance(layer, napari.layers.Labels)
    )
