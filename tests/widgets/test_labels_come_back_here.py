"""Labels that are dropped onto the viewer, or opened by any menu, come back as they were."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from napari._qt.dialogs import qt_reader_dialog
from napari.layers import Image, Labels
from npe2 import PluginManager
from qtpy.QtCore import QEvent, QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtTest import QTest

from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.io.files import open_image, read_labels, write_labels
from napari_seem.io.grid import Grid
from napari_seem.palette import Palette
from napari_seem.viewer.files import image_grids, labels_layer, open_labels_on, save_labels
from napari_seem.viewer.label_layers.features import table_of
from napari_seem.viewer.label_layers.palette import palette_of
from napari_seem.viewer.metadata import ABOUT, GRID
from napari_seem.widgets.menus.files import open_path

for module in ("rasterio", "nibabel", "zarr"):
    pytest.importorskip(module)

TABLE = ObjectTable({1: ObjectRecord("left", 0.5, "compact", 2, "vein"), 4: ObjectRecord("cell")})
PALETTE = Palette(True, {"vein": "#ff8000", "cell": "#0072b2"})
PLACED = Grid.scaled((40, 50), "yx", (0.5, 0.25), (3.0, -2.0), ("um", "um"))
DROPPED = ("a.tif", "b.ome.tif", "c.geojson", "d.coco.json", "e.zip", "RoiSet.zip", "f.zarr")


def pixels():
    data = np.zeros((40, 50), np.uint16)
    data[4:20, 3:21] = 1
    data[30:34, 30:45] = 4
    return data


def write(path, grid=PLACED):
    write_labels(path, pixels(), grid, TABLE, {"image": "cells", **PALETTE.to_dict()})
    return path


def check(layer):
    assert isinstance(layer, Labels)
    np.testing.assert_array_equal(layer.data, pixels())
    assert table_of(layer).items() == TABLE.items()
    np.testing.assert_allclose(layer.scale, (0.5, 0.25), rtol=1e-5)
    np.testing.assert_allclose(layer.translate, (3, -2), rtol=1e-5)
    assert {f"{unit:~}" for unit in layer.units} == {"µm"}
    assert palette_of(layer) == PALETTE
    np.testing.assert_allclose(layer.get_color(4), (0, 114 / 255, 178 / 255, 1), atol=0.01)
    assert layer.metadata[ABOUT]["image"] == "cells"


@pytest.fixture
def asked(monkeypatch):
    """What napari's dialog, which asks for a reader, was shown for."""
    shown = []

    def answer(dialog):
        shown.append(dialog)
        return "", False

    monkeypatch.setattr(qt_reader_dialog.QtReaderDialog, "get_user_choices", answer)
    return shown


@pytest.fixture
def used():
    """The plugin as it is once something of it was used; and after the test as if it never was."""
    manager = PluginManager.instance()
    manager.discover()
    manager.deactivate("napari-seem")
    yield lambda: manager.activate("napari-seem")
    manager.deactivate("napari-seem")


def drop(viewer, *paths):
    window = viewer.window._qt_window
    QTest.keyRelease(window, Qt.Key.Key_Shift)  # of a test before: napari stacks files then
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, buttons, keys,
                       QEvent.Type.Drop)  # fmt: skip
    viewer.window._qt_viewer.dropEvent(event)


def test_dropped_labels_come_back(make_napari_viewer, used, asked, tmp_path):
    viewer = make_napari_viewer()
    used()
    for name in DROPPED:
        path = write(tmp_path / name)
        drop(viewer, path)
        if path.is_dir():
            continue
        check(viewer.layers[-1])
    assert not asked
    drop(viewer, tmp_path / "a.json")  # the table leads to its labels
    check(viewer.layers[-1])
    assert len(viewer.open([tmp_path / "a.tif", tmp_path / "c.geojson"], plugin=None)) == 2
    check(viewer.open(tmp_path / "a.tif")[0])


def test_dropped_folders_come_back(make_napari_viewer, used, asked, qtbot, tmp_path, make_series):
    viewer = make_napari_viewer()
    used()
    drop(viewer, write(tmp_path / "f.zarr"))
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=20_000)
    check(viewer.layers[0])
    folder = make_series([0.0, 2.5, 5.0])
    viewer.window._qt_viewer._qt_open([str(folder)], stack=False)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20_000)
    assert viewer.layers[1].data.shape == (3, 128, 128)
    np.testing.assert_allclose(viewer.layers[1].scale, (-2.5, 0.661468, 0.661468))
    assert not asked


