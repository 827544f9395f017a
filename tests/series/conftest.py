"""The docks Annotate and Series on a folder of discs."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from discs import DiscModel
from napari.components import ViewerModel
from qtpy.compat import isalive
from series_docks import IMAGE, settle

from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.series.dock import SeriesWidget


@pytest.fixture
def folder(tmp_path):
    for number in range(4):
        tifffile.imwrite(tmp_path / f"d{number}.tif", IMAGE + np.uint8(number))
    return tmp_path


@pytest.fixture
def open_on(request, qtbot):
    """`open_on(folder)` gives the docks Annotate and Series; the first image is shown.

    With `window=True` in a viewer that is shown; without, they work on a viewer that has no window.
    """
    docks = []

    def make(folder, window=False, model=None, **options):
        make_viewer = request.getfixturevalue("make_napari_viewer") if window else None
        viewer = make_viewer(show=True) if window else ViewerModel()
        model = model or DiscModel()
        annotate = AnnotateWidget(viewer, loader=lambda _: model)
        series = SeriesWidget(viewer)
        for dock, name in ((annotate, "Annotate"), (series, "Series")):
            if window:
                viewer.window.add_dock_widget(dock, name=name)
        docks.extend((series, annotate))
        if folder is not None:
            series.open_files([folder], **options)
            settle(qtbot, series)
        return annotate, series

    yield make
    for dock in docks:
        if isalive(dock):
            dock.release()
