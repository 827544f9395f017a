"""What labels remember of planes that were carried, and the command that an object ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..edits import ObjectRecord
from ..labels.document import LabelDocument
from ..planes import Plane
from ..propagation.ends import End
from ..values import JsonObject
from .base import Command

IntArray = npt.NDArray[np.int32]
CARRIED = "propagated"
"""Note of a document: by stack, planes that were propagated and that nobody accepted."""
ENDED = "ended"
"""Note of a document: by stack, where objects end: (id, plane, absent after it or before)."""


def stack_key(plane: Plane, axis: int, *more: object) -> str:
    """Return the key of the stack along an axis that a plane belongs to, in a document's notes."""
    others = [at for i, at in enumerate(plane.index) if i != axis]
    return repr((axis, others, *more))


def plane_of_stack(plane: Plane, axis: int, number: int) -> Plane:
    """Return another plane of the stack along an axis that a plane belongs to."""
    index = tuple(number if i == axis else at for i, at in enumerate(plane.index))
    return replace(plane, index=index)


def carried_planes(document: LabelDocument, plane: Plane, axis: int, only: int | None) -> set[int]:
    """Return the planes of a stack that a run labelled and nobody accepted."""
    note = document.host.read_note(CARRIED) or {}
    return set(note.get(stack_key(plane, axis, only), ()))


def ends_of(document: LabelDocument, plane: Plane, axis: int) -> set[End]:
    """Return what was said of where objects of a stack end, and still holds.

    An object that is there again on the next plane, painted or by undo, goes on.
    """
    noted = document.host.read_note(ENDED) or {}
    ends = {End(*values) for values in noted.get(stack_key(plane, axis), ())}
    return {end for end in ends if not _goes_on(document, plane, axis, end)}


def keep_ends(document: LabelDocument, plane: Plane, axis: int, ends: Iterable[End]) -> None:
    """Remember with the labels where objects of a stack end."""
    rows = [[end.id, end.plane, end.after] for end in sorted(ends, key=repr)]
    noted = document.host.read_note(ENDED) or {}
    document.host.write_note(ENDED, {**noted, stack_key(plane, axis): rows})


class Made:
    """What a run wrote, by which it can be taken back.

    Parameters
    ----------
    before, after : mutable mapping of int to int32 array (H, W)
        Empty; take planes by their numbers.

    Attributes
    ----------
    rows : dict of int to (ObjectRecord or None, ObjectRecord or None)
        Rows of the table before the run, and as it wrote them.
    """

    def __init__(
        self, before: MutableMapping[int, IntArray], after: MutableMapping[int, IntArray]
    ) -> None:
        self.before, self._after = before, after
        self.rows: dict[int, tuple[ObjectRecord | None, ObjectRecord | None]] = {}

    def note_plane(self, number: int, before: IntArray, after: IntArray) -> None:
        """Remember a plane, int32 (H, W), as it was and as it was written."""
        self.before.setdefault(number, before)
        self._after[number] = after

    def note_rows(self, rows: Mapping[int, ObjectRecord | None], document: LabelDocument) -> None:
        """Remember rows that are about to be written."""
        known = dict(document.table.items()) if rows else {}
        for label_id, row in rows.items():
            old, _ = self.rows.get(label_id, (known.get(label_id), None))
            self.rows[label_id] = old, row

    def take_back(self, document: LabelDocument, place: Callable[[int], Plane]) -> int:
        """Give planes and rows back what they had, but where they were changed since.

        `place` gives a plane by its number. Returns how many planes there were.
        """
        count = len(self.before)
        if count:
            with document.transaction("restore planes", {"event": "restore_plane"}) as transaction:
                table = dict(document.table.items())
                transaction.set_rows(
                    {i: old for i, (old, new) in self.rows.items() if table.get(i) == new}
                )
                for number, values in self.before.items():
                    present = document.read_plane(place(number))
                    own = present == self._after[number]
                    document.write_plane(place(number), np.where(own, values, present))
        for kept in (self.before, self._after, self.rows):
            kept.clear()
        return count


