"""The ways of objects through time, and what they divided into."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def centres(frame: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Return the ids (n,) of a label frame of any shape, and their centroids (n, frame.ndim)."""
    ids, inverse = np.unique(frame, return_inverse=True)
    inverse, sizes = inverse.reshape(frame.shape), np.bincount(inverse.ravel())
    sums = [
        np.bincount(inverse.ravel(), np.broadcast_to(at, frame.shape).ravel())
        for at in np.ogrid[tuple(slice(n) for n in frame.shape)]
    ]
    middle = np.stack(sums, -1) / sizes[:, None]
    return ids[ids > 0].astype(np.int64), middle[ids > 0]


def track_points(frame: npt.NDArray[np.integer], time: int) -> FloatArray:
    """Return a row (id, t, ..., y, x) for every object of a label frame of any shape."""
    ids, middle = centres(frame)
    return np.column_stack([ids, np.full(len(ids), time), middle])


def graph_of(points: FloatArray, parents: Mapping[int, int]) -> dict[int, list[int]]:
    """Return daughter -> [parent] for all that have points (n, 2 + D), as of `track_points`."""
    there = set(points[:, 0].astype(int).tolist())
    return {i: [p] for i, p in parents.items() if i in there and p in there}
