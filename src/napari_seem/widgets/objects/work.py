"""The Labels layer whose objects are changed, and the count of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from ...commands.names import NameCommand
from ...edits import ObjectTable
from ...errors import InvalidLabels
from ...labels.census import Found
from ...labels.changes import Change
from ...labels.document import LabelDocument
from ...labels.plans import classes_of
from ...palette import Palette
from ...viewer.documents import colouring_of
from ...viewer.label_layers.palette import Colouring
from ...viewer.timeline import document_in
from .counter import Counter

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels
    from napari.utils.events import EventEmitter

NO_LAYER = (
    "there is no labels layer: write an object with the Annotate dock, or make one with napari's "
    "button for new labels"
)


class ObjectsWork(QObject):
    """Changes one layer at a time; every change is one step of its undo.

    Parameters
    ----------
    viewer : ViewerModel
    parent : QObject

    Attributes
    ----------
    counter : Counter
    changed : Signal()
        There is something else to show, whoever brought it about.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.counter = Counter(self)
        self._layer: Any = None
        self.counter.counted.connect(self.changed)

    @property
    def layer(self) -> Labels | None:
        """The Labels layer, or None."""
        return self._layer

    @property
    def document(self) -> LabelDocument:
        """The layer's document; `InvalidLabels` where there is no layer."""
        if self._layer is None:
            raise InvalidLabels(NO_LAYER)
        return document_in(self._viewer, self._layer)

    @property
    def colouring(self) -> Colouring:
        """What shows the layer's objects in colours."""
        return colouring_of(self._layer)

    @property
    def table(self) -> ObjectTable:
        """The layer's table of objects."""
        return self.document.table

    @property
    def palette(self) -> Palette:
        """The layer's palette, with a colour for every class."""
        return self.document.palette

    @property
    def found(self) -> dict[int, Found]:
        """Objects that are counted so far, by id."""
        return self.counter.census.objects()

    @property
    def classes(self) -> dict[str, list[int]]:
        """Class -> ids of its objects."""
        return classes_of(self.table, self.found)

    def watch(self, layer: Labels | None) -> None:
        """Work on another layer; None for none."""
        self._let_go()
        self._layer = layer
        if layer is not None:
            self.document.changed.connect(self._on_change)
            for event in self._events():
                event.connect(self._on_change)
        self.counter.watch(layer)
        self.changed.emit()

    def do(self, command: NameCommand) -> Change | None:
        """Rename, merge, move, recolour or delete; None where nothing changes.

        Raises
        ------
        InvalidLabels, InvalidName, FileTrouble
            Nothing is changed then.
        """
        document = self.document
        self.counter.settle()
        change = command.apply(document, self.counter.census)
        self.counter.settle()
        return change

    def undo(self) -> str:
        """Undo what was done last to the layer, by whomever; gives its title."""
        title = self.document.undo()
        self.counter.settle()
        return title

    def redo(self) -> str:
        """Redo what was undone last; gives its title."""
        title = self.document.redo()
        self.counter.settle()
        return title

    def close(self) -> None:
        """Let go of the layer."""
        self._let_go()
        self._layer = None
        self.counter.close()

    def _on_change(self, _: object = None) -> None:
        self.changed.emit()

    def _events(self) -> list[EventEmitter]:
        events = self._layer.events
        return [events.features, events.metadata, events.colormap]

    def _let_go(self) -> None:
        if self._layer is not None:
            self.document.changed.disconnect(self._on_change)
            for event in self._events():
                event.disconnect(self._on_change)
