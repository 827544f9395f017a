"""Square windows onto one pyramid level, on the fixed grid of the decoder.

A window is measured in coarse cells (4 level pixels each), so that it can be cut out of both
feature maps exactly; what lies outside the image reads as zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ...values import locked
from ..answers import once
from ..base import OUTSIDE, Prediction, mask_bbox
from ..running.mps import layout
from .network import COARSE_STRIDE, FINE_GRID, FINE_STRIDE, GRID, channels_last

SMALLEST = 16
"""Fewest coarse cells along a window."""
CLOSEST = 8
"""The same where a region or an earlier answer gives the size of the object. Found on training
images: a box around an object of under 6 pixels then gives an IoU of .55, with SMALLEST .35."""

FloatArray = npt.NDArray[np.float32]
Area = tuple[int, int, int, int]
"""Half-open rows and columns of pixels of an image: (y0, x0, y1, x1)."""


@dataclass(frozen=True, eq=False)
class PartLogits:
    """Logits of a part of an image; those of the rest are `OUTSIDE`.

    Attributes
    ----------
    values : float32 (h, w)
        Read-only.
    corner : (int, int)
        Where the part begins, in image pixels.
    shape : (int, int)
        Height and width of the image.
    """

    values: FloatArray
    corner: tuple[int, int]
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        self.values.flags.writeable = False

    @property
    def area(self) -> Area:
        """Where the part lies in the image."""
        (y, x), (height, width) = self.corner, self.values.shape
        return y, x, y + height, x + width

    @cached_property
    def bbox(self) -> Area | None:
        """Where in the image the logits are over 0; None where none is."""
        (y, x), bbox = self.corner, mask_bbox(self.values > 0)
        return None if bbox is None else (bbox[0] + y, bbox[1] + x, bbox[2] + y, bbox[3] + x)

    def within(self, area: Area) -> FloatArray:
        """Return the logits (h, w) of any area of the image; may be `values` itself."""
        if area == self.area:
            return self.values
        return self.at(np.arange(area[0], area[2]), np.arange(area[1], area[3]))

    def at(self, rows: npt.NDArray[np.int64], cols: npt.NDArray[np.int64]) -> FloatArray:
        """Return the logits at sorted rows (m,) and columns (n,) of the image: (m, n)."""
        spans = []
        for index, start, size in zip((rows, cols), self.corner, self.values.shape, strict=True):
            first, last = np.searchsorted(index, (start, start + size))
            spans.append((slice(first, last), index[first:last] - start))
        (down, inner_rows), (across, inner_cols) = spans
        out = np.full((len(rows), len(cols)), OUTSIDE, np.float32)
        out[down, across] = self.values[inner_rows[:, None], inner_cols]
        return out


class PartPrediction(Prediction):
    """The answer to one turn, whose logits of the whole image are made when they are asked for.

    Parameters
    ----------
    part : PartLogits
        The logits that were computed; `memory` of the answer.
    score, label, others
        As of a `Prediction`.
    """

    def __init__(
        self, part: PartLogits, score: float, label: str | None = None,
        others: Callable[[], Sequence[Prediction]] | None = None,
    ) -> None:  # fmt: skip
        own = {"memory": part, "score": score, "label": label, "others": once(others)}
        for name, value in own.items():
            object.__setattr__(self, name, value)

    memory: PartLogits

    @cached_property
    def logits(self) -> FloatArray:  # type: ignore[override]
        """Logits of the image (H, W), over 0 inside the object; read-only."""
        return locked(self.memory.within((0, 0, *self.shape)))

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_]:
        """The object as a bool array of shape (H, W); read-only."""
        (y0, x0, y1, x1), mask = self.memory.area, np.zeros(self.shape, bool)
        mask[y0:y1, x0:x1] = self.memory.values > 0
        return locked(mask)

    @property
    def bbox(self) -> Area | None:  # type: ignore[override]
        """Half-open (y0, x0, y1, x1) around the mask, or None where the mask is empty."""
        return self.memory.bbox

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        return self.memory.shape

    def cut_out(self) -> tuple[npt.NDArray[np.bool_], tuple[int, int]]:
        """Return the mask within `bbox`, and the (y, x) of its corner in the image."""
        y0, x0, y1, x1 = self.bbox or (0, 0, 0, 0)
        return self.memory.within((y0, x0, y1, x1)) > 0, (y0, x0)


@dataclass(frozen=True, slots=True)
class Window:
    """A square of `cells` x `cells` coarse cells whose corner is coarse cell (`row`, `col`)."""

    row: int
    col: int
    cells: int

    @property
    def side(self) -> int:
        """Side in level pixels."""
        return self.cells * COARSE_STRIDE

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Half-open rows and columns (top, left, bottom, right) in coarse cells."""
        return self.row, self.col, self.row + self.cells, self.col + self.cells

    @property
    def origin(self) -> tuple[int, int]:
        """Corner (y, x) in level pixels; may lie outside the image."""
        return self.row * COARSE_STRIDE, self.col * COARSE_STRIDE


