"""Where objects probably are: regions that the encoder's own maps separate.

A watershed on predicted depth and boundaries, from the peaks of the depth, within the predicted
foreground (Najman and Schmitt 1996 for the dynamics that choose the peaks). It takes milliseconds
and keeps touching objects apart; the decoder then finds the exact mask of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage

from ...prompts import Point
from . import focus, windows
from .network import FINE_STRIDE, GRID
from .prompt_maps.canvas import View
from .pyramid import Level

if TYPE_CHECKING:
    from .model import CompactModel

PEAK_AT = 0.2
"""Least smoothed depth of a peak."""
PEAK_HEIGHT = 0.05
"""Least height of a peak over its surroundings; a lower one belongs to a neighbour."""
FOREGROUND_AT = (0.5, 0.2)
"""Thresholds of the foreground; it is less certain on images unlike those of the training."""
BOUNDARY_WEIGHT = 0.5
"""Weight of the boundary against depth."""
BEST_SEEN = (16.0, 100.0)
"""Object sides in level pixels that the maps show best."""
SAME_AT = 0.4
"""Intersection over union from which two regions are one object. Found on training images: two in
five regions fewer than with .75, and no object less."""
REACH = 1.5
"""Side of the window in which a region is decoded, over the region's own."""
LEAST_FOREGROUND = 0.3
"""Regions with less foreground would not be kept, whatever the score of the decoder."""
MOST = 320
"""Largest number of regions of an image that are decoded."""

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Region:
    """A guess of an object, in image pixels.

    Attributes
    ----------
    level : Level
        The level on whose maps it was found.
    mask : bool array of shape (y1 - y0, x1 - x0)
        The region within `bbox`.
    bbox : (y0, x0, y1, x1)
        Half-open.
    foreground : float
        Mean foreground (or fit of the word) inside, 0..1.
    side : float
        Square root of its area in level pixels.
    word : int or None
        Index of the word that it was found by.
    """

    level: Level
    mask: BoolArray = field(repr=False)
    bbox: tuple[int, int, int, int]
    foreground: float
    side: float
    word: int | None

    @cached_property
    def point(self) -> Point:
        """A click on the pixel that is farthest from the region's border."""
        depth = ndimage.distance_transform_edt(np.pad(self.mask, 1))[1:-1, 1:-1]
        y, x = np.unravel_index(int(depth.argmax()), self.mask.shape)
        return Point(float(y + self.bbox[0]), float(x + self.bbox[1]))

    @property
    def view(self) -> View:
        """A window with a margin around the region, or around the middle of a large region."""
        y0, x0, y1, x1 = self.bbox
        down, across = self.level.scale
        side = REACH * max((y1 - y0) * down, (x1 - x0) * across)
        center = (y0 + y1) / 2, (x0 + x1) / 2
        if side > 2 * focus.WELL_SEEN[1]:
            center = self.point.y + 0.5, self.point.x + 0.5
        middle = center[0] * down, center[1] * across
        window = windows.square(middle, side, self.level.shape, windows.CLOSEST)
        return View(self.level, window)

    @property
    def size_mismatch(self) -> float:
        """Octaves between the region's side and those that the maps show best."""
        low, high = np.log2(BEST_SEEN)
        side = np.log2(max(self.side, 1.0))
        return float(max(low - side, side - high, 0.0))


@dataclass(frozen=True, eq=False)
class Maps:
    """Depth, foreground and boundary of every fine cell of a level: float32 (h, w) each, 0..1."""

    depth: FloatArray
    foreground: FloatArray
    boundary: FloatArray


def find_regions(
    model: CompactModel, levels: Sequence[Level], shape: tuple[int, int],
    words: Sequence[int] | None,
) -> list[Region]:  # fmt: skip
    """Guess all objects, or those that `words` (vocabulary indices) name, surest first.

    Of guesses that overlap strongly the one is kept whose level shows its size best.
    """
    found: list[Region] = []
    for level in levels:
        for word in [None] if words is None else words:
            maps = read_maps(model, level, word)
            middles = _middles(maps)
            for threshold in FOREGROUND_AT if middles.any() else ():
                found.extend(_regions(maps, middles, level, shape, threshold, word))
    order = {level: number for number, level in enumerate(levels)}
    several = words is not None and len(words) > 1

    def fitness(region: Region) -> tuple[float, float]:
        """Among several words the order in which they are given does not count."""
        surer = -region.foreground if several else 0.0
        return region.size_mismatch + 0.2 * order[region.level], surer

    found.sort(key=fitness)
    kept = distinct(found)
    return sorted(kept, key=lambda r: -r.foreground)[:MOST]


