"""Ids and the table of objects, in step with napari's own undo and redo."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel

from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.errors import InvalidLabels
from napari_seem.labels.objects import NewObject
from napari_seem.planes import Plane
from napari_seem.viewer.documents import document_of

SQUARE = np.ones((4, 4), bool)


def made(data):
    labels = ViewerModel().add_labels(data)
    return labels, document_of(labels), Plane.of(data.shape, at=0)


def write(document, plane, *corners, name="", **options):
    first = options.pop("label_id", None) or document.next_id(plane)
    objects = [
        NewObject(SQUARE, corner, first + n, ObjectRecord(name, 0.5, "disc", 1))
        for n, corner in enumerate(corners)
    ]
    return document.write_objects(
        plane, objects, overwrite=options.pop("overwrite", False), **options
    )


def rows(labels):
    return {i: r.name for i, r in ObjectTable.from_features(labels.features).items()}


def test_rows_go_and_come_back_with_undo_and_redo():
    labels, document, plane = made(np.zeros((20, 20), np.uint8))
    write(document, plane, (0, 0), name="one")
    write(document, plane, (6, 0), (6, 6), name="several")
    assert rows(labels) == {1: "one", 2: "several", 3: "several"}

    labels.undo()
    assert rows(labels) == {1: "one"}
    labels.undo()
    assert rows(labels) == {}
    assert list(labels.features["name"]) == ["background"]
    labels.redo()
    labels.redo()
    assert rows(labels) == {1: "one", 2: "several", 3: "several"}


def test_an_id_that_was_taken_back_is_free_again():
    labels, document, plane = made(np.zeros((20, 20), np.uint8))
    write(document, plane, (0, 0))
    labels.undo()

    assert document.next_id(plane) == 1
    assert write(document, plane, (6, 6), name="second try") == [1]
    assert rows(labels) == {1: "second try"}


def test_taking_a_replacement_back_brings_the_former_row_back():
    labels, document, plane = made(np.zeros((20, 20), np.uint8))
    write(document, plane, (0, 0), name="first")
    write(document, plane, (2, 2), name="better", label_id=1, replaces=True)
    assert rows(labels) == {1: "better"}
    assert (labels.data == 1).sum() == 16

    labels.undo()
    assert rows(labels) == {1: "first"}
    assert labels.data[0, 0] == 1


def test_a_brush_between_two_commits_takes_no_row_away():
    labels, document, plane = made(np.zeros((20, 20), np.uint8))
    write(document, plane, (0, 0), name="one")
    for at, value in (((15, 15), 9), ((1, 1), 0)):
        with labels.block_history():
            labels.paint(at, value)
    assert rows(labels) == {1: "one"}
    assert document.next_id(plane) == 10

    labels.undo()
    labels.undo()
    assert rows(labels) == {1: "one"}
    labels.undo()
    assert rows(labels) == {}


def test_the_stack_is_read_once_however_many_objects_are_written():
    data = np.zeros((5, 20, 20), np.uint16)
    data[4, 3, 3] = 40
    labels, document, plane = made(data)
    assert document.next_id(plane) == 41
    labels.data[4] = 0  # by a script, on a plane that is not shown

    assert document.next_id(plane) == 41
    labels.data = labels.data.copy()
    assert document.next_id(plane) == 1


def test_nothing_is_written_where_others_have_every_pixel():
    labels, document, plane = made(np.full((20, 20), 7, np.uint8))
    with pytest.raises(InvalidLabels, match="overwrite"):
        write(document, plane, (0, 0))
    assert (labels.data == 7).all()
    assert rows(labels) == {}

    labels.data[0, 0] = 0
    assert write(document, plane, (0, 0), (10, 10)) == [8]  # of two, one has a pixel
    assert rows(labels) == {8: ""}
    assert write(document, plane, (10, 10), overwrite=True) == [9]


def test_a_layer_on_disk_is_written_and_undone(tmp_path):
    stored = zarr.create_array(tmp_path / "labels.zarr", shape=(3, 20, 20), dtype="uint16")
    stored[2, 0, 0] = 5
    labels, document, plane = made(stored)
    assert write(document, plane, (4, 4), name="kept") == [6]
    assert (np.asarray(stored[0]) == 6).sum() == 16

    labels.undo()
    assert not np.asarray(stored[0]).any()
    assert rows(labels) == {}
