"""Where prompts lie: drawn as masks, and as boxes around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .kinds import (
    BoolArray,
    Box,
    Mask,
    Point,
    Polygon,
    Prompt,
    Reference,
    Scribble,
    SpatialPrompt,
    Text,
)

Extent = tuple[float, float, float, float]
"""Half-open (y0, x0, y1, x1) in pixels."""
CLICK_RADIUS = 1.5
"""Radius in pixels of the disc that stands for a click when it is drawn into a mask."""


def rasterize(prompt: SpatialPrompt, shape: tuple[int, int]) -> BoolArray:
    """Draw a spatial prompt as a mask.

    Parameters
    ----------
    prompt : Point, Box, Polygon, Scribble or Mask
        A point becomes a disc of `CLICK_RADIUS`, a box its filled rectangle.
    shape : (H, W)
        Size of the image in pixels.

    Returns
    -------
    bool array of shape (H, W)
    """
    if isinstance(prompt, (Scribble, Mask)) and prompt.corner is None:
        return prompt.mask
    out = np.zeros(shape, dtype=bool)
    if isinstance(prompt, (Scribble, Mask)):
        y, x = prompt.corner or (0, 0)
        out[y : y + prompt.mask.shape[0], x : x + prompt.mask.shape[1]] = prompt.mask
    elif isinstance(prompt, Point):
        reach = int(np.ceil(CLICK_RADIUS))
        rows = _clipped_range(prompt.y - reach, prompt.y + reach + 1, shape[0])
        cols = _clipped_range(prompt.x - reach, prompt.x + reach + 1, shape[1])
        distance = (rows[:, None] - prompt.y) ** 2 + (cols[None, :] - prompt.x) ** 2
        out[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1] = distance <= CLICK_RADIUS**2
        out[min(round(prompt.y), shape[0] - 1), min(round(prompt.x), shape[1] - 1)] = True
    elif isinstance(prompt, Box):
        y0, x0, y1, x1 = pixel_box(prompt, shape)
        out[y0:y1, x0:x1] = True
    else:
        from skimage.draw import polygon

        rows, cols = polygon(prompt.vertices[:, 0], prompt.vertices[:, 1], shape)
        out[rows, cols] = True
    return out


def pixel_box(box: Box, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box as whole pixels (y0, x0, y1, x1), half-open, clipped to an image of `shape`."""
    y0, y1 = sorted((box.y0, box.y1))
    x0, x1 = sorted((box.x0, box.x1))
    return (
        max(0, round(y0)),
        max(0, round(x0)),
        min(shape[0], round(y1)),
        min(shape[1], round(x1)),
    )


def extent(
    prompts: Sequence[Prompt], shape: tuple[int, int], positive: bool = True
) -> Extent | None:
    """The (y0, x0, y1, x1) that spatial prompts of one sign cover in an image (H, W), or None."""
    boxes = [
        _extent(prompt)
        for prompt in prompts
        if prompt.positive == positive and not isinstance(prompt, (Text, Reference))
    ]
    if not boxes:
        return None
    every = np.asarray(boxes, dtype=float)
    (y0, x0), (y1, x1) = every[:, :2].min(0), every[:, 2:].max(0)
    return max(0.0, y0), max(0.0, x0), min(float(shape[0]), y1), min(float(shape[1]), x1)


def union(first: Extent, second: Extent | None) -> Extent:
    """The extent that holds both."""
    if second is None:
        return first
    return (
        min(first[0], second[0]), min(first[1], second[1]),
        max(first[2], second[2]), max(first[3], second[3]),
    )  # fmt: skip


def _extent(prompt: SpatialPrompt) -> Extent:
    if isinstance(prompt, Point):
        return prompt.y, prompt.x, prompt.y + 1, prompt.x + 1
    if isinstance(prompt, Box):
        (y0, y1), (x0, x1) = sorted((prompt.y0, prompt.y1)), sorted((prompt.x0, prompt.x1))
        return y0, x0, y1, x1
    if isinstance(prompt, Polygon):
        low, high = prompt.vertices.min(0), prompt.vertices.max(0)
        return low[0], low[1], high[0] + 1, high[1] + 1
    rows, cols = (np.flatnonzero(prompt.mask.any(axis)) for axis in (1, 0))
    y, x = prompt.corner or (0, 0)
    return y + rows[0], x + cols[0], y + rows[-1] + 1, x + cols[-1] + 1


def _clipped_range(start: float, stop: float, size: int) -> npt.NDArray[np.int64]:
    first = int(np.clip(np.floor(start), 0, size - 1))
    last = int(np.clip(np.ceil(stop), first + 1, size))
    return np.arange(first, last)
