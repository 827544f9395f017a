"""The border of a large object at finer resolution than it was found at."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from ..models.base import OUTSIDE, BoolArray, FloatArray, Prediction
from ..models.cropped import CroppedPrediction, enlarge
from ..prompts import Mask, Prompt
from .frames import Area, Frame, cores, into_frame

MOST_FRAMES = 9
"""Largest number of frames in which a border is refined."""
BAND = 6
"""Coarse pixels by which a border may move."""
AGREE = 0.7
"""Least intersection over union, within a frame, with the coarse object of a finer answer that is
used."""

Answer = Callable[[Frame, Sequence[Prompt]], Prediction]


def refined(
    prediction: CroppedPrediction, prompts: Sequence[Prompt], answer: Answer
) -> CroppedPrediction:
    """Refine the border of an object that was found in coarse pixels.

    Parameters
    ----------
    prediction : CroppedPrediction
    prompts : sequence of Prompt
        The prompts that it answers, in plane pixels.
    answer : callable
        Returns the prediction for prompts in a frame.

    Returns
    -------
    CroppedPrediction
        The same one where no finer frames are needed.
    """
    coarse = prediction.values > 0
    if prediction.factor == 1 or not coarse.any():
        return prediction
    border = coarse ^ ndimage.binary_erosion(coarse, border_value=1)
    factor, parts = _finest(prediction, border)
    if factor == prediction.factor:
        return prediction
    ratio = prediction.factor // factor
    values = enlarge(prediction.values, ratio)
    near = _band(values > 0, BAND * ratio)
    start = values.copy()
    for area, frame in parts:
        guess = _window(start, prediction.corner, factor, frame)
        if not (guess > 0).any():
            continue
        finer = answer(frame, [*_inside(prompts, frame, prediction), _as_prompt(guess > 0, frame)])
        if _iou(finer.mask, guess > 0) >= AGREE:
            _overwrite_band(values, near, finer.logits, (prediction.corner, factor), area, frame)
    return CroppedPrediction(
        values, prediction.corner, factor, prediction.shape, prediction.score, prediction.label,
        prediction.memory,
    )  # fmt: skip


def _finest(
    prediction: CroppedPrediction, border: BoolArray
) -> tuple[int, list[tuple[Area, Frame]]]:
    """Return the finest factor at which few frames hold the border (h, w), and the frames."""
    factor = 1
    rows, cols = np.nonzero(border)
    ys = prediction.corner[0] + (rows + 0.5) * prediction.factor
    xs = prediction.corner[1] + (cols + 0.5) * prediction.factor
    while factor < prediction.factor:
        parts = [
            (area, frame)
            for area, frame in cores(prediction.shape, factor)
            if ((ys >= area[0]) & (ys < area[2]) & (xs >= area[1]) & (xs < area[3])).any()
        ]
        if len(parts) <= MOST_FRAMES:
            return factor, parts
        factor *= 2
    return factor, []


def _band(mask: BoolArray, width: int) -> BoolArray:
    """Return the pixels (h, w) at most `width` from the mask's border."""
    inside = ndimage.distance_transform_edt(mask)
    outside = ndimage.distance_transform_edt(~mask)
    near: BoolArray = np.maximum(inside, outside) <= width
    return near


def _window(values: FloatArray, corner: tuple[int, int], factor: int, frame: Frame) -> FloatArray:
    """Cut the part of logits (h, w) at `corner` that lies in a frame of the same factor."""
    out = np.full(frame.shape, OUTSIDE, np.float32)
    here, there = _overlap(values.shape, corner, factor, frame, frame.area)
    out[there] = values[here]
    return out


def _overwrite_band(
    values: FloatArray, near: BoolArray, finer: FloatArray,
    place: tuple[tuple[int, int], int], area: Area, frame: Frame,
) -> None:  # fmt: skip
    """Write finer logits (h', w') into `values` (h, w) near the border, within `area`, in place."""
    here, there = _overlap(values.shape, place[0], place[1], frame, area)
    values[here] = np.where(near[here], finer[there], values[here])


def _overlap(
    shape: tuple[int, ...], corner: tuple[int, int], factor: int, frame: Frame, area: Area
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the slices of logits (h, w) at `corner` and of a frame where both meet in an area."""
    here, there = [], []
    for axis in (0, 1):
        own = corner[axis] // factor
        origin = (frame.y0, frame.x0)[axis] // factor
        first = max(own, area[axis] // factor)
        last = min(own + shape[axis], -(-area[axis + 2] // factor), origin + frame.shape[axis])
        last = max(first, last)
        here.append(slice(first - own, last - own))
        there.append(slice(first - origin, last - origin))
    return (here[0], here[1]), (there[0], there[1])


def _inside(prompts: Sequence[Prompt], frame: Frame, prediction: CroppedPrediction) -> list[Prompt]:
    """Return the prompts that have a part in a frame, or no place."""
    return [p for p in prompts if into_frame([p], frame, prediction.shape)]


def _as_prompt(mask: BoolArray, frame: Frame) -> Mask:
    """Turn a mask (h, w) of a frame into a prompt on the plane."""
    full = mask.repeat(frame.factor, 0).repeat(frame.factor, 1)
    full = full[: frame.y1 - frame.y0, : frame.x1 - frame.x0]
    return Mask(full, corner=(frame.y0, frame.x0))


def _iou(one: BoolArray, other: BoolArray) -> float:
    """Compute the intersection over union of two masks (h, w)."""
    return float((one & other).sum() / max(1, (one | other).sum()))
