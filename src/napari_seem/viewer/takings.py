"""Findings written into Labels layers, and which of them are still there."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..edits import ObjectRecord
from ..query import Finding
from .coordinates import full_data, unwrap
from .ledger import Ledger, values_at
from .record import What
from .writing import NewObject, check_target

if TYPE_CHECKING:
    from napari.layers import Image, Labels

PROBES = 16
"""Pixels of an object that are looked at to see whether it is still there."""


@dataclass(frozen=True, eq=False)
class _Taken:
    key: Hashable
    label_id: int
    at: tuple[npt.NDArray[np.intp], ...] = field(repr=False)


class Takings:
    """Writes findings into one Labels layer, and follows its undo and redo.

    Parameters
    ----------
    labels : Labels
    changed : callable
        Called with the key of a finding, and its id where it is there again, or None.
    """

    def __init__(
        self, labels: Labels, changed: Callable[[Hashable, int | None], None],
        *, empty: bool = False,
    ) -> None:  # fmt: skip
        self.labels: Any = unwrap(labels)
        self._ledger = Ledger(labels, empty=empty)
        self._changed = changed
        self._there: list[_Taken] = []
        self._gone: list[_Taken] = []
        self.labels.events.set_data.connect(self._look)
        self.labels.events.data.connect(self._forget)

    def close(self) -> None:
        """Look at the layer no longer; what is written stays."""
        self.labels.events.set_data.disconnect(self._look)
        self.labels.events.data.disconnect(self._forget)
        self._ledger.close()

    def write(
        self, image: Image, findings: Sequence[tuple[Hashable, Finding]], model: str,
        *, overwrite: bool, what: What | None = None,
    ) -> dict[Hashable, int]:  # fmt: skip
        """Write findings of one plane as one step of the layer's undo; their ids by key.

        Those of which every pixel belongs to another object are left out. `what` is done is kept
        in the layer's record.

        Raises
        ------
        InvalidLabels
            The layer can't take them, or not one of them; nothing is written then.
        """
        plane = replace(findings[0][1].place.plane, channels=False)
        first = self._ledger.next_id(plane)
        check_target(self.labels, image, first + len(findings) - 1)
        keys: dict[int, Hashable] = {}
        objects = []
        for label_id, (key, one) in enumerate(findings, first):
            keys[label_id] = key
            record = ObjectRecord.made(one.word, one.score, model, 1)
            objects.append(NewObject(one.mask, one.corner, label_id, record))
        there, self._there = self._there, []  # not to be looked at while it is written
        written = self._ledger.write(plane, objects, overwrite=overwrite, what=what)
        self._there, self._gone = there, []
        by_id = {one.label_id: one for one in objects}
        for label_id in written:
            at = self._probes(plane, by_id[label_id])
            self._there.append(_Taken(keys[label_id], label_id, at))
        return {keys[label_id]: label_id for label_id in written}

    def _probes(self, plane: Any, new: NewObject) -> tuple[npt.NDArray[np.intp], ...]:
        offset, block = plane.place(new.mask, new.corner)
        area = tuple(slice(o, o + s) for o, s in zip(offset, block.shape, strict=True))
        own = np.nonzero(np.asarray(full_data(self.labels)[area]) == new.label_id)
        chosen = np.unique(np.linspace(0, len(own[0]) - 1, PROBES).astype(int))
        return tuple(axis[chosen] + o for axis, o in zip(own, offset, strict=True))

    def _look(self, _: Any = None) -> None:
        """The layer may have gone a step back or forward: so do its findings."""
        while self._there and not self._holds(self._there[-1]):
            self._gone.append(self._there.pop())
            self._changed(self._gone[-1].key, None)
        while self._gone and self._holds(self._gone[-1]):
            self._there.append(self._gone.pop())
            self._changed(self._there[-1].key, self._there[-1].label_id)

    def _holds(self, taken: _Taken) -> bool:
        values = values_at(full_data(self.labels), taken.at)
        return bool((values == taken.label_id).any())

    def _forget(self, _: Any = None) -> None:
        self._there.clear()
        self._gone.clear()
