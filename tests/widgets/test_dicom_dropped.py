"""DICOM files and media that are dropped onto the viewer, and what the person is told."""

from __future__ import annotations

import numpy as np
import pytest
from npe2 import PluginManager

from napari_seem.io.files import write_labels
from napari_seem.viewer.metadata import ABOUT, GRID
from napari_seem.widgets.menus.files import open_path, suggested

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")
dicom_files, uid = pytest.importorskip("dicom_files"), pytest.importorskip("pydicom.uid")


@pytest.fixture
def used():
    """The plugin as it is once something of it was used; and after the test as if it never was."""
    manager = PluginManager.instance()
    manager.discover()
    manager.activate("napari-seem")
    yield
    manager.deactivate("napari-seem")


@pytest.fixture
def told(monkeypatch):
    """What the person was told."""
    said = []
    monkeypatch.setattr(
        "napari_seem.widgets.menus.files.notify", lambda text, problem=False: said.append(text)
    )
    return said


def dropped(viewer, qtbot, path, count=1):
    viewer.window._qt_viewer._qt_open([str(path)], stack=False)
    qtbot.waitUntil(lambda: len(viewer.layers) == count, timeout=20_000)
    return viewer.layers[-1]


def test_films_and_frames_are_dropped(make_napari_viewer, used, told, qtbot, tmp_path):
    film = np.random.default_rng(0).integers(0, 4096, (20, 30)).astype(np.uint16)
    dicom_files.image(
        tmp_path / "film.dcm", film, ImagerPixelSpacing=[0.2, 0.1], BitsStored=12, HighBit=11,
        PhotometricInterpretation="MONOCHROME1",
    )  # fmt: skip
    frames = [dicom_files.groups((0, 0, 3 * k), slope=1) for k in (2, 0, 1)]
    dicom_files.enhanced(tmp_path / "scan.dcm", np.ones((3, 20, 30), np.uint16), frames)
    viewer = make_napari_viewer()
    layer = dropped(viewer, qtbot, tmp_path / "film.dcm")
    np.testing.assert_array_equal(layer.data, 4095 - film.astype(int))
    np.testing.assert_allclose(layer.scale, (0.2, 0.1))
    layer = dropped(viewer, qtbot, tmp_path / "scan.dcm", 2)
    assert layer.data.shape == (3, 20, 30)
    np.testing.assert_allclose(layer.scale, (-3, 0.5, 0.75))
    assert not told
    labels = viewer.add_labels(
        np.zeros((3, 20, 30), np.uint8), metadata={GRID: layer.metadata[GRID]}
    )
    assert suggested(labels).endswith(".dcm")


def test_a_tilted_gantry_is_told_when_it_is_opened(
    make_napari_viewer, used, told, qtbot, make_series
):
    def tilted(number, dataset):
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 0.9659258, 0.2588190]
        dataset.ImagePositionPatient = [0, 0, 5 * number]

    layer = dropped(make_napari_viewer(), qtbot, make_series([0.0] * 3, change=tilted))
    assert "tilted by 15.0 degrees" in told[0]
    assert "tilted" in layer.metadata[ABOUT]["warning"]
    np.testing.assert_allclose(np.abs(layer.scale[0]), 5 * 0.9659258, rtol=1e-5)


def test_a_medium_asks_which_series(make_napari_viewer, used, qtbot):
    viewer, asked = make_napari_viewer(), []

    def choose(names):
        asked.extend(names)
        return next(i for i, name in enumerate(names) if "5 images" in name)

    index = dicom_files.sample("DICOMDIR")
    open_path(viewer, index, choose)
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=20_000)
    assert viewer.layers[0].data.shape == (5, 16, 16)
    assert "CT 'Scout', 1 image, coronal" in asked


def test_labels_of_frames_are_dropped_onto_their_scan(make_napari_viewer, used, qtbot, tmp_path):
    frames = [dicom_files.groups((0, 0, 3 * k), slope=1) for k in (2, 0, 1)]
    dicom_files.enhanced(tmp_path / "scan.dcm", np.ones((3, 20, 30), np.uint16), frames)
    viewer = make_napari_viewer()
    image = dropped(viewer, qtbot, tmp_path / "scan.dcm")
    labels = np.zeros((3, 20, 30), np.uint8)
    labels[2, 3:9, 4:20] = 5
    write_labels(tmp_path / "seg.dcm", labels, image.metadata[GRID])
    layer = dropped(viewer, qtbot, tmp_path / "seg.dcm", 2)
    np.testing.assert_array_equal(layer.data, labels)
    np.testing.assert_allclose(layer.scale, image.scale)
