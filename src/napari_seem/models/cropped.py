"""A prediction that keeps only the pixels around the object."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from functools import cached_property
from typing import Self

import numpy as np
from scipy import ndimage

from .answers import once
from .base import OUTSIDE, BoolArray, FloatArray, Prediction, mask_bbox

STRIP = 1 << 22
"""Number of pixels of a big mask that are processed at a time."""


class CroppedPrediction(Prediction):
    """The answer to one turn on an image too big for logits of its own size.

    `logits` and `mask` are computed at every access and not kept; `bbox`, `cut_out` and `overview`
    use the object's own pixels only.

    Parameters
    ----------
    values : float32 array of shape (h, w)
        Logits of the part that holds the object, one for `factor` x `factor` image pixels.
    corner : (int, int)
        Corner (y, x) of the part in the image.
    factor : int
    shape : (int, int)
        Height and width of the image.
    score, label, memory
        As of a `Prediction`.
    """

    def __init__(
        self, values: FloatArray, corner: tuple[int, int], factor: int, shape: tuple[int, int],
        score: float, label: str | None = None, memory: object = None,
    ) -> None:  # fmt: skip
        own = {"values": values, "corner": corner, "factor": factor, "_shape": shape}
        own |= {"score": score, "label": label, "memory": memory}
        for name, value in own.items():
            object.__setattr__(self, name, value)

    def offering(self, others: Callable[[], Iterable[Prediction]] | None) -> Self:
        """Return the same answer with other answers to the same prompts; see `Prediction`."""
        new = copy(self)
        object.__setattr__(new, "others", once(others))
        return new

    values: FloatArray
    corner: tuple[int, int]
    factor: int
    _shape: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        return self._shape

    @property
    def logits(self) -> FloatArray:
        """Logits of the whole image (H, W), > 0 inside the object; computed at every access."""
        out = np.full(self.shape, OUTSIDE, np.float32)
        y, x = self.corner
        part = enlarge(self.values, self.factor)[: self.shape[0] - y, : self.shape[1] - x]
        out[y : y + part.shape[0], x : x + part.shape[1]] = part
        return out

    @property
    def mask(self) -> BoolArray:
        """The object as a bool array of shape (H, W); computed at every access."""
        out = np.zeros(self.shape, bool)
        part, (y, x) = self.cut_out()
        out[y : y + part.shape[0], x : x + part.shape[1]] = part
        return out

    @cached_property
    def bbox(self) -> tuple[int, int, int, int] | None:
        """Half-open (y0, x0, y1, x1) around the mask, or None where the mask is empty."""
        part, (y, x) = self._cut
        return (y, x, y + part.shape[0], x + part.shape[1]) if part.size else None

    def cut_out(self) -> tuple[BoolArray, tuple[int, int]]:
        """Return the mask within `bbox`, and the (y, x) of its corner in the image."""
        return self._cut

    def overview(self) -> tuple[BoolArray, tuple[int, int], int]:
        """Return what to show: a mask (h, w), its corner (y, x), image pixels a mask pixel."""
        return self.values > 0, self.corner, self.factor

    @cached_property
    def _cut(self) -> tuple[BoolArray, tuple[int, int]]:
        y, x = self.corner
        room = self.shape[0] - y, self.shape[1] - x
        whole = np.zeros([n * self.factor for n in self.values.shape], bool)
        rows = max(1, STRIP // max(1, self.values.shape[1] * self.factor**2))
        for start in range(0, len(self.values), rows):  # as floats it may not fit into memory
            before = min(start, 1)
            strip = enlarge(self.values[start - before : start + rows + 1], self.factor)
            strip = strip[before * self.factor :][: rows * self.factor]
            whole[start * self.factor :][: len(strip)] = strip > 0
        whole = whole[: room[0], : room[1]]
        y0, x0, y1, x1 = mask_bbox(whole) or (0, 0, 0, 0)
        return whole[y0:y1, x0:x1].copy(), (y + y0, x + x0)


def cropped(prediction: Prediction) -> CroppedPrediction:
    """Return an answer without the pixels around its object, and without its memory."""
    y0, x0, y1, x1 = prediction.bbox or (0, 0, 0, 0)
    return CroppedPrediction(
        prediction.logits[y0:y1, x0:x1].copy(), (y0, x0), 1, prediction.shape,
        prediction.score, prediction.label,
    )  # fmt: skip


def enlarge(values: FloatArray, factor: int) -> FloatArray:
    """Interpolate logits (h, w) bilinearly to (h * factor, w * factor)."""
    if factor == 1 or not values.size:
        return values
    out: FloatArray = ndimage.zoom(values, factor, order=1, mode="nearest", grid_mode=True)
    return out
