"""Where a person says that objects end, and planes on which they were erased."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from .results import PlaneResult


@dataclass(frozen=True)
class End:
    """The statement that an object ends on a plane.

    Attributes
    ----------
    id : int
    plane : int
        The last plane that may hold it.
    after : bool
        It is absent from the planes after this one; False: from those before.
    """

    id: int
    plane: int
    after: bool = True

    def beyond(self, seeds: Mapping[int, PlaneResult], count: int) -> range:
        """Return the planes that don't hold the object: up to the next seed that does.

        Parameters
        ----------
        seeds : mapping of int to PlaneResult
            Accepted planes.
        count : int
            Planes of the stack.
        """
        holding = [k for k, seed in seeds.items() if self.id in seed.scores]
        if self.after:
            return range(self.plane + 1, min((k for k in holding if k > self.plane), default=count))
        return range(max((k for k in holding if k < self.plane), default=-1) + 1, self.plane)


def without(result: PlaneResult, ids: Collection[int]) -> PlaneResult:
    """Return a plane from which objects are taken out."""
    labels = np.where(np.isin(result.labels, list(ids)), np.int32(0), result.labels)
    scores = {i: score for i, score in result.scores.items() if i not in ids}
    events = tuple(event for event in result.events if event.id not in ids)
    return replace(result, stored=labels, scores=scores, events=events)


def ended_at(
    index: int, ends: Iterable[End], seeds: Mapping[int, PlaneResult], count: int
) -> set[int]:
    """Return the objects that are absent from a plane of a stack of `count`, by what was stated."""
    return {end.id for end in ends if index in end.beyond(seeds, count)}
