"""Names and colours of labels in a folder: undone with their pixels, kept beside them."""

from __future__ import annotations

import dask.array
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_seem.edits import ObjectRecord
from napari_seem.labels.census import Census, count_planes
from napari_seem.labels.objects import NewObject
from napari_seem.labels.plans import classes_of, delete_objects, recolour, rename_class
from napari_seem.planes import Plane
from napari_seem.viewer.coordinates import full_data
from napari_seem.viewer.documents import colouring_of, document_of
from napari_seem.viewer.label_layers import targets
from napari_seem.viewer.label_layers.features import table_of
from napari_seem.viewer.label_layers.palette import palette_of
from napari_seem.viewer.label_layers.targets import new_labels, open_labels, store_of
from napari_seem.viewer.label_layers.window import window_of

pytest.importorskip("zarr")
SQUARE = np.ones((20, 20), bool)
SHAPE = (300, 2100)


@pytest.fixture(params=["one resolution", "a window"])
def layer(request, monkeypatch, tmp_path):
    """Objects 1 and 2, both cells, in a new folder."""
    monkeypatch.setattr(targets, "WIDEST", 200)
    monkeypatch.setattr(targets, "TEXTURE", 2000 if request.param == "a window" else 10_000)
    viewer = ViewerModel()
    image = viewer.add_image(
        dask.array.zeros(SHAPE, dtype=np.uint8, chunks=(300, 300)), contrast_limits=(0, 1)
    )
    labels = new_labels(viewer, image, home=tmp_path / "kept")
    document = document_of(labels, empty=True)
    for number, corner in enumerate(((10, 10), (100, 1500)), start=1):
        new = NewObject(SQUARE, corner, number, ObjectRecord("cell", 0.5, "disc", 1))
        document.write_objects(Plane.of(SHAPE), [new], overwrite=False)
    if window_of(labels) is not None:
        window_of(labels).move(Plane.of(SHAPE), (0, 0, 60, 60))
    return labels


def apply(layer, plan):
    census = Census(full_data(layer).shape)
    for batch in count_planes(full_data(layer), census.missing()):
        for index, found in batch.items():
            census.put(index, found)
    return document_of(layer).apply(plan, census.blocks(plan.pixels))


def rename(layer, old, to):
    table = table_of(layer)
    apply(layer, rename_class(classes_of(table, ()), table, old, to, palette_of(layer).colours))


def names(layer):
    return {i: r.class_name for i, r in table_of(layer).items()}


def paint(layer):
    """A stroke by the person, in the window where there is one."""
    window = window_of(layer)
    target = layer if window is None else window.layer
    with target.block_history():
        target.paint((50, 50), 9)


def undo(layer):
    """Ctrl+Z."""
    document_of(layer).undo()


def test_pixels_names_and_strokes_go_back_in_order(layer):
    data = full_data(layer)
    rename(layer, "cell", "nucleus")
    rename(layer, "nucleus", "nuclei")
    paint(layer)
    apply(layer, delete_objects(table_of(layer), [2]))
    assert names(layer) == {1: "nuclei"}
    assert not (np.asarray(data) == 2).any()

    undo(layer)
    assert names(layer) == {1: "nuclei", 2: "nuclei"}
    assert (np.asarray(data) == 2).sum() == 400
    undo(layer)
    assert not (np.asarray(data) == 9).any()
    assert names(layer)[1] == "nuclei"
    undo(layer)
    assert names(layer)[1] == "nucleus"
    undo(layer)
    assert names(layer)[1] == "cell"
    undo(layer)  # the second object
    assert names(layer) == {1: "cell"}
    for _ in range(4):
        document_of(layer).redo()
    assert names(layer) == {1: "nuclei", 2: "nuclei"}
    assert document_of(layer).redo() == "delete object 2"
    assert names(layer) == {1: "nuclei"}


def test_painted_planes_are_told_of(layer):
    seen = []
    document_of(layer).changed.connect(lambda change: seen.append(set(change.planes)))
    paint(layer)
    assert seen == [{()}]
    undo(layer)
    assert seen == [{()}, {()}]
    rename(layer, "cell", "nucleus")
    assert seen[2:] == [set()]


def test_names_and_colours_are_there_when_the_folder_is_opened_again(layer):
    rename(layer, "cell", "nucleus")
    colouring_of(layer).by_class(True)
    apply(layer, recolour(["nucleus"], "#123456"))
    rename(layer, "nucleus", 'a "cell", mine')

    viewer = ViewerModel()
    again = open_labels(viewer, store_of(layer).path)
    assert names(again) == {1: 'a "cell", mine', 2: 'a "cell", mine'}
    assert table_of(again)[1].time == table_of(layer)[1].time != ""
    assert palette_of(again).colours['a "cell", mine'] == "#123456"
    colouring_of(again).by_class(True)
    apply(again, recolour(['a "cell", mine'], "#654321"))
    rename(again, 'a "cell", mine', "cell")
    third = open_labels(ViewerModel(), store_of(layer).path)
    assert palette_of(third).colours == {"cell": "#654321"}


def test_the_window_has_the_colours_of_the_whole(layer):
    window = window_of(layer)
    colouring_of(layer).by_class(True)
    shown = layer if window is None else window.layer
    assert np.allclose(shown.get_color(1), layer.get_color(2))
    apply(layer, recolour(["cell"], "#ff0000"))
    assert np.allclose(shown.get_color(1), (1, 0, 0, 1))
