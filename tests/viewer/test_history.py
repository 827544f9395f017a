"""Names, colours and pixels go back and forward together, in the order they were changed."""

from __future__ import annotations

import gc
import weakref

import dask.array
import numpy as np
import pandas as pd
import pytest
import zarr
from files import full_disk
from napari.components import ViewerModel

from napari_seem.commands.names import DeleteObjects
from napari_seem.commands.replay import replay
from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.errors import FileTrouble, InvalidLabels
from napari_seem.labels.census import Census, count_planes
from napari_seem.labels.log import SessionLog
from napari_seem.labels.plans import (
    classes_of,
    delete_objects,
    merge_objects,
    recolour,
    rename_class,
)
from napari_seem.planes import Plane
from napari_seem.viewer.coordinates import full_data
from napari_seem.viewer.documents import colouring_of, document_of
from napari_seem.viewer.label_layers.features import set_table, table_of
from napari_seem.viewer.label_layers.palette import palette_of
from napari_seem.viewer.timeline import document_in, timeline_of


def stack():
    """Ids 1 and 2 on planes 0 and 1, id 3 on plane 2 of a (3, 20, 20) array."""
    data = np.zeros((3, 20, 20), np.uint16)
    data[:2, 2:6, 2:6], data[:2, 10:14, 2:6], data[2, 2:6, 10:16] = 1, 2, 3
    return data


def on_disk(tmp_path):
    return zarr.create_array(tmp_path / "labels.zarr", data=stack(), chunks=(1, 8, 8))


@pytest.fixture(params=["numpy", "zarr", "dask"])
def labels(request, tmp_path):
    kinds = {
        "numpy": stack,
        "zarr": lambda: on_disk(tmp_path),
        "dask": lambda: dask.array.from_array(stack(), chunks=(1, 20, 20)),
    }
    layer = ViewerModel().add_labels(kinds[request.param]())
    set_table(layer, ObjectTable({i: ObjectRecord("cell" if i < 3 else "vein") for i in (1, 2, 3)}))
    return layer


def census_of(layer):
    census = Census(full_data(layer).shape)
    for batch in count_planes(full_data(layer), census.missing()):
        for index, found in batch.items():
            census.put(index, found)
    return census


def apply(layer, plan):
    return document_of(layer).apply(plan, census_of(layer).blocks(plan.pixels))


def rename(layer, old, to):
    table = table_of(layer)
    classes = classes_of(table, ())
    return apply(layer, rename_class(classes, table, old, to, palette_of(layer).colours))


def names(layer):
    return {i: r.class_name for i, r in table_of(layer).items()}


def pixels(layer):
    return np.asarray(layer.data).copy()


def test_ctrl_z_takes_names_colours_and_strokes_back_in_order(labels):
    start = pixels(labels)
    rename(labels, "cell", "nucleus")
    with labels.block_history():
        labels.paint((0, 18, 18), 7)
    apply(labels, merge_objects(table_of(labels), [1, 2]))
    apply(labels, recolour(["nucleus"], "#123456"))
    apply(labels, delete_objects(table_of(labels), [1]))
    assert names(labels) == {3: "vein"}
    assert not np.isin(pixels(labels), (1, 2)).any()

    labels.undo()  # the deletion
    assert names(labels) == {1: "nucleus", 3: "vein"}
    assert (pixels(labels) == 1).sum() == 64
    assert palette_of(labels).colours["nucleus"] == "#123456"
    labels.undo()  # the colour
    assert palette_of(labels).colours.get("nucleus") != "#123456"
    labels.undo()  # the merge
    assert names(labels) == {1: "nucleus", 2: "nucleus", 3: "vein"}
    assert pixels(labels)[0, 18, 18] == 7
    labels.undo()  # the stroke
    assert np.array_equal(pixels(labels), start)
    assert names(labels)[1] == "nucleus"
    labels.undo()  # the name
    assert names(labels) == {1: "cell", 2: "cell", 3: "vein"}

    for _ in range(5):
        labels.redo()
    assert names(labels) == {3: "vein"}
    assert palette_of(labels).colours["nucleus"] == "#123456"
    assert pixels(labels)[0, 18, 18] == 7


