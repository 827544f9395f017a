"""Prompts in napari's layers, without a screen."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.settings import get_settings

from napari_seem.planes import Plane
from napari_seem.prompts import Point, Polygon, Scribble, rasterize
from napari_seem.viewer.coordinates import shown_plane
from napari_seem.viewer.drawing.prompt_layers import PromptLayers
from napari_seem.viewer.drawing.shapes import drawn_shape
from napari_seem.viewer.preview import Preview
from napari_seem.viewer.roles import draw_last, is_ours
from napari_seem.viewer.shown import channel_layers

SHAPE = (5, 40, 40)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def layers(viewer):
    viewer.add_image(np.zeros(SHAPE), scale=(4, 1, 1))
    viewer.dims.set_current_step(0, 2)
    return PromptLayers(viewer, viewer.layers[0], lambda: None, pytest.fail)


def stroke(layers, at, value):
    with layers.scribbles.block_history():  # as napari does for a stroke of the mouse
        layers.scribbles.paint(at, value)


def plane_at(z):
    return Plane.of(SHAPE, at=z)


def test_a_path_survives_the_strokes_after_it(layers):
    layers.shapes.add_paths([[[2, 5, 5], [2, 5, 20]]])
    stroke(layers, (2, 20, 20), 1)
    stroke(layers, (2, 30, 30), 2)

    path, painted, other = (drawn.prompt for drawn in layers.on(plane_at(2)))
    assert path.mask.sum() == 16
    assert (painted.positive, other.positive) == (True, False)


def test_an_erased_stroke_is_no_prompt_any_more(layers):
    stroke(layers, (2, 20, 20), 1)
    layers.scribbles.mode = "erase"
    layers.scribbles.brush_size = 30
    stroke(layers, (2, 20, 20), 0)

    assert layers.on(plane_at(2)) == []


def test_prompts_of_one_plane_are_shown_again_without_those_of_others(layers, viewer):
    layers.points.add((2, 10, 10))
    stroke(layers, (2, 30, 30), 1)
    kept = layers.on(plane_at(2))
    viewer.dims.set_current_step(0, 3)
    layers.points.add((3, 20, 20))

    layers.show(plane_at(2), [])
    assert np.array_equal(layers.points.data, [(3, 20, 20)])
    assert not layers.scribbles.data.any()
    layers.show(plane_at(2), kept)
    assert len(layers.points.data) == 2
    assert layers.scribbles.data[2].sum() == kept[1].prompt.mask.sum()


def test_an_ellipse_is_the_region_it_shows():
    plane = Plane.of((40, 40))
    corners = np.array([[20, 4], [8, 16], [20, 28], [32, 16]], float)  # a circle, turned by 45
    drawn = drawn_shape(corners, "ellipse", plane, (40, 40), True)

    assert isinstance(drawn.prompt, Polygon)
    mask = rasterize(drawn.prompt, (40, 40))
    rows, cols = np.mgrid[:40, :40]
    circle = (rows - 20) ** 2 + (cols - 16) ** 2 <= 72
    assert (mask ^ circle).sum() < 30


def test_a_line_is_a_stroke_and_keeps_its_sign(layers):
    layers.set_positive(False)
    layers.shapes.add_lines([[[2, 5, 5], [2, 5, 9]]])

    (line,) = layers.on(plane_at(2))
    assert isinstance(line.prompt, Scribble)
    assert not line.prompt.positive


def test_a_selected_point_keeps_its_colour_when_the_sign_changes(layers):
    layers.points.add((2, 10, 10))
    before = layers.points.face_color[0].copy()
    layers.points.selected_data = {0}
    layers.set_positive(False)
    layers.points.add((2, 20, 20))

    assert np.array_equal(layers.points.face_color[0], before)
    assert not np.array_equal(layers.points.face_color[1], before)
    assert [d.prompt for d in layers.on(plane_at(2))] == [Point(10, 10), Point(20, 20, False)]


def test_layers_are_used_again_and_the_viewer_stays_where_it_is(layers, viewer):
    layers.points.add((2, 10, 10))
    ours = layers.layers
    layers.detach()
    image = viewer.add_image(np.zeros((9, 8, 7)), name="next", scale=(0.5, 3, 3))
    viewer.dims.set_point(0, 3.5)
    again = PromptLayers(viewer, image, lambda: None, pytest.fail)

    assert again.layers == ours
    assert viewer.dims.point[0] == 3.5
    assert np.allclose(again.points.scale, (0.5, 3, 3))
    assert again.scribbles.data.shape == (9, 8, 7)
    assert len(again.points.data) == 0
    assert len(viewer.layers) == 5


def test_what_is_selected_stays_so_while_layers_are_added(viewer):
    image, other = (viewer.add_image(np.zeros(SHAPE)) for _ in range(2))
    viewer.layers.selection = {image, other}
    changed = []
    events = viewer.layers.selection.events
    events.changed.connect(lambda event: changed.extend([*event.added, *event.removed]))

    PromptLayers(viewer, image, lambda: None, pytest.fail)
    Preview(viewer, "preview").prepare(image)

    assert len(viewer.layers) == 6
    assert set(viewer.layers.selection) == {image, other}
    assert not changed
    assert viewer.add_image(np.zeros(SHAPE)) is viewer.layers.selection.active


def test_a_layer_goes_below_ours_in_one_step(layers, viewer):
    ours = [layer for layer in viewer.layers if is_ours(layer)]
    added, moved = viewer.add_image(np.zeros(SHAPE)), []
    viewer.layers.events.moved.connect(moved.append)

    draw_last(viewer)

    assert len(moved) == 1
    assert list(viewer.layers)[1:] == [added, *ours]


def test_channels_are_the_visible_gray_layers_exactly_on_the_image(viewer):
    first, second, third = viewer.add_image(np.zeros((3, 20, 20)), channel_axis=0)
    viewer.add_image(np.zeros((20, 20)), scale=(2, 2))
    viewer.add_image(np.zeros((20, 20, 3), np.uint8))
    viewer.add_image(np.zeros((30, 20)))

    assert channel_layers(second, viewer.layers) == (first, second, third)
    third.visible = False
    assert channel_layers(second, viewer.layers) == (first, second)


def test_points_go_where_napari_slices_behind(make_napari_viewer, qtbot):
    settings = get_settings().experimental
    before, settings.async_ = settings.async_, True
    try:
        viewer = make_napari_viewer(show=True)
        image = viewer.add_image(np.zeros((3, 20, 20), np.uint8))
        layers = PromptLayers(viewer, image, lambda: None, lambda _: None)
        layers.attach()
        for at in ((1, 5, 5), (1, 8, 8)):
            layers.points.add(at)
        qtbot.waitUntil(lambda: layers.points.loaded, timeout=20_000)
        first = layers.on(shown_plane(image, viewer.dims))[1:]
        layers.show(shown_plane(image, viewer.dims), first)
        qtbot.waitUntil(lambda: layers.points.loaded, timeout=20_000)
        assert len(layers.points.data) == 1
    finally:
        settings.async_ = before
