"""The books of a Labels layer: which id is free, and which rows of its table still hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..edits import Edit, ObjectRecord, ObjectTable
from ..planes import Plane
from ..record import tell_plane
from .coordinates import full_data, unwrap
from .on_disk import store_of
from .record import Area, What, area_of, record_of, recorded
from .writing import NewObject, set_table, write_objects

if TYPE_CHECKING:
    from napari.layers import Labels

STRIP = 1024
"""Rows of a plane on disk that are read at a time."""
TRACES = 24
"""So many changed pixels of a write are looked at to see whether it was undone."""


@dataclass(frozen=True, eq=False)
class Trace:
    """One object as it was written.

    Attributes
    ----------
    label_id : int
    record, former : ObjectRecord
        Its row since then, and before (None: there was none).
    at : tuple of integer arrays
        A few changed pixels.
    old, new : integer arrays
        Their values before and after.
    """

    label_id: int
    record: ObjectRecord
    former: ObjectRecord | None
    at: tuple[npt.NDArray[np.intp], ...]
    old: npt.NDArray[Any]
    new: npt.NDArray[Any]


class Ledger:
    """Gives ids and keeps the table of objects in step with the layer's own undo and redo.

    The layer is read as a whole at most once, so that a commit costs the same on any number of
    planes. What a script writes in place into planes that are not shown goes unseen.

    Parameters
    ----------
    labels : Labels
    empty : bool
        The layer is known to hold no object yet.
    """

    def __init__(self, labels: Labels, *, empty: bool = False) -> None:
        self.labels: Any = unwrap(labels)
        self._highest: int | None = 0 if empty else None
        self._standing: list[Trace] = []
        self._undone: list[Trace] = []
        self._writing = False
        if empty:
            record_of(self.labels, empty=True)
        self.labels.events.paint.connect(self._on_paint)
        self.labels.events.data.connect(self._on_data)
        self.labels.events.set_data.connect(self._on_refresh)

    def close(self) -> None:
        """Look at the layer no longer."""
        self.labels.events.paint.disconnect(self._on_paint)
        self.labels.events.data.disconnect(self._on_data)
        self.labels.events.set_data.disconnect(self._on_refresh)

    def next_id(self, plane: Plane) -> int:
        """The lowest id above all in the layer and in its table; `plane` is the shown one."""
        if self._highest is None:
            self._highest = _maximum(full_data(self.labels))
        named = [label_id for label_id, _ in self._table().items()]
        return max([self._highest, self._elsewhere(plane), *named]) + 1

    def write(
        self, plane: Plane, objects: Sequence[NewObject], *, overwrite: bool,
        replaces: bool = False, what: What | None = None,
    ) -> list[int]:  # fmt: skip
        """As `write_objects`; gives the ids of those that were written. `what` it was: recorded."""
        before = dict(self._table().items())
        area = None if replaces else objects
        with self._own_write(), recorded(
            self.labels, what or What(), _area(plane, full_data(self.labels).shape, area)
        ) as event:  # fmt: skip
            written = write_objects(
                self.labels, plane, objects, overwrite=overwrite, replaces=replaces
            )
            event |= {
                "plane": tell_plane(plane), "ids": [new.label_id for new in objects],
                "overwrite": overwrite, "replaces": replaces,
            }  # fmt: skip
        self._undone.clear()
        for new, edit in written:
            former = before.get(new.label_id)
            if edit.count:
                self._standing.append(_trace(new, former, edit))
        return [new.label_id for new, _ in written]

    def _elsewhere(self, plane: Plane) -> int:
        """The highest id that came otherwise: what lies on disk is not read for it."""
        store, data = store_of(self.labels), full_data(self.labels)
        if store is not None:
            return store.highest
        return int(np.max(plane.read(data), initial=0))

    def _table(self) -> ObjectTable:
        return ObjectTable.from_features(self.labels.features)

    @contextmanager
    def _own_write(self) -> Iterator[None]:
        self._writing = True
        try:
            yield
        finally:
            self._writing = False

    def _on_paint(self, event: Any) -> None:
        """The person painted: higher ids count, and nothing can be redone any more."""
        if self._writing:
            return
        self._undone.clear()
        if self._highest is not None:
            self._highest = max([self._highest, *_painted(event.value)])

    def _on_data(self, _: Any) -> None:
        self._highest = None
        self._standing.clear()
        self._undone.clear()

    def _on_refresh(self, _: Any) -> None:
        """The layer may have gone a step back or forward: so do its rows."""
        if self._writing or not (self._standing or self._undone):
            return
        rows = self._step_back() or self._step_forward()
        if not rows:
            return
        table = self._table()
        for label_id, record in rows:
            if record is None:
                table.remove(label_id)
            else:
                table[label_id] = record
        set_table(self.labels, table)

    def _step_back(self) -> list[tuple[int, ObjectRecord | None]]:
        rows: list[tuple[int, ObjectRecord | None]] = []
        while self._standing and self._holds(self._standing[-1], self._standing[-1].old):
            self._undone.append(self._standing.pop())
            rows.append((self._undone[-1].label_id, self._undone[-1].former))
        return rows

    def _step_forward(self) -> list[tuple[int, ObjectRecord | None]]:
        rows: list[tuple[int, ObjectRecord | None]] = []
        while self._undone and self._holds(self._undone[-1], self._undone[-1].new):
            self._standing.append(self._undone.pop())
            rows.append((self._standing[-1].label_id, self._standing[-1].record))
        return rows

    def _holds(self, trace: Trace, values: npt.NDArray[Any]) -> bool:
        return bool(np.array_equal(values_at(full_data(self.labels), trace.at), values))


def _area(plane: Plane, shape: Sequence[int], objects: Sequence[NewObject] | None) -> Area:
    """Where objects are written: around all of them, or the whole plane."""
    if not objects:
        return area_of(plane, shape)
    corners = np.array([new.corner for new in objects])
    ends = corners + [new.mask.shape for new in objects]
    (y0, x0), (y1, x1) = corners.min(0), ends.max(0)
    return area_of(plane, shape, (int(y0), int(x0), int(y1), int(x1)))


def _trace(new: NewObject, former: ObjectRecord | None, edit: Edit) -> Trace:
    chosen = np.unique(np.linspace(0, edit.count - 1, TRACES).astype(int))
    at = tuple(
        axis[chosen] + o for axis, o in zip(np.nonzero(edit.changed), edit.offset, strict=True)
    )
    return Trace(new.label_id, new.record, former, at, edit.old[chosen], edit.new[chosen])


def values_at(data: Any, at: tuple[npt.NDArray[np.intp], ...]) -> npt.NDArray[Any]:
    """Values of a few pixels of a numpy, zarr or dask array."""
    if isinstance(data, np.ndarray):
        return np.asarray(data[at])
    if hasattr(data, "vindex"):  # zarr and dask: each chunk is read once
        return np.asarray(data.vindex[at])
    return np.array(
        [np.asarray(data[tuple(int(i) for i in pixel)]) for pixel in zip(*at, strict=True)]
    )


def _maximum(data: Any) -> int:
    """The highest value, read part by part where the array lies on disk."""
    if isinstance(data, np.ndarray) or data.ndim < 2:
        return int(np.max(np.asarray(data), initial=0))
    if data.ndim == 2:
        strips = (data[top : top + STRIP] for top in range(0, data.shape[0], STRIP))
        return max((int(np.max(np.asarray(s), initial=0)) for s in strips), default=0)
    return max((_maximum(data[index]) for index in range(data.shape[0])), default=0)


def _painted(atoms: Any) -> list[int]:
    """New values of a stroke; napari 0.8 changed what it says of one."""
    values = [atom.new_value if hasattr(atom, "new_value") else atom[2] for atom in atoms]
    return [int(np.max(value)) for value in values if np.size(value)]
