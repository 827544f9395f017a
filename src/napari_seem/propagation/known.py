"""The planes of a run that are done, and those of them that are accepted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .results import PlaneResult, Results
from .stack import Stack


@dataclass(eq=False)
class KnownPlanes:
    """The planes of a run that are done, and those of them that are accepted.

    Attributes
    ----------
    stack : Stack
    results : Results
        The planes that are done.
    areas : dict of int to int64 (n,)
        Of the accepted planes, the areas of their objects in pixels.
    first_new : int
        New objects get ids from this one on.
    """

    stack: Stack
    results: Results
    areas: dict[int, npt.NDArray[np.int64]] = field(default_factory=dict)
    first_new: int = 1

    @property
    def seeds(self) -> dict[int, PlaneResult]:
        """The accepted planes."""
        return {k: self.results[k] for k in self.areas}

    @property
    def usual_area(self) -> float:
        """The median area of the objects of all accepted planes, in pixels."""
        return float(np.median(np.concatenate(list(self.areas.values()))))

    @property
    def next_id(self) -> int:
        """The id of the next new object."""
        return max(self.results.highest + 1, self.first_new)

    def accept(self, result: PlaneResult, areas: npt.NDArray[np.int64]) -> None:
        """Take a plane with its objects' areas (n,) as accepted."""
        self.results[result.index] = result
        self.areas[result.index] = areas
