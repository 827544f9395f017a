"""Files opened in a real viewer, labelled, and written back onto the same grid."""

from __future__ import annotations

import json

import numpy as np
import pytest
from files import full_disk
from napari.layers import Labels

from napari_seem.errors import FileTrouble
from napari_seem.io.files import read_labels
from napari_seem.viewer.files import GRID, grid_of
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.menus.files import open_path, save_to, suggested

nibabel = pytest.importorskip("nibabel")


@pytest.fixture
def scan(tmp_path, discs):
    """A NIfTI of five planes of discs, RAS, 0.5 x 0.8 x 3 mm; its path and what it shows."""
    image, _ = discs
    volume = np.stack([image] * 5).astype(np.int16)
    affine = np.array([[0.5, 0, 0, -30], [0, 0.8, 0, -60.5], [0, 0, 3, 100], [0, 0, 0, 1.0]])
    file = nibabel.Nifti1Image(volume.T, affine)
    file.header.set_xyzt_units("mm", "sec")
    nibabel.save(file, tmp_path / "scan.nii.gz")
    return tmp_path / "scan.nii.gz", volume


@pytest.fixture
def docked_on(make_napari_viewer, model, qtbot):
    """The Annotate dock on a viewer; it lets go at the end."""
    viewer, docks = make_napari_viewer(), []

    def dock() -> AnnotateWidget:
        docks.append(AnnotateWidget(viewer, loader=lambda name: model))
        viewer.window.add_dock_widget(docks[-1], name="Annotate")
        return docks[-1]

    yield viewer, dock
    for one in docks:
        qtbot.waitUntil(lambda one=one: one.annotator.runner._worker is None, timeout=20_000)
        one.release()


def test_a_nifti_is_opened_labelled_and_written_back(
    scan, discs, docked_on, qtbot, settle, tmp_path
):
    path, volume = scan
    viewer, open_dock = docked_on
    (layer,) = viewer.open(path, plugin="napari-seem")
    np.testing.assert_array_equal(layer.data, volume)
    np.testing.assert_allclose(layer.scale, (-3, -0.8, -0.5))
    viewer.dims.set_current_step(0, 2)
    dock = open_dock()
    plane = dock.annotator.ensure_work().plane
    y, x = np.argwhere(discs[1] == 1).mean(0).round()
    points = dock.annotator.prompt_layers.points
    points.add(points.world_to_data(layer.data_to_world((plane.index[0], y, x))))
    settle(dock)
    (prompt,) = dock.annotator.work.session.prompts
    assert (prompt.y, prompt.x) == pytest.approx((y, x))
    dock.panel.name.setText("lesion")
    dock.commit()
    labels = dock.annotator.labels
    expected = labels.data.copy()
    assert expected[plane.index[0]].any()
    assert labels.metadata[GRID] is layer.metadata[GRID]
    save_to(labels, tmp_path / "labels.nii.gz")
    qtbot.waitUntil((tmp_path / "labels.json").exists, timeout=20_000)
    again = nibabel.load(tmp_path / "labels.nii.gz")
    np.testing.assert_array_equal(again.affine, nibabel.load(path).affine)
    np.testing.assert_array_equal(np.asarray(again.dataobj).T, expected)
    (row,) = json.loads((tmp_path / "labels.json").read_text())["objects"]
    assert row["name"] == "lesion"
    assert row["prompts"] == 1


def test_naparis_own_save_keeps_the_grid(scan, make_napari_viewer, tmp_path):
    path, volume = scan
    viewer = make_napari_viewer()
    (layer,) = viewer.open(path, plugin="napari-seem")
    labels = viewer.add_labels(
        (volume > 100).astype(np.uint8), metadata={GRID: layer.metadata[GRID]}
    )
    written = labels.save(str(tmp_path / "mine.nii.gz"), plugin="napari-seem")
    assert str(tmp_path / "mine.nii.gz") in written
    affine = nibabel.load(tmp_path / "mine.nii.gz").affine
    np.testing.assert_array_equal(affine, nibabel.load(path).affine)


