"""Labels of one plane, from expected shapes and a model's shares of classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from ..events import events_of
from ..results import PlaneResult
from ..shapes import BoolArray, Box2D, FloatArray, IntArray, Shape, paint

TRUST = 1.2
"""Weight of the model's shares against the expected shapes."""
DEEPEST = 1.0
"""Largest depth inside the expected shape that counts, in softnesses."""
SMALLEST_PART = 0.1
"""Parts of a smaller share of the object are dropped where none was expected."""
BLIND = 0.25
"""Factor on the score of a plane without contrast."""
DOUBT = 0.5
"""Share of an object's score that comes from the plane it was carried from."""
SIGMA, SMOOTHING = 0.7, 3
"""Deviation and reach, in pixels, of the filter that smooths the energies."""
PINHOLE = 0.01
"""Holes of a smaller share of the object are filled where none was expected."""


@dataclass(frozen=True, eq=False)
class ClassShares:
    """A model's shares of classes in a part of a plane.

    Attributes
    ----------
    box : (y0, x0, y1, x1)
    shares : float32 (K + 1, y1 - y0, x1 - x0)
        Of background and of each id.
    ids : tuple of int
    """

    box: Box2D
    shares: FloatArray = field(repr=False)
    ids: tuple[int, ...]

    def of(self, number: int, box: Box2D) -> FloatArray:
        """Return the share (h, w) of an id over a box inside the part.

        An id that the model did not learn gets the share of everything labelled.
        """
        y0, x0 = box[0] - self.box[0], box[1] - self.box[1]
        y1, x1 = box[2] - self.box[0], box[3] - self.box[1]
        if number in self.ids:
            return self.shares[1 + self.ids.index(number), y0:y1, x0:x1]
        return 1 - self.shares[0, y0:y1, x0:x1]


def decisive(shapes: Mapping[int, Shape], box: Box2D) -> BoolArray:
    """Return the pixels of a box around all shapes whose shares `assign_labels` looks at.

    bool (y1 - y0, x1 - x0). No pixel is assigned, and none counts in the scores, so far outside of
    every shape that the model's word can't outweigh the expectation.
    """
    found = np.zeros((box[2] - box[0], box[3] - box[1]), bool)
    for one in shapes.values():
        y0, x0, y1, x1 = one.box
        # labels reach as far as TRUST outweighs, and SMOOTHING beyond; scores a softness further
        reach = TRUST * one.softness + 2 * SMOOTHING
        reach += max(one.softness, 2 * SMOOTHING)
        found[y0 - box[0] : y1 - box[0], x0 - box[1] : x1 - box[1]] |= one.distance > -reach
    return found


def assign_labels(
    shapes: Mapping[int, Shape], source: ClassShares, shape: tuple[int, int]
) -> tuple[IntArray, dict[int, float]]:
    """Assign the pixels of a plane to objects, by expected shapes and a model's shares.

    Every pixel goes to the object of the highest energy above that of the background, 0::

        energy = TRUST * (2 * share - 1) + distance / softness

    Parameters
    ----------
    shapes : mapping of int to Shape
    source : ClassShares
        Covers all shapes' boxes.
    shape : (H, W)

    Returns
    -------
    labels : int32 (H, W)
    scores : dict of int to float
        For every expected object the agreement of model and expectation, 0..1; 0 if none of it is
        left.
    """
    labels, best = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    for number, one in shapes.items():
        y0, x0, y1, x1 = one.box
        depth = np.clip(one.distance / one.softness, None, DEEPEST)
        energy = TRUST * (2 * source.of(number, one.box) - 1) + depth
        energy = ndimage.gaussian_filter(energy, SIGMA, radius=SMOOTHING)
        higher = energy > best[y0:y1, x0:x1]
        labels[y0:y1, x0:x1][higher] = number
        best[y0:y1, x0:x1][higher] = energy[higher]
    scores = {}
    for number, one in shapes.items():
        y0, x0, y1, x1 = one.box
        part = labels[y0:y1, x0:x1]
        mask = part == number
        stray = _stray(mask, one)
        part[stray] = 0
        gap = _pinholes(mask & ~stray) & one.mask & (part == 0)
        part[gap] = number
        scores[number] = agreement((mask & ~stray) | gap, one, source.of(number, one.box))
    return labels, scores


def agreement(mask: np.ndarray, expected: Shape, share: FloatArray) -> float:
    """Measure how far a model, the expectation and the result agree on an object, 0..1.

    Parameters
    ----------
    mask : bool array (h, w)
        The result, over the box of `expected`.
    expected : Shape
    share : float32 array (h, w)
        The model's share of the object.
    """
    if not mask.any():
        return 0.0
    seen = share > 0.5
    near = mask | expected.mask
    overlap = float((mask & expected.mask).sum() / near.sum())
    around = near | (ndimage.binary_dilation(mask, iterations=max(1, int(expected.softness))))
    right = float((seen == mask)[around].mean())
    sure = float(np.abs(2 * share - 1)[around].mean())
    return float((overlap * right * (0.5 + 0.5 * sure)) ** 0.5)


def _stray(mask: np.ndarray, expected: Shape) -> np.ndarray:
    """Return the small parts of `mask` (h, w) away from the expected object: bool (h, w)."""
    parts, count = ndimage.label(mask)
    if count < 2:
        return np.zeros(mask.shape, bool)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    touching = np.bincount(parts[expected.mask], minlength=count + 1) > 0
    drop = (sizes < SMALLEST_PART * sizes[1:].sum()) & ~touching
    drop[0] = False
    return np.asarray(drop[parts], bool)


def _pinholes(mask: np.ndarray) -> np.ndarray:
    """Return the holes of `mask` (h, w) that are too small to be meant: bool (h, w)."""
    holes, count = ndimage.label(ndimage.binary_fill_holes(mask) & ~mask)
    if not count:
        return np.zeros(mask.shape, bool)
    small = np.bincount(holes.ravel()) < max(4.0, PINHOLE * mask.sum())
    small[0] = False
    return np.asarray(small[holes], bool)


def by_shape(
    index: int, expected: dict[int, Shape], certainty: float, shape: tuple[int, int],
    seeds: Iterable[int],
) -> PlaneResult:  # fmt: skip
    """Label a plane (H, W) by expectation only; the further from a seed, the lower its scores."""
    labels = paint(expected, shape)
    far = min(abs(k - index) for k in seeds)
    there = np.unique(labels)
    scores = {i: certainty / (1 + 0.1 * far) if i in there else 0.0 for i in expected}
    return PlaneResult(index, labels, scores, events_of(index, labels, expected))


def inherited(beside: Sequence[PlaneResult], number: int) -> float:
    """Return the factor by which the neighbours' scores lower an object's score."""
    scores = [one.scores.get(number, 0.0) for one in beside if number not in one.erased]
    return 1 - DOUBT + DOUBT * max(scores, default=1.0)
