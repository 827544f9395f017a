"""The areas of a document's objects follow what is written, undone, painted and renamed."""

from __future__ import annotations

import numpy as np
import pytest

from napari_seem.edits import ObjectRecord
from napari_seem.labels import areas as areas_module
from napari_seem.labels.areas import ObjectAreas
from napari_seem.labels.document import LabelDocument
from napari_seem.labels.hosts import ArrayHost
from napari_seem.labels.objects import NewObject
from napari_seem.planes import Plane

PLANE = Plane.of((40, 50))


@pytest.fixture
def document():
    return LabelDocument(ArrayHost(np.zeros((40, 50), np.uint16)))


def write(document, label_id, corner, side, concept="cell", plane=PLANE):
    mask = np.ones((side, side), bool)
    new = NewObject(mask, corner, label_id, ObjectRecord(concept=concept))
    document.write_objects(plane, [new], overwrite=True)


def seen(areas, name=""):
    return sorted(round(float(area)) for area in areas.of_class(name))


def test_objects_that_are_there_and_that_come_count(document):
    write(document, 1, (0, 0), 5)
    areas = ObjectAreas(document)
    areas.look_at(PLANE)
    assert seen(areas) == [25]
    write(document, 2, (10, 10), 8, "blood")
    assert seen(areas) == [25, 64]
    assert seen(areas, "blood") == [64]
    assert seen(areas, "cell") == [25]
    assert seen(areas, "nothing") == []


def test_an_object_that_loses_pixels_to_another_is_smaller(document):
    areas = ObjectAreas(document)
    areas.look_at(PLANE)
    write(document, 1, (0, 0), 6)
    write(document, 2, (0, 0), 3)
    assert seen(areas) == [9, 27]


def test_undo_and_redo_go_along(document):
    areas = ObjectAreas(document)
    areas.look_at(PLANE)
    write(document, 1, (0, 0), 6)
    write(document, 2, (0, 0), 3)
    document.undo()
    assert seen(areas) == seen(areas, "cell") == [36]
    document.undo()
    assert seen(areas) == []
    document.redo()
    document.redo()
    assert seen(areas) == [9, 27]


def test_the_area_of_an_object_on_several_planes_is_the_mean_and_other_directions_are_apart():
    document = LabelDocument(ArrayHost(np.zeros((6, 40, 50), np.uint8)))
    areas = ObjectAreas(document)
    for index, side in ((1, 4), (2, 8)):
        plane = Plane.across(0, index)
        areas.look_at(plane)
        write(document, 7, (5, 5), side, plane=plane)
    assert seen(areas) == [32]  # the geometric mean of 16 and 64
    areas.look_at(Plane.across(1, 6))
    assert seen(areas) == [12]  # 4 and 8 pixels in two rows
    write(document, 7, (5, 5), 8, plane=Plane.across(0, 1))
    areas.look_at(Plane.across(1, 6))
    assert seen(areas) == [16]


def test_planes_that_are_too_large_are_not_read(document, monkeypatch):
    monkeypatch.setattr(areas_module, "COUNTED", 100)
    write(document, 1, (0, 0), 5)
    areas = ObjectAreas(document)
    areas.look_at(PLANE)
    assert seen(areas) == []
    write(document, 2, (10, 10), 8)
    assert seen(areas) == [64]


def test_after_a_large_change_the_plane_is_counted_anew(document, monkeypatch):
    monkeypatch.setattr(areas_module, "CHANGED", 30)
    areas = ObjectAreas(document)
    areas.look_at(PLANE)
    write(document, 1, (0, 0), 5)
    write(document, 2, (10, 10), 8)
    areas.look_at(PLANE)
    assert seen(areas) == [25, 64]
    document.undo()
    areas.look_at(PLANE)
    assert seen(areas) == [25]


def test_what_is_known_outlives_the_document(document):
    areas = ObjectAreas(document)
    areas.look_at(PLANE)
    write(document, 1, (0, 0), 5)
    areas.close()
    write(document, 2, (10, 10), 8)
    assert seen(areas) == [25]
