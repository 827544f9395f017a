"""Events of napari that are followed for a time, and slots that are called a little later."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.utils.events import EventEmitter


class Followed:
    """Slots connected to napari's events, to be disconnected all at once."""

    def __init__(self) -> None:
        self._links: list[tuple[EventEmitter, Callable[..., object]]] = []

    def follow(self, slot: Callable[..., object], *events: EventEmitter) -> None:
        """Call a slot at each of these events from now on."""
        for event in events:
            event.connect(slot)
            self._links.append((event, slot))

    def close(self) -> None:
        """Follow nothing any more."""
        for event, slot in self._links:
            event.disconnect(slot)
        self._links.clear()


def later(parent: QObject, milliseconds: int, slot: Callable[[], object]) -> QTimer:
    """A timer that calls a slot once, so long after it was last started."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(slot)
    return timer


def layers_of(viewer: ViewerModel) -> list[EventEmitter]:
    """The events at which other layers are there, or in another order."""
    events = viewer.layers.events
    return [events.inserted, events.removed, events.reordered]


def axes_of(viewer: ViewerModel) -> list[EventEmitter]:
    """The events at which other axes are shown."""
    return [viewer.dims.events.order, viewer.dims.events.ndisplay]
