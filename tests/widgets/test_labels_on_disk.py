"""Labels of big images in a real viewer: kept in a folder, painted in a window, read sparingly."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from canvas import Mouse
from discs import DiscModel
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_seem.commands.models import ModelCache
from napari_seem.edits import ObjectTable
from napari_seem.embeddings import EmbeddingCache
from napari_seem.io.files import read_labels
from napari_seem.viewer.documents import document_of
from napari_seem.viewer.label_layers import targets
from napari_seem.viewer.label_layers.targets import store_of
from napari_seem.viewer.label_layers.window import window_of
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.menus import files
from napari_seem.widgets.stack.dock import StackWidget
from napari_seem.widgets.stack.panel import OUTLINES

zarr = pytest.importorskip("zarr")
from zarr.storage import LocalStore, WrapperStore  # noqa: E402  (zarr may be absent)

SIDE = 20_480
DISC = (12_000, 9_000, 90)


class CountingStore(WrapperStore):
    """Knows how often each chunk was read."""

    def __init__(self, store):
        super().__init__(store)
        self.read = Counter()

    async def get(self, key, prototype, byte_range=None):
        if "/c/" in f"/{key}":
            self.read[key] += 1
        return await self._store.get(key, prototype, byte_range)


def counted(path, shape, chunks, dtype="uint8"):
    """A zarr array in which nothing is written yet, and the store that counts."""
    store = CountingStore(LocalStore(path))
    return zarr.create_array(
        store, shape=shape, chunks=chunks, dtype=dtype, fill_value=20, overwrite=True
    ), store


def put_disc(array, y, x, radius, lead=()):
    rows, cols = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    part = np.full((2 * radius + 1,) * 2, 20, np.uint8)
    part[rows**2 + cols**2 <= radius**2] = 220
    array[(*lead, slice(y - radius, y + radius + 1), slice(x - radius, x + radius + 1))] = part
    return part > 100


@pytest.fixture
def mosaic(tmp_path):
    array, store = counted(tmp_path / "mosaic.zarr", (SIDE, SIDE), (512, 512))
    put_disc(array, *DISC)
    store.read.clear()
    return array, store


def pyramid(array):
    """The array with coarser copies that are never as good as black."""
    import dask.array

    fine = dask.array.from_array(array, chunks=array.chunks)
    return [fine, *(dask.array.zeros((SIDE // 2**n,) * 2, dtype=np.uint8) for n in (1, 2, 3, 4))]


@pytest.fixture
def open_mosaic(make_napari_viewer, mosaic, qtbot):
    def open_shown():
        viewer = make_napari_viewer(show=True)
        viewer.add_image(
            pyramid(mosaic[0]), multiscale=True, name="mosaic", contrast_limits=(0, 255)
        )
        model = DiscModel()
        dock = AnnotateWidget(viewer, loader=lambda name: model)
        viewer.window.add_dock_widget(dock, name="Annotate")
        QApplication.processEvents()
        viewer.scene.camera.center = (0, *DISC[:2])
        viewer.scene.camera.zoom = 1.0
        qtbot.wait(300)
        return dock

    docks = []

    def opening():
        docks.append(open_shown())
        return docks[-1]

    yield opening
    for dock in docks:
        qtbot.waitUntil(lambda dock=dock: dock.annotator.runner._worker is None, timeout=20_000)
        dock.release()


def test_a_mosaic_is_labelled_in_a_folder_and_painted_on_in_a_window(
    open_mosaic, settle, tmp_path, qtbot
):
    dock = open_mosaic()
    annotator, viewer = dock.annotator, dock.viewer
    dock.label_folder.choose_folder(tmp_path / "mine")
    assert str(tmp_path / "mine") in dock.label_folder.path.text()

    annotator.prompt_layers.points.add(DISC[:2])
    settle(dock)
    assert dock.commit() == 1

    labels = annotator.labels
    store = store_of(labels)
    assert store.path.parent == tmp_path / "mine"
    assert str(store.path) in dock.label_folder.path.text()
    y, x, radius = DISC
    around = np.s_[y - radius : y + radius + 1, x - radius : x + radius + 1]
    assert (np.asarray(store.array[around]) == 1).sum() > 25_000
    assert (np.asarray(store.levels[2][y // 4 - 30 : y // 4 + 30, x // 4]) == 1).sum() > 40

    dock.label_folder.edit_here()
    window = window_of(labels)
    layer = window.layer
    assert viewer.layers.selection.active is layer
    assert max(layer.data.shape) <= 4096
    qtbot.wait(200)
    layer.brush_size, layer.selected_label = 21, 5
    Mouse(viewer).drag((y - 60, x - 150), (y - 60, x + 150))
    painted = np.asarray(store.array[y - 60, x - 140 : x + 140])
    assert (painted == 5).all()
    assert dock.annotator.objects.pick((y, x)) == 1
    settle(dock)

    for _ in range(2):  # the object that was picked up, then the stroke
        QTest.keyClick(
            viewer.window._qt_viewer.canvas.native,
            Qt.Key.Key_Z,
            Qt.KeyboardModifier.ControlModifier,
        )
    assert not (np.asarray(store.array[y - 60, x - 140 : x + 140]) == 5).any()
    dock.label_folder.take_back()
    assert not np.asarray(store.array[around]).any()
    assert len(ObjectTable.from_features(labels.features)) == 0
    dock.label_folder.put_back()
    assert (np.asarray(store.array[around]) == 1).sum() > 25_000
    kept, table = read_labels(store.path)
    assert kept.shape == (SIDE, SIDE)
    assert table[1].model == "compact"


def test_kept_labels_are_opened_and_worked_on_again(open_mosaic, settle, make_napari_viewer):
    dock = open_mosaic()
    dock.annotator.prompt_layers.points.add(DISC[:2])
    settle(dock)
    dock.commit()
    path = store_of(dock.annotator.labels).path
    dock.viewer.layers.remove(dock.annotator.labels)

    files.open_labels_at(dock.viewer, path)
    again = dock.viewer.layers[-1]
    dock.annotator.choose_labels(again)
    assert dock.annotator.objects.pick(DISC[:2]) == 1


def test_a_folder_that_holds_no_labels_is_reported(open_viewer, tmp_path, capsys):
    viewer = open_viewer()
    files.open_labels_at(viewer, tmp_path)
    assert "holds no labels" in capsys.readouterr().out
    assert not viewer.layers


@pytest.fixture
def volume(tmp_path):
    array, store = counted(tmp_path / "volume.zarr", (1000, 600, 600), (1, 300, 300))
    for k in range(480, 521):
        put_disc(array, 300, 250 + (k - 480), 60, lead=(k,))
    store.read.clear()
    return array, store


def test_a_click_reads_one_plane_of_a_volume(docked, settle, volume, monkeypatch):
    array, store = volume
    dock = docked(array, contrast_limits=(0, 255))
    dock.viewer.dims.set_current_step(0, 500)
    store.read.clear()
    annotator = dock.annotator

    annotator.prompt_layers.points.add([500, 300, 270])
    settle(dock)
    first = Counter(store.read)
    annotator.prompt_layers.points.add([500, 310, 270])
    settle(dock)
    second = store.read - first
    dock.commit()
    committed = store.read - first - second
    store.read.clear()
    annotator.prompt_layers.points.add([500, 300, 270])
    settle(dock)
    dock.commit()

    assert 0 < sum(first.values()) <= 4
    assert {key.split("/")[-3] for key in first} == {"500"}
    assert not second
    assert len({key.split("/")[-3] for key in committed}) <= 16  # sampled once, for the record
    assert not store.read


def test_a_commit_and_a_stroke_touch_few_chunks_of_the_labels(
    docked, settle, volume, tmp_path, monkeypatch
):
    dock = docked(volume[0], contrast_limits=(0, 255))
    dock.viewer.dims.set_current_step(0, 500)
    first = {}
    create = targets.LabelStore.create

    def spied(*args, **options):
        made = create(*args, **options)
        counting = CountingStore(LocalStore(made.path / "0"))
        made.levels[0] = zarr.open_array(counting, mode="r+")
        first["store"] = counting
        return made

    monkeypatch.setattr(targets.LabelStore, "create", spied)
    annotator = dock.annotator
    annotator.prompt_layers.points.add([500, 300, 270])
    settle(dock)

    assert dock.commit() == 1

    read = first["store"].read
    planes = {key.split("/")[-3] for key in read}
    assert planes <= {"0", "500"}  # napari looks at the first plane of a new layer
    assert sum(read.values()) < 20
    read.clear()
    layer = annotator.labels
    with layer.block_history():
        layer.paint((500, 100, 100), 3)
    layer.undo()
    assert {key.split("/")[-3] for key in read} <= {"0", "500"}
    assert sum(read.values()) < 30
    read.clear()
    dock.viewer.dims.set_current_step(0, 501)
    assert {key.split("/")[-3] for key in read} <= {"500", "501"}


@pytest.fixture
def stack_dock(open_viewer, put_in, qtbot):
    docks = []

    def open_on(array):
        viewer = open_viewer()
        image = viewer.add_image(array, name="volume", contrast_limits=(0, 255))
        labels = targets.new_labels_on_disk(viewer, image, "organ")
        dock = StackWidget(viewer, ModelCache(None, EmbeddingCache(1 << 28), "cpu"))
        put_in(viewer, dock, "Stack")
        docks.append(dock)
        return dock, labels

    yield open_on
    for dock in docks:
        dock.runner.steps.stop()
        qtbot.waitUntil(lambda dock=dock: not dock.runner.steps.running, timeout=20_000)
        dock.release()


@pytest.mark.window
@pytest.mark.long
def test_the_stack_dock_writes_into_the_folder_and_takes_back(stack_dock, volume, qtbot):
    dock, labels = stack_dock(volume[0])
    store = store_of(labels)
    disc = np.zeros((600, 600), np.uint16)
    put_disc(disc, 300, 270, 60)
    disc[:] = (disc > 100) * 7
    for k in (494, 506):
        labels.data[k] = disc
    dock.panel.model.setCurrentText(OUTLINES)
    dock.panel.first.setValue(492)
    dock.panel.last.setValue(508)

    dock.carry("both")
    qtbot.waitUntil(lambda: not dock.runner.steps.running, timeout=60_000)
    qtbot.wait(50)

    work, scratch = dock.runner.engine, dock.runner.run.scratch
    assert len(work.results) == 17
    np.testing.assert_array_equal(np.asarray(store.array[500]), disc)
    assert not np.asarray(store.array[400]).any()
    assert scratch.folder.is_dir()
    assert np.array_equal(work.results[500].labels, disc)

    corrected = np.roll(disc, 20, axis=1)
    plane = dock._stack().at(500)
    document_of(labels).write_plane(plane, corrected)
    dock.carry("both")
    qtbot.waitUntil(lambda: not dock.runner.steps.running, timeout=60_000)
    qtbot.wait(50)
    assert work.results[500].accepted
    shifted = np.flatnonzero(np.asarray(store.array[495])[300])
    assert shifted.min() > np.flatnonzero(disc[300]).min()

    dock.take_back()
    assert not document_of(labels).read_plane(dock._stack().at(495)).any()
    dock.release()
    assert not scratch.folder.exists()
