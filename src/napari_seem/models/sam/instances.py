"""All objects of an image by micro-sam's decoder: regions of its maps, or what clicks in them find.

After Archit et al., Segment Anything for Microscopy, Nature Methods 2025 (its mode AIS), and Archit
and Pape, Revisiting foundation models for cell instance segmentation, MIDL 2026 (APG). Thresholds
and widths are those of their code: micro_sam/v1/instance_segmentation.py. Clicks are put into the
beginnings of the regions, whose maps are smoothed; APG puts them into those of the maps themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from skimage.segmentation import watershed
from torch import Tensor

from ..base import BoolArray, Embedding, FloatArray, Instance, IntArray, mask_bbox
from ..running.patience import checkpoint
from .clicks import answers
from .square import Square

if TYPE_CHECKING:
    from .model import SamModel

HALF = 0.5
"""Threshold of each map: foreground above it, seeds of objects below it."""
FOREGROUND_BLUR, DISTANCE_BLUR = 1.0, 1.6
"""Deviation in pixels by which the maps are smoothed."""
SMALLEST = 25
"""Pixels of the smallest object that a click finds."""
CLAIMED = 0.2
"""Share of an object that better ones may cover; it keeps its largest free part."""
TOUCHING = np.ones((3, 3), bool)


@torch.inference_mode()
def maps_of(model: SamModel, embedding: Embedding) -> FloatArray:
    """Return the decoder's maps of an encoded image.

    Returns
    -------
    float32 (3, H, W)
        In image pixels; see `InstanceDecoder`.
    """
    assert model.decoder is not None
    (encoded,) = embedding.tensors.values()
    maps = model.decoder(encoded.to(model.device).float())[0]
    return Square(embedding.shape, keeps_aspect=True).logits(maps)


def regions_of(maps: FloatArray) -> tuple[IntArray, IntArray]:
    """Cut the foreground of maps (3, H, W) into objects, by a watershed from their middles.

    Returns
    -------
    regions, seeds : int32 (H, W)
        Both with one value for each object, and 0 elsewhere.
    """
    checkpoint()
    foreground = _smoothed(maps[0], FOREGROUND_BLUR) > HALF
    centre, rim = (_smoothed(distance, DISTANCE_BLUR) for distance in maps[1:])
    seeds, _ = ndimage.label((centre < HALF) & (rim < HALF) & foreground, TOUCHING)
    checkpoint()
    regions = watershed(rim, markers=seeds, mask=foreground)
    return regions.astype(np.int32), seeds.astype(np.int32)


def find_regions(maps: FloatArray) -> list[Instance]:
    """Return the objects of maps (3, H, W), whose score is the mean of the foreground in them."""
    regions, _ = regions_of(maps)
    found = []
    for number, box in enumerate(ndimage.find_objects(regions), 1):
        mask = regions[box] == number
        found.append(_instance(mask, box, float(maps[0][box][mask].mean())))
    return sorted(found, key=lambda one: -one.score)


def find_prompted(model: SamModel, embedding: Embedding, maps: FloatArray) -> list[Instance]:
    """Return the objects that a click in the middle of each region of maps (3, H, W) finds.

    Their score is the model's own. Of a pixel that several cover, the best has it.
    """
    found = sorted(_clicked(model, embedding, middles_of(regions_of(maps)[1])),
                   key=lambda one: -one.score)  # fmt: skip
    free = np.ones(embedding.shape, bool)
    parts = (_free_part(one, free) for one in found)
    return [part for part in parts if part is not None]


def middles_of(seeds: IntArray) -> npt.NDArray[np.intp]:
    """Return the pixel (N, 2) of each of N seeds (H, W) that lies deepest in it."""
    depth = ndimage.distance_transform_edt(np.pad(seeds > 0, 1))[1:-1, 1:-1]
    places = ndimage.maximum_position(depth, seeds, np.arange(1, seeds.max() + 1))
    return np.array(places, np.intp).reshape(-1, 2)


def _clicked(
    model: SamModel, embedding: Embedding, places: npt.NDArray[np.intp]
) -> Iterator[Instance]:
    """Yield what a click on each place (N, 2) finds."""
    square = Square(embedding.shape, model.keeps_aspect)
    for masks, scores in answers(model, embedding, places, several=False):
        for cells, score in zip(masks[:, 0], scores[:, 0].tolist(), strict=True):
            one = object_of(cells, square, score)
            if one is not None and one.area >= SMALLEST:
                yield one


def object_of(cells: Tensor, square: Square, score: float) -> Instance | None:
    """Return the object of logits (grid, grid), with a score up to 1; None if it has no pixel."""
    mask = square.logits(cells[None])[0] > 0
    around = mask_bbox(mask)
    if around is None:
        return None
    y0, x0, y1, x1 = around
    box = np.s_[y0:y1, x0:x1]
    return _instance(mask[box].copy(), box, score)


def _free_part(one: Instance, free: BoolArray) -> Instance | None:
    """Take the largest part of an object that is free, by a mask (H, W); None if too little is."""
    y0, x0, y1, x1 = one.bbox
    left = one.mask & free[y0:y1, x0:x1]
    if left.sum() < (1 - CLAIMED) * one.area:
        return None
    parts, count = ndimage.label(left)
    if count > 1:
        left = parts == np.bincount(parts[left]).argmax()
    if left.sum() < SMALLEST:
        return None
    free[y0:y1, x0:x1] &= ~left
    around = mask_bbox(left)
    assert around is not None
    a, b, c, d = around
    box = np.s_[y0 + a : y0 + c, x0 + b : x0 + d]
    return _instance(left[a:c, b:d], box, one.score)


def _instance(mask: BoolArray, box: tuple[slice, slice], score: float) -> Instance:
    """Return an object by its mask (h, w) over a box, with a score between 0 and 1."""
    rows, cols = box
    return Instance(mask, (rows.start, cols.start, rows.stop, cols.stop),
                    float(np.clip(score, 0, 1)))  # fmt: skip


def _smoothed(values: FloatArray, deviation: float) -> FloatArray:
    """Smooth a map (H, W) by a Gaussian that is cut off as in the authors' code."""
    return ndimage.gaussian_filter(values, deviation, mode="mirror", truncate=3)
