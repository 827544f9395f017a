"""Objects out of the classes of pixels."""

from __future__ import annotations

import numpy as np
import pytest

import napari_seem as ns


def classes_of(labels, names=None):
    """The classes of pixels, as sure as can be."""
    ids = tuple(int(one) for one in np.unique(labels))
    shares = np.stack([labels == one for one in ids]).astype(np.float16)
    return ns.PixelClasses(ids, shares, names or {})


@pytest.fixture
def discs():
    rows, columns = np.ogrid[:60, :80]
    labels = np.full((60, 80), 2)
    for row, column, radius in ((20, 20, 9), (20, 35, 9), (45, 60, 6)):
        labels[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = 1
    labels[50, 5] = 1
    return classes_of(labels, {1: "cell", 2: "ground"})


def test_connected_pixels_are_one_object(discs):
    objects = ns.objects_of(discs, "cell")
    assert objects.max() == 3
    np.testing.assert_array_equal(objects > 0, discs.labels == 1)


def test_small_objects_are_left_out(discs):
    objects = ns.objects_of(discs, 1, smallest=2)
    assert sorted(np.unique(objects)) == [0, 1, 2]
    assert objects[50, 5] == 0


def test_touching_objects_are_split(discs):
    objects = ns.objects_of(discs, "cell", smallest=2, split=True)
    assert objects.max() == 3
    assert objects[20, 20] != objects[20, 35]
    assert objects[20, 20] == objects[14, 18]


def test_objects_of_several_classes_have_ids_of_their_own(discs):
    objects = ns.objects_of(discs, ["cell", "ground"])
    assert objects.max() == 4
    assert len(np.unique(objects[discs.labels == 2])) == 1


def test_a_class_that_does_not_exist(discs):
    with pytest.raises(ns.InvalidLabels, match=r"no class 'nucleus'; choose one of: 1 'cell'"):
        ns.objects_of(discs, "nucleus")
