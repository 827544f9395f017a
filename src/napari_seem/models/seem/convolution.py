"""Convolutions of 1x1 and 3x3; the latter with a quarter of the multiplications.

Winograd's F(4x4, 3x3) (Lavin and Gray, CVPR 2016, arXiv 1509.09308): a tile of 4 x 4 results comes
from 36 products instead of 144, each of which is a matrix product over channels. The result is that
of the convolution up to the rounding of float32 (some 1e-5 of its size). Maps lie in memory with
their channels last, whatever the order of their axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..running.mps import wide

STEP, TILE = 4, 6
STRIP = 256
"""Tiles transformed at once: few enough to stay in a processor's cache."""
CACHED = 256
"""Positions normalised at once."""
SMALLEST = 1024
"""With fewer pixels the plain convolution is as quick."""

KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)


def conv1x1(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """Apply a 1x1 convolution to (B, C, H, W)."""
    weight = layer.weight.flatten(1)  # (C_out, C)
    return F.linear(x.permute(0, 2, 3, 1), weight, layer.bias).permute(0, 3, 1, 2)


class SpareMemory:
    """Memory that is used again and again: fresh memory costs as much as the sums."""

    def __init__(self) -> None:
        self._memory: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return the memory of a name as a tensor, such as (36, n, C), with anything in it."""
        size = math.prod(shape)
        if name not in self._memory or self._memory[name].numel() < size:
            self._memory[name] = like.new_empty(size)
        return self._memory[name][:size].view(shape)


class Conv3x3(nn.Conv2d):
    """A 3x3 convolution, padded by one pixel of zeros.

    The kernels' transform, four times as large as they are, is kept from one image to the next.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)
        self._kept: tuple[Tensor, int, Tensor] | None = None

    def forward(self, x: Tensor, scratch: SpareMemory | None = None) -> Tensor:
        """Map (B, C, H, W) to (B, C_out, H, W), in the memory of `x` where that is possible."""
        wide = x.shape[0] == 1 and x.shape[2] * x.shape[3] >= SMALLEST
        exact = x.dtype == self.weight.dtype == torch.float32 and x.device.type == "cpu"
        plain = torch.is_autocast_enabled("cpu") or torch.is_grad_enabled()
        if plain or not (wide and exact):
            return super().forward(x)
        out = _convolve(x[0].permute(1, 2, 0), self._kernels(), self.bias, scratch or SpareMemory())
        return out[None].permute(0, 3, 1, 2)

    def _kernels(self) -> Tensor:
        """Return the transformed kernels (36, C, C_out)."""
        weight = self.weight
        version = None if weight.is_inference() else weight._version
        if self._kept is not None and self._kept[0] is weight and self._kept[1] == version:
            return self._kept[2]
        flat = weight.permute(2, 3, 1, 0).reshape(9, -1)
        kernels = (_both_ways(KERNEL) @ flat).view(-1, weight.shape[1], weight.shape[0])
        self._kept = None if version is None else (weight, version, kernels)
        return kernels


def _convolve(x: Tensor, kernels: Tensor, bias: Tensor | None, scratch: SpareMemory) -> Tensor:
    """Convolve (H, W, C) with kernels (36, C, C_out): (H, W, C_out), in its memory if it fits."""
    height, width, inputs = x.shape
    rows, columns = -(-height // STEP), -(-width // STEP)
    count = min(rows, max(1, STRIP // columns))
    shape = rows, STEP, columns, STEP, kernels.shape[2]
    usable = math.prod(shape) == x.numel() and x.is_contiguous() and inputs == shape[-1]
    out = x.view(shape) if usable else x.new_empty(shape)
    spectrum = scratch.take("spectrum", (TILE * TILE, count * columns, inputs), x)
    products = scratch.take("products", (TILE * TILE, count * columns, shape[-1]), x)
    forth = Forth(columns, x)
    back = Back(columns, products)
    for first in range(0, rows, count):
        some = min(count, rows - first)
        seen = spectrum[:, : some * columns].unflatten(1, (some, columns))
        for row, tiles in enumerate(seen.unflatten(0, (TILE, TILE)).unbind(2), first):
            forth(row, tiles)
        torch.bmm(seen.flatten(1, 2), kernels, out=products[:, : some * columns])
        forth.keep(first + some)
        done = products[:, : some * columns].unflatten(1, (some, columns))
        for row, tiles in enumerate(done.unflatten(0, (TILE, TILE)).unbind(2), first):
            back(tiles, out[row])
            if bias is not None:
                out[row] += bias
    return out.flatten(2, 3).flatten(0, 1)[:height, :width]


class Forth:
    """The transform of the rows of tiles of (H, W, C), down and across."""

    def __init__(self, columns: int, x: Tensor) -> None:
        height, width, channels = x.shape
        outside = x.new_zeros(width, channels)
        below = -height % STEP + 1
        self.rows = [outside, *x.unbind(0), *[outside] * below]
        self.down = x.new_zeros(TILE, columns * STEP + 2, channels)
        self.inside = self.down[:, 1 : width + 1].unbind(0)  # beside it lie zeros
        self.across = [self.down[:, i : i + STEP * (columns - 1) + 1 : STEP] for i in range(TILE)]
        self.spare = x.new_empty(2, width, channels)
        self.spare_across = x.new_empty(2, TILE, columns, channels)

    def __call__(self, row: int, out: Tensor) -> None:
        """Transform a row of n tiles into `out` (6, 6, n, C)."""
        _six(self.rows[row * STEP : row * STEP + TILE], self.inside, self.spare)
        _six(self.across, out.unbind(1), self.spare_across)

    def keep(self, row: int) -> None:
        """Remember what a row of tiles sees of the one above it, which is going to be changed."""
        self.rows[row * STEP] = self.rows[row * STEP].clone()


class Back:
    """The transform of a row of products (6, 6, n, C), down and across."""

    def __init__(self, columns: int, like: Tensor) -> None:
        channels = like.shape[-1]
        self.down = like.new_empty(STEP, TILE, columns, channels)
        self.spare = like.new_empty(2, TILE, columns, channels)
        self.spare_across = like.new_empty(2, STEP, columns, channels)

    def __call__(self, x: Tensor, out: Tensor) -> None:
        """Transform (6, 6, n, C) into `out` (4, n, 4, C)."""
        _four(x.unbind(0), self.down.unbind(0), self.spare)
        _four(self.down.unbind(1), out.unbind(2), self.spare_across)


def _six(x: Sequence[Tensor], out: Sequence[Tensor], spare: Tensor) -> None:
    """Transform six values (..., C) into six, in one direction; most factors are 0 or 1."""
    even, odd = spare
    torch.sub(x[4], x[2], alpha=4, out=even)
    torch.sub(x[3], x[1], alpha=4, out=odd)
    torch.add(even, odd, out=out[1])
    torch.sub(even, odd, out=out[2])
    torch.sub(x[4], x[2], out=even)
    torch.sub(x[3], x[1], out=odd)
    torch.add(even, odd, alpha=2, out=out[3])
    torch.sub(even, odd, alpha=2, out=out[4])
    torch.add(x[4], x[0], alpha=4, out=out[0]).sub_(x[2], alpha=5)
    torch.add(x[5], x[1], alpha=4, out=out[5]).sub_(x[3], alpha=5)


def _four(x: Sequence[Tensor], out: Sequence[Tensor], spare: Tensor) -> None:
    """Transform six products (..., C) into four results, in one direction."""
    first, second = spare
    torch.add(x[1], x[2], out=first)
    torch.add(x[3], x[4], out=second)
    torch.add(first, second, out=out[0]).add_(x[0])
    torch.add(first, second, alpha=4, out=out[2])
    torch.sub(x[1], x[2], out=first)
    torch.sub(x[3], x[4], out=second)
    torch.add(first, second, alpha=2, out=out[1])
    torch.add(first, second, alpha=8, out=out[3]).add_(x[5])


def normalise_(x: Tensor, norm: nn.GroupNorm, *, relu: bool = False) -> Tensor:
    """Apply GroupNorm, and a ReLU, to a map (B, C, H, W); in its memory where possible."""
    rows = x[0].permute(1, 2, 0).flatten(0, 1)  # (P, C)
    usable = len(x) == 1 and x.dtype == norm.weight.dtype and rows.is_contiguous()
    if not usable or rows.data_ptr() != x.data_ptr() or torch.is_grad_enabled():
        out: Tensor = norm(x)
        return F.relu_(out) if relu else out
    parts = rows.split(CACHED)
    sums = torch.stack([torch.stack((part.sum(0), part.square().sum(0))) for part in parts])
    mean, square = wide(sums).sum(0).unflatten(1, (norm.num_groups, -1)).mean(2) / len(rows)
    scale = (square - mean.square()).clamp_min(0).add(norm.eps).rsqrt()  # (groups,)
    repeat = x.shape[1] // norm.num_groups
    factor = norm.weight * scale.repeat_interleave(repeat).to(x)
    shift = norm.bias - factor * mean.repeat_interleave(repeat).to(x)
    for part in parts:
        torch.addcmul(shift, part, factor, out=part)
        if relu:
            part.relu_()
    return x


def _both_ways(rows: tuple[tuple[float, ...], ...]) -> Tensor:
    """Return the transform of rows and of columns as one matrix."""
    one = torch.tensor(rows, dtype=torch.float32)
    return torch.kron(one, one)
