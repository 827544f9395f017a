"""What the plain picture says about the prompts, before any learning.

Colour likeness to the strokes, cheapest paths over the picture's own edges, and how much likelier
a colour is inside what is marked than outside of it (the unary term of GrabCut, Rother et al.
2004). The decoder reads these maps beside its learned evidence, so that it starts from what the
classical tools know and learns when to trust them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

EDGE_GAIN = 0.7
"""Edge strength per deviation of contrast between neighbouring cells."""
BINS = (16, 5, 5)
"""Histogram bins of brightness and of two colour differences."""
BIN_SPAN = (2.4, 1.0, 1.0)
"""Largest value, in deviations of the window, that the outer bins hold."""
COLOUR_WIDTH, TEXTURE_WIDTH = 0.35, 0.3
LIKELIHOOD_CHANNELS = 2


def colour_likeness(image: Tensor, index: Tensor, known: Tensor) -> Tensor:
    """Nearness in colour, and in local mean and contrast, to the nearest of some cells.

    Parameters
    ----------
    image : float32 (B, 3, G, G), standardised
    index : int64 (B, E)
        Flat positions of the stroke's cells.
    known : bool (B, E)
        Which of them are real.

    Returns
    -------
    float32 (B, 2, G, G) in 0..1; zero where no cell is known.
    """
    near = blur(image, 3)
    mean = blur(image.mean(1, keepdim=True), 7)
    contrast = (blur(image.mean(1, keepdim=True) ** 2, 7) - mean**2).clamp(min=0).sqrt()
    texture = torch.cat([mean, contrast], 1)
    return torch.cat(
        [
            _nearness(near, index, known, COLOUR_WIDTH),
            _nearness(texture, index, known, TEXTURE_WIDTH),
        ],
        1,
    )


def edges(image: Tensor) -> Tensor:
    """How strongly the picture changes at each cell: (B, 3, G, G) -> (B, 1, G, G) in 0..1."""
    span = -least_around(-image) - least_around(image)
    return torch.tanh(EDGE_GAIN * span.amax(1, keepdim=True)) ** 2


def log_likelihood_ratio(image: Tensor, inside: Tensor, outside: Tensor) -> Tensor:
    """How much likelier each cell's colour is inside a region than outside of it.

    Parameters
    ----------
    image : float32 (B, 3, G, G)
    inside, outside : float32 (B, G, G)
        Weights in 0..1 of the cells that count for either side; all zero where nothing is known.

    Returns
    -------
    float32 (B, LIKELIHOOD_CHANNELS, G, G) in -1..1
        The squashed log ratio of smoothed histograms, as it is and averaged over 5 x 5 cells.
    """
    known = ((inside.sum((1, 2)) > 3) & (outside.sum((1, 2)) > 3)).float()
    bins = _bins(image)
    ratio = torch.log(_histogram(bins, inside)) - torch.log(_histogram(bins, outside))
    values = torch.gather(ratio, 1, bins.flatten(1)).view_as(inside)
    squashed = torch.tanh(values / 2)[:, None] * known[:, None, None, None]
    return torch.cat([squashed, blur(squashed, 5)], 1)


def _nearness(features: Tensor, index: Tensor, known: Tensor, width: float) -> Tensor:
    flat = features.flatten(2)  # (B, C, N)
    chosen = torch.gather(flat, 2, index[:, None].expand(-1, flat.shape[1], -1))  # (B, C, E)
    squared = (
        (chosen**2).sum(1)[:, :, None] + (flat**2).sum(1)[:, None]
        - 2 * torch.einsum("bce,bcn->ben", chosen, flat)
    )  # fmt: skip
    nearest = squared.masked_fill(~known[:, :, None], float("inf")).amin(1)
    return (1 / (1 + nearest.clamp(min=0) / width**2)).view(-1, 1, *features.shape[2:])


def _bins(image: Tensor) -> Tensor:
    """Histogram cell of every pixel: (B, 3, G, G) -> int64 (B, G, G)."""
    red, green, blue = image.unbind(1)
    axes = (image.mean(1), (red - blue) / 2, (green - (red + blue) / 2) / 2)
    centre = axes[0].mean((1, 2), keepdim=True)
    deviation = axes[0].std((1, 2), keepdim=True) + 0.05
    index = torch.zeros_like(axes[0], dtype=torch.long)
    for axis, count, span in zip(axes, BINS, BIN_SPAN, strict=True):
        shifted = (axis - (centre if axis is axes[0] else 0)) / deviation
        place = ((shifted / span + 1) / 2 * count).floor().long().clamp(0, count - 1)
        index = index * count + place
    return index


def _histogram(bins: Tensor, weight: Tensor) -> Tensor:
    """Smoothed shares of the bins among weighted cells: (B, prod(BINS)), all positive."""
    total = BINS[0] * BINS[1] * BINS[2]
    counts = torch.zeros(len(bins), total, device=bins.device)
    counts.scatter_add_(1, bins.flatten(1), weight.flatten(1))
    cube = counts.view(-1, 1, *BINS)
    for axis in range(3):
        cube = _smooth(cube, axis)
    share = cube.flatten(1) / weight.sum((1, 2))[:, None].clamp(min=1)
    return share + 0.5 / total


def _smooth(cube: Tensor, axis: int) -> Tensor:
    """Weights 1/4, 1/2, 1/4 along one of the three axes: (B, 1, X, Y, Z)."""
    padding = [0] * 6
    padding[2 * (2 - axis)] = padding[2 * (2 - axis) + 1] = 1
    padded, size = F.pad(cube, padding), cube.shape[2 + axis]
    before, here, after = (padded.narrow(2 + axis, start, size) for start in range(3))
    return (before + 2 * here + after) / 4


def blur(image: Tensor, size: int) -> Tensor:
    """Mean of the `size` x `size` pixels around each one, as far as they exist: (B, C, H, W).

    Sums of shifted rows and columns, on a CPU much faster than pooling.
    """
    for axis in (2, 3):
        ones = image.new_ones([1] * axis + [image.shape[axis]] + [1] * (3 - axis))
        image = _sum_along(image, size, axis) / _sum_along(ones, size, axis)
    return image


def _sum_along(values: Tensor, size: int, axis: int) -> Tensor:
    reach, length = size // 2, values.shape[axis]
    padding = (reach, reach) if axis == 3 else (0, 0, reach, reach)
    padded = F.pad(values, padding)
    total = padded.narrow(axis, 0, length)
    for start in range(1, size):
        total = total + padded.narrow(axis, start, length)
    return total


def least_around(values: Tensor, beyond: float = torch.inf) -> Tensor:
    """The least of each cell and its eight neighbours; on a CPU much faster than pooling.

    `beyond` is the value outside of the array.
    """
    padded = F.pad(values, (1, 1, 1, 1), value=beyond)
    rows = torch.minimum(padded[..., :-2, :], padded[..., 2:, :])
    rows = torch.minimum(rows, padded[..., 1:-1, :])
    return torch.minimum(torch.minimum(rows[..., :-2], rows[..., 2:]), rows[..., 1:-1])
