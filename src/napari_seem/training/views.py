"""Windows around the objects of a batch of crops, and the encoder's maps in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.compact import windows
from ..models.compact.network import COARSE_STRIDE, GRID
from ..models.compact.prompt_maps.evidence import ContextVectors
from .objects import CropObjects, is_kind
from .sampling import extent_of

LADDER = 2
"""Number of windows of different size for each object."""
FEW_CHANNELS = 32
"""Largest number of channels for which windows are cut point by point."""
CLOSE_SHARE = 0.25
"""Share of the windows for clicks that may be as small as those for regions."""
LARGE, SHOWN_WHOLE = 0.5, (0.5, 0.1)
"""Share of the crop's side from which an object is large, and chances that a window shows all of
the crop: around a large object, around others."""


@dataclass
class ViewWindows:
    """LADDER windows of each object, N = B * K * LADDER in all, side by side.

    Attributes
    ----------
    crop, item : int64 (N,)
        Index of the crop, and of the object among all B * K.
    corner : float32 (N, 2)
        Row and column, in coarse cells of the crop, of the window's corner.
    cells : float32 (N,)
        Coarse cells along the window.
    """

    crop: Tensor
    item: Tensor
    corner: Tensor
    cells: Tensor

    def pixels(self, grid: int) -> Tensor:
        """Return the centres of `grid` cells along each axis, in crop pixels: (N, 2, grid)."""
        share = (torch.arange(grid, device=self.cells.device) + 0.5) / grid
        return (self.corner[..., None] + self.cells[:, None, None] * share) * COARSE_STRIDE

    def place(self, points: Tensor, grid: int) -> Tensor:
        """Return the grid cells of crop pixels (N, 2), which may lie outside: int64 (N, 2)."""
        share = (points / COARSE_STRIDE - self.corner) / self.cells[:, None]
        return torch.floor(share * grid).long()

    def relative(self) -> Tensor:
        """Return log2 of the cells over GRID: (N,)."""
        return torch.log2(self.cells / GRID)


def draw_windows(objects: CropObjects) -> ViewWindows:
    """Draw windows of random size around the objects, as `models.compact.focus` would or worse."""
    batch, count, side, _ = objects.mask.shape
    device = objects.mask.device
    shape = (batch, count, LADDER)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(shape, device=device)

    extent = extent_of(objects.mask)
    middle = (extent[..., :2] + extent[..., 2:]) / 2
    reach = (extent[..., 2:] - extent[..., :2]).amax(2)[..., None]
    kind = objects.kind[..., None]
    region = is_kind(kind, "box", "lasso", "mask")
    broad = is_kind(kind, "word", "reference") & ~objects.clicked[..., None]
    size = reach * torch.exp(uniform(math.log(0.3), math.log(4.5)))
    chance = torch.where(reach > LARGE * side, *SHOWN_WHOLE)
    size = torch.where(uniform(0, 1) < chance, float(side), size)
    size = torch.where(region, reach * uniform(1.25, 2.0), size)
    size = torch.where(is_kind(kind, "detail"), reach * uniform(0.25, 0.8), size)
    size = torch.where(broad, side * uniform(0.5, 1), size)
    share = torch.where(region, 0.0, uniform(0, 1))[..., None]
    share = torch.where(is_kind(kind, "detail")[..., None], 1.0, share)
    center = (1 - share) * middle[:, :, None] + share * objects.click[:, :, None]
    shift = torch.rand(*shape, 2, device=device) - 0.5
    center = center + torch.where(broad[..., None], 0.3 * side, 0.1 * size[..., None]) * shift
    close = region | (uniform(0, 1) < CLOSE_SHARE)
    least = torch.where(close, windows.CLOSEST, windows.SMALLEST)
    most = max(windows.SMALLEST, min(GRID, side // COARSE_STRIDE + side // 16))
    cells = torch.maximum(torch.ceil(size / COARSE_STRIDE).clamp(max=most), least)
    near = 0.45 * cells[..., None] * COARSE_STRIDE
    click = objects.click[:, :, None]
    center = torch.minimum(torch.maximum(center, click - near), click + near)
    corner = pushed(torch.round(center / COARSE_STRIDE - cells[..., None] / 2), cells, side)
    item = torch.arange(batch * count, device=device).repeat_interleave(LADDER)
    return ViewWindows(item // count, item, corner.flatten(0, 2), cells.flatten())


def pushed(corner: Tensor, cells: Tensor, side: int) -> Tensor:
    """Move corners (..., 2) so that windows lie on a crop of `side` pixels, as far as they fit.

    The same as `models.compact.windows.square` does.
    """
    room = side // COARSE_STRIDE - cells[..., None]
    return torch.minimum(torch.maximum(corner, room.clamp(max=0)), room.clamp(min=0))


def cut(maps: Tensor, found: ViewWindows, grid: int, ratio: int = 1) -> Tensor:
    """Cut each window's part out of feature maps, resampled bilinearly.

    Two matrix products do it where there are many channels; where there are few, sampling point by
    point is faster.

    Parameters
    ----------
    maps : (B, C, h, w)
        Maps of `ratio` cells per coarse cell; fastest with channels last in memory.
    found : ViewWindows
    grid : int
        Cells along each window.
    ratio : int

    Returns
    -------
    (N, C, grid, grid)
        With channels last in memory; zero outside of the crop. The same values as
        `models.compact.windows.cut` gives.
    """
    batch, channels, height, width = maps.shape
    share = (torch.arange(grid, device=maps.device) + 0.5) / grid
    cells = found.cells[:, None] * ratio
    within = torch.minimum((cells * share - 0.5).clamp(min=0), cells - 1)  # a window's own edge
    row, col = (found.corner[:, axis, None] * ratio + within for axis in (0, 1))  # (N, grid)
    if channels <= FEW_CHANNELS:
        place = [(at + 0.5) / size * 2 - 1 for at, size in ((col, width), (row, height))]
        x, y = place[0][:, None].expand(-1, grid, -1), place[1][..., None].expand(-1, -1, grid)
        points = torch.stack([x, y], -1).view(batch, -1, grid, 2)  # half precision would shift them
        out = F.grid_sample(maps.float(), points, padding_mode="zeros", align_corners=False)
        out = out.to(maps.dtype).view(batch, channels, -1, grid, grid).permute(0, 2, 3, 4, 1)
        return out.reshape(-1, grid, grid, channels).permute(0, 3, 1, 2)
    rows, cols = (
        (1 - (at[..., None] - torch.arange(size, device=at.device)).abs()).clamp(min=0)
        for at, size in ((row, height), (col, width))
    )  # (N, grid, h), (N, grid, w)
    last = maps.permute(0, 2, 3, 1).reshape(batch, height, width * channels)
    part = torch.bmm(rows.reshape(batch, -1, height).to(maps.dtype), last)
    out = torch.matmul(cols[:, None].to(maps.dtype), part.view(-1, grid, width, channels))
    return out.permute(0, 3, 1, 2)  # (N, C, grid, grid)


def context_of(
    coarse: Tensor, objects: CropObjects, found: ViewWindows, slices: dict[str, slice]
) -> ContextVectors:
    """Average the embeddings of the accepted objects, for each window.

    `coarse` (B, C, h, w) is the encoder's output, `slices` its channels by name.
    """
    weight = objects.accepted.float()
    instance, semantic = (
        F.normalize(
            torch.einsum("bknhw,bdhw->bknd", weight, coarse[:, slices[key]].float()), dim=3
        ).flatten(0, 1)[found.item]
        for key in ("instance", "semantic")
    )
    known = objects.accepted.flatten(3).any(3).flatten(0, 1)[found.item]
    return ContextVectors(instance, semantic, known, objects.accepted_side.flatten()[found.item])


def example_of(coarse: Tensor, objects: CropObjects, at: slice) -> Tensor:
    """Average the embeddings of each object's example in the mate: unit vectors (B * K, D)."""
    mate = torch.arange(len(coarse), device=coarse.device) ^ 1
    total = torch.einsum("bkhw,bdhw->bkd", objects.example.float(), coarse[mate][:, at].float())
    return F.normalize(total, dim=2).flatten(0, 1)
