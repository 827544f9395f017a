"""Objects that divide in time: their daughters get ids of their own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, MutableMapping
from dataclasses import replace

import numpy as np

from .families import families, halved, pieces
from .newcomers import find, renumber, unseen
from .results import Event, PlaneResult
from .shapes import Box2D, FloatArray, IntArray, Shape, outlines, with_room

SAME = 0.3
"""Least intersection over union of a daughter and the labelled object that it becomes."""

Look = Callable[[int, Box2D], FloatArray]
"""Gives a model's shares (K + 1, h, w) in a part of a plane."""


def divided(
    result: PlaneResult, before: PlaneResult, expected: Mapping[int, Shape], look: Look | None,
    first_id: int,
) -> PlaneResult:  # fmt: skip
    """Give the pieces of objects that fell apart ids of their own, from `first_id` on.

    New objects that an object divided into are pieces of it. Smaller pieces go to the nearest
    daughter.

    Parameters
    ----------
    result, before : PlaneResult
        The plane and the one before.
    expected : mapping of int to Shape
        The objects as they were expected in one piece.
    look : callable, optional
        Gets the number of a plane and a box; gives the model's shares (K + 1, h, w) there. Without
        it daughters that lie apart are not looked for.
    first_id : int
    """
    if look is not None:
        result = _rejoined(result, before, expected, look)
    labels, scores = result.labels.copy(), dict(result.scores)
    events = list(result.events)
    for number, box in outlines(labels).items():
        if number not in expected:
            continue
        y0, x0, y1, x1 = box
        part = labels[y0:y1, x0:x1]
        numbers, count = pieces(part == number)
        if count <= max(1, pieces(expected[number].mask)[1]):
            continue
        events = [event for event in events if event.id != number]
        events.append(Event("split", number, result.index))
        for piece in range(1, count + 1):
            part[(part == number) & (numbers == piece)] = first_id
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


def _rejoined(
    result: PlaneResult, before: PlaneResult, expected: Collection[int], look: Look
) -> PlaneResult:
    """Give daughters that lie apart back to the objects that they came from, as their pieces.

    `look` gives shares (K + 1, h, w), as for `divided`.
    """
    labels, earlier = result.labels.copy(), before.labels
    mothers = halved(labels, earlier, expected)
    if not mothers:
        return result
    boxes = outlines(earlier)
    box = with_room([boxes[i] for i in mothers], labels.shape)
    half = min(mothers.values()) / 2
    found = find(labels, look(result.index, box), half, 1, box)
    if not families(labels, earlier, found.labels, mothers):
        return result
    found = unseen(found, find(earlier, look(before.index, box), half, 1, box))
    scores = dict(result.scores)
    for number, mother in families(labels, earlier, found.labels, mothers).items():
        labels[found.labels == number] = mother
        scores[mother] = max(scores.get(mother, 0.0), found.scores[number])
    return replace(result, stored=labels, scores=scores)


def _difference(plane: IntArray, other: IntArray) -> set[int]:
    """Return the ids of a plane (H, W) that another one has not."""
    return set(outlines(plane)) - set(outlines(other))
