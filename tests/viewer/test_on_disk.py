"""Labels in a folder: when, where, undo, what is kept; and the window of the largest."""

from __future__ import annotations

import copy
import shutil

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.io.files import open_image, read_labels
from napari_seem.labels.objects import NewObject, object_mask
from napari_seem.planes import Plane
from napari_seem.viewer.coordinates import full_data
from napari_seem.viewer.documents import document_of
from napari_seem.viewer.label_layers import targets, window
from napari_seem.viewer.label_layers.targets import (
    belongs_on_disk,
    check_target,
    needs_window,
    new_labels,
    open_labels,
    store_of,
)
from napari_seem.viewer.label_layers.window import window_of

zarr = pytest.importorskip("zarr")


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def small_bounds(monkeypatch):
    """Sizes from which labels lie on disk, and have a window, that a test can afford."""
    monkeypatch.setattr(targets, "WIDEST", 200)
    monkeypatch.setattr(targets, "TEXTURE", 2000)


def disc(radius=10):
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return y**2 + x**2 <= radius**2


def lazy(shape):
    import dask.array

    return dask.array.zeros(shape, dtype=np.uint8, chunks=(*(1,) * (len(shape) - 2), 512, 512))


def add(viewer, tmp_path, shape, **options):
    image = viewer.add_image(lazy(shape), name="big", contrast_limits=(0, 1), **options)
    return image, new_labels(viewer, image, home=tmp_path / "kept")


@pytest.mark.parametrize(
    ("shape", "disk", "windowed"),
    [
        ((2048, 2048), False, False), ((300, 512, 512), False, False),
        ((1000, 512, 512), True, False), ((9000, 300), True, False),
        ((20_000, 20_000), True, True), ((3, 100, 16_385), True, True),
    ],
)  # fmt: skip
def test_what_lies_on_disk(shape, disk, windowed):
    assert belongs_on_disk(shape) is disk
    assert needs_window(shape) is windowed


def test_a_long_stack_gets_labels_on_disk_that_are_undone_like_others(viewer, tmp_path):
    image, labels = add(viewer, tmp_path, (1200, 400, 400), scale=(3, 0.5, 0.5))
    store = store_of(labels)
    plane = Plane.of(store.array.shape, at=700)
    document = document_of(labels, empty=True)
    check_target(labels, image, 1)

    ids = document.write_objects(
        plane, [NewObject(disc(), (50, 60), document.next_id(plane), ObjectRecord("cell"))],
        overwrite=False,
    )  # fmt: skip

    assert ids == [1]
    assert labels.data is store.array
    assert (np.asarray(store.array[700])[50:71, 60:81] == disc()).all()
    kept, table = read_labels(store.path)
    assert int((np.asarray(kept[700]) == 1).sum()) == disc().sum()
    assert table[1].name == "cell"
    labels.undo()
    assert not np.asarray(store.array[700]).any()
    assert 1 not in read_labels(store.path)[1]
    labels.redo()
    assert np.asarray(store.array[700]).any()
    assert read_labels(store.path)[1][1].name == "cell"
    np.testing.assert_allclose(labels.scale, (3, 0.5, 0.5))
    assert sum(f.stat().st_size for f in store.path.rglob("*") if f.is_file()) < 100_000


@pytest.mark.needs_slices
def test_labels_are_opened_again_where_they_lay(viewer, tmp_path, small_bounds):
    _, labels = add(
        viewer, tmp_path, (2, 300, 400), scale=(4, 2, 2), translate=(1, 2, 3), rotate=30,
        units=("um", "um", "um"),
    )  # fmt: skip
    plane = Plane.of((2, 300, 400), at=1)
    document_of(labels, empty=True).write_objects(
        plane, [NewObject(disc(), (9, 9), 7, ObjectRecord("nest"))], overwrite=False
    )
    other = ViewerModel()

    again = open_labels(other, store_of(labels).path)

    assert again.name == labels.name
    point = (1, 20, 30)
    np.testing.assert_allclose(again.data_to_world(point), labels.data_to_world(point))
    assert [str(unit) for unit in again.units] == ["micrometer"] * 3
    assert ObjectTable.from_features(again.features)[7].name == "nest"
    assert document_of(again).next_id(plane) == 8
    again.data_setitem((np.array([0]), np.array([1]), np.array([2])), 5)
    assert int(store_of(labels).array[0, 1, 2]) == 5


