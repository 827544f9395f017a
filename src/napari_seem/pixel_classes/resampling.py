"""Feature maps read at pixels of the image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..models.pixel_features import FeatureMap
from ..sources.frames import Area

FloatArray = npt.NDArray[np.floating]


def sampled(
    one: FeatureMap, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> FloatArray:
    """Return the features of some pixels of the image, bilinearly: float32 (N, C)."""
    (top, bottom, down), (left, right, across) = (
        _between(where, scale, size)
        for where, scale, size in zip((rows, columns), one.scale, one.values.shape[1:], strict=True)
    )
    values = one.values
    upper = values[:, top, left] * (1 - across) + values[:, top, right] * across
    lower = values[:, bottom, left] * (1 - across) + values[:, bottom, right] * across
    return np.asarray((upper * (1 - down) + lower * down).T, np.float32)


def resampled(one: FeatureMap, area: Area) -> FloatArray:
    """Return the features of an area (y0, x0, y1, x1) of the image: float32 (C, h, w)."""
    y0, x0, y1, x1 = area
    if one.scale == (1.0, 1.0):
        return one.values[:, y0:y1, x0:x1].astype(np.float32)
    rows, down = _weights(y0, y1, one.scale[0], one.values.shape[1])
    columns, across = _weights(x0, x1, one.scale[1], one.values.shape[2])
    part = one.values[:, rows, columns].astype(np.float32, copy=False)
    return down @ (part @ across.T)


def _weights(start: int, stop: int, scale: float, size: int) -> tuple[slice, FloatArray]:
    """Return the cells that pixels of an axis lie between, and the weight (pixels, cells) of each.

    A product with a matrix is several times as fast as picking the cells before and after.
    """
    before, after, share = _between(np.arange(start, stop), scale, size)
    first, last = int(before[0]), int(after[-1]) + 1
    out = np.zeros((stop - start, last - first), np.float32)
    pixels = np.arange(stop - start)
    out[pixels, before - first] = 1 - share
    out[pixels, after - first] += share
    return slice(first, last), out


def _between(
    where: npt.NDArray[np.intp], scale: float, size: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], FloatArray]:
    """Return the cells before and after pixels (N,) of an axis, and the weight of those after."""
    place = np.clip((where + 0.5) * scale - 0.5, 0, size - 1)
    first = place.astype(np.intp)
    return first, np.minimum(first + 1, size - 1), (place - first).astype(np.float32)


def strips(area: Area, most: int) -> Iterator[Area]:
    """Cut an area (y0, x0, y1, x1) into strips of at most `most` pixels, or of one row."""
    y0, x0, y1, x1 = area
    rows = max(1, most // (x1 - x0))
    for top in range(y0, y1, rows):
        yield top, x0, min(y1, top + rows), x1
