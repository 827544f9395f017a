"""Planes and coordinates against napari's own transforms, without Qt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.errors import InvalidPrompt
from napari_seem.labels.objects import NewObject
from napari_seem.planes import Plane
from napari_seem.viewer.coordinates import (
    affine_matrix,
    between,
    data_to_world,
    shown_plane,
    world_to_data,
)
from napari_seem.viewer.documents import document_of
from napari_seem.viewer.drawing.prompt_layers import PromptLayers
from napari_seem.viewer.label_layers.targets import new_labels
from napari_seem.viewer.preview import EDGE, Preview

numbers = st.floats(0.2, 5)


@pytest.mark.needs_slices
@settings(max_examples=25, deadline=None)
@given(
    scale=st.tuples(numbers, numbers, numbers),
    translate=st.tuples(*[st.floats(-50, 50)] * 3),
    order=st.permutations(range(3)),
    position=st.tuples(*[st.integers(0, 4)] * 3),
)
def test_what_is_clicked_is_what_is_written(scale, translate, order, position):
    """For any scale, offset, axis order and slice, a world point and its pixel are the same."""
    shape = (5, 6, 7)
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros(shape), scale=scale, translate=translate)
    viewer.dims.order = tuple(order)
    world = data_to_world(image, position, viewer.dims)
    viewer.dims.set_point(range(3), world)

    plane = shown_plane(image, viewer.dims)
    y, x = plane.to_plane(world_to_data(image, world, viewer.dims))
    labels = new_labels(viewer, image)
    written = NewObject(np.ones((1, 1), bool), (round(y), round(x)), 3, ObjectRecord("one"))
    document_of(labels).write_objects(plane, [written], overwrite=True)

    assert plane.axes == tuple(order[-2:])
    assert np.argwhere(labels.data == 3).tolist() == [list(position)]
    assert labels.get_value(world, world=True) == 3


def test_rotated_and_sheared_planes_keep_their_pixels():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((20, 30)), rotate=30, shear=[0.2], scale=(2, 0.5))
    other = viewer.add_points(ndim=2, rotate=30, shear=[0.2], scale=(2, 0.5))

    assert np.allclose(between(other, image, (7, 11), viewer.dims), (7, 11))
    assert np.allclose(affine_matrix(image) @ (7, 11, 1), (*image.data_to_world((7, 11)), 1))


def test_mixed_units_are_brought_together():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((20, 20)), units=("um", "um"))
    points = viewer.add_points(ndim=2, units=("nm", "nm"), scale=(1000, 1000))

    assert np.allclose(between(points, image, (3, 4), viewer.dims), (3, 4))


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_an_image_tilted_out_of_the_plane_is_refused():
    viewer = ViewerModel()
    tilt = np.eye(4)
    tilt[:2, :2] = [[0.9, -0.4], [0.4, 0.9]]
    image = viewer.add_image(np.zeros((5, 6, 7)), affine=tilt)

    with pytest.raises(InvalidPrompt, match="tilted"):
        shown_plane(image, viewer.dims)
    viewer.dims.order = (2, 0, 1)  # seen along the axis it was turned about
    assert shown_plane(image, viewer.dims).axes == (0, 1)


def test_several_objects_are_one_undo_step_and_rows_of_the_table():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 12, 12)))
    labels = new_labels(viewer, image)
    plane = Plane.of(labels.data.shape, at=2)
    square = np.ones((3, 3), bool)
    objects = [NewObject(square, (4 * n, 1), n + 1, ObjectRecord(f"no. {n}")) for n in range(3)]

    document_of(labels).write_objects(plane, objects, overwrite=False)
    assert (labels.data[2] > 0).sum() == 27
    table = ObjectTable.from_features(labels.features)
    assert [record.name for _, record in table.items()] == ["no. 0", "no. 1", "no. 2"]

    labels.undo()
    assert not labels.data.any()


def test_prompt_layers_lie_on_the_image_and_tell_planes_apart():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((5, 40, 40)), scale=(4, 1, 1))
    told = []
    layers = PromptLayers(viewer, image, lambda: told.append("changed"), told.append)
    viewer.dims.set_current_step(0, 3)
    layers.points.add((3, 10, 20))
    viewer.dims.set_current_step(0, 1)
    layers.shapes.add_rectangles([[[1, 5, 5], [1, 5, 9], [1, 9, 9], [1, 9, 5]]])

    assert told == ["changed", "changed"]
    assert [len(layers.on(Plane.of((5, 40, 40), at=z))) for z in (1, 2, 3)] == [1, 0, 1]
    assert np.allclose(layers.points.scale, image.scale)


def test_a_slip_of_the_mouse_is_taken_off_the_picture():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((40, 40)))
    told = []
    layers = PromptLayers(viewer, image, lambda: None, told.append)
    layers.shapes.add_rectangles([[5, 5], [5.4, 5.4]])

    assert len(layers.shapes.data) == 0
    assert "too small" in told[0]


@pytest.mark.needs_slices
def test_the_preview_lies_on_its_plane_and_is_made_once():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((5, 8, 9)), scale=(3, 2, 1), translate=(1, 1, 1))
    preview = Preview(viewer, "preview")
    mask = np.zeros((8, 9), np.uint8)
    mask[2, 3] = 1
    preview.show(image, Plane.of((5, 8, 9), at=4), mask)
    first = preview.layer
    preview.show(image, Plane.of((5, 8, 9), at=1), mask)

    viewer.dims.set_point(0, image.data_to_world((1, 0, 0))[0])
    assert preview.layer is first
    assert first.get_value(image.data_to_world((1, 2, 3)), world=True) % EDGE == 1
    assert np.array_equal(preview.values(), mask)
    preview.clear()
    assert not first.data.any()
