"""Pictures too big for one pass, labelled by example and learned from at full resolution."""

from __future__ import annotations

import numpy as np
import pytest

import napari_seem as ns
from napari_seem.in_context.frames import MOST_FRAMES, examples_of, prepared
from napari_seem.sources import TiledEmbedding

HEIGHT, WIDTH, DISC = 2064, 96, 9
RNG = np.random.default_rng(5)


def discs(height=HEIGHT, width=WIDTH):
    """Bright discs of two kinds on a grid, every one over a corner of which frames may meet."""
    rows, columns = np.mgrid[:height, :width]
    y, x = rows % 48 - 24, columns % 48 - 24
    number = 1 + (rows // 48) * (width // 48 + 1) + columns // 48
    inside = y**2 + x**2 <= DISC**2
    classes = np.where(inside, np.where(rows // 48 % 2, 4, 9), 0)
    grey = np.where(classes == 9, 200, np.where(classes == 4, 130, 50))
    image = (grey + RNG.normal(0, 6, grey.shape)).clip(0, 255).astype(np.uint8)
    return image, classes.astype(np.int32), np.where(inside, number, 0).astype(np.int32)


@pytest.fixture(scope="module")
def model():
    return ns.load_model("compact", device="cpu")


@pytest.fixture(scope="module")
def big():
    return discs()


def iou(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


def test_classes_of_a_big_picture_are_as_fine_as_those_of_a_small_one(model, big):
    image, classes, _ = big
    small = image[:384], classes[:384]
    told = []
    found = ns.label_like(model, small, image, progress=lambda *step: told.append(step))

    assert found.labels.shape == image.shape
    assert set(found.scores) == {4, 9}
    for one in (4, 9):
        assert iou(found.labels == one, classes == one) > 0.85
    assert told[-1] == (3, 3, "label images")  # a step for each frame
    assert 0 <= found.confidence.min() <= found.confidence.max() <= 1


def test_objects_across_frames_get_one_id(model, big):
    image, _, objects = big
    found = ns.label_like(model, (image[:384], objects[:384]), image, "instance")
    truth = objects[24::48, 24::48].ravel()
    truth = truth[truth > 0]
    ids = found.labels[24::48, 24::48].ravel()[: len(truth)]

    assert (ids > 0).all()
    assert len(set(ids.tolist())) == len(truth)  # none is joined with another
    assert len(found.scores) == pytest.approx(len(np.unique(objects)) - 1, abs=2)
    assert iou(found.labels > 0, objects > 0) > 0.85


def test_big_examples_teach_by_the_frames_that_hold_labels(model):
    whole, classes, _ = discs(2304, 320)
    sparse = np.zeros_like(classes)
    sparse[1900:2100] = classes[1900:2100]
    image = np.where((classes > 0) & (sparse == 0), 50, whole).astype(np.uint8)
    shown = prepared(model, image, None)
    (example,) = examples_of(model, shown, sparse, None)
    found = ns.label_like(model, (image, sparse), whole[:384])

    assert max(example.embedding.shape) <= 1024
    assert set(found.scores) == {4, 9}
    assert iou(found.labels > 0, classes[:384] > 0) > 0.7
    tiled = ns.TiledModel(model).encode(image)
    assert isinstance(tiled, TiledEmbedding)
    assert ns.label_like(model, ns.Example(tiled, sparse), whole[:384]) == found


def test_every_id_is_learned_though_few_frames_are(model):
    image, classes, _ = discs(7600, 96)
    classes[-800:-60] = 0  # the last frame has fewer labels than any other
    classes[-60:] = np.where(classes[-60:] > 0, 77, 0)
    lesson = examples_of(model, prepared(model, image, None), classes, ns.EmbeddingCache())

    assert len(lesson) == MOST_FRAMES
    assert {4, 9, 77} == {int(i) for one in lesson for i in np.unique(one.labels) if i}


def test_a_rim_without_values_is_background(model, big):
    image, classes, _ = big
    mosaic = image.astype(np.float32)
    mosaic[1200:] = np.nan
    found = ns.label_like(model, (mosaic[:384], classes[:384]), mosaic)

    assert not found.labels[1500:].any()
    assert set(found.scores) == {4, 9}


def test_a_big_stack_is_propagated_at_full_resolution(model, big):
    image, classes, _ = big
    stack = np.stack([image, np.roll(image, 1, 1)])
    carried = ns.propagate(model, stack, {0: classes})

    assert iou(carried.labels[1] > 0, np.roll(classes, 1, 1) > 0) > 0.8
