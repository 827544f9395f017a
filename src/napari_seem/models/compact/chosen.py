"""Which of the decoded objects are kept: no pixel twice, and as many as are worth their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..base import Instance

FREE_SHARE = 0.6
"""Least share of an object that better objects leave free."""
SMALLEST = 4
"""Fewest pixels of an object."""
BY_SCORE, BY_KIN, KIN_AT, AT_BEST = 3.23, 0.92, 0.5, -0.02
"""Logit of the probability that an object is right: by the logarithms of its score and of its kin.
Fitted to one image each of 44 training sets, and judged on sets that were left out of the fit."""
MISSED = 1.0
"""Objects of an image that no decoded one shows, over those that one does; on training images."""

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


def likeliest(found: Sequence[Instance], shape: tuple[int, int]) -> list[Instance]:
    """Choose among decoded objects; their scores become probabilities of being right.

    As many are kept as give the greatest expected share of right objects among all that are right
    or kept (the average precision of `benchmarks/instances.py`). Where nothing else looks alike,
    few are kept; where many of one size are sure, less sure ones of that size are kept too.

    Parameters
    ----------
    found : sequence of Instance
        With the decoder's scores; they may overlap.
    shape : (int, int)
        Height and width of the image.

    Returns
    -------
    list of Instance
        Best first, without overlaps.
    """
    apart = without_overlaps(found, shape)
    if not apart:
        return []
    likely = probabilities([one.score for one in apart], [one.area for one in apart])
    right = np.cumsum(likely)
    share = right / (np.arange(1, len(apart) + 1) + (1 + MISSED) * likely.sum() - right)
    kept = zip(apart[: share.argmax() + 1], likely, strict=False)
    surest = [replace(one, score=float(p)) for one, p in kept]
    return sorted(surest, key=lambda one: -one.score)


def probabilities(scores: Sequence[float], areas: Sequence[float]) -> FloatArray:
    """Estimate how likely objects that do not overlap are right: float64 (N,).

    An object's kin are the others of the image, each counted by its squared score and by how alike
    in size it is.

    Parameters
    ----------
    scores, areas : sequences of N floats
        The decoder's scores in 0..1, and the objects' pixels.
    """
    score, octaves = np.array(scores), np.log2(areas)
    alike = np.exp(-((octaves[:, None] - octaves[None]) ** 2) / 2)
    kin = alike @ score**2 - score**2
    logit = BY_SCORE * np.log(np.maximum(score, 1e-6)) + BY_KIN * np.log(kin + KIN_AT) + AT_BEST
    return np.asarray(1 / (1 + np.exp(-logit)))


def without_overlaps(found: Sequence[Instance], shape: tuple[int, int]) -> list[Instance]:
    """Go through objects, best first, and drop those that are mostly covered by better ones.

    The others lose the pixels that better ones have, and small parts that are cut off by that.
    """
    taken, kept = np.zeros(shape, bool), []
    for instance in sorted(found, key=lambda one: -one.score):
        y0, x0, y1, x1 = instance.bbox
        free = instance.mask & ~taken[y0:y1, x0:x1]
        count = np.count_nonzero(free)
        if count < max(SMALLEST, FREE_SHARE * instance.area):
            continue
        if count < instance.area:
            free = largest_part(free)
        taken[y0:y1, x0:x1] |= free
        kept.append(replace(instance, mask=free))
    return kept


def largest_part(mask: BoolArray) -> BoolArray:
    """Return the largest connected part of a mask (H, W) that is not empty."""
    parts, count = ndimage.label(mask)
    return mask if count == 1 else parts == 1 + np.bincount(parts.ravel())[1:].argmax()


def without_holes(mask: BoolArray) -> BoolArray:
    """Fill the holes of a mask (H, W) where they are small: in all under a tenth of its area."""
    filled = ndimage.binary_fill_holes(mask)
    area = np.count_nonzero(mask)
    return filled if np.count_nonzero(filled) - area < 0.1 * area else mask
