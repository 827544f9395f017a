"""Labels as colours, and painted colours as labels.

SegGPT reads classes as colours that mean nothing by themselves. A painted pixel gets the palette's
nearest colour, and how much nearer that is than the others is its confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import InvalidLabels

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""ImageNet's mean and deviation, with which the network was trained."""
SHARPNESS = 4.0
"""Factor of the softmax over the colours' distances: 0.5 between two colours, 0.88 at half their
gap."""
_LEVELS = (0.0, 1.0, 0.5)
COLOURS = tuple(
    sorted(product(_LEVELS, repeat=3), key=lambda c: (sum(v == 0.5 for v in c), sum(c)))
)[1:]
"""Colours at least half a channel apart, the most different first; black is the background."""


def palette(count: int, draw: int = 0, seed: int = 0) -> Tensor:
    """Choose colours of the background and of `count` classes: float32 (count + 1, 3) in 0..1.

    Draw 0 takes the most different colours; other draws shuffle all of them.

    Raises
    ------
    InvalidLabels
        There are more classes than distinguishable colours.
    """
    if count > len(COLOURS):
        raise InvalidLabels(
            f"the examples have {count} classes, but there are only {len(COLOURS)} distinct "
            f"colours; label at most {len(COLOURS)} classes at a time"
        )
    chosen: Sequence[int] = range(count)
    if draw:
        pool = count if draw % 2 else len(COLOURS)  # now among the best colours, now among all
        chosen = np.random.default_rng([seed, draw]).permutation(pool)[:count].tolist()
    return torch.tensor([(0.0, 0.0, 0.0), *(COLOURS[i] for i in chosen)])


def normalise(image: Tensor) -> Tensor:
    """Normalise (..., 3, H, W) in 0..1 as the network was trained."""
    mean, deviation = _moments(image)
    return (image - mean) / deviation


def restore(painted: Tensor) -> Tensor:
    """Invert `normalise` on (..., 3, H, W), clipped to 0..1."""
    mean, deviation = _moments(painted)
    return (painted * deviation + mean).clamp(0, 1)


def paint(labels: Tensor, ids: Sequence[int], colours: Tensor, side: int) -> Tensor:
    """Colour a label image and shrink it to a square.

    Parameters
    ----------
    labels : int64 (H, W)
    ids : sequence of int
        The id of each palette colour but the first.
    colours : (len(ids) + 1, 3)
    side : int

    Returns
    -------
    float32 (3, side, side) in 0..1
        Nearest neighbour, so that no colour arises that stands for nothing.
    """
    index = torch.zeros_like(labels)
    for number, value in enumerate(ids, 1):
        index[labels == value] = number
    small = F.interpolate(index[None, None].float(), (side, side), mode="nearest-exact")[0, 0]
    return colours[small.long()].permute(2, 0, 1)


def distances(painted: Tensor, colours: Tensor) -> Tensor:
    """Compute the Euclidean distance of each pixel to each colour: (3, H, W) -> (K, H, W)."""
    return (painted[None] - colours[:, :, None, None]).square().sum(1).sqrt()


def shares(distance: Tensor) -> Tensor:
    """Turn distances (K, H, W) into shares that sum to 1; the nearest colour has the largest."""
    return torch.softmax(-SHARPNESS * distance, 0)


def _moments(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return ImageNet's mean and deviation, (3, 1, 1) each, on the device of (..., 3, H, W)."""
    mean, deviation = (
        torch.tensor(v, device=image.device)[:, None, None] for v in (MEAN, DEVIATION)
    )
    return mean, deviation
