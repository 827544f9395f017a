"""Images labelled as a few examples are, by the shipped model."""

from __future__ import annotations

import numpy as np
import pytest
from encoding_once import encoding_once
from scipy import ndimage

import napari_seem as ns
from napari_seem.errors import InvalidLabels, UnsupportedPrompt
from napari_seem.models.in_context import Example


def iou(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


def cells(seed, size=160, touching=False):
    """Bright round cells and dim square ones on noisy ground: image, classes, instances."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    objects = np.zeros((size, size), np.int32)
    classes = np.zeros((size, size), np.int32)
    for number, place in enumerate(rng.permutation(16)[:10], 1):
        y, x = 20 + 40 * (place // 4), 20 + 40 * (place % 4)
        radius = 19.5 if touching else rng.uniform(8, 13)
        y, x = (y, x) if touching else (y + rng.uniform(-4, 4), x + rng.uniform(-4, 4))
        square = number % 2 and not touching
        distance = (
            np.maximum(abs(rows - y), abs(columns - x))
            if square
            else np.hypot(rows - y, columns - x)
        )
        objects[distance < radius] = number
        classes[distance < radius] = 3 if square else 7
    grey = np.where(classes == 7, 190, np.where(classes == 3, 120, 50)).astype(float)
    if touching:
        rim = ndimage.grey_dilation(objects, 3) != ndimage.grey_erosion(objects, 3)
        grey[rim & (objects > 0)] = 90
    image = ndimage.gaussian_filter(grey, 1) + rng.normal(0, 9, grey.shape)
    return np.clip(image, 0, 255).astype(np.uint8), classes, objects


@pytest.fixture(scope="module")
def model():
    return encoding_once(ns.load_model("compact", device="cpu"))


def test_classes_keep_their_ids_on_other_images(model):
    first, classes, _ = cells(0)
    second, truth, _ = cells(1)

    (found,) = ns.label_like(model, [(first, classes)], [second])

    assert found.labels.dtype == np.int32
    assert found.confidence.shape == second.shape
    assert set(np.unique(found.labels)) == {0, 3, 7}
    assert iou(found.labels == 7, truth == 7) > 0.8
    assert iou(found.labels == 3, truth == 3) > 0.7
    assert set(found.scores) == {3, 7}
    np.testing.assert_array_equal(np.asarray(found), found.labels)


def test_several_examples_may_differ_in_size_and_dtype(model):
    first, classes, _ = cells(0)
    second, more, _ = cells(2, size=200)
    target, truth, _ = cells(1)

    examples = [
        (first.astype(np.uint16) * 16, classes),
        (second[:180].astype(np.float32), more[:180].astype(np.uint8)),
    ]
    (found,) = ns.label_like(model, examples, [target.astype(np.int16)])

    assert iou(found.labels == 7, truth == 7) > 0.7
    assert iou(found.labels == 3, truth == 3) > 0.6


def test_touching_objects_of_one_kind_come_apart(model):
    first, _, objects = cells(3, touching=True)
    second, _, truth = cells(4, touching=True)

    (found,) = ns.label_like(model, [(first, objects)], [second], "instance")

    assert abs(int(found.labels.max()) - 10) <= 1
    assert iou(found.labels > 0, truth > 0) > 0.8
    best = [max(iou(found.labels == i, truth == t) for i in range(1, 12)) for t in range(1, 11)]
    assert np.mean(best) > 0.7


def test_colour_images_and_a_lazy_list_of_targets(model):
    first, classes, _ = cells(0)
    colour = np.stack([first, 255 - first, first // 2], -1)
    asked = []

    def targets():
        for number in range(3):
            asked.append(number)
            yield colour

    results = ns.iter_label_like(model, [(colour, classes)], targets())

    found = next(results)
    assert asked == [0]  # cancelled here, nothing more is read
    assert iou(found.labels > 0, classes > 0) > 0.8


def test_a_target_that_is_an_example_tells_how_well_it_was_understood(model):
    image, classes, _ = cells(0)
    cache = ns.EmbeddingCache()

    (found,) = ns.label_like(model, [(image, classes)], [image], cache=cache)

    assert iou(found.labels > 0, classes > 0) > 0.85
    assert found.score > 0.7
    assert len(cache) == 1


def test_a_part_is_answered_as_in_the_whole(model):
    image, classes, _ = cells(0)
    embedding = model.encode(image)
    lesson = model.learn([Example(embedding, classes)])

    whole = model.shares(lesson, embedding)
    part = model.shares(lesson, embedding, (31, 20, 117, 96))

    np.testing.assert_allclose(whole.sum(0), 1, atol=1e-4)
    assert part.shape == (3, 86, 76)
    assert np.median(abs(part - whole[:, 31:117, 20:96])) < 0.02


def test_pixels_that_matter_get_the_shares_that_they_get_among_all(model):
    image, classes, _ = cells(0)
    embedding = model.encode(image)
    lesson = model.learn([Example(embedding, classes)])
    box = (31, 20, 117, 96)
    where = np.zeros((86, 76), bool)
    where[40:60, 5:30] = where[3, 70] = True

    every = model.shares(lesson, embedding, box)
    some = model.shares(lesson, embedding, box, where)

    np.testing.assert_allclose(some[:, where], every[:, where], atol=1e-5)
    assert abs(some - every)[:, ~where].max() > 0.1  # the others were not computed


@pytest.mark.parametrize(
    ("examples", "told"),
    [
        ([], "no example"),
        ([(np.zeros((40, 40), np.uint8), np.zeros((40, 40), int))], "no example has a label"),
        ([(np.zeros((40, 40), np.uint8), np.ones((41, 40), int))], r"example 1 have shape \(41"),
        ([(np.zeros((40, 40), np.uint8), -np.ones((40, 40), int))], "negative"),
        ([(np.zeros((40, 40), np.uint8), np.ones((40, 40)))], "not integers"),
    ],
)
def test_examples_that_say_nothing_are_named(model, examples, told):
    with pytest.raises(InvalidLabels, match=told):
        ns.label_like(model, examples, [])


def test_models_that_take_no_examples_name_those_that_do(disc_model):
    image, classes, _ = cells(0)
    with pytest.raises(UnsupportedPrompt, match=r"'disc' can't.*compact, seggpt-vit-l"):
        ns.label_like(disc_model, [(image, classes)], [image])
