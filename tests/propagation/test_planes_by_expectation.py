"""One plane of a propagation, by its parts: where an object moved, and what a share decides."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.feature import match_template

from napari_seem.propagation import shapes
from napari_seem.propagation.carriers import carry
from napari_seem.propagation.motion import correlation


def blobs(seed, count, size=90):
    """Labels (size, size) of `count` discs that may overlap."""
    rng, labels = np.random.default_rng(seed), np.zeros((size, size), np.int32)
    rows, columns = np.mgrid[:size, :size]
    for number in range(1, count + 1):
        y, x, radius = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(2, 24)
        labels[np.hypot(rows - y, columns - x) < radius] = number
    return labels


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("outside", [0.0, 1.0])
def test_shares_that_do_not_decide_change_neither_labels_nor_scores(seed, outside):
    expected = shapes.expected(blobs(seed, 5), blobs(seed + 50, 5), 0.3)
    box = shapes.joint_box(one.box for one in expected.values())
    size = box[2] - box[0], box[3] - box[1]
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(6) / 2, size).transpose(2, 0, 1).astype(np.float32)
    where = carry.decisive(expected, box)
    others = np.where(where, shares, np.float32(outside))

    labels, scores = carry.assign_labels(
        expected, carry.ClassShares(box, shares, (1, 2, 3, 4, 5)), (90, 90)
    )
    again, scores_again = carry.assign_labels(
        expected, carry.ClassShares(box, others, (1, 2, 3, 4, 5)), (90, 90)
    )

    assert not where.all()
    np.testing.assert_array_equal(again, labels)
    assert scores_again == scores


@pytest.mark.parametrize("flat", [False, True])
def test_the_correlation_is_that_of_scikit_image(flat):
    rng = np.random.default_rng(4)
    field = rng.uniform(0, 255, (61, 40)).astype(np.float32)
    if flat:
        field[:30] = 7
    patch = field[35:52, 11:30] + rng.normal(0, 9, (17, 19)).astype(np.float32)

    found = correlation(field, patch)

    np.testing.assert_allclose(found, match_template(field, patch), atol=1e-4)
    assert np.unravel_index(found.argmax(), found.shape) == (35, 11)
    assert found[:13].any() != flat  # a constant part is like nothing


def test_signed_distances_are_those_to_the_nearest_pixel_of_the_other_side():
    mask = blobs(2, 4, 40) > 0
    inside, outside = np.argwhere(mask), np.argwhere(~mask)

    found = shapes.signed_distance(mask)

    for place, others, sign in ((inside, outside, 1), (outside, inside, -1)):
        nearest = np.linalg.norm(place[:, None] - others[None], axis=2).min(1)
        np.testing.assert_allclose(found[tuple(place.T)], sign * (nearest - 0.5), atol=1e-5)
