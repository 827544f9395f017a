"""Visual prompts as points on feature maps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

MAX_POINTS = 512
"""Largest number of pixels of a prompt that are used; the original draws them at random."""


@dataclass(frozen=True, eq=False)
class Strokes:
    """Features under the visual prompts of one object.

    Attributes
    ----------
    embedding : Tensor (C,) or None
        Mean mask feature under the positive prompts; None where there are none.
    tokens : three Tensors (N, C)
        Features under positive, then negative prompts, at each scale.
    """

    embedding: Tensor | None
    tokens: tuple[Tensor, ...]


def points_of(mask: Tensor) -> Tensor | None:
    """Return rows and columns of the True pixels of (H, W), as fractions of H and W: (N, 2).

    At most `MAX_POINTS`, evenly spaced in reading order, so that every call picks the same; None
    without any.
    """
    points = mask.nonzero()  # (N, 2)
    if len(points) == 0:
        return None
    if len(points) > MAX_POINTS:
        points = points[torch.linspace(0, len(points) - 1, MAX_POINTS).round().long()]
    return points / torch.tensor(mask.shape, device=mask.device)


def sample(features: Tensor, size: tuple[int, int], points: Tensor) -> Tensor:
    """Sample a map (H * W, C) bilinearly at `points` (N, 2): (N, C).

    A fraction f lies at pixel f * (H - 1), as in `grid_sample` with aligned corners.
    """
    limit = torch.tensor(size, device=points.device) - 1
    place = points * limit
    low = place.floor().long()
    high = (low + 1).minimum(limit)
    weight = place - low
    total = torch.zeros((), device=features.device)
    for rows, row_weight in ((low[:, 0], 1 - weight[:, 0]), (high[:, 0], weight[:, 0])):
        for cols, col_weight in ((low[:, 1], 1 - weight[:, 1]), (high[:, 1], weight[:, 1])):
            share = (row_weight * col_weight)[:, None].to(features.dtype)
            total = total + share * features[rows * size[1] + cols]
    return total
