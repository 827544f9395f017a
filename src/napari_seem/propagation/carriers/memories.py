"""What a model remembers of objects: of labelled planes nearby, and of planes tracked last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...models.memory import NEIGHBOURS, POINTERS, ObjectMemory

Key = tuple[int, int]
"""The number of a plane, and the id of an object on it."""
Plane = dict[int, ObjectMemory | None]
"""What is remembered of the objects of a plane."""
GIVEN = 2
"""Labelled planes on each side that are looked back on."""
FRONTS = 2
"""Planes are tracked from the labelled ones on both sides in turn."""


@dataclass(frozen=True)
class Sources:
    """The planes from which an object is carried to another.

    Attributes
    ----------
    given : tuple of int
        Labelled planes, nearest first.
    tracked : tuple of int
        Planes between the nearest of them and the present one, the next one first, as many as
        are looked back on.
    """

    given: tuple[int, ...]
    tracked: tuple[int, ...]

    @classmethod
    def of(cls, index: int, labelled: Iterable[int], forward: bool) -> Sources:
        """Choose the planes from which an object is carried to a plane.

        Parameters
        ----------
        index : int
            Of the plane.
        labelled : iterable of int
            The labelled planes that hold the object; at least one.
        forward : bool
            Only from those below, where there is one.
        """
        planes = sorted(labelled)
        below = [k for k in planes if k < index][-GIVEN:]
        above = [] if forward and below else [k for k in planes if k > index][:GIVEN]
        given = sorted([*below, *above], key=lambda k: (abs(k - index), k))
        step = 1 if given[0] > index else -1
        between = range(index + step, given[0], step)
        return cls(tuple(given), tuple(between[: POINTERS - 1]))

    def behind(self, index: int, plane: int) -> int:
        """Return how many planes one lies behind the present one; negative for ahead."""
        return index - plane if self.given[0] < index else plane - index


class Memories:
    """A bounded number of memories of objects.

    Of tracked planes those are kept that were done last: the maps of as many as are looked back
    on from two sides, and pointers of somewhat more. Labelled planes are kept as long as one of the
    last two planes needed them.
    """

    def __init__(self) -> None:
        self._given: dict[int, Plane] = {}
        self._tracked: dict[int, Plane] = {}
        self._needed: list[set[int]] = []

    def __len__(self) -> int:
        """Return how many memories with maps are kept."""
        planes = [*self._given.values(), *self._tracked.values()]
        kept = (one for plane in planes for one in plane.values())
        return sum(one is not None and one.maps is not None for one in kept)

    def get(self, key: Key, *, given: bool) -> ObjectMemory | None:
        """Return what is remembered of an object of a labelled or tracked plane, if anything."""
        return self._planes(given).get(key[0], {}).get(key[1])

    def lacks(self, key: Key, *, given: bool) -> bool:
        """Return whether the maps of an object are not kept; they may be had from labels."""
        plane = self._planes(given).get(key[0], {})
        one = plane.get(key[1])
        return key[1] not in plane or (one is not None and one.maps is None)

    def keep(self, key: Key, memory: ObjectMemory | None, *, given: bool) -> None:
        """Keep what is remembered of an object; None where it can't be remembered."""
        self._planes(given).setdefault(key[0], {})[key[1]] = memory

    def end_plane(self, index: int, needed: Iterable[int]) -> None:
        """Drop what is too old now that a plane is done, which needed labelled planes."""
        self._needed = [*self._needed, set(needed)][-FRONTS:]
        wanted = set().union(*self._needed)
        self._given = {k: plane for k, plane in self._given.items() if k in wanted}
        if index in self._tracked:  # planes that were remembered anew are older
            self._tracked[index] = self._tracked.pop(index)
        planes = list(self._tracked)
        for k in planes[: -FRONTS * POINTERS]:
            del self._tracked[k]
        for k in planes[-FRONTS * POINTERS : -FRONTS * NEIGHBOURS]:
            self._tracked[k] = {i: one and one.as_pointer() for i, one in self._tracked[k].items()}

    def forget(self, index: int) -> None:
        """Drop what is remembered of a plane."""
        self._given.pop(index, None)
        self._tracked.pop(index, None)

    def _planes(self, given: bool) -> dict[int, Plane]:
        return self._given if given else self._tracked
