"""The order in which planes are done."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def distances(
    indices: npt.NDArray[np.int64], seeds: npt.NDArray[np.int64], forward: bool = False
) -> npt.NDArray[np.int64]:
    """Return how far each plane (n,) is from the nearest of the sorted seeds (m,): int64 (n,).

    With `forward` from the last seed before it, where there is one.
    """
    after = np.searchsorted(seeds, indices)
    if forward:
        return np.abs(indices - seeds[np.maximum(after - 1, 0)])
    above = seeds[np.minimum(after, len(seeds) - 1)]
    below = seeds[np.maximum(after - 1, 0)]
    return np.minimum(np.abs(above - indices), np.abs(indices - below))


def in_turn(
    indices: npt.NDArray[np.int64], seeds: npt.NDArray[np.int64], forward: bool = False,
    by_gap: bool = False,
) -> npt.NDArray[np.int64]:  # fmt: skip
    """Return planes (n,) in the order in which they are done: nearest to a seed first, (n,).

    With `by_gap` those before the first and beyond the last of the sorted seeds (m,) come first,
    then all between two seeds before those of the next gap.
    """
    gaps = np.searchsorted(seeds, indices) % (len(seeds) if by_gap else 1)
    return indices[np.lexsort((distances(indices, seeds, forward), gaps))]


def reachable(
    indices: npt.NDArray[np.int64], seeds: npt.NDArray[np.int64], low: npt.NDArray[np.int64],
    forward: bool = False,
) -> npt.NDArray[np.bool_]:  # fmt: skip
    """Return which planes (n,) a seed leads to without passing a plane of a low score: bool (n,).

    All indices are sorted: planes (n,), seeds (m,), low planes (k,). With `forward` only the last
    seed before a plane leads to it, where there is one.
    """
    after = np.searchsorted(seeds, indices)
    ends = np.concatenate([[0], seeds, [0]])  # the outer ones are not used
    passed = np.searchsorted(low, indices) - np.searchsorted(low, ends[after])
    ahead = np.searchsorted(low, ends[after + 1]) - np.searchsorted(low, indices)
    from_below = (after > 0) & (passed == 0)
    from_above = (after < len(seeds)) & (ahead == 0)
    return np.asarray(from_below | (from_above & (after == 0) if forward else from_above), bool)
