"""Feature maps split into what is local and what lies around."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..models.pixel_features import FeatureMap
from .resampling import resampled

AROUND = (24, 64)
"""Sides in pixels of the blocks whose means are taken for the surroundings."""
GAINS = (1.0, 0.5, 0.5)
"""Weights of local features, of those of the near and of the far surroundings, before the ridge.

An encoder knows where on an image a pixel lies; from a few strokes a classifier would learn that
instead of what was painted. On 14 training images of seven thin sets the IoU was .39 without the
split and .42 with it.
"""


def split(one: FeatureMap) -> Iterator[tuple[FeatureMap, float]]:
    """Yield a map's differences to its surroundings, and these, each with its weight.

    The values (C, h, w) add up to the map's own, when they are resampled.
    """
    maps = [one, *(_block_means(one, side) for side in AROUND)]
    for (fine, coarse), gain in zip(pairwise(maps), GAINS, strict=False):
        step = coarse.scale[0] / fine.scale[0], coarse.scale[1] / fine.scale[1]
        around = _enlarged(coarse.values, fine.values.shape, step)
        yield FeatureMap(fine.values - around, fine.scale), gain
    yield maps[-1], GAINS[-1]


def _block_means(one: FeatureMap, side: int) -> FeatureMap:
    """Average blocks of `side` image pixels; those at the last rims repeat the outermost cells."""
    steps = [max(2, round(side * scale)) for scale in one.scale]
    pad = [(0, -size % step) for size, step in zip(one.values.shape[1:], steps, strict=True)]
    padded = np.pad(one.values.astype(np.float32), [(0, 0), *pad], mode="edge")
    height, width = (size // step for size, step in zip(padded.shape[1:], steps, strict=True))
    means = padded.reshape(-1, height, steps[0], width, steps[1]).mean((2, 4))
    return FeatureMap(means, (one.scale[0] / steps[0], one.scale[1] / steps[1]))


def _enlarged(
    values: npt.NDArray[np.floating], shape: tuple[int, ...], step: tuple[float, float]
) -> npt.NDArray[np.float32]:
    """Resample values (C, h, w) bilinearly to the cells of a finer map of `shape` (C, H, W)."""
    return resampled(FeatureMap(values, step), (0, 0, shape[1], shape[2]))