def test_a_segmentation_finds_the_open_series(make_napari_viewer, used, tmp_path, make_series):
    pytest.importorskip("highdicom")
    folder = make_series([0.0, 2.5, 5.0])
    grid = open_image(folder).grid
    data = np.zeros(grid.shape, np.uint16)
    data[1, 4:20, 3:21] = 1
    write_labels(tmp_path / "seg.dcm", data, grid, TABLE)
    viewer = make_napari_viewer()
    used()
    drop(viewer, tmp_path / "seg.dcm")  # alone: the slices it has, at their place
    assert viewer.layers[0].data.shape == (1, 128, 128)
    viewer.add_image(np.zeros(grid.shape), metadata={GRID: grid})
    drop(viewer, tmp_path / "seg.dcm")
    np.testing.assert_array_equal(viewer.layers[-1].data, data)
    assert viewer.layers[-1].metadata[GRID].format == "dicom"


@pytest.mark.parametrize("active", [False, True])
def test_others_files_are_opened_without_a_question(
    make_napari_viewer, used, asked, tmp_path, active
):
    from skimage.io import imsave

    viewer = make_napari_viewer()
    if active:
        used()
    image = np.random.default_rng(0).integers(0, 255, (12, 14), np.uint8)
    folder = tmp_path / "series"
    folder.mkdir()
    for path in (tmp_path / "a.tif", tmp_path / "a.png", folder / "1.tif", folder / "2.tif"):
        imsave(path, image, check_contrast=False)
    (tmp_path / "a.json").write_text('{"objective": "20x"}')
    for path in (tmp_path / "a.tif", tmp_path / "a.png", folder):
        drop(viewer, path)
        assert isinstance(viewer.layers[-1], Image)
        assert viewer.layers[-1].source.reader_plugin == "napari"
    assert viewer.layers[-1].data.shape == (2, 12, 14)
    assert len(viewer.layers) == 3
    with zipfile.ZipFile(tmp_path / "foil.zip", "w") as file:
        file.writestr("notes.txt", "no ROI")
    for name in ("a.json", "foil.zip"):
        with pytest.raises(ValueError, match=r"napari-seem|No plugin"):
            drop(viewer, tmp_path / name)
    assert not asked
    assert len(viewer.layers) == 3


def test_labels_that_napari_opened_as_an_image_are_taken_up(make_napari_viewer, used, tmp_path):
    """As a person does it: drop image and labels, and open a dock then."""
    viewer = make_napari_viewer()
    drop(viewer, write(tmp_path / "a.tif"))
    assert isinstance(viewer.layers[0], Image)
    used()
    assert [layer.name for layer in viewer.layers] == ["a"]
    check(viewer.layers[0])


def test_menu_opens_labels(make_napari_viewer, qtbot, tmp_path):
    viewer = make_napari_viewer()
    for count, name in enumerate(("a.tif", "c.geojson", "e.zip", "f.zarr"), 1):
        open_path(viewer, write(tmp_path / name))
        qtbot.waitUntil(lambda count=count: len(viewer.layers) == count, timeout=20_000)
        check(viewer.layers[-1])


def test_outlines_of_others_lie_on_the_open_image(tmp_path):
    from napari.components import ViewerModel

    square = [[[3, 4], [21, 4], [21, 20], [3, 20], [3, 4]]]
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": square},
               "properties": {"classification": {"name": "Tumor"}}}  # fmt: skip
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    viewer = ViewerModel()
    viewer.add_image(np.zeros((9, 9)), name="other")
    viewer.add_image(np.zeros((40, 50)), name="cells", scale=(0.5, 0.25), units=("um", "um"))
    opened = open_labels_on(path, image_grids(viewer))
    layer = viewer.add_labels(*labels_layer(opened, path)[:1], **labels_layer(opened, path)[1])

    np.testing.assert_array_equal(layer.data == 1, pixels() == 1)
    np.testing.assert_allclose(layer.scale, (0.5, 0.25))
    assert table_of(layer)[1].name == "Tumor"


def test_saving_over_a_file_keeps_the_rows_of_its_objects(tmp_path):
    """A layer that napari made of the file's numbers knows no names."""
    path = write(tmp_path / "a.tif")
    data = pixels()
    data[25:28, 2:9] = 7
    data[30:34, 30:45] = 0  # 4 is gone
    save_labels(Labels(data), path)

    values, table = read_labels(path)
    np.testing.assert_array_equal(values, data)
    assert list(table) == [1, 7]  # every object has a row
    assert table[1] == TABLE[1]
    assert table[7].name == ""