class EndObjects(Command):
    """Objects end on a plane: what was carried beyond is removed, and later runs respect it.

    Attributes
    ----------
    axis : int
        Of the label array, along which the planes follow each other.
    plane : dict
        The last plane that holds the objects; see `Plane.to_dict`.
    ids : list of int, optional
        By default all that were carried beyond the plane.
    after : bool
        They are absent from the planes after this one; False: from those before.
    title : str
        What undo says.
    """

    event: Literal["end_objects"] = "end_objects"
    axis: int
    plane: JsonObject
    ids: list[int] | None = None
    after: bool = True
    title: str = "end of objects"

    def apply(self, document: LabelDocument) -> tuple[set[End], list[int]]:
        """Remove the objects beyond the plane in one transaction, and remember that they end.

        Objects on a plane that a person labelled or accepted stay, there and beyond. Said again
        where nothing is left to remove, it is taken back.

        Returns
        -------
        ends : set of End
            What holds from then on.
        planes : list of int
            Those that changed.

        Raises
        ------
        InvalidLabels, FileTrouble
            The labels can't be written; nothing is changed.
        """
        place = Plane.from_dict(self.plane)
        gone = self._carried_beyond(document, place)
        said = {End(i, self._number(place), self.after) for i in self.ids or _ids(gone)}
        known = ends_of(document, place, self.axis)
        ends = known - said if said <= known and not gone else known | said
        if gone:
            entry = {**self.to_dict(), "ids": sorted(end.id for end in said)}
            with document.transaction(self.title, entry) as transaction:
                for number, ids in gone.items():
                    there = plane_of_stack(place, self.axis, number)
                    values = document.read_plane(there)
                    document.write_plane(there, np.where(np.isin(values, list(ids)), 0, values))
                transaction.entry["plane"] = self.plane  # not that which was written last
        keep_ends(document, place, self.axis, ends)
        return ends, sorted(gone)

    @property
    def key(self) -> str:
        """Of the stack, in a document's notes."""
        return stack_key(Plane.from_dict(self.plane), self.axis)

    def remember(self, document: LabelDocument) -> set[End]:
        """Take up what was said, where the stored pixels are taken; gives what holds then."""
        place = Plane.from_dict(self.plane)
        said = {End(i, self._number(place), self.after) for i in self.ids or ()}
        noted = document.host.read_note(ENDED) or {}
        ends = {End(*values) for values in noted.get(self.key, ())} | said
        keep_ends(document, place, self.axis, ends)
        return ends

    def _number(self, place: Plane) -> int:
        return place.index[self.axis] or 0

    def _carried_beyond(self, document: LabelDocument, place: Plane) -> dict[int, set[int]]:
        """Return the planes that hold carried objects to be removed: number -> ids."""
        number, count = self._number(place), int(document.data.shape[self.axis])
        beyond = range(number + 1, count) if self.after else range(number - 1, -1, -1)
        all_carried = carried_planes(document, place, self.axis, None)
        own: set[int] = set()
        found: dict[int, set[int]] = {}
        for k in beyond:
            values = document.read_plane(plane_of_stack(place, self.axis, k))
            present = set(np.unique(values[values > 0]).tolist()) - own
            present &= present if self.ids is None else set(self.ids)
            carried = {
                i for i in present
                if k in all_carried or k in carried_planes(document, place, self.axis, i)
            }  # fmt: skip
            own |= present - carried
            if carried:
                found[k] = carried
        return found


def _ids(found: dict[int, set[int]]) -> set[int]:
    return {label_id for ids in found.values() for label_id in ids}


def _goes_on(document: LabelDocument, plane: Plane, axis: int, end: End) -> bool:
    """Return whether an object is on the plane next to the one on which it was said to end."""
    number = end.plane + (1 if end.after else -1)
    if not 0 <= number < document.data.shape[axis]:
        return False
    return bool((document.read_plane(plane_of_stack(plane, axis, number)) == end.id).any())