def test_two_layers_of_a_name_get_two_folders(viewer, tmp_path, small_bounds):
    image, labels = add(viewer, tmp_path, (300, 300))
    other = new_labels(viewer, image, labels.name, home=tmp_path / "kept")
    assert store_of(labels).path != store_of(other).path
    assert len(list((tmp_path / "kept").glob("*big labels*.zarr"))) == 2


def test_a_folder_that_cannot_be_written_is_reported(viewer, tmp_path, small_bounds):
    (tmp_path / "kept").write_text("a file")
    image = viewer.add_image(lazy((300, 300)), name="big", contrast_limits=(0, 1))
    with pytest.raises(FileTrouble, match="choose another folder"):
        new_labels(viewer, image, home=tmp_path / "kept")
    assert list(viewer.layers) == [image]


def refuse_writing(store):
    """From now on no chunk of the full-size labels can be written."""
    chunks = store.path / "0" / "c"
    if chunks.is_dir():
        shutil.rmtree(chunks)
    chunks.write_text("a file where a folder should be")


def test_a_commit_that_the_disk_refuses_is_reported(viewer, tmp_path, small_bounds):
    _, labels = add(viewer, tmp_path, (300, 300))
    refuse_writing(store_of(labels))
    with pytest.raises(FileTrouble, match="free some"):
        document_of(labels, empty=True).write_objects(
            Plane.of((300, 300)), [NewObject(disc(), (9, 9), 1, ObjectRecord())], overwrite=False
        )
    assert len(ObjectTable.from_features(labels.features)) == 0


def test_a_copy_of_a_layer_does_not_write_into_its_folder(viewer, tmp_path, small_bounds):
    _, labels = add(viewer, tmp_path, (300, 300))
    data, options, _ = labels.as_layer_data_tuple()
    other = viewer.add_labels(np.asarray(data), metadata=copy.deepcopy(options["metadata"]))
    assert store_of(labels) is not None
    assert store_of(other) is None


def test_a_folder_of_something_else_is_not_opened_as_labels(viewer, tmp_path):
    zarr.create_group(tmp_path / "image.zarr")
    with pytest.raises(FileTrouble, match="holds no labels"):
        open_labels(viewer, tmp_path / "image.zarr")


