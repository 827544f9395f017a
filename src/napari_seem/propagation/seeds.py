"""Seed planes that are read when they are needed, so that many of them take no memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidLabels
from ..images import AnyArray, Sliceable
from .stack import Stack

Seeds = Mapping[int, AnyArray] | Sliceable
"""Labels (H, W) of planes by their number, or those of a whole stack."""


class SeedPlanes(Mapping[int, npt.NDArray[Any]]):
    """Label planes by their number.

    Parameters
    ----------
    planes : sequence of int
        Those that hold a label.
    read : callable
        Returns the labels (H, W) of a plane by its number.
    """

    def __init__(self, planes: Sequence[int], read: Callable[[int], AnyArray]) -> None:
        self._planes, self._read = dict.fromkeys(planes), read

    @classmethod
    def of(cls, labels: Sliceable, axis: int = 0) -> SeedPlanes:
        """Find the planes along an axis in which anything is labelled.

        Each is read once.

        Parameters
        ----------
        labels : integer array-like (..., H, W)
            Three axes.
        axis : int

        Raises
        ------
        InvalidImage
            The labels have not three axes.
        """
        stack = Stack(labels, axis)
        return cls([k for k in range(stack.count) if np.any(stack.read(k))], stack.read)

    def __getitem__(self, plane: int) -> npt.NDArray[np.generic]:
        if plane not in self._planes:
            raise KeyError(plane)
        return self._read(plane)

    def __iter__(self) -> Iterator[int]:
        return iter(self._planes)

    def __len__(self) -> int:
        return len(self._planes)


def seed_planes(seeds: Seeds, stack: Stack) -> Iterator[tuple[int, AnyArray]]:
    """Yield the number and the labels (H, W) of each seed plane of a stack.

    Raises
    ------
    InvalidLabels
        The seeds are no mapping and no array of the stack's shape, two of them are one plane, or
        one lies outside of the stack.
    """
    if hasattr(seeds, "shape") and not isinstance(seeds, Mapping):
        if tuple(seeds.shape) != stack.shape:
            raise InvalidLabels(
                f"the seeds have shape {tuple(seeds.shape)}, the stack {stack.shape}; give a "
                "label array of the stack's shape, or a mapping such as {0: labels}"
            )
        seeds = SeedPlanes.of(seeds, stack.axis)
    if not isinstance(seeds, Mapping):
        raise InvalidLabels(
            f"the seeds are a {type(seeds).__name__}; give a mapping of planes to their labels, "
            "such as {0: labels}"
        )
    known: dict[int, int] = {}
    for key in seeds:
        index = stack.position(key)
        if index in known:
            raise InvalidLabels(
                f"the seeds {known[index]} and {key} are both plane {index}; give each plane once"
            )
        known[index] = key
        yield index, seeds[key]
