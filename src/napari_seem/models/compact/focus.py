"""The windows in which an object is decoded.

A box or an outline gives the size of the window. A lone click does not: several sizes are tried,
weighed by the encoder's own guess of the object's size, and the decoder's score chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...prompts import Box, Extent, Mask, Polygon, Prompt, union
from ..base import mask_bbox
from . import windows
from .choice import Decoded
from .network import COARSE_STRIDE, GRID, CompactConfig
from .prompt_maps.canvas import View
from .pyramid import Level

LADDER_START = 64.0
"""Side in finest-level pixels of the smallest window tried for a lone click."""
REACH = 1.6
"""Window side over the side of the known part of the object."""
REGION_REACH = 1.45
"""The same where a box or an outline already gives the whole object."""
GUESS_REACH, PRIOR_WEIGHT = 1.4, 0.03
"""How the size of the window for a lone click is judged; found on training images."""
CLOSER = 1.5
"""Ratio of the sides from which a window fitted to an answer is decoded too; less gains nothing."""
GROW_AT = 0.06
"""Share of a window's rim inside the object from which a larger window is tried."""
WELL_SEEN = (10.0, 150.0)
"""Object sides in level pixels that the encoder was trained on."""


@dataclass(frozen=True)
class Candidate:
    """A view, and how well (in score units) its size fits the encoder's guess."""

    view: View
    prior: float = 0.0


def view_around(
    levels: list[Level], center: tuple[float, float], side: float,
    smallest: int = windows.SMALLEST,
) -> View:  # fmt: skip
    """Return the finest level that shows a square of `side` image pixels in one window.

    `smallest` is the fewest coarse cells that the window may have.
    """
    largest = GRID * COARSE_STRIDE
    for level in levels:
        scale = float(np.sqrt(level.scale[0] * level.scale[1]))
        if side * scale <= largest or level is levels[-1]:
            middle = (center[0] + 0.5) * level.scale[0], (center[1] + 0.5) * level.scale[1]
            view = View(level, windows.square(middle, side * scale, level.shape, smallest))
            if view.shown:
                return view
    raise AssertionError("a pyramid has at least one level")


def around_extent(
    levels: list[Level], extent: Extent, reach: float, smallest: int = windows.SMALLEST
) -> View:
    """Return a view that shows `extent` with a margin."""
    y0, x0, y1, x1 = extent
    side = max(y1 - y0, x1 - x0, 4.0) * reach
    return view_around(levels, ((y0 + y1 - 1) / 2, (x0 + x1 - 1) / 2), side, smallest)


def ladder(levels: list[Level], extent: Extent, config: CompactConfig) -> list[Candidate]:
    """Return views of doubling size around a click (or a small stroke), the likeliest first."""
    y0, x0, y1, x1 = extent
    center = (y0 + y1 - 1) / 2, (x0 + x1 - 1) / 2
    scale = max(levels[0].scale)
    longest = max(levels[0].shape) / scale
    guess = guessed_side(levels, center, config)
    sides, side = [], LADDER_START / scale
    while side < longest * 1.4:
        if side >= 1.1 * max(y1 - y0, x1 - x0):
            sides.append(side)
        side *= 2
    if not sides:
        sides = [longest * 1.4]
    candidates = [
        Candidate(
            view_around(levels, center, s),
            -PRIOR_WEIGHT * abs(float(np.log2(s / (GUESS_REACH * guess)))),
        )
        for s in sides
    ]
    return sorted(candidates, key=lambda candidate: -candidate.prior)


def guessed_side(levels: list[Level], center: tuple[float, float], config: CompactConfig) -> float:
    """Return the encoder's guess of the side, in image pixels, of the object at `center` (y, x)."""
    guesses, weights = [], []
    for level in levels:
        row, col = (
            int(np.clip((middle + 0.5) * scale / COARSE_STRIDE, 0, cells - 1))
            for middle, scale, cells in zip(center, level.scale, level.cells, strict=True)
        )
        at_level = 2.0 ** float(level.at(row, col)[config.coarse_slices["size"]].float())
        low, high = WELL_SEEN
        off = max(np.log2(low / at_level), np.log2(at_level / high), 0.0)
        guesses.append(np.log2(at_level / max(level.scale)))
        weights.append(np.exp(-4 * off))
    return float(2 ** np.average(guesses, weights=weights))


def rim_share(view: View, inside: np.ndarray) -> float:
    """Return the share of the window's border that lies inside the object, 0..1.

    Parameters
    ----------
    view : View
    inside : bool array (S, S)
        The object, in FINE_GRID rows and columns of the window. Sides of the window that lie on
        or beyond the image's edge do not count.
    """
    origin, side, shape = view.window.origin, view.window.side, view.level.shape
    lines = []
    for axis in (0, 1):
        along = inside if axis == 0 else inside.T
        if origin[axis] > 0:
            lines.append(along[0])
        if origin[axis] + side < shape[axis]:
            lines.append(along[-1])
    return max((float(line.mean()) for line in lines), default=0.0)


def gives_size(prompts: Sequence[Prompt], previous: windows.PartLogits | None) -> bool:
    """Return whether the whole object is known: by a region, or by the answer of the turn before.

    `previous` holds its logits, or is None.
    """
    if any(p.positive and isinstance(p, (Box, Polygon, Mask)) for p in prompts):
        return True
    return previous is not None and previous.bbox is not None


def lengths(extent: Extent) -> tuple[float, float]:
    """Return height and width in pixels, at least 4."""
    return max(extent[2] - extent[0], 4.0), max(extent[3] - extent[1], 4.0)


def tight_view(levels: list[Level], decoded: Decoded, where: Extent) -> View | None:
    """Return a window fitted to what was found, or None where the one it was found in does."""
    bbox = mask_bbox(decoded.logits > 0)
    if bbox is None:
        return None
    rows, cols = decoded.view.pixels(0), decoded.view.pixels(1)
    found = (rows[bbox[0]], cols[bbox[1]], rows[bbox[2] - 1] + 1, cols[bbox[3] - 1] + 1)
    view = around_extent(levels, union(found, where), REACH)
    alike = 1 / CLOSER < view.side / decoded.view.side < CLOSER
    if view == decoded.view or (alike and rim_share(decoded.view, decoded.logits > 0) < GROW_AT):
        return None
    return view
