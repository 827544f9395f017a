"""Labelled planes of a viewer: which there are, and what is read of them."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_seem.planes import Plane
from napari_seem.viewer.labelled import (
    CountedPlane,
    count_labelled,
    labelled_layers,
    parts_of,
    within,
)


@pytest.fixture
def viewer() -> ViewerModel:
    """A stack (z, y, x) of which planes 1 and 3 are labelled."""
    viewer = ViewerModel()
    viewer.add_image(np.arange(4 * 20 * 30, dtype=np.uint16).reshape(4, 20, 30), name="stack")
    labels = np.zeros((4, 20, 30), np.int32)
    labels[1, 2:6, 2:6], labels[3, :3, :3], labels[3, 10:, 10:] = 1, 1, 2
    viewer.add_labels(labels, name="cells")
    return viewer


def counted(viewer) -> list[CountedPlane]:
    (layer,) = labelled_layers(viewer)
    return [one for some in count_labelled(layer.labels.data, layer.planes()) for one in some]


def test_planes_with_objects_are_counted(viewer):
    assert [(one.plane.index[0], one.objects) for one in counted(viewer)] == [(1, 1), (3, 2)]


def test_planes_are_those_that_are_shown(viewer):
    viewer.dims.order = (2, 0, 1)

    found = counted(viewer)

    assert {one.plane.axes for one in found} == {(0, 1)}
    assert [one.plane.index[2] for one in found][:3] == [0, 1, 2]


def test_labels_that_lie_on_no_image_are_left_out(viewer):
    viewer.add_labels(np.ones((5, 5), np.int32), name="elsewhere")
    viewer.layers["cells"].translate = (0, 3, 0)

    assert labelled_layers(viewer) == []


def test_the_visible_image_is_meant_where_labels_lie_on_several(viewer):
    viewer.add_image(np.zeros((4, 20, 30)), name="hidden", visible=False)

    (layer,) = labelled_layers(viewer)

    assert layer.title == "cells on stack"


def test_parts_hold_a_copy_of_the_labels_and_the_pixels_of_the_image(viewer):
    (layer,) = labelled_layers(viewer)
    first = parts_of(viewer, layer, counted(viewer))[0]
    viewer.layers["cells"].data[1] = 0
    viewer.layers.clear()

    assert np.unique(first.labels).tolist() == [0, 1]
    assert np.array_equal(first.read(), np.arange(600, 1200).reshape(20, 30))


def test_of_a_plane_too_big_for_one_pass_only_frames_with_objects_are_read():
    viewer = ViewerModel()
    rng = np.random.default_rng(0)
    viewer.add_image(rng.integers(0, 4000, (2100, 1100), np.uint16), name="mosaic")
    labels = np.zeros((2100, 1100), np.int32)
    labels[2000:2050, 1000:1050] = 9
    viewer.add_labels(labels)

    (one,) = counted(viewer)
    (layer,) = labelled_layers(viewer)
    (part,) = parts_of(viewer, layer, [one])

    assert one.objects == 1
    assert one.pixels < 1100 * 1100
    assert part.labels.max() == 9
    assert part.read().shape[:2] == part.labels.shape


@pytest.mark.parametrize(
    ("pixels", "chosen"), [(10_000, [0, 1, 2, 3]), (200, [0, 2]), (250, [0, 2]), (1, [0])]
)
def test_planes_are_chosen_evenly_where_there_is_little_room(pixels, chosen):
    planes = [CountedPlane(Plane.across(0, k), 1, ((0, 0, 10, 10),)) for k in range(4)]

    assert [one.plane.index[0] for one in within(planes, pixels)] == chosen
