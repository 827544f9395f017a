"""Motion of objects from one plane to the next, by matching their appearance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from .shapes import Box2D

SEARCH = 0.6
"""Reach of the search for an object, as a share of its side."""
LEAST_SEARCH = 6
PATCH = 48
"""Longest side of the matched patch; larger ones are sampled more coarsely."""
GAIN = 0.05
"""Least gain in correlation of a move over no move."""
FLAT = 1e-6
"""Variance of the grey values of a part up to which it is constant."""
LEAST_MATCH = 0.4
"""Least correlation of the same object at another place."""


def moves(
    before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8], boxes: Mapping[int, Box2D]
) -> dict[int, tuple[float, float]]:
    """Estimate how far each object moved.

    Parameters
    ----------
    before, after : uint8 (H, W, 3)
    boxes : mapping of int to (y0, x0, y1, x1)
        The objects in the plane before.

    Returns
    -------
    dict of int to (dy, dx)
        Only objects for which another place matches clearly better than the same one.
    """
    grey = [image.mean(2, dtype=np.float32) for image in (before, after)]
    found = {}
    for number, box in boxes.items():
        move = _match(grey[0], grey[1], box)
        if move != (0.0, 0.0):
            found[number] = move
    return found


def _match(
    before: npt.NDArray[np.float32], after: npt.NDArray[np.float32], box: Box2D
) -> tuple[float, float]:
    """Find a box of the gray plane `before` (H, W) in `after` (H, W): its move (dy, dx)."""
    height, width = before.shape
    reach = max(LEAST_SEARCH, int(SEARCH * ((box[2] - box[0]) * (box[3] - box[1])) ** 0.5))
    y0, x0 = max(box[0] - 2, 0), max(box[1] - 2, 0)
    y1, x1 = min(box[2] + 2, height), min(box[3] + 2, width)
    wide = (
        max(y0 - reach, 0), max(x0 - reach, 0), min(y1 + reach, height), min(x1 + reach, width),
    )  # fmt: skip
    step = max(1, -(-max(y1 - y0, x1 - x0) // PATCH))
    patch = before[y0:y1:step, x0:x1:step]
    start = (y0 - wide[0]) % step, (x0 - wide[1]) % step
    field = after[wide[0] + start[0] : wide[2] : step, wide[1] + start[1] : wide[3] : step]
    if min(patch.shape) < 4 or patch.std() < 1e-3 or field.std() < 1e-3:
        return 0.0, 0.0
    if field.shape[0] < patch.shape[0] or field.shape[1] < patch.shape[1]:
        return 0.0, 0.0
    score = correlation(field, patch)
    home = (y0 - wide[0]) // step, (x0 - wide[1]) // step
    if home[0] >= score.shape[0] or home[1] >= score.shape[1]:
        return 0.0, 0.0
    best = np.unravel_index(int(score.argmax()), score.shape)
    if score[best] < max(LEAST_MATCH, score[home] + GAIN):
        return 0.0, 0.0
    return float((best[0] - home[0]) * step), float((best[1] - home[1]) * step)


def correlation(
    field: npt.NDArray[np.float32], patch: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Correlate a patch (h, w) with every part of its size of a field (H, W).

    Returns what `skimage.feature.match_template` does, which takes a second to import: float64
    (H - h + 1, W - w + 1), -1..1, and 0 where the field is constant.
    """
    (height, width), shape = patch.shape, field.shape
    values = field.astype(np.float64) - field.mean()
    template = patch.astype(np.float64) - patch.mean()
    spectrum = np.fft.rfft2(values) * np.fft.rfft2(template, shape).conj()
    common = np.fft.irfft2(spectrum, shape)[: shape[0] - height + 1, : shape[1] - width + 1]
    sums = np.pad(np.stack([values, values**2]), ((0, 0), (1, 0), (1, 0))).cumsum(1).cumsum(2)
    rows = sums[:, height:] - sums[:, :-height]
    mean, square = (rows[:, :, width:] - rows[:, :, :-width]) / patch.size
    variance = np.where(square - mean**2 > FLAT, square - mean**2, np.inf)
    return np.asarray(common / np.sqrt(variance * (template**2).sum() * patch.size))
