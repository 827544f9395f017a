"""The books of a Labels layer: which id is free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..labels.provenance import plane_to_dict
from ..planes import Plane
from .coordinates import full_data, unwrap
from .history import history_of
from .on_disk import store_of
from .record import Area, What, area_of, record_of, recorded
from .rows import table_of
from .writing import NewObject, write_objects

if TYPE_CHECKING:
    from napari.layers import Labels

STRIP = 1024
"""Rows of a plane on disk that are read at a time."""


class Ledger:
    """Gives ids; the table of objects goes along with undo and redo (`history_of`).

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
        if empty:
            record_of(self.labels, empty=True)
        self.labels.events.paint.connect(self._on_paint)
        self.labels.events.data.connect(self._on_data)

    def close(self) -> None:
        """Look at the layer no longer."""
        self.labels.events.paint.disconnect(self._on_paint)
        self.labels.events.data.disconnect(self._on_data)

    def next_id(self, plane: Plane) -> int:
        """The lowest id above all in the layer and in its table; `plane` is the shown one."""
        if self._highest is None:
            self._highest = _maximum(full_data(self.labels))
        named = [label_id for label_id, _ in table_of(self.labels).items()]
        return max([self._highest, self._elsewhere(plane), *named]) + 1

    def write(
        self, plane: Plane, objects: Sequence[NewObject], *, overwrite: bool,
        replaces: bool = False, what: What | None = None,
    ) -> list[int]:  # fmt: skip
        """As `write_objects`; gives the ids of those that were written. `what` it was: recorded."""
        area = None if replaces else objects
        with recorded(
            self.labels, what or What(), _area(plane, full_data(self.labels).shape, area)
        ) as event:
            written = write_objects(
                self.labels, plane, objects, overwrite=overwrite, replaces=replaces
            )
            event |= {
                "plane": plane_to_dict(plane), "ids": [new.label_id for new in objects],
                "overwrite": overwrite, "replaces": replaces,
            }  # fmt: skip
        return [new.label_id for new, _ in written]

    def _elsewhere(self, plane: Plane) -> int:
        """The highest id that came otherwise: what lies on disk is not read for it."""
        store, data = store_of(self.labels), full_data(self.labels)
        if store is not None:
            return store.highest
        return int(np.max(plane.read(data), initial=0))

    def _on_paint(self, event: Any) -> None:
        """Higher ids than so far count."""
        if self._highest is not None and not history_of(self.labels).busy:
            self._highest = max([self._highest, *_painted(event.value)])

    def _on_data(self, _: Any) -> None:
        self._highest = None


def _area(plane: Plane, shape: Sequence[int], objects: Sequence[NewObject] | None) -> Area:
    """Where objects are written: around all of them, or the whole plane."""
    if not objects:
        return area_of(plane, shape)
    corners = np.array([new.corner for new in objects])
    ends = corners + [new.mask.shape for new in objects]
    (y0, x0), (y1, x1) = corners.min(0), ends.max(0)
    return area_of(plane, shape, (int(y0), int(x0), int(y1), int(x1)))


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
