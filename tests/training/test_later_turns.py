"""Corrections: a person clicks the largest error, and the model remembers its last answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scenes import discs_on_grid, round_of, seeded

from napari_seem.models.compact.network import FINE_GRID
from napari_seem.models.compact.prompt_maps import canvas
from napari_seem.training.prompts import NEGATIVE, POSITIVE, PREVIOUS, Round, correct


def correct_by(
    target: torch.Tensor, logits: torch.Tensor, valid: torch.Tensor | None = None
) -> Round:
    round_ = round_of(target, valid)
    correct(round_, logits)
    return round_


def added(round_: Round) -> tuple[np.ndarray, np.ndarray]:
    return round_.maps[:, POSITIVE].numpy() > 0, round_.maps[:, NEGATIVE].numpy() > 0


@pytest.fixture
def only_clicks(monkeypatch):
    monkeypatch.setattr("napari_seem.training.prompts.STROKE_SHARE", 0.0)
    monkeypatch.setattr("napari_seem.training.prompts.SECOND_CLICK", 0.0)


def middle(drawn: np.ndarray) -> tuple[int, int]:
    """Where a click of five cells a side was put, away from the window's border."""
    assert drawn.sum() == canvas.CLICK_CELLS**2
    row, col = np.argwhere(drawn).mean(0)
    return int(row), int(col)


def test_a_click_corrects_the_larger_error_with_the_right_sign(only_clicks):
    target = torch.zeros(8, FINE_GRID, FINE_GRID)
    target[:, 20:60, 20:60] = 1
    logits = torch.full_like(target, -3.0)
    logits[:, 20:60, 20:50] = 3  # ten columns are missed
    logits[4:, 80:120, 80:120] = 3  # and, in half of the windows, more is spilled
    seeded(0)

    round_ = correct_by(target, logits)

    positive, negative = added(round_)
    for index in range(4):
        row, col = middle(positive[index])
        assert 20 <= row < 60
        assert 50 <= col < 60
        assert not negative[index].any()
        assert torch.equal(round_.complaint[index], target[index] * (logits[index] < 0))
    for index in range(4, 8):
        row, col = middle(negative[index])
        assert 80 <= row < 120
        assert 80 <= col < 120
        assert not positive[index].any()
        assert round_.complaint[index].sum() == 40 * 40
    deepest = sum(97 <= middle(negative[i])[0] <= 102 for i in range(4, 8))
    assert deepest >= 2


def test_what_lies_off_the_picture_is_no_error(only_clicks):
    target = torch.zeros(4, FINE_GRID, FINE_GRID)
    target[:, 40:60, 40:60] = 1
    valid = torch.ones_like(target)
    valid[:, :, 80:] = 0
    logits = torch.where(valid == 0, 9.0, -9.0)
    seeded(0)

    round_ = correct_by(target, logits, valid)

    positive, negative = added(round_)
    assert positive.any((1, 2)).all()
    assert not negative.any()
    assert not (round_.complaint * (1 - valid)).any()
    assert (round_.maps[:, PREVIOUS] == torch.where(valid == 0, 0.0, -9.0)).all()


def test_nothing_is_clicked_where_nothing_is_wrong():
    target = discs_on_grid(8)
    seeded(0)

    round_ = correct_by(target, 40 * target - 20)

    assert not round_.maps[:, :2].any()
    assert not round_.complaint.any()
    assert round_.maps[:, PREVIOUS].unique().tolist() == [-canvas.SUREST, canvas.SUREST]


def test_corrections_add_up_and_only_the_last_is_complained_of(only_clicks):
    target = torch.zeros(1, FINE_GRID, FINE_GRID)
    target[:, 20:60, 20:60] = 1
    round_ = round_of(target)
    seeded(0)

    correct(round_, torch.full_like(target, -1.0))
    first = round_.maps.clone()
    correct(round_, torch.full_like(target, 1.0))

    assert torch.equal(round_.maps[:, POSITIVE], first[:, POSITIVE])
    assert first[:, POSITIVE].any()
    assert round_.maps[:, NEGATIVE].any()
    assert torch.equal(round_.complaint, 1 - target)
    assert (first[:, PREVIOUS] == -1).all()  # what was drawn before is left alone
    assert (round_.maps[:, PREVIOUS] == 1).all()


def test_second_clicks_and_strokes_keep_to_errors_of_their_sign(monkeypatch):
    monkeypatch.setattr("napari_seem.training.prompts.SECOND_CLICK", 1.0)
    monkeypatch.setattr("napari_seem.training.prompts.STROKE_SHARE", 1.0)
    target = torch.zeros(16, FINE_GRID, FINE_GRID)
    target[:, 20:60, 20:60] = 1
    logits = torch.full_like(target, -3.0)
    logits[:, 80:100, 80:100] = 3
    seeded(0)

    round_ = correct_by(target, logits)

    positive, negative = added(round_)
    assert not (positive & (target.numpy() == 0)).any()  # strokes stay inside
    assert positive.any((1, 2)).all()
    for index in range(16):
        rows, cols = np.nonzero(negative[index])
        assert 0 < len(rows) <= canvas.CLICK_CELLS**2
        assert rows.min() >= 78
        assert cols.min() >= 78
        assert max(rows.max(), cols.max()) < 102


def test_a_region_that_is_looked_at_again_gets_no_click_but_its_answer():
    target = discs_on_grid(4, 64)
    round_ = round_of(target)
    before = round_.maps.clone()
    again = torch.tensor([True, False, True, False])
    seeded(0)

    correct(round_, torch.full_like(target, -4.0), again)

    added = (round_.maps - before)[:, :2].flatten(1).any(1)
    assert added.tolist() == [False, True, False, True]
    assert (round_.complaint.flatten(1).any(1) == ~again).all()
    assert (round_.maps[:, PREVIOUS] == -4.0).all()
