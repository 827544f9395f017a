"""Objects that divide in time: their daughters get ids of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import replace

import numpy as np
from scipy import ndimage

from .newcomers import renumber
from .results import Event, PlaneResult
from .shapes import IntArray, Shape, outlines

DAUGHTER = 0.25
"""Least share of a divided object's area of each of its daughters."""
SAME = 0.3
"""Least intersection over union of a daughter and the labelled object that it becomes."""


def divided(result: PlaneResult, expected: Mapping[int, Shape], first_id: int) -> PlaneResult:
    """Give the pieces of objects that fell apart ids of their own, from `first_id` on.

    Smaller pieces go to the nearest daughter.

    Parameters
    ----------
    result : PlaneResult
    expected : mapping of int to Shape
        The objects as they were expected in one piece.
    first_id : int
    """
    labels, scores = result.labels.copy(), dict(result.scores)
    events = list(result.events)
    for number, box in outlines(labels).items():
        if number not in expected:
            continue
        y0, x0, y1, x1 = box
        part = labels[y0:y1, x0:x1]
        pieces, count = _daughters(part == number)
        if count <= max(1, _daughters(expected[number].mask)[1]):
            continue
        events = [event for event in events if event.id != number]
        events.append(Event("split", number, result.index))
        for piece in range(1, count + 1):
            part[(part == number) & (pieces == piece)] = first_id
            scores[first_id] = scores.get(number, 0.0)
            events.append(Event("new", first_id, result.index, number))
            first_id += 1
        scores.pop(number, None)
    return replace(result, stored=labels, scores=scores, events=tuple(events))


def parents(before: IntArray, after: IntArray) -> dict[int, int]:
    """Find objects that divided between two labelled planes (H, W): daughter -> parent.

    A parent is absent from the plane after, and two or more objects that are absent from the plane
    before overlap it more than any other.
    """
    gone, fresh = _difference(before, after), _difference(after, before)
    found: dict[int, int] = {}
    for number in fresh:
        ids, counts = np.unique(before[after == number], return_counts=True)
        there = [(int(n), int(i)) for i, n in zip(ids, counts, strict=True) if i in gone]
        if there:
            found[number] = max(there)[1]
    several = {p for p in found.values() if sum(q == p for q in found.values()) > 1}
    return {number: parent for number, parent in found.items() if parent in several}


def join_seed(results: MutableMapping[int, PlaneResult], index: int) -> list[int]:
    """Give objects found on the way to a seed the ids that the seed, the next plane, has for them.

    The seed's own daughters get their parents. Returns the planes that changed.
    """
    seed = results.get(index + 1)
    if seed is None or not seed.accepted:
        return []
    own = {i for result in results.values() if result.accepted for i in result.scores}
    found = {e.id for result in results.values() for e in result.events if e.kind == "new"} - own
    changed = renumber(results, _same(results[index].labels, seed.labels, found))
    born = parents(results[index].labels, seed.labels)
    events = tuple(Event("new", number, seed.index, born[number]) for number in sorted(born))
    results[seed.index] = replace(seed, events=events)
    return changed


def _same(before: IntArray, after: IntArray, found: Collection[int]) -> dict[int, int]:
    """Match objects of a plane (H, W) with others of the next: ids among `found` -> ids there."""
    fresh, matched = _difference(after, before), dict[int, int]()
    for number in _difference(before, after) & set(found):
        mask = before == number
        overlaps = {
            other: float((mask & (after == other)).sum() / (mask | (after == other)).sum())
            for other in fresh - set(matched.values())
        }
        best = max(overlaps, key=lambda other: overlaps[other], default=0)
        if best and overlaps[best] > SAME:
            matched[number] = best
    return matched


def _daughters(mask: np.ndarray) -> tuple[IntArray, int]:
    """Number the large pieces (h, w) of a mask, every pixel with the nearest; and count them."""
    parts, count = ndimage.label(mask, np.ones((3, 3)))
    sizes = np.bincount(parts.ravel())[1:]
    large = np.flatnonzero(sizes >= DAUGHTER * sizes.sum()) + 1
    if len(large) < 2:
        return parts, len(large)
    numbered = np.zeros(count + 1, np.int32)
    numbered[large] = np.arange(1, len(large) + 1)
    pieces = numbered[parts]
    nearest = ndimage.distance_transform_edt(
        pieces == 0, return_distances=False, return_indices=True
    )
    return np.asarray(pieces[tuple(nearest)], np.int32), len(large)


def _difference(plane: IntArray, other: IntArray) -> set[int]:
    """Return the ids of a plane (H, W) that another one has not."""
    return set(outlines(plane)) - set(outlines(other))
