"""The Annotate dock on planes too big for one pass, in a real viewer."""

from __future__ import annotations

import numpy as np
import pytest

from napari_seem.viewer.coordinates import affine_matrix

SIZE = 4400
SMALL, LARGE = (1000, 1030, 60), (3000, 3000, 700)


@pytest.fixture(scope="module")
def image():
    rows, cols = np.ogrid[:SIZE, :SIZE]
    out = np.full((SIZE, SIZE), 20, np.uint8)
    for y, x, radius in (SMALL, LARGE):
        out[(rows - y) ** 2 + (cols - x) ** 2 <= radius**2] = 220
    return out


def inside(image, disc):
    rows, cols = np.ogrid[:SIZE, :SIZE]
    return (rows - disc[0]) ** 2 + (cols - disc[1]) ** 2 <= disc[2] ** 2


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def test_click_preview_commit_undo_on_a_big_image(docked, settle, image, model):
    dock = docked(image, scale=(0.5, 0.5))
    annotator = dock.annotator

    annotator.prompt_layers.points.add([1000, 1030])
    settle(dock)

    assert model.encoded == 1
    preview = annotator.preview.layer
    assert max(preview.data.shape) < 200
    assert preview.data.any()
    seen = np.argwhere(preview.data)
    world = preview.data_to_world(seen.mean(0))
    assert np.allclose(world, np.array(SMALL[:2]) * 0.5, atol=0.3)

    assert dock.commit() == 1
    labels = annotator.labels
    assert np.array_equal(np.asarray(labels.data) == 1, inside(image, SMALL))
    assert not annotator.preview.layer.data.any()
    labels.undo()
    assert not np.asarray(labels.data).any()


def test_a_large_object_is_shown_and_written_whole(docked, settle, image, model):
    dock = docked(image)
    annotator = dock.annotator

    annotator.prompt_layers.points.add([3000, 3000])
    settle(dock)
    encoded = model.encoded
    annotator.prompt_layers.points.add([3100, 3100])
    settle(dock)

    assert model.encoded == encoded
    dock.commit()
    labels = np.asarray(annotator.labels.data)
    assert iou(labels == 1, inside(image, LARGE)) > 0.99

    annotator.objects.pick((3000, 3000))
    settle(dock)
    assert annotator.work.label_id == 1
    annotator.prompt_layers.points.add([3200, 3000])
    settle(dock)
    dock.commit()
    assert iou(np.asarray(annotator.labels.data) == 1, inside(image, LARGE)) > 0.99


def test_a_pyramid_is_annotated_in_its_finest_pixels(docked, settle, image, model):
    dock = docked([image, image[::2, ::2], image[::4, ::4]], multiscale=True)

    dock.annotator.prompt_layers.points.add([1000, 1030])
    settle(dock)
    dock.commit()

    assert np.array_equal(np.asarray(dock.annotator.labels.data) == 1, inside(image, SMALL))


def test_a_word_is_looked_for_in_what_is_shown(docked, settle, image):
    dock = docked(image)
    dock.viewer.scene.camera.center = (0, 1000, 1030)
    dock.viewer.scene.camera.zoom = 2
    dock.annotator.image.corner_pixels = np.array([[800, 800], [1200, 1200]])

    dock.find_word("disc")
    settle(dock)

    assert dock.proposals.total == 1
    assert dock.proposals.take_all() == [1]
    assert np.array_equal(np.asarray(dock.annotator.labels.data) == 1, inside(image, SMALL))


def test_new_pixels_are_read_anew(docked, settle, image, model):
    dock = docked(image)
    points = dock.annotator.prompt_layers.points
    points.add([1000, 1030])
    settle(dock)

    dock.annotator.image.data = np.roll(image, 30, axis=0)
    points.add([1040, 1040])
    settle(dock)

    moved = (SMALL[0] + 30, *SMALL[1:])
    assert np.array_equal(dock.annotator.prediction.mask, inside(image, moved))
    assert model.encoded == 2


def test_a_stroke_on_a_big_image(docked, settle, image):
    dock = docked(image)
    layer = dock.annotator.prompt_layers.scribbles
    matrix = affine_matrix(layer)
    grain = matrix[0, 0]
    layer.selected_label = 1
    with layer.block_history():
        for x in range(1010, 1050):
            layer.paint((1000 / grain, x / grain), 1)
    settle(dock)

    assert iou(dock.annotator.prediction.mask, inside(image, SMALL)) > 0.99
    dock.annotator.undo()
    assert not np.asarray(layer.data).any()
    dock.annotator.redo()
    settle(dock)
    assert np.asarray(layer.data).any()
    assert iou(dock.annotator.prediction.mask, inside(image, SMALL)) > 0.99
