"""The list of classes and napari's brush, in step: the chosen class is what is painted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog

from ...viewer.pixels.strokes import StrokeLayer
from ...viewer.pixels.teaching import PixelTeaching
from .._shared.events import Followed

if TYPE_CHECKING:
    from .dock import PixelClassesWidget


class Brush(QObject):
    """Classes as a person adds, names, colours and paints them.

    Parameters
    ----------
    dock : PixelClassesWidget
    chosen : callable
        Called without arguments where another class is chosen.
    """

    def __init__(self, dock: PixelClassesWidget, chosen: Callable[[], None]) -> None:
        super().__init__(dock)
        self._dock, self._list, self._chosen = dock, dock.panel.classes, chosen
        self._events = Followed()
        self._list.chosen.connect(self._on_chosen)
        self._list.renamed.connect(self.rename)

    def follow(self) -> None:
        """Notice from now on when another label is chosen with napari's own controls."""
        self._events.close()
        layer = self._strokes
        if layer is not None:
            self._events.follow(self._on_label, layer.layer.events.selected_label)

    def close(self) -> None:
        """Follow the brush no more."""
        self._events.close()

    def show(self) -> None:
        """Show the classes as they are now, and how much is painted of each."""
        counts: Counter[int] = Counter()
        for plane in self._teaching.taught()[0]:
            counts.update(plane.classes.tolist())
        classes = self._teaching.classes
        self._list.offer(classes, {one.name: counts[one.number] for one in classes})
        self._dock.views.colour()

    def take(self) -> None:
        """Let the brush paint the chosen class."""
        layer, name = self._strokes, self._list.current
        colours = {one.name: one.colour for one in self._teaching.classes}
        if layer is not None and name in colours:
            layer.layer.selected_label = layer.id_of(name, colours[name])

    def add(self, name: str = "") -> None:
        """Add a class, and paint it from now on; without a name, to be named by a person."""
        with self._reporting():
            added = self._teaching.add(name)
            self.show()
            self._list.choose(added)
            self.take()
            if not name:
                self._list.type_name()

    def rename(self, old: str, new: str) -> None:
        """Call a class something else."""
        with self._reporting():
            self._teaching.rename(old, new)
            self._list.choose(new)
        self.show()

    def recolour(self, colour: str | None = None) -> None:
        """Give the chosen class another colour, "#rrggbb"; asked for where it is not given."""
        name = self._list.current
        if name and colour is None:
            present = next(one.colour for one in self._teaching.classes if one.name == name)
            picked = QColorDialog.getColor(QColor(present), self._dock, "Colour of the class")
            colour = picked.name() if picked.isValid() else None
        if name and colour is not None:
            with self._reporting():
                self._teaching.recolour(name, colour)

    def remove(self) -> None:
        """Take the chosen class away, with all of its strokes."""
        with self._reporting():
            self._teaching.remove(self._list.current)

    @property
    def _teaching(self) -> PixelTeaching:
        return self._dock.teaching

    @property
    def _strokes(self) -> StrokeLayer | None:
        return self._dock.strokes

    def _reporting(self) -> AbstractContextManager[None]:
        return self._dock.reporting()

    def _on_chosen(self, _: str) -> None:
        with self._reporting():
            self.take()
        self._chosen()

    def _on_label(self, _: object = None) -> None:
        layer = self._strokes
        if layer is None:
            return
        chosen = layer.layer.selected_label
        name = next((one.name for one in layer.classes if chosen in one.ids), "")
        if name and name != self._list.current:
            self._list.choose(name)
            self._chosen()
