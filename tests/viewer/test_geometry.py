"""Prompts and labels end where the person put them, whatever the layer's transform.

Everything is checked against napari's own transforms: what is done at a world point must be found
at that point again.
"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_seem.edits import ObjectRecord
from napari_seem.labels.objects import NewObject
from napari_seem.prompts import Box, Point, Scribble
from napari_seem.viewer.coordinates import data_to_world, shown_plane, world_to_data
from napari_seem.viewer.documents import document_of
from napari_seem.viewer.drawing.prompt_layers import PromptLayers
from napari_seem.viewer.label_layers.targets import new_labels
from napari_seem.viewer.preview import EDGE, Preview

# an image turned within its plane is tilted in the orders tried on the way there
pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
LENGTHS = (6, 7, 8, 9)
ORDERS = {n: list(permutations(range(n))) for n in (2, 3, 4)}


@st.composite
def seen(draw):
    """A viewer on an image of random axes, transform and slice, and the pixel it looks at."""
    ndim = draw(st.integers(2, 4))
    shape = LENGTHS[:ndim]
    order = draw(st.sampled_from(ORDERS[ndim]))
    sizes = [draw(st.floats(0.2, 5)) * draw(st.sampled_from([1, -1])) for _ in shape]
    matrix = np.diag([*sizes, 1.0])
    matrix[:-1, -1] = [draw(st.floats(-50, 50)) for _ in shape]
    rows, columns = sorted(order[-2:])
    turn, slant = draw(st.floats(-3, 3)), draw(st.floats(-0.5, 0.5))
    pair = np.ix_((rows, columns), (rows, columns))
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix[pair] = turned @ np.array([[1, slant], [0, 1]]) @ matrix[pair]
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros(shape), affine=matrix)
    if draw(st.booleans()):  # further layers shift the viewer's own steps
        viewer.add_image(np.zeros(shape[-2:]), translate=(-7.3, 3.1), scale=(0.7, 1.9))
    viewer.dims.order = order
    pixel = [draw(st.integers(2, n - 3)) for n in shape]
    viewer.dims.set_point(range(ndim), data_to_world(image, pixel, viewer.dims))
    return viewer, image, pixel, order


def in_layer(layer, image, pixel, viewer):
    """Where a pixel of the image lies in another layer."""
    return layer.world_to_data(image.data_to_world(pixel))


@settings(max_examples=25, deadline=None)
@given(seen())
def test_points_boxes_and_strokes_become_prompts_at_their_pixels(scene):
    viewer, image, pixel, order = scene
    plane = shown_plane(image, viewer.dims)
    layers = PromptLayers(viewer, image, lambda: None, pytest.fail)
    layers.points.add(in_layer(layers.points, image, pixel, viewer))
    corners = []
    for dy, dx in ((-1.5, -1.5), (-1.5, 1.5), (1.5, 1.5), (1.5, -1.5)):
        corner = np.array(pixel, float)
        corner[list(plane.axes)] += dy, dx
        corners.append(in_layer(layers.shapes, image, corner, viewer))
    layers.shapes.add_rectangles([np.array(corners)])
    layers.scribbles.brush_size = 1
    with layers.scribbles.block_history():
        layers.scribbles.paint(in_layer(layers.scribbles, image, pixel, viewer), 1)
    point, box, stroke = (drawn.prompt for drawn in layers.on(plane))

    assert plane.axes == tuple(order[-2:])
    assert [p for p in plane.index if p is not None] == [
        p for axis, p in enumerate(pixel) if axis not in plane.axes
    ]
    y, x = (pixel[axis] for axis in plane.axes)
    assert isinstance(point, Point)
    assert (point.y, point.x) == pytest.approx((y, x), abs=1e-6)
    assert isinstance(box, Box)
    assert (box.y0, box.x0, box.y1, box.x1) == pytest.approx((y - 1, x - 1, y + 2, x + 2), abs=1e-6)
    assert isinstance(stroke, Scribble)
    assert stroke.mask[y, x]


@pytest.mark.needs_slices
@settings(max_examples=25, deadline=None)
@given(seen())
def test_labels_and_preview_are_found_where_they_were_written(scene):
    viewer, image, pixel, _ = scene
    world = image.data_to_world(pixel)
    plane = shown_plane(image, viewer.dims)
    y, x = plane.to_plane(world_to_data(image, world, viewer.dims))
    assume(y >= 0)
    labels = new_labels(viewer, image)
    new = NewObject(np.ones((1, 1), bool), (round(y), round(x)), 3, ObjectRecord("one"))
    document_of(labels).write_objects(plane, [new], overwrite=True)
    preview = Preview(viewer, "preview")
    values = np.zeros(plane.shape(image.data.shape), np.uint8)
    values[round(y), round(x)] = 2
    preview.show(image, plane, values)

    assert np.argwhere(labels.data).tolist() == [pixel]
    assert labels.get_value(world, world=True) == 3
    assert preview.layer.get_value(world, world=True) % EDGE == 2


def test_channels_are_a_slider_like_any_other():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 3, 5, 8, 9)), scale=(30, 1, 2, 0.5, 0.5))
    layers = PromptLayers(viewer, image, lambda: None, pytest.fail)
    for time, channel, z in product((0, 3), range(3), (0, 1, 4)):
        viewer.dims.set_point((0, 1, 2), (time * 30, channel, z * 2))
        layers.points.add(in_layer(layers.points, image, (time, channel, z, 3, 4), viewer))
        plane = shown_plane(image, viewer.dims)

        assert plane.index == (time, channel, z, None, None)
        assert len(layers.on(plane)) == 1
