"""Whether prompts fit the image that they are given for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import InvalidPrompt
from .geometry import pixel_box, rasterize
from .kinds import PROMPT_TYPES, Box, Mask, Point, Polygon, Prompt, Scribble


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
                f"{prompt!r} is not a prompt; use one of "
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
    """Whether a polygon holds a pixel of the image; drawn in its own box only."""
    low = np.floor(polygon.vertices.min(0)).clip(0).astype(int)
    high = np.minimum(np.ceil(polygon.vertices.max(0)).clip(-1).astype(int) + 1, shape)
    if (high <= low).any():
        return False
    height, width = high - low
    moved = Polygon(polygon.vertices - low)
    return bool(rasterize(moved, (int(height), int(width))).any())


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