def read_maps(model: CompactModel, level: Level, word: int | None) -> Maps:
    """Return a level's maps at its fine stride; the fit of a word replaces the foreground.

    The depth is the nearness to the object's centre where the network predicts it: its peaks tell
    touching objects apart better than those of the distance to the border.
    """
    config = model.network.config
    at = config.coarse_slices
    coarse = level.coarse.float().cpu()
    foreground = torch.sigmoid(coarse[at["foreground"]][0])
    if word is not None:
        foreground = model.word_probabilities(coarse[at["semantic"]].permute(1, 2, 0))[..., word]
    deepest = coarse[at["centre" if config.centre else "distance"]][0]
    stacked = torch.stack([torch.sigmoid(deepest), foreground])
    fine = F.interpolate(stacked[None], scale_factor=2, mode="bilinear", align_corners=False)[0]
    height, width = (-(-size // FINE_STRIDE) for size in level.shape)
    boundary = torch.sigmoid(level.fine[config.fine_slices["boundary"]][0].float().cpu())
    parts = (np.ascontiguousarray(p[:height, :width].numpy()) for p in (*fine, boundary))
    return Maps(*parts)


def distinct(regions: Sequence[Region]) -> list[Region]:
    """Return the regions that do not overlap strongly with an earlier one."""
    kept: list[Region] = []
    boxes = np.zeros((len(regions), 4), int)
    for region in regions:
        y0, x0, y1, x1 = region.bbox
        there = boxes[: len(kept)]
        near = (
            (there[:, 0] < y1) & (there[:, 2] > y0) & (there[:, 1] < x1) & (there[:, 3] > x0)
        )  # fmt: skip
        if any(
            overlap(region.mask, region.bbox, kept[i].mask, kept[i].bbox) > SAME_AT
            for i in np.flatnonzero(near)
        ):
            continue
        boxes[len(kept)] = region.bbox
        kept.append(region)
    return kept


def overlap(
    mask: BoolArray, bbox: tuple[int, int, int, int], other: BoolArray,
    around: tuple[int, int, int, int],
) -> float:  # fmt: skip
    """Compute the intersection over union of two masks in their boxes.

    Parameters
    ----------
    mask, other : bool arrays (H, W)
        Each as large as its box.
    bbox, around : (y0, x0, y1, x1)
        The boxes of `mask` and of `other`, half-open.
    """
    y0, x0 = max(bbox[0], around[0]), max(bbox[1], around[1])
    y1, x1 = min(bbox[2], around[2]), min(bbox[3], around[3])
    if y0 >= y1 or x0 >= x1:
        return 0.0
    here = mask[y0 - bbox[0] : y1 - bbox[0], x0 - bbox[1] : x1 - bbox[1]]
    there = other[y0 - around[0] : y1 - around[0], x0 - around[1] : x1 - around[1]]
    both = np.count_nonzero(here & there)
    return both / (np.count_nonzero(mask) + np.count_nonzero(other) - both)


def _middles(maps: Maps) -> IntArray:
    """Number the peaks of depth and foreground from 1: int32 (h, w)."""
    from skimage.morphology import h_maxima

    height = ndimage.gaussian_filter(maps.depth, 1) * (0.5 + 0.5 * maps.foreground)
    peaks = (h_maxima(height, PEAK_HEIGHT) > 0) & (height > PEAK_AT)
    return np.asarray(ndimage.label(peaks, np.ones((3, 3)))[0])


def _regions(
    maps: Maps, middles: IntArray, level: Level, shape: tuple[int, int], threshold: float,
    word: int | None,
) -> list[Region]:  # fmt: skip
    """Separate the foreground above a threshold into regions around numbered middles (h, w)."""
    from skimage.segmentation import watershed

    count = int(middles.max())
    relief = BOUNDARY_WEIGHT * maps.boundary - maps.depth
    cells = watershed(relief, middles, mask=maps.foreground > threshold)
    numbers = np.arange(1, count + 1)
    areas = np.bincount(cells.ravel(), minlength=count + 1)[1:]
    inside = ndimage.sum(maps.foreground, cells, numbers) / np.maximum(areas, 1)
    rows, cols = (
        np.minimum(((np.arange(size) + 0.5) * scale / FINE_STRIDE).astype(int), limit - 1)
        for size, scale, limit in zip(shape, level.scale, cells.shape, strict=True)
    )
    on_image = cells[rows[:, None], cols[None]]
    largest = (GRID * 8) ** 2 if min(level.shape) > GRID * 8 else np.inf
    out = []
    for number, where in enumerate(ndimage.find_objects(on_image, count)):
        fits = 4 <= areas[number] < largest and inside[number] >= LEAST_FOREGROUND
        if where is None or not fits:
            continue
        box = where[0].start, where[1].start, where[0].stop, where[1].stop
        side = FINE_STRIDE * float(np.sqrt(areas[number]))
        mask = on_image[where] == number + 1
        out.append(Region(level, mask, box, float(inside[number]), side, word))
    return out