def test_a_full_disk_is_told_and_the_work_goes_on(open_viewer, qtbot, tmp_path):
    noise = np.random.default_rng(0).integers(1, 60_000, (64, 64)).astype(np.uint16)
    layer = open_viewer().add_labels(noise)
    path, said = tmp_path / "a.tif", []
    path.with_suffix(".json").write_text('{"RepetitionTime": 2}')
    with full_disk(2000):
        save_to(layer, path, lambda *told: said.append(told))
        qtbot.waitUntil(lambda: len(said) == 1, timeout=20_000)
    assert said[0][1]
    assert "Free some disk space" in said[0][0]
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]
    save_to(layer, path, lambda *told: said.append(told))
    qtbot.waitUntil(lambda: len(said) == 2, timeout=20_000)
    assert not said[1][1]
    assert np.array_equal(read_labels(path)[0], noise)
    assert path.with_suffix(".json").read_text() == '{"RepetitionTime": 2}'
    save_to(layer, tmp_path / "gone" / "a.tif", lambda *told: said.append(told))
    qtbot.waitUntil(lambda: len(said) == 3, timeout=20_000)
    assert "there is no folder" in said[2][0]


def test_naparis_own_save_says_why_it_fails(make_napari_viewer, tmp_path):
    layer = make_napari_viewer().add_labels(np.ones((2, 8, 8), np.uint8))

    with pytest.raises(FileTrouble, match="did not come from a DICOM series"):
        layer.save(str(tmp_path / "a.dcm"))


def test_a_series_is_chosen_opened_and_segmented(make_series, open_viewer, qtbot, tmp_path):
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")
    folder = make_series([0.0, 2.5, 5.0, 7.5])
    make_series([0.0, 2.5])
    viewer = open_viewer()
    asked = []

    def second(names):
        asked.extend(names)
        return next(i for i, name in enumerate(names) if "4 images" in name)

    open_path(viewer, folder, second)
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=20_000)
    assert len(asked) == 2
    (layer,) = viewer.layers
    assert layer.data.shape == (4, 128, 128)
    assert tuple(layer.contrast_limits) == (-160, 240)
    labels = viewer.add_labels(
        (layer.data > 100).astype(np.uint8), metadata={GRID: layer.metadata[GRID]}
    )
    assert suggested(labels).endswith(".dcm")
    save_to(labels, tmp_path / "seg.dcm")
    qtbot.waitUntil((tmp_path / "seg.json").exists, timeout=20_000)
    assert pydicom.dcmread(tmp_path / "seg.dcm").Modality == "SEG"


def test_trouble_is_shown_and_nothing_is_added(open_viewer, qtbot, tmp_path):
    from napari.utils.notifications import notification_manager

    (tmp_path / "broken.nii").write_bytes(b"x" * 1000)
    viewer = open_viewer()
    before = len(notification_manager.records)
    open_path(viewer, tmp_path / "broken.nii")
    qtbot.waitUntil(lambda: len(notification_manager.records) > before, timeout=20_000)
    assert "can't be read as NIfTI" in notification_manager.records[-1].message
    assert not viewer.layers


def test_bands_are_layers_of_their_own(open_viewer, qtbot, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    pixels = np.random.default_rng(0).integers(0, 4000, (4, 90, 100)).astype(np.uint16)
    with rasterio.open(
        tmp_path / "m.tif", "w", driver="GTiff", height=90, width=100, count=4, dtype="uint16",
        crs="EPSG:32632", transform=rasterio.Affine(0.1, 0, 4e5, 0, -0.1, 5e6),
    ) as file:  # fmt: skip
        file.write(pixels)
        for number, name in enumerate(("red", "green", "blue", "nir"), 1):
            file.set_band_description(number, name)
    viewer = open_viewer()
    open_path(viewer, tmp_path / "m.tif")
    qtbot.waitUntil(lambda: len(viewer.layers) == 4, timeout=20_000)
    assert [layer.name for layer in viewer.layers] == ["m red", "m green", "m blue", "m nir"]
    np.testing.assert_array_equal(viewer.layers[3].data, pixels[3])
    np.testing.assert_allclose(viewer.layers[0].translate, (-5e6 + 0.05, 4e5 + 0.05))


def test_labels_of_no_file_get_a_grid_by_their_transform():
    layer = Labels(np.zeros((3, 8, 9), np.uint8), scale=(2, 0.5, 0.25), translate=(1, 2, 3),
                   units=("um",) * 3)  # fmt: skip
    grid = grid_of(layer)
    assert grid.spacing == (2, 0.5, 0.25)
    assert grid.origin == (1, 2, 3)
    assert grid.axes == ("z", "y", "x")
    assert set(grid.units) == {"um"}
