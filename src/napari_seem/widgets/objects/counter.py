"""Keeps count of the objects of a Labels layer: at once where it is small, else in a thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from ...labels.census import BATCH, Census, Counted, Index, count_planes
from ...labels.changes import Change
from ...labels.document import LabelDocument
from ...viewer.coordinates import full_data
from ...viewer.documents import document_of
from .._shared.background.progress import Progress
from .._shared.background.steps import Steps
from .._shared.events import later

if TYPE_CHECKING:
    from napari.layers import Labels

AT_ONCE = 1 << 23
"""Pixels that are counted without a thread."""
PAUSE = 150
"""Milliseconds after a stroke before its planes are counted again."""


class Counter(QObject):
    """Counts a layer's objects plane by plane, and again what changes.

    What a script writes in place goes unseen, until `again` is called.

    Attributes
    ----------
    counted : Signal()
        More is known than before.
    ended : Signal(str)
        As of `Steps`.
    """

    counted = Signal()
    ended = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.census = Census((0, 0, 0))
        self._layer: Any = None
        self._document: LabelDocument | None = None
        self._changed: set[Index] = set()
        self._counting: Census | None = None
        self._steps = Steps(self)
        self._steps.stepped.connect(self._take)
        self._steps.ended.connect(self._end)
        self._pause = later(self, PAUSE, self._go_on)

    @property
    def progress(self) -> Progress:
        """How many batches of planes are counted."""
        return self._steps.progress

    @property
    def running(self) -> bool:
        """Whether a thread counts."""
        return self._steps.running

    def watch(self, layer: Labels | None) -> None:
        """Count another layer; None for none."""
        if layer is self._layer:
            return
        self._let_go()
        self._layer = layer
        if layer is not None:
            self._document = document_of(layer)
            self._document.changed.connect(self._on_change)
            layer.events.data.connect(self._on_data)
        self.again()

    def again(self) -> None:
        """Count everything anew."""
        self._steps.stop()
        shape = (0, 0, 0) if self._layer is None else tuple(full_data(self._layer).shape)
        self.census, self._changed = Census(shape), set()
        self._go_on()

    def settle(self) -> bool:
        """Count what is left if that takes a moment only; whether all is known."""
        if self._pause.isActive():
            self._pause.stop()
            self._go_on()
        return self.census.complete and not self.running

    def stop(self) -> None:
        """Count no further."""
        self._steps.stop()

    def close(self) -> None:
        """Let go of the layer."""
        self._let_go()
        self._steps.close()

    def _go_on(self) -> None:
        """Count planes that are not counted, here or in a thread."""
        if self._steps.running or self._layer is None:
            return
        data, missing = full_data(self._layer), self.census.missing()
        self._changed.clear()
        plane = max(1, int(data.shape[-2]) * int(data.shape[-1]))
        if len(missing) * plane <= AT_ONCE:
            for batch in count_planes(data, missing):
                self._put(batch)
            self.counted.emit()
            return
        steps, census = -(-len(missing) // -(-BATCH // plane)), self.census
        self._counting = census
        self._steps.start(
            f"Counting '{self._layer.name}'", steps,
            lambda: ((census, batch) for batch in count_planes(data, missing)),
        )  # fmt: skip

    def _take(self, found: tuple[Census, Mapping[Index, Counted]]) -> None:
        census, batch = found
        if census is self.census:  # else of a layer that is not watched any more
            self._put({i: plane for i, plane in batch.items() if i not in self._changed})
            self.counted.emit()

    def _put(self, batch: Mapping[Index, Counted]) -> None:
        for index, found in batch.items():
            self.census.put(index, found)

    def _end(self, outcome: str) -> None:
        stale = self._counting is not self.census
        if not self.census.complete and (stale or not outcome):
            self._go_on()  # another layer, or planes that were painted on meanwhile
            return
        self.counted.emit()
        self.ended.emit(outcome)

    def _on_change(self, change: Change) -> None:
        self._forget(change.planes)

    def _forget(self, indices: Iterable[Index]) -> None:
        found = set(indices)
        if found:
            self.census.forget(found)
            self._changed |= found
            self._pause.start()

    def _on_data(self, _: object) -> None:
        self.again()

    def _let_go(self) -> None:
        self._pause.stop()
        if self._document is not None and self._layer is not None:
            self._document.changed.disconnect(self._on_change)
            self._layer.events.data.disconnect(self._on_data)
        self._layer = self._document = None
