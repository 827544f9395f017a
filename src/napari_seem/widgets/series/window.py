"""A window of napari on a series of images, for the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import napari

from ..annotate.dock import AnnotateWidget
from .dock import SeriesWidget


def open_window(
    paths: Sequence[Path], folder: Path | None = None, annotator: str = ""
) -> tuple[napari.Viewer, SeriesWidget]:
    """Open napari with the docks Annotate and Series on images; see `SeriesWidget.open_files`."""
    viewer = napari.Viewer()
    _, annotate = viewer.window.add_plugin_dock_widget("napari-seem", "Annotate")
    _, series = viewer.window.add_plugin_dock_widget("napari-seem", "Series")
    assert isinstance(annotate, AnnotateWidget)
    assert isinstance(series, SeriesWidget)
    series.open_files(list(paths), folder, annotator)
    return viewer, series


def run(paths: Sequence[Path], folder: Path | None = None, annotator: str = "") -> int:
    """Open a window on a series, until the person closes it."""
    open_window(paths, folder, annotator)
    napari.run()
    return 0