def test_undo_says_what_it_would_take_back(labels):
    document = document_of(labels)
    assert (document.history.undo_title, document.undo()) == ("", "")
    rename(labels, "cell", "nucleus")
    assert document.history.undo_title == "rename 'cell' to 'nucleus'"
    with labels.block_history():
        labels.paint((0, 18, 18), 7)
    assert document.history.undo_title == "painting"

    assert document.undo() == "painting"
    assert document.history.redo_title == "painting"
    assert document.undo() == "rename 'cell' to 'nucleus'"
    assert document.redo() == "rename 'cell' to 'nucleus'"
    assert names(labels)[1] == "nucleus"


def test_a_stroke_after_undo_leaves_nothing_to_redo(labels):
    rename(labels, "cell", "nucleus")
    labels.undo()
    with labels.block_history():
        labels.paint((0, 18, 18), 7)

    assert document_of(labels).history.redo_title == ""
    labels.redo()
    assert names(labels)[1] == "cell"
    labels.undo()
    labels.undo()
    assert names(labels)[1] == "cell"


def test_a_change_tells_what_it_did(labels):
    seen = []
    document_of(labels).changed.connect(seen.append)

    change = apply(labels, merge_objects(table_of(labels), [1, 2]))

    assert seen == [change]
    assert change.pixels == 32
    assert change.rows[2][0].name == "cell"
    assert change.rows[2][1] is None
    assert change.planes == {(0,), (1,)}
    before = pixels(labels)
    for edit in reversed(change.edits):
        edit.revert(before)
    assert np.array_equal(before, stack())


def test_a_plan_that_changes_nothing_leaves_no_step(labels):
    rename(labels, "cell", "cell")
    labels_before = len(labels._undo_history)
    apply(labels, delete_objects(ObjectTable(), [77]))
    assert len(labels._undo_history) == labels_before


def test_columns_of_others_stay_and_come_back_with_their_rows(labels):
    labels.features = labels.features.assign(volume=[0.0, 1.5, 2.5, 3.5])
    apply(labels, delete_objects(table_of(labels), [2]))
    labels.features = labels.features.assign(later=[0, 10, 30])

    labels.undo()

    rows = labels.features.set_index("index")
    assert rows["volume"].to_dict() == {0: 0.0, 1: 1.5, 2: 2.5, 3: 3.5}
    assert rows["later"][3] == 30
    assert pd.isna(rows["later"][2])
    assert names(labels)[2] == "cell"


def test_names_of_a_layer_that_cannot_be_painted_are_undone_too():
    data = stack()
    data.flags.writeable = False
    for layer in (
        ViewerModel().add_labels(data),
        ViewerModel().add_labels([stack(), stack()[:, ::2, ::2]], multiscale=True),
    ):
        set_table(layer, ObjectTable({1: ObjectRecord("cell")}))
        with pytest.raises(InvalidLabels, match=r"read-only|resolutions"):
            document_of(layer).apply(delete_objects(table_of(layer), [1]), [])
        rename(layer, "cell", "nucleus")
        assert names(layer) == {1: "nucleus"}
        assert document_of(layer).undo() == "rename 'cell' to 'nucleus'"
        assert names(layer) == {1: "cell"}
        document_of(layer).redo()
        assert names(layer) == {1: "nucleus"}


def test_a_step_that_fails_half_way_leaves_nothing_behind(tmp_path, rng):
    data = stack()
    data[1, 10:] = rng.integers(100, 60_000, (10, 20))  # does not get smaller by compression
    stored = zarr.create_array(tmp_path / "labels.zarr", data=data, chunks=(1, 20, 20))
    layer = ViewerModel().add_labels(stored)
    set_table(layer, ObjectTable({1: ObjectRecord("cell")}))
    rename(layer, "cell", "nucleus")
    plan, before = delete_objects(table_of(layer), [1]), pixels(layer)
    blocks = census_of(layer).blocks(plan.pixels)

    with full_disk(300), pytest.raises(FileTrouble, match="nothing was changed"):
        document_of(layer).apply(plan, blocks)

    assert np.array_equal(pixels(layer), before)
    assert names(layer) == {1: "nucleus"}
    assert document_of(layer).history.undo_title == "rename 'cell' to 'nucleus'"
    document_of(layer).apply(plan, blocks)
    assert not (pixels(layer) == 1).any()
    layer.undo()
    layer.undo()
    assert names(layer) == {1: "cell"}


