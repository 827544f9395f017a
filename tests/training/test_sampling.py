"""Choices among the pixels of masks: how deep, which one, how often."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scenes import inside_disc, seeded
from scipy import ndimage

from napari_seem.training.sampling import depth, extent_of, gumbel, pick


@pytest.fixture
def masks():
    """A disc, a square that runs out of the array, a thin line and nothing."""
    out = np.zeros((4, 60, 60), bool)
    out[0] = inside_disc((60, 60), 30.0, 24.0, 17.0)
    out[1, 34:, 40:] = True
    out[2, 30, 4:50] = True
    return out


def test_depth_counts_steps_of_two_pixels_to_the_outside(masks):
    found = depth(torch.from_numpy(masks)).numpy()

    for mask, deep in zip(masks, found, strict=True):
        halved = mask.reshape(30, 2, 30, 2).mean((1, 3)) >= 0.75
        around = ndimage.distance_transform_cdt(np.pad(halved, 1), "chessboard")[1:-1, 1:-1]
        steps = around.repeat(2, 0).repeat(2, 1)
        assert np.allclose(deep, (steps + 0.1) * mask)


def test_what_runs_out_of_the_array_is_deepest_in_the_middle_of_what_is_seen(masks):
    deep = depth(torch.from_numpy(masks[1:2]))[0]

    assert deep[59, 59] == pytest.approx(1.1)
    assert deep[47, 50] == deep.max() == pytest.approx(5.1)


def test_depth_is_told_apart_up_to_some_steps_only():
    everything = torch.ones(1, 20, 20)

    assert depth(everything, steps=3).max() == pytest.approx(3.1)
    assert depth(everything).max() == pytest.approx(5.1)


def test_central_picks_are_among_the_deepest(masks):
    seeded(0)
    mask = torch.from_numpy(masks[:1]).expand(64, -1, -1)
    deep = depth(mask)

    found = pick(mask, deep, central=1.0)

    chosen = deep[torch.arange(64), found[:, 0], found[:, 1]]
    assert (chosen == deep[0].max()).all()
    assert len(torch.unique(found, dim=0)) > 1


def test_border_picks_are_near_the_rim(masks):
    seeded(0)
    mask = torch.from_numpy(masks[:1]).expand(64, -1, -1)
    deep = depth(mask)

    found = pick(mask, deep, central=0.0, border=1.0)

    chosen = deep[torch.arange(64), found[:, 0], found[:, 1]]
    assert ((chosen > 0) & (chosen <= 1.2)).all()


def test_other_picks_are_anywhere_inside_as_often(masks):
    seeded(0)
    mask = torch.zeros(4000, 8, 8)
    mask[:, 2, 1:6] = 1

    found = pick(mask, depth(mask), central=0.0)

    assert (found[:, 0] == 2).all()
    shares = torch.bincount(found[:, 1], minlength=8) / len(found)
    assert torch.allclose(shares, torch.tensor([0, 0.2, 0.2, 0.2, 0.2, 0.2, 0, 0]), atol=0.03)


def test_the_largest_of_noisy_logits_is_drawn_by_their_softmax():
    seeded(0)
    shares = torch.tensor([0.6, 0.3, 0.1])

    drawn = (shares.log() + gumbel((8000, 3), shares.device)).argmax(1)

    assert torch.allclose(torch.bincount(drawn) / 8000, shares, atol=0.02)


def test_noise_is_finite_however_much_is_drawn():
    seeded(0)

    assert torch.isfinite(gumbel((1_000_000,), torch.device("cpu"))).all()


def test_extents_are_half_open(masks):
    found = extent_of(torch.from_numpy(masks)[None])[0].tolist()

    for mask, extent in zip(masks[:3], found, strict=False):
        rows, cols = np.nonzero(mask)
        assert extent == [rows.min(), cols.min(), rows.max() + 1, cols.max() + 1]
    assert found[3] == [0, 0, 60, 60]
