"""Spatial prompts, drawn into the maps of a window."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

from ....prompts import Box, Mask, Point, Polygon, Prompt, Reference, Scribble, Text, rasterize
from .. import windows
from ..network import FINE_GRID, GRID
from ..pyramid import Level
from .evidence import MAPS

CLICK_CELLS = 5
"""Side in fine cells of the square that a click paints; as in training."""
MASK_LOGIT = 4.5
"""Logit of a mask prompt."""
SUREST = 12.0
"""Logits of an earlier answer are clipped to this; as in training."""
POSITIVE, NEGATIVE, BOX, LASSO, PREVIOUS, VALID = range(len(MAPS))

Scalar = TypeVar("Scalar", bound=np.generic)
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """A window on one pyramid level."""

    level: Level
    window: windows.Window

    @property
    def shown(self) -> bool:
        """Whether the level has features of all that the window shows of the image."""
        return self.level.holds(self.window.box)

    def features(self, grid: int = GRID) -> tuple[Tensor, Tensor]:
        """Cut out the level's features in the window, on the decoder's grids; see `windows.cut`."""
        level = self.level.part(self.window.box)
        row, col = level.corner or (0, 0)
        window = windows.Window(self.window.row - row, self.window.col - col, self.window.cells)
        return windows.cut(level.coarse, level.fine, window, grid)

    def cells(self, coordinates: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.int64]:
        """Return the fine cells int64 (N,) that image coordinates (N,) along `axis` fall into.

        Coordinates are those of pixel centres, at integers; cells may lie outside of the grid.
        """
        at_level = (coordinates + 0.5) * self.level.scale[axis] - self.window.origin[axis]
        return np.floor(at_level / self.window.side * FINE_GRID).astype(np.int64)

    def pixels(self, axis: int) -> npt.NDArray[np.float64]:
        """Return the image coordinates (FINE_GRID,) of the fine cells' centres along `axis`."""
        return windows.fine_centers(self.window, axis) / self.level.scale[axis] - 0.5

    @property
    def side(self) -> float:
        """Side in image pixels."""
        return self.window.side / max(self.level.scale)

    def paste(self, logits: FloatArray, shape: tuple[int, int]) -> tuple[Tensor, windows.Area]:
        """Return logits of the fine grid in the pixels of an image (H, W); see `windows.paste`."""
        return windows.paste(torch.from_numpy(logits), self.window, shape, self.level.scale)

    def sample(self, image: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Sample an image (H, W) on the fine grid by nearest neighbour; its edge is repeated."""
        rows, cols = self.nearest(image.shape)
        return image[rows[:, None], cols[None, :]]

    def nearest(self, shape: tuple[int, ...]) -> list[npt.NDArray[np.int64]]:
        """Return rows and columns (FINE_GRID,) of an image (H, W) that are nearest to the cells."""
        return [
            np.clip(np.round(self.pixels(axis)), 0, shape[axis] - 1).astype(np.int64)
            for axis in (0, 1)
        ]


def spatial(prompts: Iterable[Prompt]) -> list[Point | Box | Polygon | Scribble | Mask]:
    """Return the prompts that have a place: all but words and references."""
    return [p for p in prompts if not isinstance(p, (Text, Reference))]


def draw(prompts: Sequence[Prompt], view: View, previous: windows.PartLogits | None) -> FloatArray:
    """Draw spatial prompts into a window.

    Parameters
    ----------
    prompts : sequence of Prompt
        Texts and references are skipped.
    view : View
    previous : PartLogits, optional
        Logits of the turn before.

    Returns
    -------
    float32 (len(MAPS), FINE_GRID, FINE_GRID)
    """
    maps = np.zeros((len(MAPS), FINE_GRID, FINE_GRID), np.float32)
    on_image = [
        (view.pixels(axis) >= -0.5) & (view.pixels(axis) < size - 0.5)
        for axis, size in enumerate(_image_shape(view))
    ]
    maps[VALID] = on_image[0][:, None] & on_image[1][None, :]
    for prompt in spatial(prompts):
        if isinstance(prompt, Point):
            _paint_click(maps[POSITIVE if prompt.positive else NEGATIVE], prompt, view)
        elif isinstance(prompt, Scribble):
            drawn = rasterize(prompt, _image_shape(view))
            _paint_strokes(maps[POSITIVE if prompt.positive else NEGATIVE], drawn, view)
        else:
            _paint_region(maps, prompt, view)
    if previous is not None:
        remember(maps, previous.at(*view.nearest(previous.shape)))
    return maps


def remember(maps: FloatArray, logits: FloatArray) -> None:
    """Draw an earlier answer into the maps of its window, in place.

    Parameters
    ----------
    maps : float32 (M, S, S)
        M is len(MAPS) and S is FINE_GRID, the rows and columns of a window.
    logits : float32 (S, S)
    """
    maps[PREVIOUS] = np.clip(logits, -SUREST, SUREST) * maps[VALID]


def _image_shape(view: View) -> tuple[int, int]:
    return (
        round(view.level.shape[0] / view.level.scale[0]),
        round(view.level.shape[1] / view.level.scale[1]),
    )


def _paint_click(channel: FloatArray, point: Point, view: View) -> None:
    """Set a square around a click to 1 in `channel`, float32 (S, S) with S = FINE_GRID."""
    reach = CLICK_CELLS // 2
    row = int(view.cells(np.array([point.y]), 0)[0])
    col = int(view.cells(np.array([point.x]), 1)[0])
    if 0 <= row < FINE_GRID and 0 <= col < FINE_GRID:
        channel[max(0, row - reach) : row + reach + 1, max(0, col - reach) : col + reach + 1] = 1


def _paint_strokes(channel: FloatArray, mask: npt.NDArray[np.bool_], view: View) -> None:
    """Set the cells of `channel` (FINE_GRID, FINE_GRID) near drawn image pixels (H, W) to 1."""
    rows, cols = (view.cells(axis.astype(float), i) for i, axis in enumerate(np.nonzero(mask)))
    inside = (rows >= 0) & (rows < FINE_GRID) & (cols >= 0) & (cols < FINE_GRID)
    drawn = np.zeros(channel.shape, bool)
    drawn[rows[inside], cols[inside]] = True
    channel[ndimage.binary_dilation(drawn, np.ones((3, 3)))] = 1


def _paint_region(maps: FloatArray, prompt: Box | Polygon | Mask, view: View) -> None:
    """Draw a region into `maps`, float32 (M, S, S) with M = len(MAPS) and S = FINE_GRID."""
    if isinstance(prompt, Box):
        y0, y1 = sorted((prompt.y0, prompt.y1))
        x0, x1 = sorted((prompt.x0, prompt.x1))
        rows, cols = view.pixels(0) + 0.5, view.pixels(1) + 0.5
        inside = ((rows >= y0) & (rows < y1))[:, None] & ((cols >= x0) & (cols < x1))[None, :]
    else:
        inside = view.sample(rasterize(prompt, _image_shape(view))) & (maps[VALID] > 0)
    if not prompt.positive:
        maps[NEGATIVE][inside] = 1
    elif isinstance(prompt, Mask):
        believed = np.where(inside, MASK_LOGIT, -MASK_LOGIT)
        seen = maps[PREVIOUS].any()
        maps[PREVIOUS] = np.maximum(maps[PREVIOUS], believed) if seen else believed
    else:
        maps[BOX if isinstance(prompt, Box) else LASSO][inside] = 1