def test_a_store_opened_for_reading_is_refused(tmp_path):
    on_disk(tmp_path)
    layer = ViewerModel().add_labels(zarr.open_array(tmp_path / "labels.zarr", mode="r"))
    with pytest.raises(InvalidLabels, match="read-only"):
        apply(layer, delete_objects(table_of(layer), [1]))


def test_what_is_done_stands_in_the_record_of_the_layer(labels):
    rename(labels, "cell", "nucleus")
    apply(labels, delete_objects(table_of(labels), [3]))

    events = document_of(labels).log.events
    assert [event["event"] for event in events[1:]] == ["rename", "delete"]
    assert events[1]["title"] == "rename 'cell' to 'nucleus'"
    assert events[1]["objects"]["1"]["concept"] == "nucleus"
    assert events[2]["pixels"] == 24
    again = replay(SessionLog(events))
    assert np.array_equal(again.labels, pixels(labels))
    assert again.table[2].class_name == "nucleus"


def test_new_objects_of_a_class_have_its_colour_at_once(labels):
    colouring = colouring_of(labels)
    own = labels.colormap
    colouring.by_class(True)
    table = table_of(labels)
    table[9] = ObjectRecord("cell")
    set_table(labels, table)

    assert np.allclose(labels.get_color(9), labels.get_color(1))
    assert not np.allclose(labels.get_color(9), labels.get_color(3))
    rename(labels, "vein", "cell")
    assert np.allclose(labels.get_color(3), labels.get_color(1))
    labels.undo()
    assert not np.allclose(labels.get_color(3), labels.get_color(1))
    colouring.by_class(False)
    assert labels.colormap is own


def test_one_class_alone_can_be_shown_in_its_own_colours(labels):
    colours = colouring_of(labels)
    before = np.array(labels.get_color(3))
    colours.only([3])

    assert labels.get_color(1)[3] == 0
    assert np.allclose(labels.get_color(3), before)
    colours.only(None)
    assert labels.get_color(1)[3] == 1


def test_colours_chosen_in_napari_s_own_controls_stay(labels):
    colouring_of(labels).by_class(True)
    labels.new_colormap(3)
    chosen = labels.colormap

    rename(labels, "cell", "nucleus")

    assert labels.colormap is chosen
    assert not palette_of(labels).by_class


def test_a_layer_that_is_gone_is_not_kept_for_its_undo():
    viewer = ViewerModel()
    first, second = (viewer.add_labels(stack()) for _ in range(2))
    for layer in (first, second):
        assert DeleteObjects(ids=[1]).apply(document_in(viewer, layer))
    kept = weakref.ref(document_of(first))
    viewer.layers.remove(first)
    del first, layer
    gc.collect()

    assert kept() is None
    assert timeline_of(viewer).undo_title == "delete object 1"


def test_a_hidden_layer_is_written_to_and_undone():
    viewer = ViewerModel()
    layer = viewer.add_labels(np.zeros((3, 40, 40), np.uint16), visible=False)
    document, values = document_of(layer), np.arange(1600).reshape(40, 40) // 20
    for order in ((0, 1, 2), (1, 2, 0)):
        viewer.dims.order = order
        document.write_plane(Plane.across(0, 2), values)
        assert np.array_equal(layer.data[2], values)
        assert document.undo()
        assert not layer.data.any()


@pytest.mark.parametrize("other", [1 << 30, -5])
def test_ids_too_large_for_a_table_and_negative_ones_are_merged_too(other):
    data = stack().astype(np.int64)
    data[data == 2] = other
    layer = ViewerModel().add_labels(data)

    assert DeleteObjects(ids=[1]).apply(document_of(layer))
    assert set(np.unique(layer.data)) == {0, 3, other}
