"""Evidence from the plain picture, without any learning.

Colour likeness to the strokes, cheapest paths over the picture's own edges, and how much likelier a
colour is inside a marked region than outside of it (the unary term of GrabCut, Rother et al. 2004).
The decoder reads these maps beside its learned evidence: it starts from what the classical tools
find, and learns when to trust them.
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

Marked = tuple[Tensor, Tensor]


def likeness(image: Tensor, positive: Marked, negative: Marked) -> Tensor:
    """Compare each cell with the nearest of the strokes' cells.

    Parameters
    ----------
    image : float32 (B, 3, G, G)
        Standardised.
    positive, negative : (int64 (B, E), bool (B, E))
        Flat positions of cells of the strokes, and which of them are real.

    Returns
    -------
    float32 (B, 3, G, G)
        Likeness to the positive strokes in colour, and in local mean and contrast; likeness to the
        negative ones in colour. In 0..1; 0 where no cell is known.
    """
    near = blur(image, 3)
    grey = image.mean(1, keepdim=True)
    mean, square = blur(torch.cat([grey, grey**2], 1), 7).split(1, 1)
    texture = torch.cat([mean, (square - mean**2).clamp(min=0).sqrt()], 1)
    return torch.cat(
        [
            _nearness(near, positive, COLOUR_WIDTH),
            _nearness(texture, positive, TEXTURE_WIDTH),
            _nearness(near, negative, COLOUR_WIDTH),
        ],
        1,
    )


def edges(image: Tensor) -> Tensor:
    """Measure how much the picture changes at each cell: (B, 3, G, G) -> (B, 1, G, G), 0..1."""
    span = -least_around(-image) - least_around(image)
    return torch.tanh(EDGE_GAIN * span.amax(1, keepdim=True)) ** 2


def log_likelihood_ratio(image: Tensor, inside: Tensor, outside: Tensor) -> Tensor:
    """Compare the likelihoods of each cell's colour inside and outside of a region.

    Parameters
    ----------
    image : float32 (B, 3, G, G)
    inside, outside : float32 (B, G, G)
        Weights in 0..1 of the cells that count for either side; all zero where nothing is known.

    Returns
    -------
    float32 (B, LIKELIHOOD_CHANNELS, G, G)
        In -1..1: the squashed log ratio of smoothed histograms, as it is and averaged over 5 x 5
        cells.
    """
    known = ((inside.sum((1, 2)) > 3) & (outside.sum((1, 2)) > 3)).float()
    bins = _bins(image)
    ratio = torch.log(_histogram(bins, inside)) - torch.log(_histogram(bins, outside))
    values = torch.gather(ratio, 1, bins.flatten(1)).view_as(inside)
    squashed = torch.tanh(values / 2)[:, None] * known[:, None, None, None]
    return torch.cat([squashed, blur(squashed, 5)], 1)


def _nearness(features: Tensor, marked: Marked, width: float) -> Tensor:
    """Return 1 / (1 + (d / width)^2) for the distance d to the nearest known cell: (B, 1, G, G).

    `features` is (B, C, G, G); `marked` is as for `likeness`.
    """
    index, known = marked
    flat = features.flatten(2)  # (B, C, N)
    chosen = torch.gather(flat, 2, index[:, None].expand(-1, flat.shape[1], -1)).mT  # (B, E, C)
    own = (chosen**2).sum(2, keepdim=True).masked_fill(~known[:, :, None], torch.inf)
    nearest = torch.baddbmm(own, chosen, flat, alpha=-2).amin(1) + (flat**2).sum(1)
    return (1 / (1 + nearest.clamp(min=0) / width**2)).view(-1, 1, *features.shape[2:])


def _bins(image: Tensor) -> Tensor:
    """Find the histogram bin of every pixel: (B, 3, G, G) -> int64 (B, G, G)."""
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
    """Count weighted cells per bin: (B, G, G) each -> smoothed positive shares (B, prod(BINS))."""
    total = BINS[0] * BINS[1] * BINS[2]
    counts = torch.zeros(len(bins), total, device=bins.device)
    counts.scatter_add_(1, bins.flatten(1), weight.flatten(1))
    cube = counts.view(-1, 1, *BINS)
    for axis in range(3):
        cube = _smooth(cube, axis)
    share = cube.flatten(1) / weight.sum((1, 2))[:, None].clamp(min=1)
    return share + 0.5 / total


def _smooth(cube: Tensor, axis: int) -> Tensor:
    """Convolve (B, 1, X, Y, Z) with the weights 1/4, 1/2, 1/4 along one of its three last axes."""
    padding = [0] * 6
    padding[2 * (2 - axis)] = padding[2 * (2 - axis) + 1] = 1
    padded, size = F.pad(cube, padding), cube.shape[2 + axis]
    before, here, after = (padded.narrow(2 + axis, start, size) for start in range(3))
    return (before + 2 * here + after) / 4


def blur(image: Tensor, size: int) -> Tensor:
    """Average the `size` x `size` pixels around each one, as far as they exist: (B, C, H, W).

    Shifted rows and columns are summed, which is much faster than pooling on a CPU.
    """
    for axis in (2, 3):
        ones = image.new_ones([1] * axis + [image.shape[axis]] + [1] * (3 - axis))
        image = _sum_along(image, size, axis) / _sum_along(ones, size, axis)
    return image


def _sum_along(values: Tensor, size: int, axis: int) -> Tensor:
    """Sum `size` neighbours of (B, C, H, W) along axis 2 or 3, with zeros outside."""
    reach, length = size // 2, values.shape[axis]
    padding = (reach, reach) if axis == 3 else (0, 0, reach, reach)
    padded = F.pad(values, padding)
    total = padded.narrow(axis, 0, length)
    for start in range(1, size):
        total = total + padded.narrow(axis, start, length)
    return total


def least_around(values: Tensor, beyond: float = torch.inf) -> Tensor:
    """Return the minimum of each cell and its eight neighbours: (..., H, W) -> (..., H, W).

    Shifted rows and columns are compared, which is much faster than pooling on a CPU. `beyond` is
    the value outside of the array.
    """
    padded = F.pad(values, (1, 1, 1, 1), value=beyond)
    rows = torch.minimum(padded[..., :-2, :], padded[..., 2:, :])
    rows = torch.minimum(rows, padded[..., 1:-1, :])
    return torch.minimum(torch.minimum(rows[..., :-2], rows[..., 2:]), rows[..., 1:-1])
