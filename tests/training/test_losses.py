"""Losses of a turn, each against its formula in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scenes import discs_on_grid, round_of, seeded

from napari_seem.training.losses import (
    FOCUS,
    dice,
    disobedience,
    focal,
    mean,
    order,
    turn_losses,
)
from napari_seem.training.prompts import NEGATIVE, POSITIVE, correct

GRID = 32


@pytest.fixture
def windows():
    """Truth, where the picture is, and logits: (N, GRID, GRID) each."""
    seeded(0)
    target = discs_on_grid(6, GRID)
    valid = torch.ones_like(target)
    valid[2:, :, 25:] = 0
    target = target * valid
    target[5] = 0
    return target, valid, 4 * torch.randn(6, GRID, GRID) + 3 * target - 1


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def entropy(logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    p = sigmoid(logits)
    return -target * np.log(p) - (1 - target) * np.log(1 - p)


def plain_focal(logits: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
    """One window: half plain and balanced, half on hard cells with a mean weight of one."""
    share = (target * weight).sum() / weight.sum()
    side = np.clip(0.25 / max(share, 0.05), 0.5, 3)
    balanced = weight * np.where(target > 0, 1 + (side - 1) * target, 1)
    hard = np.abs(sigmoid(logits) - target) ** FOCUS * weight
    hard *= weight.sum() / hard.sum()
    return float((entropy(logits, target) * (balanced + hard) / 2).sum() / weight.sum())


def numpy(*tensors: torch.Tensor) -> list[np.ndarray]:
    return [tensor.double().numpy() for tensor in tensors]


def test_focal_follows_its_formula(windows):
    target, valid, logits = windows
    weight = valid * (1 + (torch.rand(target.shape) < 0.2))

    found = focal(logits, target, weight)

    expected = [plain_focal(*one) for one in zip(*numpy(logits, target, weight), strict=True)]
    assert np.allclose(found, expected, rtol=1e-4)


def test_focal_still_teaches_where_all_is_nearly_right():
    target = discs_on_grid(1, GRID)
    logits = (12 * target - 6).requires_grad_()
    hard = logits.detach().clone()
    hard[0, 16, 16] *= -1
    one_wrong = hard.requires_grad_()

    focal(logits, target, torch.ones_like(target)).sum().backward()
    focal(one_wrong, target, torch.ones_like(target)).sum().backward()

    assert one_wrong.grad[0, 16, 16].abs() > 20 * logits.grad[0].abs().max()
    assert torch.isfinite(focal(1e4 * (target - 0.5), target, torch.ones_like(target))).all()


def test_focal_hands_no_gradient_through_its_weights(windows):
    target, valid, logits = windows
    logits = logits.requires_grad_()

    focal(logits, target, valid).sum().backward()

    sign = torch.where(target > 0, -1, 1)
    assert (logits.grad * sign >= 0).all()  # every cell is drawn to its own truth
    assert not (logits.grad * (1 - valid)).any()


def test_dice_follows_its_formula(windows):
    target, valid, logits = windows

    found = dice(logits, target, valid)

    for index, (t, v, x) in enumerate(zip(*numpy(target, valid, logits), strict=True)):
        p = sigmoid(x) * v
        assert np.isclose(found[index], 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1))


def test_disobedience_counts_the_drawn_cells_alone(windows):
    target, _, logits = windows
    maps = torch.zeros(6, 6, GRID, GRID)
    maps[:4, POSITIVE, 3:8, 10:15] = 1
    maps[1, NEGATIVE, 6:20, 9:12] = 1

    found = disobedience(maps, logits, target)

    each = entropy(*numpy(logits, target))
    for index in range(6):
        drawn = maps[index, POSITIVE].bool() | maps[index, NEGATIVE].bool()
        expected = each[index][drawn.numpy()].mean() if drawn.any() else 0
        assert np.isclose(found[index], expected, rtol=1e-4)


def test_order_follows_its_formula():
    seeded(0)
    quality, overlap = torch.randn(10), torch.rand(10)
    weight = torch.tensor([1.0, 1, 1, 0, 1, 1, 0, 0, 1, 1])

    found = order(quality, overlap, weight)

    total = count = 0.0
    for first in (0, 4, 8):  # pairs whose windows both count
        gap = float(overlap[first + 1] - overlap[first])
        lead = float(quality[first + 1] - quality[first]) * np.sign(gap)
        total += np.log1p(np.exp(-lead)) * abs(gap)
        count += abs(gap)
    assert np.isclose(found, total / max(count, 1), rtol=1e-5)


def test_scores_in_the_right_order_cost_less():
    overlap, ones = torch.tensor([0.9, 0.2, 0.1, 0.8]), torch.ones(4)
    right, wrong = torch.tensor([2.0, -1, -1, 2]), torch.tensor([-1.0, 2, 2, -1])

    assert order(right, overlap, ones) < 0.2 < 1 < order(wrong, overlap, ones)
    assert order(wrong, overlap, 0 * ones) == 0


def test_means_are_weighted_and_nothing_is_no_loss():
    values = torch.tensor([1.0, 5.0, 9.0])

    assert mean(values, torch.tensor([1.0, 1, 0])) == 3
    assert mean(values, torch.zeros(3)) == 0


def turn(windows, **changes):
    target, valid, logits = windows
    round_ = round_of(target, valid)
    for name, value in changes.items():
        setattr(round_, name, value)
    seeded(1)
    core, quality = torch.randn(6, GRID // 2, GRID // 2), torch.randn(6)
    return turn_losses(round_, logits, core, quality, torch.ones(6)), core, quality


def test_a_turn_adds_up_its_losses(windows):
    target, valid, logits = windows

    (losses, overlap), core, quality = turn(windows)

    predicted = (logits > 0) & (valid > 0)
    both, either = predicted & (target > 0), predicted | (target > 0)
    expected = both.sum((1, 2)) / either.sum((1, 2))
    assert torch.allclose(overlap, expected)
    small, small_valid = (
        m.view(6, GRID // 2, 2, GRID // 2, 2).mean((2, 4)) for m in (target, valid)
    )
    plain = focal(logits, target, valid) + dice(logits, target, valid)
    assert torch.allclose(losses["mask"], plain.mean())
    coarse = focal(core, small, small_valid) + dice(core, small, small_valid)
    assert torch.allclose(losses["core"], coarse.mean())
    assert np.isclose(losses["quality"], entropy(*numpy(quality, overlap)).mean(), rtol=1e-5)
    assert torch.allclose(losses["order"], order(quality, overlap, torch.ones(6)))
    assert losses["obeyed"] == 0  # nothing was drawn


def test_overlap_is_with_the_whole_object_also_beyond_the_window(windows):
    target, _, _ = windows
    full = 2 * target.sum((1, 2))

    (_, overlap), *_ = turn((target, torch.ones_like(target), 8 * target - 4), full=full)

    assert torch.allclose(overlap[:5], torch.tensor(0.5))
    assert overlap[5] == 0


def test_windows_that_do_not_count_change_nothing(windows):
    target, valid, logits = windows
    counts = torch.tensor([1.0, 1, 1, 1, 0, 0])
    other = logits.clone()
    other[4:] = 7

    (one, _), *_ = turn((target, valid, logits), counts=counts)
    (two, _), *_ = turn((target, valid, other), counts=counts)
    (none, _), *_ = turn((target, valid, logits), counts=0 * counts)

    assert all(torch.equal(one[name], two[name]) for name in one)
    assert all(loss == 0 for loss in none.values())


def test_what_a_click_complained_of_weighs_double():
    target = discs_on_grid(4, 64)
    missed = torch.full_like(target, -4.0)
    missed[:, :, :26] = 8 * target[:, :, :26] - 4  # a part was found
    round_ = round_of(target)
    seeded(0)
    correct(round_, missed)
    logits = torch.full_like(target, -1.0).requires_grad_()

    valid = torch.ones_like(target)
    focal(logits, target, valid, 1 + round_.complaint).sum().backward()

    found = target * (1 - round_.complaint)
    assert torch.equal(round_.complaint, target * (missed < 0))
    assert found.flatten(1).any(1).sum() >= 2
    for grad, complained, other in zip(logits.grad, round_.complaint, found, strict=True):
        if other.any():
            assert torch.allclose(grad[complained > 0], 2 * grad[other > 0][0])
    everything = torch.full_like(target, -4.0)
    plain, heavy = (focal(everything, target, valid, 1 + share * target) for share in (0, 1))
    assert (heavy[target.flatten(1).any(1)] > 1.5 * plain[target.flatten(1).any(1)]).all()


def test_clicks_that_are_not_obeyed_cost():
    target = discs_on_grid(4, 64)
    nothing = torch.full_like(target, -4.0)
    core, quality, ladder = nothing[:, ::2, ::2], torch.zeros(4), torch.ones(4)
    round_ = round_of(target)
    seeded(0)
    correct(round_, nothing)
    obeyed = torch.where(round_.maps[:, :2].amax(1) > 0, 8 * target - 4, nothing)

    found = [turn_losses(round_, x, core, quality, ladder)[0]["obeyed"] for x in (nothing, obeyed)]

    assert found[0] > 3
    assert found[1] < 0.1
