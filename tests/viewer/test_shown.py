"""Which image is meant by what a person sees, without a screen."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_seem.planes import Plane
from napari_seem.viewer.drawing.prompt_layers import PromptLayers
from napari_seem.viewer.label_layers.targets import new_labels
from napari_seem.viewer.preview import EDGE, Preview
from napari_seem.viewer.shown import (
    belongs_to,
    covering_image,
    covers,
    image_meant,
    labels_for,
    show_image,
)

SIZE = (30, 40)


@pytest.fixture
def viewer():
    return ViewerModel()


def add(viewer, name, shape=SIZE, **options):
    return viewer.add_image(np.zeros(shape), name=name, **options)


def prompts_on(viewer, image):
    return PromptLayers(viewer, image, lambda: None, pytest.fail)


def test_the_selected_image_is_meant_or_else_the_topmost_visible_one(viewer):
    assert image_meant(viewer) is None
    low, high = add(viewer, "low"), add(viewer, "high")
    viewer.layers.selection.active = low
    assert image_meant(viewer) is low
    viewer.layers.selection.active = prompts_on(viewer, high).points
    assert image_meant(viewer) is high
    high.visible = False
    assert image_meant(viewer) is low
    low.visible = False
    assert image_meant(viewer) is high
    assert image_meant(viewer, least_ndim=3) is None


def test_an_image_covers_where_it_lies_and_channels_never_do(viewer):
    low = add(viewer, "low")
    part = add(viewer, "part", (10, 10), translate=(5, 5))
    channels = viewer.add_image(np.zeros((2, *SIZE)), channel_axis=0, name="channels")
    for channel in channels:
        channel.blending = "additive"

    assert covering_image(viewer, low, (7, 7)) is part
    assert covering_image(viewer, low, (25, 25)) is None
    assert covering_image(viewer, part, (7, 7)) is None
    assert covers(viewer, part, low)
    assert not covers(viewer, low, part)
    assert not covers(viewer, channels[1], channels[0])
    part.opacity = 0.4
    assert covering_image(viewer, low, (7, 7)) is None


def test_an_image_is_shown_with_its_labels_and_what_hides_it_is_not(viewer):
    low, high = add(viewer, "low"), add(viewer, "high")
    aside = add(viewer, "aside", translate=(0, 100))
    its, others = new_labels(viewer, low), new_labels(viewer, high)
    own = viewer.add_labels(np.zeros(SIZE, int), name="a person's own")
    its.visible = False

    show_image(viewer, low)
    seen = [layer.name for layer in viewer.layers if layer.visible]
    assert seen == ["low", "aside", "low labels", "a person's own"]
    assert viewer.layers.selection.active is low
    show_image(viewer, high)
    assert high.visible
    assert others.visible
    assert aside.visible
    assert own.visible


def test_labels_belong_to_the_image_they_were_made_for(viewer):
    low, high = add(viewer, "low"), add(viewer, "high")
    made = new_labels(viewer, low)
    loaded = viewer.add_labels(np.zeros(SIZE, int))
    shifted = viewer.add_labels(np.zeros(SIZE, int), translate=(1, 0))
    scribbles = prompts_on(viewer, low).scribbles

    assert [belongs_to(x, low) for x in (made, loaded, shifted, scribbles)] == [1, 1, 0, 0]
    assert [belongs_to(x, high) for x in (made, loaded, shifted, scribbles)] == [0, 1, 0, 0]
    assert (labels_for(viewer, low), labels_for(viewer, high)) == (made, None)
    high.blending = "additive"  # a channel of the same picture
    assert belongs_to(made, high)


def test_images_share_a_set_of_prompt_layers_and_get_their_prompts_back(viewer):
    first, second = add(viewer, "first"), add(viewer, "second", (50, 20), scale=(2, 2))
    prompts = prompts_on(viewer, first)
    prompts.points.add((10, 12))
    prompts.shapes.add_rectangles([[2, 3], [8, 9]])
    with prompts.scribbles.block_history():
        prompts.scribbles.paint((20, 20), 1)
    strokes = prompts.scribbles.data.copy()
    count = len(viewer.layers)
    prompts.detach()
    others = prompts_on(viewer, second)

    assert len(viewer.layers) == count
    assert others.layers == prompts.layers
    assert not len(others.points.data) + others.shapes.nshapes + others.scribbles.data.any()
    others.points.add((40, 15))
    others.detach()
    prompts.attach()
    assert np.array_equal(prompts.points.data, [(10, 12)])
    assert prompts.shapes.nshapes == 1
    assert np.array_equal(prompts.scribbles.data, strokes)
    assert len(prompts.on(Plane.of(SIZE))) == 3


def test_ours_are_drawn_over_what_a_person_adds(viewer):
    image = add(viewer, "image")
    prompts, preview = prompts_on(viewer, image), Preview(viewer, "SEEM preview")
    preview.show(image, Plane.of(SIZE), np.ones(SIZE, bool))
    viewer.add_labels(np.zeros(SIZE, int), name="added")
    prompts.restore()

    names = [layer.name for layer in viewer.layers]
    ours = ["SEEM preview", "SEEM scribbles", "SEEM shapes", "SEEM points"]
    assert names == ["image", "added", *ours]


def test_the_preview_is_filled_and_outlined_in_no_label_colour(viewer):
    image = add(viewer, "image")
    preview = Preview(viewer, "preview")
    mask = np.zeros(SIZE, bool)
    mask[10:20, 10:30] = True
    preview.show(image, Plane.of(SIZE), mask)

    shown = preview.layer.data
    assert shown[15, 20] == 1
    assert (shown[10, 10:30] == EDGE + 1).all()
    assert (shown[9, 10:30] == EDGE).all()
    assert shown[8].max() == 0
    assert np.array_equal(preview.values(), mask)
    fill, line, rim = (preview.layer.colormap.map(v) for v in (1, EDGE + 1, EDGE))
    assert line[:3].min() == 1
    assert rim[:3].max() == 0
    assert 0 < fill[3] < 0.5 < rim[3]
