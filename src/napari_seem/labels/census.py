"""Where the objects of a label array lie and how large they are, counted plane by plane."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ..images import ArraySource
    from ..planes import Plane

STRIP = 1 << 24
"""Most pixels that are read at a time."""
BATCH = 1 << 22
"""Pixels after which a count hands over what it has."""
DENSE = 1 << 20
"""Up to this id they are counted by a table of all ids."""

Index = tuple[int, ...]
"""Of a plane: its position along all axes but the last two."""


@dataclass(frozen=True, eq=False)
class Counted:
    """The objects of a plane.

    Attributes
    ----------
    ids : int64 (n,)
    areas : int64 (n,)
        In pixels.
    boxes : int64 (n, 4)
        Half-open (y0, x0, y1, x1).
    """

    ids: npt.NDArray[np.int64]
    areas: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """An object: its size in pixels over all planes, and where it is largest.

    Attributes
    ----------
    area : int
    index : tuple of int
        Of the plane where it is largest; empty where the labels are one plane.
    box : (y0, x0, y1, x1)
        Half-open, on that plane.
    planes : int
        How many planes it lies on.
    """

    area: int
    index: Index
    box: tuple[int, int, int, int]
    planes: int


class Census:
    """What is known of a label array so far; planes can be counted anew one by one.

    Parameters
    ----------
    shape : tuple of int
        Of the array; the last two axes are its planes.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._planes: dict[Index, Counted] = {}

    def __len__(self) -> int:
        return len(self._planes)

    @property
    def planes(self) -> int:
        """How many planes there are to count."""
        return prod(self.shape[:-2])

    @property
    def complete(self) -> bool:
        """Whether every plane is counted."""
        return len(self._planes) == self.planes

    def missing(self) -> list[Index]:
        """Planes that are not counted."""
        every = product(*(range(n) for n in self.shape[:-2]))
        return [index for index in every if index not in self._planes]

    def put(self, index: Index, counted: Counted) -> None:
        """Take in what was counted on a plane."""
        self._planes[index] = counted

    def forget(self, indices: Iterable[Index]) -> None:
        """Count these planes again before relying on them."""
        for index in indices:
            self._planes.pop(index, None)

    def objects(self) -> dict[int, Found]:
        """All objects of the counted planes, by id."""
        if not self._planes:
            return {}
        keys = list(self._planes)
        parts = [self._planes[key] for key in keys]
        ids = np.concatenate([part.ids for part in parts])
        areas = np.concatenate([part.areas for part in parts])
        boxes = np.concatenate([part.boxes for part in parts])
        place = np.repeat(np.arange(len(parts)), [part.ids.size for part in parts])
        order = np.lexsort((-areas, ids))  # of each id the largest plane comes first
        known, first, counts = np.unique(ids[order], return_index=True, return_counts=True)
        total = np.add.reduceat(areas[order], first) if known.size else areas
        best = order[first]
        rows = zip(
            known.tolist(), total.tolist(), place[best].tolist(), boxes[best].tolist(),
            counts.tolist(), strict=True,
        )  # fmt: skip
        return {
            i: Found(area, keys[at], (box[0], box[1], box[2], box[3]), count)
            for i, area, at, box, count in rows
        }

    def blocks(self, ids: Collection[int]) -> list[tuple[slice, ...]]:
        """Parts of the array, one a plane, that hold every pixel of some objects."""
        wanted = np.array(sorted(ids), np.int64)
        found = []
        for index, counted in sorted(self._planes.items()):
            hits = np.isin(counted.ids, wanted)
            if hits.any():
                low, high = counted.boxes[hits].min(0), counted.boxes[hits].max(0)
                lead = tuple(slice(i, i + 1) for i in index)
                rows, columns = slice(int(low[0]), int(high[2])), slice(int(low[1]), int(high[3]))
                found.append((*lead, rows, columns))
        return found


def count(values: npt.NDArray[np.integer], top: int = 0) -> Counted:
    """Count the objects of a plane, or of a strip of it that begins at row `top`.

    Parameters
    ----------
    values : integer array (H, W)
        0 and below are background.
    """
    from scipy.ndimage import find_objects

    highest = int(values.max(initial=0))
    if highest <= 0:
        return _nothing()
    dense, known = np.maximum(values, 0), None
    if highest > DENSE:
        known, inverse = np.unique(dense, return_inverse=True)
        shift = int(known[0] != 0)  # every pixel belongs to an object: there is no 0 to leave out
        dense = inverse.reshape(values.shape) + shift
        known = known if not shift else np.concatenate([np.zeros(1, known.dtype), known])
    areas = np.bincount(dense.ravel())
    places = np.flatnonzero(areas[1:]) + 1
    slices = find_objects(dense.astype(np.int32, copy=False))
    boxes = np.array(
        [
            (top + s[0].start, s[1].start, top + s[0].stop, s[1].stop)
            for s in (slices[i - 1] for i in places)
        ]
    )
    ids = places if known is None else known[places]
    return Counted(ids.astype(np.int64), areas[places], boxes.astype(np.int64))


def count_plane(data: ArraySource, index: Index) -> Counted:
    """Count a plane of labels (..., H, W), strip by strip where it is large."""
    height, width = data.shape[-2:]
    rows = max(1, STRIP // max(1, width))
    parts = [
        count(np.asarray(data[(*index, slice(top, min(height, top + rows)))]), top)
        for top in range(0, height, rows)
    ]
    return parts[0] if len(parts) == 1 else _joined(parts)


def count_planes(data: ArraySource, indices: Iterable[Index]) -> Iterator[Mapping[Index, Counted]]:
    """Count planes of labels (..., H, W) in turn; small ones are handed over several at a time."""
    batch: dict[Index, Counted] = {}
    pixels = prod(data.shape[-2:])
    for index in indices:
        batch[index] = count_plane(data, index)
        if len(batch) * pixels >= BATCH:
            yield batch
            batch = {}
    if batch:
        yield batch


def only_on(data: ArraySource, plane: Plane, ids: Collection[int]) -> set[int]:
    """Return those of some ids that lie on one plane of labels (..., H, W) and on no other."""
    left = set(ids)
    spans = (range(n) if at is not None else (None,)
             for n, at in zip(data.shape, plane.index, strict=True))  # fmt: skip
    for index in product(*spans):
        if not left:
            break
        if index != tuple(plane.index):
            values = replace(plane, index=index).read(data)
            left -= set(np.unique(values[np.isin(values, list(left))]).tolist())
    return left


def _joined(parts: list[Counted]) -> Counted:
    if not parts:
        return _nothing()
    ids = np.concatenate([part.ids for part in parts])
    areas = np.concatenate([part.areas for part in parts])
    boxes = np.concatenate([part.boxes for part in parts])
    known, inverse = np.unique(ids, return_inverse=True)
    total = np.zeros(known.size, np.int64)
    np.add.at(total, inverse, areas)
    low = np.full((known.size, 2), np.iinfo(np.int64).max)
    high = np.zeros((known.size, 2), np.int64)
    np.minimum.at(low, inverse, boxes[:, :2])
    np.maximum.at(high, inverse, boxes[:, 2:])
    return Counted(known, total, np.hstack([low, high]))


def _nothing() -> Counted:
    return Counted(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4), np.int64))
