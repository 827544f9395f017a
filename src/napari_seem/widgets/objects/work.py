"""What is done with the classes and objects of a Labels layer, whichever button asked for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from qtpy.QtCore import QObject, Signal

from ...edits import NO_CLASS, ObjectTable
from ...errors import InvalidLabels, InvalidName
from ...labels import plans
from ...labels.census import Found
from ...labels.plans import Plan, classes_of
from ...palette import Palette
from ...viewer.history import Change, History, history_of
from ...viewer.rows import table_of
from .counter import Counter

NO_LAYER = (
    "there is no labels layer: write an object with the Annotate dock, or make one with napari's "
    "button for new labels"
)


class ClassWork(QObject):
    """Changes one layer at a time; every change is one step of its undo.

    All methods raise `InvalidLabels` or `InvalidName`, and change nothing then.

    Attributes
    ----------
    counter : Counter
    history : History or None
        Of the layer that is worked on.
    changed : Signal()
        There is something else to show, whoever brought it about.
    """

    changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.counter = Counter(self)
        self.history: History | None = None
        self.counter.counted.connect(self.changed)

    @property
    def layer(self) -> Any:
        """The Labels layer, or None."""
        return None if self.history is None else self.history.layer

    @property
    def table(self) -> ObjectTable:
        """The layer's table of objects."""
        return table_of(self._here().layer)

    @property
    def palette(self) -> Palette:
        """The layer's palette, with a colour for every class."""
        return self._here().colours.palette

    @property
    def found(self) -> dict[int, Found]:
        """Objects that are counted so far, by id."""
        return self.counter.census.objects()

    @property
    def classes(self) -> dict[str, list[int]]:
        """Class -> ids of its objects."""
        return classes_of(self.table, self.found)

    def watch(self, layer: Any) -> None:
        """Work on another layer; None for none."""
        self._let_go()
        self.history = None if layer is None else history_of(layer)
        if self.history is not None:
            for event in self._events():
                event.connect(self._on_change)
        self.counter.watch(layer)
        self.changed.emit()

    def close(self) -> None:
        """Let go of the layer."""
        self._let_go()
        self.history = None
        self.counter.close()

    def rename_class(self, old: str, to: str) -> Change | None:
        """Call a class something else; a class that is called so already takes it in."""
        plan = plans.rename_class(self.classes, self.table, old, to, self.palette.colours)
        return self._apply(plan)

    def merge_classes(self, names: Sequence[str], into: str | None = None) -> Change | None:
        """Make classes one; by default called as the one of most objects."""
        classes = self.classes
        present = [name for name in names if name in classes]
        named = [name for name in present if name != NO_CLASS]
        if len(present) < 2 or not named:
            raise InvalidName("choose two classes or more to merge (Ctrl-click)")
        target = into or max(named, key=lambda name: len(classes[name]))
        return self._apply(plans.merge_classes(classes, self.table, present, target))

    def recolour(self, names: Sequence[str], colour: str) -> Change | None:
        """Give classes a colour, "#rrggbb", and show it."""
        history = self._here()
        named = self.named(names)
        change = self._apply(plans.recolour(named, colour))
        history.colours.by_class(True)
        return change

    def named(self, names: Iterable[str]) -> list[str]:
        """Of these classes those that can have a colour."""
        named = [name for name in names if name != NO_CLASS]
        if not named:
            raise InvalidName("objects without a name stay gray; name them first")
        return named

    def delete_classes(self, names: Iterable[str]) -> Change | None:
        """Take all objects of some classes away."""
        classes = self.classes
        return self.delete_objects([i for name in names for i in classes.get(name, ())])

    def rename_object(self, label_id: int, name: str) -> Change | None:
        """Call an object something else; it stays in its class."""
        return self._apply(plans.rename_object(self.table, label_id, name))

    def merge_objects(self, ids: Iterable[int]) -> Change | None:
        """Make objects one; the largest keeps its id and name."""
        found = self.found
        ordered = sorted(ids, key=lambda i: (-found[i].area if i in found else 0, i))
        if len(ordered) < 2:
            raise InvalidLabels("choose two objects or more to merge (Ctrl-click)")
        return self._apply(plans.merge_objects(self.table, ordered))

    def put_into(self, ids: Iterable[int], name: str) -> Change | None:
        """Put objects into a class."""
        return self._apply(plans.move(self.table, ids, name))

    def delete_objects(self, ids: Sequence[int]) -> Change | None:
        """Take objects away."""
        if not ids:
            raise InvalidLabels("choose what to delete first")
        return self._apply(plans.delete_objects(self.table, ids))

    def undo(self) -> str:
        """Take back what was done last to the layer, by whomever; says what it was."""
        title = self._here().undo()
        self.counter.settle()
        return title

    def redo(self) -> str:
        """Do again what was taken back last; says what it was."""
        title = self._here().redo()
        self.counter.settle()
        return title

    def _apply(self, plan: Plan) -> Change | None:
        history = self._here()
        if plan.is_empty:
            return None
        if plan.pixels and not self.counter.settle():
            done, every = len(self.counter.census), self.counter.census.planes
            raise InvalidLabels(
                f"the objects are still being counted ({done} of {every} planes); do it again in "
                "a moment"
            )
        change = history.apply(plan, self.counter.census.blocks(plan.pixels))
        self.counter.settle()
        return change

    def _on_change(self, _: Any = None) -> None:
        self.changed.emit()

    def _events(self) -> list[Any]:
        assert self.history is not None
        events = self.history.layer.events
        return [events.features, events.metadata, events.colormap, self.history.events.touched]

    def _let_go(self) -> None:
        if self.layer is not None:
            for event in self._events():
                event.disconnect(self._on_change)

    def _here(self) -> History:
        if self.history is None or self.history.layer is None:
            raise InvalidLabels(NO_LAYER)
        return self.history