class TestWindow:
    SHAPE = (3000, 5000)

    @pytest.fixture
    def labels(self, viewer, tmp_path, small_bounds):
        return add(viewer, tmp_path, self.SHAPE, scale=(2, 2), translate=(7, 0))[1]

    @pytest.fixture
    def plane(self):
        return Plane.of(self.SHAPE)

    def whole(self, labels):
        return [np.asarray(level[...]) for level in store_of(labels).levels]

    def in_step(self, labels):
        """Whether all coarser levels are what the full-size one says."""
        first, *others = self.whole(labels)
        return all(
            np.array_equal(level, first[:: 2**n, :: 2**n]) for n, level in enumerate(others, 1)
        )

    def test_a_commit_goes_into_the_folder_and_every_level(self, viewer, labels, plane):
        document = document_of(labels, empty=True)
        objects = [
            NewObject(disc(20), (100, 200), 1, ObjectRecord("a")),
            NewObject(disc(300), (1500, 2801), 2, ObjectRecord("b")),
        ]

        assert document.write_objects(plane, objects, overwrite=False) == [1, 2]

        assert labels.multiscale
        assert not labels.editable
        assert len(store_of(labels).levels) == 4
        assert int((self.whole(labels)[0] == 2).sum()) == disc(300).sum()
        assert self.in_step(labels)
        assert document.next_id(plane) == 3
        mask, (y, x) = object_mask(full_data(labels), plane, 2)
        assert (y, x) == (1500, 2801)
        assert np.array_equal(mask, disc(300))

        assert document.undo() == "2 objects"
        assert not any(level.any() for level in self.whole(labels))
        assert len(ObjectTable.from_features(labels.features)) == 0
        assert document.redo() == "2 objects"
        assert self.in_step(labels)
        assert (self.whole(labels)[0] == 1).sum() == disc(20).sum()
        assert ObjectTable.from_features(labels.features)[2].name == "b"

    @pytest.mark.needs_slices
    def test_painting_in_the_window_goes_into_the_folder(self, viewer, labels, plane):
        document_of(labels)
        opened = window_of(labels)
        layer = opened.move(plane, (1000, 2001, 1500, 2601))
        assert layer.data.shape == (500, 600)
        np.testing.assert_allclose(layer.data_to_world((0, 0)), labels.data_to_world((1000, 2001)))

        layer.selected_label, layer.brush_size = 4, 31
        layer.paint((100, 100), 4)

        whole = self.whole(labels)[0]
        assert whole[1100, 2101] == 4
        assert (whole == 4).sum() == (layer.data == 4).sum() > 600
        assert self.in_step(labels)
        layer.undo()
        assert not self.whole(labels)[0].any()
        layer.redo()
        assert (self.whole(labels)[0] == 4).any()
        assert len(opened.undo_backend.stack.done) == 1
        document_of(labels).undo()
        assert not layer.data.any()
        assert not self.whole(labels)[0].any()

    def test_the_window_moves_and_changes_elsewhere_can_still_be_undone(
        self, viewer, labels, plane
    ):
        document_of(labels)
        opened = window_of(labels)
        layer = opened.move(plane, (0, 0, 400, 400))
        layer.paint((50, 50), 3)
        assert opened.move(plane, (2000, 4000, 9000, 9000)) is layer
        assert layer.data.shape == (1000, 1000)
        assert not layer.data.any()
        layer.paint((500, 500), 5)
        layer.undo()
        layer.undo()  # what was painted in the former place is not napari's to undo

        assert (self.whole(labels)[0][:400, :400] == 3).any()
        assert not (self.whole(labels)[0] == 5).any()
        document_of(labels).undo()
        assert not self.whole(labels)[0].any()
        assert self.in_step(labels)
        assert not document_of(labels).undo()

    def test_a_commit_shows_in_the_window(self, viewer, labels, plane):
        opened = window_of(labels)
        layer = opened.move(plane, (0, 0, 500, 500))
        document_of(labels, empty=True).write_objects(
            plane, [NewObject(disc(30), (480, 100), 1, ObjectRecord())], overwrite=False
        )
        assert (layer.data[480:, 100:161] == disc(30)[:20]).all()
        layer.paint((10, 10), 2)
        assert (self.whole(labels)[0] == 1).sum() == disc(30).sum()

    def test_a_large_area_opens_its_middle(self, viewer, labels, plane, monkeypatch):
        monkeypatch.setattr(window, "LARGEST", 256)
        layer = window_of(labels).move(plane, (0, 0, *self.SHAPE))
        assert layer.data.shape == (256, 256)
        np.testing.assert_allclose(layer.data_to_world((0, 0)), labels.data_to_world((1372, 2372)))

    def test_the_window_goes_with_its_labels_and_serves_the_next(self, viewer, labels, plane):
        opened = window_of(labels)
        layer = opened.move(plane, (0, 0, 100, 100))
        layer.paint((50, 50), 3)
        path = store_of(labels).path

        viewer.layers.remove(labels)

        assert layer in viewer.layers
        assert not layer.visible
        assert (np.asarray(open_image(path).data[:100, :100]) == 3).any()
        again = open_labels(viewer, path)
        assert window_of(again).move(plane, (0, 0, 100, 100)) is layer
        assert (layer.data == 3).any()

    def test_an_id_that_is_too_large_changes_nothing(self, viewer, labels, plane):
        opened = window_of(labels)
        with pytest.raises(InvalidLabels, match="70000"):
            document_of(labels, empty=True).write_objects(
                plane, [NewObject(disc(), (0, 0), 70_000, ObjectRecord())], overwrite=False
            )
        assert not opened.undo_backend.stack.done

    def test_what_the_disk_refuses_is_not_shown_as_if_it_were_kept(self, viewer, labels, plane):
        opened = window_of(labels)
        layer = opened.move(plane, (0, 0, 200, 200))
        refuse_writing(store_of(labels))
        with pytest.raises(Exception, match="free some"), layer.block_history():
            layer.paint((50, 50), 3)
        assert not layer.data.any()
        assert not opened.undo_backend.stack.done

    def test_other_pyramids_are_refused_as_before(self, viewer, labels):
        first = np.zeros(self.SHAPE, np.uint8)
        plain = viewer.add_labels([first, first[::2, ::2]], multiscale=True)
        with pytest.raises(InvalidLabels, match="several resolutions"):
            check_target(plain, viewer.layers["big"], 1)
