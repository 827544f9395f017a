"""Which window's answer to a lone click is believed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_seem.models.compact import windows
from napari_seem.models.compact.choice import Decoded, agreement, ranked
from napari_seem.models.compact.network import FINE_GRID
from napari_seem.models.compact.prompt_maps.canvas import View
from napari_seem.models.compact.pyramid import Level

SHAPE = (512, 512)


def answer(side, reach, score=0.6, logit=3.0):
    """A window of `side` pixels around the middle whose mask is a square of 2 * `reach`."""
    level = Level(torch.zeros(1, 128, 128), torch.zeros(1, 256, 256), SHAPE, (1.0, 1.0))
    view = View(level, windows.square((256, 256), side, SHAPE))
    near = [np.abs(view.pixels(axis) + 0.5 - 256) <= reach for axis in (0, 1)]
    inside = near[0][:, None] & near[1][None, :]
    return Decoded(view, np.where(inside, logit, -3).astype(np.float32), score)


def test_agreement_is_the_overlap_in_image_pixels_whatever_the_windows():
    found = [answer(64, 16), answer(128, 16), answer(256, 32)]

    shared = agreement(found)

    assert shared.shape == (3, 3)
    assert shared[0, 1] == pytest.approx(1, abs=0.1)
    assert shared[0, 2] == pytest.approx(0.25, abs=0.05)
    assert np.array_equal(shared, shared.T)


def test_of_answers_alike_the_surest_is_believed():
    unsure, sure = answer(64, 16, logit=0.5), answer(128, 16, logit=5)

    assert ranked([unsure, sure], [0, 0])[0] is sure
    assert ranked([sure, unsure], [0, 0])[0] is sure


def test_answers_that_others_share_win_over_one_of_a_slightly_higher_score():
    found = [answer(64, 10), answer(128, 11), answer(256, 60, score=0.65)]

    assert ranked(found, [0, 0, 0])[0] in found[:2]
    assert ranked(found, [0, 0, 1])[0] is found[2]  # unless its size speaks for it


def test_an_empty_answer_is_never_preferred():
    empty, weak = answer(64, -1), answer(128, 16, score=0.2, logit=0.5)

    assert empty.logits.shape == (FINE_GRID, FINE_GRID)
    assert ranked([empty, weak], [0, 0])[0] is weak
