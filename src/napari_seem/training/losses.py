"""Losses of the decoder."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .prompts import NEGATIVE, POSITIVE, Round
from .views import LADDER

FOCUS = 2.0
"""Exponent of the focal loss."""


def turn_losses(
    round_: Round, logits: Tensor, core: Tensor, quality: Tensor, ladder: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """Compute the losses of one turn.

    Parameters
    ----------
    round_ : Round
        N windows, those of one object side by side.
    logits : (N, F, F)
    core : (N, F / 2, F / 2)
        Logits before the refinement.
    quality : (N,)
        Logits of the estimated intersection over union.
    ladder : float32 (N,)
        1 where the windows of an object answer the same prompt, so that their scores must order
        them.

    Returns
    -------
    losses : dict of str to scalar
    overlap : float32 (N,)
        The true intersection over union, of the whole object.
    """
    target, valid, counts = round_.target, round_.valid, round_.counts
    small, small_valid = F.avg_pool2d(target, 2), F.avg_pool2d(valid, 2)
    with torch.no_grad():
        predicted = (logits > 0).float() * valid
        both = (predicted * target).sum((1, 2))
        union = predicted.sum((1, 2)) + round_.full - both
        overlap = both / union.clamp(min=1)
    mask = focal(logits, target, valid, 1 + round_.complaint) + dice(logits, target, valid)
    score = F.binary_cross_entropy_with_logits(quality.float(), overlap, reduction="none")
    losses = {
        "mask": mask,
        "obeyed": disobedience(round_.maps, logits, target),
        "core": focal(core, small, small_valid) + dice(core, small, small_valid),
        "quality": score,
    }
    averaged = {name: mean(loss, counts) for name, loss in losses.items()}
    averaged["order"] = order(quality, overlap, counts * ladder)
    return averaged, overlap


def mean(values: Tensor, weight: Tensor) -> Tensor:
    """Average values by weights of the same shape; 0 where all weights are 0."""
    return (values * weight).sum() / weight.sum().clamp(min=1)


def focal(logits: Tensor, target: Tensor, valid: Tensor, emphasis: Tensor | float = 1.0) -> Tensor:
    """Compute the normalised focal loss of each window (Sofiiuk et al. 2019, AdaptIS, eq. 5): (N,).

    The weights (1 - p)^FOCUS of a window's cells are scaled to a mean of one, so that sure windows
    don't fade out; half of it goes to either side, however small the object.

    Parameters
    ----------
    logits, target, valid : (N, F, F)
        Targets and cells that count, in 0..1.
    emphasis : (N, F, F)
        Factor of each cell's loss; errors that a click was about count twice.
    """
    entropy = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
    with torch.no_grad():
        hard = (torch.sigmoid(logits.float()) - target).abs() ** FOCUS * valid
        share = mean_of(target * valid, valid)
        side = (0.25 / share.clamp(min=0.05)).clamp(0.5, 3)[:, None, None]
        plain = valid * (1 + (side - 1) * target)
        scale = valid.sum((1, 2), keepdim=True) / hard.sum((1, 2), keepdim=True).clamp(min=1e-3)
        total = (0.5 * plain + 0.5 * hard * scale.clamp(max=200)) * emphasis
    return (entropy * total).sum((1, 2)) / valid.sum((1, 2)).clamp(min=1)


def mean_of(values: Tensor, weight: Tensor) -> Tensor:
    """Divide the sum of values by the sum of weights of each window: (N, F, F) -> (N,)."""
    return values.sum((1, 2)) / weight.sum((1, 2)).clamp(min=1)


def dice(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Compute the soft Dice loss of each window: (N, F, F) -> (N,)."""
    probability = torch.sigmoid(logits.float()) * valid
    both = (probability * target).sum((1, 2))
    total = (probability + target * valid).sum((1, 2))
    return 1 - (2 * both + 1) / (total + 1)


def disobedience(maps: Tensor, logits: Tensor, target: Tensor) -> Tensor:
    """Compute the cross-entropy on the clicked cells alone, of each window: (N, F, F) -> (N,)."""
    drawn = torch.maximum(maps[:, POSITIVE], maps[:, NEGATIVE])
    entropy = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
    return mean_of(entropy * drawn, drawn)


def order(quality: Tensor, overlap: Tensor, weight: Tensor) -> Tensor:
    """Compute a pairwise logistic loss: the better of an object's windows must score higher.

    `quality`, `overlap` and `weight` are (N,), the windows of an object side by side.
    """
    score, true, both = (t.view(-1, LADDER) for t in (quality.float(), overlap, weight))
    total = score.new_zeros(())
    count = score.new_zeros(())
    for i in range(LADDER):
        for j in range(i):
            gap = true[:, i] - true[:, j]
            pair = both[:, i] * both[:, j] * gap.abs()
            loss = F.softplus(-(score[:, i] - score[:, j]) * torch.sign(gap))
            total, count = total + (loss * pair).sum(), count + pair.sum()
    return total / count.clamp(min=1)