def square(
    center: tuple[float, float], side: float, shape: tuple[int, ...], smallest: int = SMALLEST
) -> Window:
    """Return a window around `center`, pushed onto the image where it fits.

    Parameters
    ----------
    center : (y, x)
        In level pixels.
    side : float
        Wanted side in level pixels; `smallest` * 4 up to GRID * 4 are possible.
    shape : (H, W)
        Of the level in pixels.
    smallest : int
        Fewest cells.
    """
    cells = int(np.clip(np.ceil(side / COARSE_STRIDE), smallest, GRID))
    corner = []
    for middle, size in zip(center, shape, strict=True):
        available = -(-size // COARSE_STRIDE)
        start = round(middle / COARSE_STRIDE - cells / 2)
        lowest, highest = min(0, available - cells), max(0, available - cells)
        corner.append(int(np.clip(start, lowest, highest)))
    return Window(corner[0], corner[1], cells)


def relative_cells(window: Window) -> float:
    """Return log2 of the window's cells over the grid's: 0 at the encoder's own resolution."""
    return float(np.log2(window.cells / GRID))


def fine_centers(window: Window, axis: int) -> npt.NDArray[np.float64]:
    """Return the centres of the fine cells along `axis` in level pixels: (FINE_GRID,).

    Pixel i spans [i, i + 1).
    """
    return window.origin[axis] + (np.arange(FINE_GRID) + 0.5) * window.side / FINE_GRID


def cut(
    coarse: Tensor, fine: Tensor, window: Window, grid: int = GRID
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Cut the window's part out of both feature maps, on the decoder's grids.

    Parameters
    ----------
    coarse : (C, h, w)
        At stride 4.
    fine : (D, 2 h, 2 w)
        At stride 2.
    window : Window
    grid : int
        Cells of the decoder along the window; half of `GRID` is coarser, and takes a quarter of
        the time.

    Returns
    -------
    (C, grid, grid) and (D, 2 * grid, 2 * grid)
    """
    ratio = COARSE_STRIDE // FINE_STRIDE
    return (
        _cut(coarse, window.row, window.col, window.cells, grid),
        _cut(fine, window.row * ratio, window.col * ratio, window.cells * ratio, ratio * grid),
    )


def _cut(features: Tensor, row: int, col: int, cells: int, grid: int) -> Tensor:
    """Cut a square of cells out of (C, h, w), zero outside, and resample it to (C, grid, grid)."""
    height, width = features.shape[-2:]
    top, left = max(row, 0), max(col, 0)
    bottom, right = min(row + cells, height), min(col + cells, width)
    part = features[..., top:bottom, left:right]
    padding = (left - col, col + cells - right, top - row, row + cells - bottom)
    if any(padding):
        part = F.pad(part, padding)
    if cells == grid:
        return part
    # with channels last the same values take a third of the time
    part = channels_last(part[None])
    return F.interpolate(part, (grid, grid), mode="bilinear", align_corners=False)[0]


def together(parts: Sequence[Tensor]) -> Tensor:
    """Stack windows' features (C, G, G) to (B, C, G, G), laid out with channels last."""
    first = parts[0]
    size = len(parts), *first.shape
    order = torch.channels_last if first.is_cpu else layout(first.device)
    out = torch.empty(size, dtype=first.dtype, device=first.device, memory_format=order)
    for place, part in zip(out, parts, strict=True):
        place.copy_(channels_last(part[None])[0])
    return out


def paste(
    grid: Tensor, window: Window, shape: tuple[int, int], scale: tuple[float, float]
) -> tuple[Tensor, tuple[int, int, int, int]]:
    """Resample logits of the fine grid to image pixels.

    Parameters
    ----------
    grid : (FINE_GRID, FINE_GRID)
    window : Window
    shape : (H, W)
        Of the image.
    scale : (float, float)
        Level pixels per image pixel, along rows and columns.

    Returns
    -------
    values : float32 (h, w)
    bbox : (y0, x0, y1, x1)
        The half-open box in the image that they cover.
    """
    bounds, samples = [], []
    for axis in (0, 1):
        start, side = window.origin[axis] / scale[axis], window.side / scale[axis]
        first, last = max(0, int(np.floor(start))), min(shape[axis], int(np.ceil(start + side)))
        centers = torch.arange(first, last, dtype=torch.float32) + 0.5
        bounds.append((first, last))
        samples.append((centers - start) / side * 2 - 1)
    positions = torch.stack(torch.meshgrid(*samples, indexing="ij")[::-1], -1)[None]
    values = F.grid_sample(
        grid[None, None].float(), positions, mode="bilinear", padding_mode="border",
        align_corners=False,
    )[0, 0]  # fmt: skip
    (y0, y1), (x0, x1) = bounds
    return values, (y0, x0, y1, x1)
