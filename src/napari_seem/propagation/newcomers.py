"""Objects that no seed has, found where the model sees something that no known object explains."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage

from .results import Event, PlaneResult
from .shapes import Box2D, FloatArray, IntArray, outlines

SURE = 0.6
"""Least share of all classes together of a pixel of a new object."""
LEAST_AREA = 0.3
"""Least area of a new object, as a share of the usual one."""
OVERLAP = 0.4
"""Least intersection over union of the same object in two planes."""


@dataclass(frozen=True, eq=False)
class Newcomers:
    """New objects.

    Attributes
    ----------
    labels : int32 (H, W)
        0 elsewhere.
    scores : dict of int to float
    """

    labels: IntArray = field(repr=False)
    scores: dict[int, float]


def find(
    labels: IntArray, shares: FloatArray, usual_area: float, first_id: int,
    box: Box2D | None = None,
) -> Newcomers:  # fmt: skip
    """Find objects among unlabelled pixels, numbered from `first_id`.

    Parameters
    ----------
    labels : int32 (H, W)
        The objects known so far.
    shares : float32 (K + 1, h, w)
        Of background and of each class, over `box`.
    usual_area : float
        Pixels.
    first_id : int
    box : (y0, x0, y1, x1), optional
        The part of the plane to look at; by default all of it.
    """
    y0, x0, y1, x1 = box or (0, 0, *labels.shape)
    something = 1 - shares[0]
    free = ~ndimage.binary_dilation(labels[y0:y1, x0:x1] > 0, iterations=2)
    core = ndimage.binary_opening((something > SURE) & free)
    parts, count = ndimage.label(core)
    new = np.zeros(labels.shape, np.int32)
    scores: dict[int, float] = {}
    areas = np.bincount(parts.ravel(), minlength=count + 1)
    for part in np.flatnonzero(areas[1:] >= LEAST_AREA * usual_area) + 1:
        mask = parts == part
        number = first_id + len(scores)
        new[y0:y1, x0:x1][mask] = number
        scores[number] = float(something[mask].mean()) * 0.8  # only the model supports it
    return Newcomers(new, scores)


def unseen(found: Newcomers, earlier: Newcomers) -> Newcomers:
    """Return the objects that were not there, for the larger part, on an earlier plane."""
    fresh = {
        i: score for i, score in found.scores.items()
        if (earlier.labels[found.labels == i] > 0).mean() <= 0.5
    }  # fmt: skip
    return Newcomers(np.where(np.isin(found.labels, list(fresh)), found.labels, np.int32(0)), fresh)


def add(result: PlaneResult, shares: FloatArray, usual_area: float, first_id: int) -> PlaneResult:
    """Add new objects to a plane, as `find` finds them in shares (K + 1, H, W) of all of it."""
    first = max(first_id, int(result.labels.max(initial=0)) + 1)
    found = find(result.labels, shares, usual_area, first)
    labels = np.where(found.labels > 0, found.labels, result.labels)
    events = result.events + tuple(Event("new", number, result.index) for number in found.scores)
    return replace(result, stored=labels, scores={**result.scores, **found.scores}, events=events)


def same(below: IntArray, above: IntArray, first_new: int) -> dict[int, int]:
    """Match new objects of two label planes: ids in `above` (H, W) -> ids in `below` (H, W)."""
    here, there = outlines(below), outlines(above)
    renamed = {}
    for number in there.keys() - here.keys():
        if number < first_new:
            continue
        mask = above == number
        ids, counts = np.unique(below[mask], return_counts=True)
        for other in ids[np.argsort(-counts)]:
            overlap = (mask & (below == other)).sum() / (mask | (below == other)).sum()
            if other >= first_new and int(other) not in there and overlap > OVERLAP:
                renamed[number] = int(other)
                break
    return renamed


def renumber(results: MutableMapping[int, PlaneResult], ids: Mapping[int, int]) -> list[int]:
    """Give objects other ids on all planes; gives the planes on which that changed anything."""
    changed = []
    for index, result in list(results.items()):
        named = {*result.scores, *(event.parent for event in result.events)}
        if named & ids.keys():
            results[index] = _renumbered(result, ids)
            changed.append(index)
    return changed


def _renumbered(result: PlaneResult, ids: Mapping[int, int]) -> PlaneResult:
    labels = result.labels.copy()
    for old, new in ids.items():
        labels[result.labels == old] = new
    scores = {ids.get(i, i): score for i, score in result.scores.items()}
    events = tuple(
        replace(e, id=ids.get(e.id, e.id), parent=ids.get(e.parent, e.parent))
        for e in result.events
    )
    return replace(result, stored=labels, scores=scores, events=events)
