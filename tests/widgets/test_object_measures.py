"""Measurements in the Objects dock."""

from __future__ import annotations

import numpy as np
import pytest
from discs import squares
from qtpy.QtCore import Qt

from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.viewer.label_layers.features import set_table
from napari_seem.widgets.objects.dock import ObjectsWidget


@pytest.fixture
def viewer(open_viewer):
    return open_viewer()


@pytest.fixture
def opened(viewer, put_in):
    """Open the dock on labels of which 1 and 2 are cells: `opened(labels, **options)`."""
    docks = []

    def open_on(data, **options):
        layer = viewer.add_labels(data, name="cells", **options)
        set_table(layer, ObjectTable({i: ObjectRecord("cell") for i in (1, 2)}))
        dock = ObjectsWidget(viewer)
        put_in(viewer, dock, "Objects")
        docks.append(dock)
        return dock

    yield open_on
    for dock in docks:
        dock.release()


def cells(table):
    model = table.model()
    columns = [c for c in range(model.columnCount()) if not table.isColumnHidden(c)]
    return [
        tuple(str(model.data(model.index(row, column))) for column in columns)
        for row in range(model.rowCount())
    ]


def test_objects_are_measured_when_asked_for_and_again_where_they_change(opened, viewer, qtbot):
    viewer.add_image(np.full((40, 60), 7.0), scale=(0.5, 0.5), units=("um", "um"))
    dock = opened(squares(), scale=(0.5, 0.5), units=("um", "um"))
    table = dock.panel.objects
    assert len(cells(table)[0]) == 4

    dock.measures.wanted.click()
    qtbot.waitUntil(lambda: len(cells(table)[0]) == 12, timeout=20_000)
    titles = [table.source.headers[column] for column in (5, 6, 8, 10)]
    assert titles == ["Area (µm²)", "Extent y (µm)", "Centre y (µm)", "Intensity mean"]
    first = dict(
        zip(
            [h for h in table.source.headers if h not in ("Plane", "Score")],
            cells(table)[0],
            strict=True,
        )
    )
    assert (first["Area (µm²)"], first["Pixels"]) == ("2.25", "9")  # 3 x 3 of 0.25
    assert (first["Extent y (µm)"], first["Centre y (µm)"]) == ("1.5", "2.5")
    assert (first["Intensity mean"], first["Intensity sd"]) == ("7", "0")

    dock.layer.brush_size = 1
    dock.layer.paint((0, 0), 1)
    qtbot.waitUntil(lambda: cells(table)[0][3] == "2.5", timeout=20_000)

    table.sortByColumn(5, Qt.SortOrder.DescendingOrder)
    assert cells(table)[0][0] == "5"
    dock.measures.wanted.click()
    qtbot.waitUntil(lambda: len(cells(table)[0]) == 4)


def test_measurements_are_saved_as_a_table(opened, tmp_path, qtbot):
    dock = opened(squares())
    dock.measures.save_table(tmp_path / "cells")
    qtbot.waitUntil((tmp_path / "cells.csv").exists, timeout=20_000)
    lines = (tmp_path / "cells.csv").read_text().splitlines()
    assert len(lines) == 6
    assert lines[1].startswith("1,cell,cell,9,9,")
    qtbot.waitUntil(lambda: "5 objects written to" in dock.panel.message.text())
    dock.measures.save_table(tmp_path / "cells")  # the dialog has not asked for cells.csv
    assert "choose it by its whole name" in dock.panel.message.text()


def test_an_image_of_another_size_is_not_measured(opened, viewer):
    viewer.add_image(np.zeros((9, 9)), name="small")
    dock = opened(squares())
    dock.measures.image.setCurrentIndex(1)
    dock.measures.wanted.click()
    assert "does not lie on the labels' grid" in dock.panel.message.text()
