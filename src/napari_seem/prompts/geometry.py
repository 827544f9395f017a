"""Where prompts lie: drawn as masks, boxes around them, and whether they fit an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..checks import said
from ..errors import InvalidPrompt
from .kinds import (
    PROMPT_TYPES,
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
        from skimage.measure import grid_points_in_poly

        low, high = _pixels_around(prompt, shape)
        if (low < high).all():
            part = tuple(map(slice, low, high))
            out[part] = grid_points_in_poly(tuple(high - low), prompt.vertices - low)
    return out


def _pixels_around(
    polygon: Polygon, shape: tuple[int, int]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the first row and column, and those after the last, that an outline may hold."""
    low = np.ceil(polygon.vertices.min(0)).clip(0, shape)
    high = (np.floor(polygon.vertices.max(0)) + 1).clip(0, shape)
    return low.astype(np.intp), high.astype(np.intp)


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


def check_prompts(prompts: Sequence[Prompt], shape: tuple[int, int]) -> None:
    """Raise `InvalidPrompt` for the first prompt that cannot belong to an image (H, W)."""
    if isinstance(prompts, PROMPT_TYPES):
        raise InvalidPrompt(f"{prompts!r} is given alone; give a list of prompts: [{prompts!r}]")
    if isinstance(prompts, str) or not isinstance(prompts, Sequence):
        raise InvalidPrompt(
            f"prompts are {type(prompts).__name__}; give a list such as [Point(row, column)]"
        )
    for prompt in prompts:
        if isinstance(prompt, Point):
            _check_point(prompt, shape)
        elif isinstance(prompt, Box):
            _check_box(prompt, shape)
        elif isinstance(prompt, (Scribble, Mask)):
            _check_mask(prompt, shape)
        elif isinstance(prompt, Polygon) and not _covers_any(prompt, shape):
            raise InvalidPrompt(
                f"the polygon covers no pixel of the {_size(shape)} image; draw it larger or inside"
            )
        elif not isinstance(prompt, PROMPT_TYPES):
            raise InvalidPrompt(
                f"{said(prompt)} is not a prompt; use one of "
                + ", ".join(kind.__name__ for kind in PROMPT_TYPES)
            )


def _check_point(point: Point, shape: tuple[int, int]) -> None:
    inside = -0.5 <= point.y <= shape[0] - 0.5 and -0.5 <= point.x <= shape[1] - 0.5
    if not inside:  # also true for NaN
        raise InvalidPrompt(
            f"the point at row {point.y:g}, column {point.x:g} lies outside the "
            f"{_size(shape)} image; click inside it"
        )


def _check_box(box: Box, shape: tuple[int, int]) -> None:
    if not np.isfinite([box.y0, box.x0, box.y1, box.x1]).all():
        raise InvalidPrompt(f"{box} has a corner that is not a number; draw it again")
    y0, x0, y1, x1 = pixel_box(box, shape)
    if y1 <= y0 or x1 <= x0:
        raise InvalidPrompt(
            f"the box from ({box.y0:g}, {box.x0:g}) to ({box.y1:g}, {box.x1:g}) holds no pixel of "
            f"the {_size(shape)} image; drag a larger one inside it"
        )
    if (y1 - y0) * (x1 - x0) == 1:
        raise InvalidPrompt(
            f"the box at row {y0}, column {x0} is a single pixel; drag a larger one or "
            "click a point"
        )


def _check_mask(prompt: Scribble | Mask, shape: tuple[int, int]) -> None:
    what = type(prompt).__name__.lower()
    if prompt.corner is not None:
        _check_part(prompt, shape)
    elif prompt.mask.shape != tuple(shape):
        raise InvalidPrompt(
            f"the {what} has shape {prompt.mask.shape} but the image has {tuple(shape)}; "
            "give a mask of the image's own height and width"
        )
    if not prompt.mask.any():
        raise InvalidPrompt(f"the {what} is empty; paint at least one pixel")


def _covers_any(polygon: Polygon, shape: tuple[int, int]) -> bool:
    """Whether a polygon holds a pixel of the image; its middle row tells, of all but odd ones."""
    low, high = _pixels_around(polygon, shape)
    (top, left), (height, width) = low.tolist(), (high - low).tolist()
    for first, rows in ((top + height // 2, min(1, height)), (top, height)):
        moved = Polygon(polygon.vertices - (first, left))
        if rasterize(moved, (max(0, rows), max(0, width))).any():
            return True
    return False


def _check_part(prompt: Scribble | Mask, shape: tuple[int, int]) -> None:
    y, x = prompt.corner or (0, 0)
    height, width = prompt.mask.shape
    if y < 0 or x < 0 or y + height > shape[0] or x + width > shape[1]:
        raise InvalidPrompt(
            f"the {type(prompt).__name__.lower()} of shape {prompt.mask.shape} at row {y}, column "
            f"{x} reaches out of the {_size(shape)} image; cut it to the image"
        )


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"
