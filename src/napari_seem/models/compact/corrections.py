"""What a correcting click may change.

A click on an answer corrects one place. The decoder answers for the whole object again, which early
on is what is wanted. Late, when most of the outline is right, a new answer also undoes what earlier
clicks had settled, or leaves the clicked place as it was. So an answer that breaks with an earlier
click, and every answer to an object of many clicks, changes only the connected part that was
clicked (the progressive merge of Chen et al. 2022, FocalClick). Where a click is still not obeyed,
closer windows are decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...prompts import Point, Prompt, Scribble, rasterize
from ..base import OUTSIDE, mask_bbox
from .windows import Area

SETTLED = 8
"""From this many clicks on, an object is only changed where it is clicked."""
OPENING = 2
"""Up to this many clicks, an object is still being found, and may change as a whole."""
CLOSER_LOOKS, CLOSEST = 2, 16.0
"""Number of closer windows to decode, each half as wide, and the least side in image pixels."""

FloatArray = npt.NDArray[np.float32]
DecodeAround = Callable[[tuple[float, float], float], FloatArray]
"""Centre (y, x) and side in image pixels of a window -> logits (H, W), `OUTSIDE` around it."""


@dataclass(frozen=True, eq=False)
class Hint:
    """The pixels of a click or a stroke, and whether they belong to the object."""

    rows: npt.NDArray[np.intp]
    cols: npt.NDArray[np.intp]
    positive: bool

    def broken_by(self, logits: FloatArray) -> bool:
        """Return whether most of the hint's pixels have the wrong sign in `logits` (H, W)."""
        inside = float((logits[self.rows, self.cols] > 0).mean())
        return inside < 0.5 if self.positive else inside > 0.5

    def seen_from(self, area: Area) -> Hint:
        """Return the hint in the pixels (h, w) of an `area` (y0, x0, y1, x1) of the image."""
        return Hint(self.rows - area[0], self.cols - area[1], self.positive)

    @property
    def center(self) -> tuple[float, float]:
        """Middle (y, x) in image pixels."""
        return float(self.rows.mean()), float(self.cols.mean())


def hints(prompts: Sequence[Prompt], shape: tuple[int, int]) -> list[Hint]:
    """Collect the clicks and strokes among the prompts of an image of `shape` (H, W)."""
    out = []
    for prompt in prompts:
        if isinstance(prompt, Point):
            row, col = (
                np.clip(round(at), 0, size - 1)
                for at, size in zip((prompt.y, prompt.x), shape, strict=True)
            )
            out.append(Hint(np.array([row]), np.array([col]), prompt.positive))
        elif isinstance(prompt, Scribble):
            rows, cols = np.nonzero(rasterize(prompt, shape))
            out.append(Hint(rows, cols, prompt.positive))
    return out


def frame(
    areas: Sequence[Area], given: Sequence[Hint], reach: float, shape: tuple[int, int]
) -> Area:
    """Return the area of an image of `shape` (H, W) that holds others, and all about the hints."""
    far = [
        (int(h.rows.min() - reach), int(h.cols.min() - reach),
         int(h.rows.max() + reach) + 1, int(h.cols.max() + reach) + 1)
        for h in given
    ]  # fmt: skip
    y0, x0, y1, x1 = zip(*areas, *far, strict=True)
    return max(0, min(y0)), max(0, min(x0)), min(shape[0], max(y1)), min(shape[1], max(x1))


def corrected(
    answer: FloatArray, previous: FloatArray | None, given: Sequence[Hint], side: float,
    closer: DecodeAround,
) -> FloatArray:  # fmt: skip
    """Limit the answer of a turn to what was corrected, and make it obey every click.

    Parameters
    ----------
    answer, previous : float32 (H, W)
        Logits of this turn and of the one before; None at the first turn.
    given : sequence of Hint
        All of the object's clicks and strokes.
    side : float
        Side in image pixels of the window that gave the answer.
    closer : callable
        Decodes a window; see `DecodeAround`.

    Returns
    -------
    float32 (H, W)
        `answer` itself where nothing has to be changed.
    """
    out, others = answer, [] if previous is None else [previous]
    if previous is not None and any(hint.broken_by(previous) for hint in given):
        broken = any(hint.broken_by(answer) for hint in given)
        if len(given) >= SETTLED or (len(given) > OPENING and broken):
            out, others = previous, [answer]
    for hint in given:
        if hint.broken_by(out):
            out = _correct_at(out, others, hint, side, closer)
    return out


def _correct_at(
    start: FloatArray, others: Sequence[FloatArray], hint: Hint, side: float, closer: DecodeAround
) -> FloatArray:
    """Correct `start` (H, W) at a hint, by another answer or else by a closer window."""
    for other in others:
        out = _merge_part(start, other, hint)
        if out is not None:
            return out
    for look in range(1, CLOSER_LOOKS + 1):
        if side / 2**look < CLOSEST:
            break
        out = _merge_part(start, closer(hint.center, side / 2**look), hint)
        if out is not None:
            return out
    return _paint_hint(start, hint)


def _merge_part(start: FloatArray, answer: FloatArray, hint: Hint) -> FloatArray | None:
    """Copy the changed parts of `answer` (H, W) that a hint touches into a copy of `start` (H, W).

    Returns None if `answer` breaks the hint, or no changed part is touched.
    """
    if hint.broken_by(answer):
        return None
    inside = start > 0
    seen = answer > OUTSIDE
    changed = (answer > 0) & ~inside if hint.positive else (answer <= 0) & seen & inside
    bbox = mask_bbox(changed)
    if bbox is None:
        return None
    y0, x0, y1, x1 = bbox
    parts, _ = ndimage.label(changed[y0:y1, x0:x1], np.ones((3, 3)))
    near = (hint.rows >= y0) & (hint.rows < y1) & (hint.cols >= x0) & (hint.cols < x1)
    touched = np.unique(parts[hint.rows[near] - y0, hint.cols[near] - x0])
    region = np.isin(parts, touched[touched > 0])
    if not region.any():
        return None
    out = start.copy()
    out[y0:y1, x0:x1][region] = answer[y0:y1, x0:x1][region]
    return out


def _paint_hint(start: FloatArray, hint: Hint) -> FloatArray:
    """Return `start` (H, W) with a hint's own pixels and their neighbours set."""
    out = start.copy()
    bottom, right = (size - 1 for size in out.shape)
    for down, across in product((-1, 0, 1), repeat=2):
        rows, cols = (hint.rows + down).clip(0, bottom), (hint.cols + across).clip(0, right)
        out[rows, cols] = 1 if hint.positive else -1
    return out
