"""Convolutions of 1x1 and 3x3; the latter with a quarter of the multiplications.

Winograd's F(4x4, 3x3) (Lavin and Gray, CVPR 2016, arXiv 1509.09308): a tile of 4 x 4 results comes
from 36 products instead of 144, each of which is a matrix product over channels. The result is that
of the convolution up to the rounding of float32 (some 1e-5 of its size).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STEP, TILE = 4, 6
STRIP = 256
"""Tiles transformed at once: few enough to stay in a processor's cache."""
SMALLEST = 1024
"""With fewer pixels the plain convolution is as quick."""

INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
OUTPUT = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)


def conv1x1(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """Apply a 1x1 convolution to (B, C, H, W); fastest with channels last in memory."""
    weight = layer.weight.flatten(1)  # (C_out, C)
    return F.linear(x.permute(0, 2, 3, 1), weight, layer.bias).permute(0, 3, 1, 2)


def conv3x3(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve (1, C, H, W) with (C_out, C, 3, 3), padded by one pixel of zeros."""
    wide = x.shape[0] == 1 and x.shape[2] * x.shape[3] >= SMALLEST
    exact = x.dtype == weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    if not (wide and exact and x.device.type == "cpu"):
        return F.conv2d(x, weight, bias, padding=1)
    height, width = x.shape[2:]
    rows, columns = -(-height // STEP), -(-width // STEP)
    padding = (0, 0, 1, 1 + columns * STEP - width, 1, 1 + rows * STEP - height)
    padded = F.pad(x[0].permute(1, 2, 0), padding)  # (4 rows + 2, 4 columns + 2, C)
    kernels = _both_ways(KERNEL) @ weight.permute(2, 3, 1, 0).flatten(2).flatten(0, 1)
    kernels = kernels.unflatten(1, (weight.shape[1], weight.shape[0]))  # (36, C, C_out)
    out = x.new_empty(rows, STEP, columns, STEP, weight.shape[0])
    strip = max(1, STRIP // columns)
    for first in range(0, rows, strip):
        last = min(first + strip, rows)
        out[first:last] = _strip(padded[first * STEP : last * STEP + 2], kernels, columns)
    out = out.flatten(2, 3).flatten(0, 1)[:height, :width]  # (H, W, C_out)
    if bias is not None:
        out += bias
    return out.permute(2, 0, 1)[None]


def _strip(x: Tensor, kernels: Tensor, columns: int) -> Tensor:
    """Convolve some rows of tiles: (4 n + 2, 4 columns + 2, C) to (n, 4, columns, 4, C_out)."""
    count = (x.shape[0] - 2) // STEP
    at = [slice(i, i + STEP * (n - 1) + 1, STEP) for n in (count, columns) for i in range(TILE)]
    patches = torch.stack([x[i, j] for i in at[:TILE] for j in at[TILE:]])  # (36, n, columns, C)
    spectrum = _both_ways(INPUT) @ patches.flatten(1)
    products = spectrum.view(TILE * TILE, -1, x.shape[2]) @ kernels  # (36, n * columns, C_out)
    tiles = _both_ways(OUTPUT) @ products.flatten(1)  # (16, n * columns * C_out)
    tiles = tiles.view(STEP, STEP, count, columns, kernels.shape[2])
    return tiles.permute(2, 0, 3, 1, 4)


def _both_ways(rows: tuple[tuple[float, ...], ...]) -> Tensor:
    """Return the transform of rows and of columns as one matrix."""
    one = torch.tensor(rows, dtype=torch.float32)
    return torch.kron(one, one)
