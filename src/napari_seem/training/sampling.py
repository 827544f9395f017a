"""Random choices among the pixels of masks, many masks at a time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.compact.prompt_maps.appearance import least_around


def gumbel(shape: tuple[int, ...] | torch.Size, device: torch.device) -> Tensor:
    """Draw Gumbel noise (...): the largest of logits with it added is drawn by their softmax."""
    return -torch.log(-torch.log(torch.rand(shape, device=device).clamp(1e-7, 1 - 1e-7)))


def depth(mask: Tensor, steps: int = 24) -> Tensor:
    """Compute the distance of each pixel to the outside of its mask, in steps of two pixels.

    Parameters
    ----------
    mask : bool or float32 (N, H, W)
        H and W even.
    steps : int
        Largest distance.

    Returns
    -------
    float32 (N, H, W)
        At least 0.1 inside, 0 outside. Distance is Chebyshev's; the array's edge counts as outside,
        too.
    """
    own = mask.float()
    inside = F.avg_pool2d(own[:, None], 2).ge(0.75).float()
    total = torch.zeros_like(inside)
    for _ in range(steps):
        total = total + inside
        inside = least_around(inside, beyond=0.0)
    total = F.interpolate(total, scale_factor=2)[:, 0]
    return (total + 0.1) * own


def pick(mask: Tensor, deep: Tensor, central: float, border: float = 0.0) -> Tensor:
    """Draw a pixel (row, col) of each mask (N, H, W) whose depth is `deep`: int64 (N, 2).

    It is one of the deepest with probability `central`, one near the rim with `border`, else any.
    """
    size = len(mask)
    lot = torch.rand(size, 1, 1, device=mask.device)
    noise = gumbel(mask.shape, mask.device)
    score = torch.where(lot < central, 100 * deep + noise, noise)
    rim = (lot >= central) & (lot < central + border)
    score = torch.where(rim & (deep > 1.2), score - 100, score)
    best = score.masked_fill(mask <= 0, -torch.inf).flatten(1).argmax(1)
    width = mask.shape[2]
    return torch.stack([best // width, best % width], 1)


def extent_of(mask: Tensor) -> Tensor:
    """Return half-open (y0, x0, y1, x1) of masks (B, K, S, S): float32 (B, K, 4); all if empty."""
    side = mask.shape[-1]
    bounds = []
    for axis in (3, 2):
        along = mask.any(axis).float()  # (B, K, S)
        bounds.append((along.argmax(2), side - along.flip(2).argmax(2)))
    (top, bottom), (left, right) = bounds
    return torch.stack([top, left, bottom, right], 2).float()
