"""Daughters: the pieces that an object fell into, and new objects that lie apart from it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy import ndimage

from .shapes import BoolArray, IntArray, outlines

DAUGHTER = 0.25
"""Least share of a divided object's area of each of its daughters."""
HALVED = 0.5 ** (1 / 3)
"""Share of its area below which a ball is nearer to half of its volume than to all, in octaves."""


def pieces(mask: BoolArray) -> tuple[IntArray, int]:
    """Number the large pieces (h, w) of a mask, every pixel with the nearest; and count them."""
    parts, count = ndimage.label(mask, np.ones((3, 3)))
    sizes = np.bincount(parts.ravel())[1:]
    large = np.flatnonzero(sizes >= DAUGHTER * sizes.sum()) + 1
    if len(large) < 2:
        return parts, len(large)
    numbered = np.zeros(count + 1, np.int32)
    numbered[large] = np.arange(1, len(large) + 1)
    numbers = numbered[parts]
    nearest = ndimage.distance_transform_edt(
        numbers == 0, return_distances=False, return_indices=True
    )
    return np.asarray(numbers[tuple(nearest)], np.int32), len(large)


def halved(labels: IntArray, before: IntArray, ids: Collection[int]) -> dict[int, int]:
    """Return the objects that are gone or lost about half of their volume: id -> area before.

    Parameters
    ----------
    labels, before : int32 (H, W)
        A frame and the one before it.
    ids : collection of int
        Objects that are asked for.
    """
    areas, left = _areas(before), _areas(labels)
    return {i: areas[i] for i in ids if i in areas and left.get(i, 0) < HALVED * areas[i]}


def families(
    labels: IntArray, before: IntArray, new: IntArray, mothers: Mapping[int, int]
) -> dict[int, int]:
    """Find new objects that objects of the frame before divided into: new object -> mother.

    A mother has two daughters: two new objects if she is gone, or one and what is left of her.
    They begin within her diameter of her border, their middle lies within her radius of her centre,
    none is larger than she was, and together their volume, as of balls, is nearer to hers than that
    of what is left of her. Where several pairs fit, the one whose middle is nearest is taken.

    Parameters
    ----------
    labels, before : int32 (H, W)
        A frame with the objects that were carried to it, and the frame before.
    new : int32 (H, W)
        New objects of the frame; no pixel of them is labelled.
    mothers : mapping of int to int
        Objects that may have divided, as of `halved`.
    """
    boxes = outlines(before)
    possible = sorted(
        (distance, mother, young)
        for mother, area in mothers.items()
        for distance, young in _pairs(labels, before, new, mother, area, boxes[mother])
    )
    found: dict[int, int] = {}
    for _, mother, young in possible:
        if mother not in found.values() and not found.keys() & set(young):
            found |= dict.fromkeys(young, mother)
    return found


def _pairs(
    labels: IntArray, before: IntArray, new: IntArray, mother: int, area: int,
    box: tuple[int, int, int, int],
) -> Iterator[tuple[float, tuple[int, ...]]]:  # fmt: skip
    """Yield the new objects that may be daughters, and how far their middle is from the mother.

    In radii of her. `labels`, `before` and `new` are (H, W), as for `families`.
    """
    reach = int(np.ceil(2 * (area / np.pi) ** 0.5))
    window = tuple(
        slice(max(0, low - 2 * reach), high + 2 * reach)
        for low, high in zip(box[:2], box[2:], strict=True)
    )
    labels, before, new = labels[window], before[window], new[window]
    home, left = before == mother, labels == mother
    around = ndimage.distance_transform_edt(~home) <= reach
    near = [int(i) for i in np.unique(new[around]) if i]
    for young in (*((one,) for one in near), *combinations(near, 2)):
        whole = left | np.isin(new, young)
        numbers, count = pieces(whole)
        parts = [whole & (numbers == piece) for piece in range(1, count + 1)]
        areas = [float(part.sum()) for part in parts]
        if count != 2 or max(areas) > area or not _better(areas, float(left.sum()), area):
            continue
        middle = np.mean([ndimage.center_of_mass(part) for part in parts], 0)
        distance = float(np.hypot(*(middle - ndimage.center_of_mass(home)))) / (reach / 2)
        if distance <= 1:
            yield distance, young


def _better(parts: Sequence[float], left: float, area: float) -> bool:
    """Return whether areas of parts explain that of a whole better than what is left of it."""
    volumes = np.array([sum(part**1.5 for part in parts), left**1.5]) / area**1.5
    return not left or bool(np.abs(np.log(volumes)).argmin() == 0)


def _areas(labels: IntArray) -> dict[int, int]:
    """Return the area of every object of a plane (H, W)."""
    ids, areas = np.unique(labels[labels > 0], return_counts=True)
    return dict(zip(ids.tolist(), areas.tolist(), strict=True))
