"""How large the objects of a document are on planes that were looked at, kept as they change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..edits import NO_CLASS, Edit
from ..planes import Plane
from .census import Index, count
from .changes import Change
from .document import LabelDocument

COUNTED = 1 << 23
"""Pixels of a plane up to which the objects that lie on it are counted; on a larger one, those that
are written from then on."""
CHANGED = 1 << 18
"""Changed pixels up to which areas are followed; after larger changes planes are counted anew."""
STEPS = 1000
"""Transactions whose areas are kept for undo."""

Differences = list[tuple[Index, Counter[int]]]
"""By how many pixels objects grew on each plane."""


class ObjectAreas:
    """The areas and the classes of a document's objects.

    A plane is read once; what is written later is taken from the changed pixels.

    Parameters
    ----------
    document : LabelDocument

    Attributes
    ----------
    spacing : (float, float)
        Size of a pixel of the plane that was looked at last.
    """

    def __init__(self, document: LabelDocument) -> None:
        self.spacing = (1.0, 1.0)
        self._document: LabelDocument | None = document
        self._data: Any = None
        self._planes: dict[tuple[int | None, ...], Counter[int]] = {}
        self._shown: tuple[int | None, ...] = ()
        self._steps: dict[str, Differences] = {}
        self._classes = {i: record.class_name for i, record in document.table.items()}
        document.changed.connect(self._on_change)

    def look_at(self, plane: Plane) -> None:
        """Take in the objects of a plane, and let it and those parallel to it count."""
        if self._document is not None and self._data is not self._document.data:
            self._data = self._document.data
            self._planes.clear()
        self.spacing, self._shown = plane.spacing, plane.index
        if self._shown not in self._planes:
            known: Counter[int] = Counter()
            if self._is_counted(self._shown):
                found = count(plane.read(self._data))
                known.update(dict(zip(found.ids.tolist(), found.areas.tolist(), strict=True)))
            self._planes[self._shown] = known

    def of_class(self, name: str = NO_CLASS) -> npt.NDArray[np.float64]:
        """Return the areas of the objects of a class, or of all, in pixels: (N,).

        The area of an object on several planes is the geometric mean.
        """
        known = [areas for index, areas in self._planes.items() if _parallel(index, self._shown)]
        ids = np.array([label_id for areas in known for label_id in areas], np.int64)
        areas = np.array([area for areas in known for area in areas.values()], float)
        there = areas > 0
        if name:
            there &= np.isin(ids, [i for i, of in self._classes.items() if of == name])
        _, at, planes = np.unique(ids[there], return_inverse=True, return_counts=True)
        return np.exp2(np.bincount(at, np.log2(areas[there])) / planes)

    def close(self) -> None:
        """Let go of the document; what is known of its objects stays."""
        if self._document is not None:
            self._document.changed.disconnect(self._on_change, missing_ok=True)
        self._document = self._data = None

    def _is_counted(self, index: tuple[int | None, ...]) -> bool:
        rows, columns = (i for i, at in enumerate(index) if at is None)
        return int(self._data.shape[rows]) * int(self._data.shape[columns]) <= COUNTED

    def _on_change(self, change: Change) -> None:
        undone = change.state == "undone"
        for label_id, (before, after) in change.rows.items():
            record = before if undone else after
            self._classes[label_id] = NO_CLASS if record is None else record.class_name
        if change.edits and change.pixels <= CHANGED:
            steps = [step for edit in change.edits for step in _differences(edit)]
            self._add(steps, 1)
            self._steps[change.uid] = steps
            if len(self._steps) > STEPS:
                del self._steps[next(iter(self._steps))]
        elif change.uid in self._steps:
            self._add(self._steps[change.uid], -1 if undone else 1)
        elif change.planes:
            self._forget(change.planes)

    def _add(self, steps: Differences, sign: int) -> None:
        for index, differences in steps:
            known = self._planes.get((*index, None, None))
            if known is not None:
                for label_id, pixels in differences.items():
                    known[label_id] += sign * pixels
        self._forget(())

    def _forget(self, indices: Iterable[Index]) -> None:
        """Count planes anew when they are looked at again; those across the others in any case."""
        gone = {(*index, None, None) for index in indices}
        self._planes = {
            index: areas for index, areas in self._planes.items()
            if index[-2:] == (None, None) and not (index in gone and self._is_counted(index))
        }  # fmt: skip


def _parallel(index: tuple[int | None, ...], other: tuple[int | None, ...]) -> bool:
    """Whether two planes run along the same axes."""
    return all((a is None) == (b is None) for a, b in zip(index, other, strict=True))


def _differences(edit: Edit) -> Differences:
    """By how many pixels objects grow by an edit, on each plane that it changes."""
    counts = edit.changed.reshape(-1, *edit.changed.shape[-2:]).sum((1, 2))
    ends = np.cumsum(counts)
    found = []
    for number, lead in enumerate(np.ndindex(edit.changed.shape[:-2])):
        part = slice(int(ends[number] - counts[number]), int(ends[number]))
        grown: Counter[int] = Counter()
        for values, sign in ((edit.new[part], 1), (edit.old[part], -1)):
            ids, pixels = np.unique(values[values > 0], return_counts=True)
            for label_id, many in zip(ids.tolist(), pixels.tolist(), strict=True):
                grown[label_id] += sign * many
        found.append((tuple(o + at for o, at in zip(edit.offset, lead, strict=False)), grown))
    return found
