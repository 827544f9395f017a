"""The Objects dock: classes of a Labels layer, their objects, and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import napari
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QKeySequence, QShortcut
from qtpy.QtWidgets import QColorDialog, QInputDialog

from ...commands.names import (
    DeleteClasses,
    DeleteObjects,
    MergeClasses,
    MergeObjects,
    MoveToClass,
    NameCommand,
    Recolour,
    RenameClass,
    RenameObject,
    colourable,
)
from ...edits import NO_CLASS, ObjectRecord
from ...labels.census import Found
from ...labels.plans import clean_name, counted, look_alikes, quoted
from ...palette import Palette
from ...viewer.label_layers.palette import palette_of
from ...viewer.shown import go_to
from .._shared.dock import Dock, busy
from .._shared.events import later, layers_of
from .._shared.forms import on_click
from .measures import Measures
from .panel import PLANE, SCORE, ClassesPanel
from .tables import ClassRow, ObjectRow
from .work import NO_LAYER, ObjectsWork

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.utils.events import Event


class ObjectsWidget(Dock):
    """Name, merge, colour and delete the objects of a Labels layer, by class or one by one.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Filled in by napari.

    Attributes
    ----------
    measures : Measures
        Area or volume, extent, position and intensity of the objects.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer)
        self.panel = ClassesPanel()
        self.work = ObjectsWork(self.viewer, self)
        self.measures = Measures(self.work, self)
        self.panel.place_measures(self.measures)
        self.place(self.panel, self.work.counter.progress, self.measures.steps.progress)
        self._chosen: set[str] = set()
        self._label = 0
        self._quiet = False
        self._soon = later(self, 0, self.refresh)
        self._connect()
        self._refresh_layers()

    @property
    def layer(self) -> Labels | None:
        """The Labels layer that is shown, or None."""
        return self.work.layer

    @property
    def chosen_classes(self) -> list[str]:
        """Names of the chosen classes."""
        return [row.name for row in self.panel.classes.chosen]

    @property
    def chosen_objects(self) -> list[int]:
        """Ids of the chosen objects."""
        return [row.label_id for row in self.panel.objects.chosen]

    def rename_class(self, old: str, to: str) -> None:
        """Call a class something else; a class that is called so already takes it in."""
        self._do(RenameClass(old=old, new=to), choose=to)

    def merge_classes(self, into: str | None = None) -> None:
        """Make the chosen classes one; by default called as the one of most objects."""
        self._do(MergeClasses(names=self.chosen_classes, into=into))

    def recolour(self, colour: str | None = None) -> None:
        """Give the chosen classes a colour, "#rrggbb"; asked for where it is not given."""
        with self.reporting():
            names = colourable(self.chosen_classes)
            if colour is None:
                present = QColor(palette_of(self.layer).of(names[0]))
                picked = QColorDialog.getColor(present, self, "Colour of the class")
                colour = picked.name() if picked.isValid() else None
            if colour is not None:
                self._do(Recolour(names=names, colour=colour))
                self.work.colouring.by_class(True)

    def delete_classes(self) -> None:
        """Take all objects of the chosen classes away."""
        self._do(DeleteClasses(names=self.chosen_classes))

    def rename_object(self, label_id: int, name: str) -> None:
        """Call an object something else; it stays in its class."""
        self._do(RenameObject(label_id=label_id, name=name))

    def merge_objects(self) -> None:
        """Make the chosen objects one."""
        self._do(MergeObjects(ids=self.chosen_objects))

    def put_into(self, name: str | None = None) -> None:
        """Put the chosen objects into a class; asked for where it is not given."""
        with self.reporting():
            ids = self.chosen_objects
            if name is None:
                known = [one for one in self.work.classes if one != NO_CLASS]
                name, sure = QInputDialog.getItem(
                    self, "Class", f"Put {counted(len(ids))} into", known, 0, True
                )
                if not sure:
                    return
            self._do(MoveToClass(ids=ids, name=name), choose=name)

    def delete_objects(self) -> None:
        """Take the chosen objects away."""
        self._do(DeleteObjects(ids=self.chosen_objects))

    def select_all(self) -> None:
        """Choose all objects that are listed."""
        self._quiet = True
        self.panel.objects.selectAll()
        self._quiet = False
        self._show_choice()

    def undo(self) -> None:
        """Take back what was done last to the layer: names, colours, pixels, brush strokes."""
        self._travel(self.work.undo, "taken back")

    def redo(self) -> None:
        """Do again what was taken back last."""
        self._travel(self.work.redo, "done again")

    def go_to(self, label_id: int) -> None:
        """Show an object where it is largest, and make it the layer's selected label."""
        found = self.work.found.get(label_id)
        if self.layer is None or found is None:
            return
        y0, x0, y1, x1 = found.box
        go_to(self.viewer, self.layer, (*found.index, (y0 + y1 - 1) / 2, (x0 + x1 - 1) / 2))
        self._quiet = True
        self.layer.selected_label = label_id
        self._quiet = False

    def refresh(self) -> None:
        """Show the layer as it is now."""
        if self.is_released:
            return
        self._soon.stop()
        panel, layer = self.panel, self.layer
        self._quiet = True
        try:
            if layer is None:
                panel.classes.source.show([])
                panel.objects.source.show([])
            else:
                classes = self.work.classes
                self._show_classes(classes, self.work.palette)
                self._show_objects(classes)
                panel.by_class.setChecked(palette_of(layer).by_class)
                panel.by_object.setChecked(not palette_of(layer).by_class)
        finally:
            self._quiet = False
        self._show_choice()
        self._show_undo()

    def _let_go(self) -> None:
        self._soon.stop()
        self.panel.only.setChecked(False)
        if self.layer is not None:
            self.layer.events.selected_label.disconnect(self._on_selected)
        self.measures.end()
        self.work.close()

    def _connect(self) -> None:
        panel = self.panel
        panel.labels.chosen.connect(self._watch)
        panel.by_class.toggled.connect(self._on_colours)
        panel.only.toggled.connect(lambda _: self._show_only())
        on_click((
            (panel.rename_class, panel.classes.rename), (panel.merge_classes, self.merge_classes),
            (panel.recolour, self.recolour), (panel.delete_class, self.delete_classes),
            (panel.select_all, self.select_all), (panel.merge_objects, self.merge_objects),
            (panel.put_into, self.put_into), (panel.delete_objects, self.delete_objects),
            (panel.undo, self.undo), (panel.redo, self.redo),
            (panel.again, self.work.counter.again), (panel.again, self.measures.again),
        ))  # fmt: skip
        panel.classes.source.renamed.connect(lambda row, to: self.rename_class(row.name, to))
        panel.objects.source.renamed.connect(lambda row, to: self.rename_object(row.label_id, to))
        panel.classes.chose.connect(self._on_classes)
        panel.objects.chose.connect(self._show_choice)
        panel.objects.moved.connect(self._on_object)
        panel.objects.clicked.connect(lambda _: self._on_object())
        self.work.changed.connect(self._later)
        self.measures.measured.connect(self._later)
        self.measures.said.connect(lambda text, bad: panel.message.say(text, problem=bad))
        self.work.counter.ended.connect(self._on_counted)
        standard = QKeySequence.StandardKey
        back = Qt.Key.Key_Backspace  # the only one of a Mac's small keyboard that deletes
        for keys, home, action in (
            (standard.Undo, self, self.undo), (standard.Redo, self, self.redo),
            (standard.Delete, panel.classes, self.delete_classes),
            (standard.Delete, panel.objects, self.delete_objects),
            (back, panel.classes, self.delete_classes), (back, panel.objects, self.delete_objects),
        ):  # fmt: skip
            shortcut = QShortcut(QKeySequence(keys), home)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(action)
        self.events.follow(self._refresh_layers, *layers_of(self.viewer))
        self.panel.labels.follow(self.viewer, self.events)

    def _watch(self, layer: Labels | None) -> None:
        """Show another layer; None for none."""
        self.panel.only.setChecked(False)
        if self.layer is not None:
            self.layer.events.selected_label.disconnect(self._on_selected)
        self._chosen = set()
        self.work.watch(layer)
        self.measures.watch()
        if layer is not None:
            self._label = int(layer.selected_label)
            layer.events.selected_label.connect(self._on_selected)
        self.panel.message.say("" if layer is not None else NO_LAYER, problem=layer is None)
        self.refresh()

    def _do(self, command: NameCommand, choose: str = "") -> None:
        """Make a change, say what it was, and show the class it led to."""
        with self.reporting():
            with busy():  # millions of pixels take seconds
                change = self.work.do(command)
            if choose:
                self._chosen = {clean_name(choose)}
            self.refresh()
            if change is None:
                self.panel.message.say("nothing to change")
                return
            self.panel.message.say(f"done: {change.title}{_hint(self.work.classes)}")

    def _travel(self, act: Callable[[], str], said: str) -> None:
        with self.reporting():
            with busy():
                title = act()
            self.refresh()
            self.panel.message.say(f"{said}: {title}" if title else "there is nothing more")

    def _show_classes(self, classes: Mapping[str, Sequence[int]], palette: Palette) -> None:
        panel = self.panel
        rows = [ClassRow(name, len(ids), palette.of(name)) for name, ids in classes.items()]
        panel.classes.source.show(rows)
        self._chosen &= set(classes)
        panel.classes.choose(lambda row: row.name in self._chosen)

    def _show_objects(self, classes: Mapping[str, Sequence[int]]) -> None:
        panel, table, found = self.panel, self.work.table, self.work.found
        ids = sorted(i for name in self._chosen or classes for i in classes[name])
        kept = set(self.chosen_objects)
        panel.objects.source.show_measures(self.measures.titles)
        panel.objects.source.show([self._row(i, table[i], found.get(i)) for i in ids])
        panel.objects.choose(lambda row: row.label_id in kept)
        measuring = bool(self.measures.titles)  # a narrow dock has no room for all columns
        panel.objects.setColumnHidden(SCORE, measuring)
        flat = self.layer is None or self.layer.ndim < 3
        panel.objects.setColumnHidden(PLANE, measuring or flat)
        panel.heading.setText(_heading(len(ids), self._chosen))
        if panel.only.isChecked():
            self._show_only()

    def _row(self, label_id: int, record: ObjectRecord, found: Found | None) -> ObjectRow:
        measured = {} if found is None else self.measures.of(label_id, found.index)
        return ObjectRow(label_id, record, found, measured)

    def _show_choice(self) -> None:
        self.panel.show_choice(len(self.panel.classes.chosen), len(self.panel.objects.chosen))

    def _show_undo(self) -> None:
        if self.layer is None:
            self.panel.show_undo("", "")
        else:
            history = self.work.document.history
            self.panel.show_undo(history.undo_title, history.redo_title)

    def _show_only(self) -> None:
        if self.layer is None:
            return
        rows = self.panel.objects.source.rows
        shown = {row.label_id for row in rows} if self.panel.only.isChecked() else None
        self.work.colouring.only(shown)

    def _on_classes(self) -> None:
        if not self._quiet:
            self._chosen = set(self.chosen_classes)
            self.refresh()

    def _on_object(self) -> None:
        row = self.panel.objects.current
        if not self._quiet and row is not None:
            self.go_to(row.label_id)

    def _on_selected(self, event: Event) -> None:
        """Napari's own picker chose a label: it is shown in the table."""
        label_id = int(event.source.selected_label)
        former, self._label = self._label, label_id
        if self._quiet or label_id == former:  # napari also tells when only the colours change
            return
        if all(row.label_id != label_id for row in self.panel.objects.source.rows):
            return
        self._quiet = True
        self.panel.objects.choose(lambda row: row.label_id == label_id)
        self._quiet = False
        self._show_choice()

    def _on_colours(self, by_class: bool) -> None:
        if not self._quiet and self.layer is not None:
            self.work.colouring.by_class(by_class)

    def _on_counted(self, outcome: str) -> None:
        if outcome:
            said = "stopped; press Count again to continue" if outcome == "stopped" else outcome
            self.panel.message.say(said, problem=outcome != "stopped")

    def _later(self, _: object = None) -> None:
        """Refresh once Qt has nothing else to do, however often this is asked for."""
        if not self.is_released and not self._quiet:
            self._soon.start()

    def _refresh_layers(self, _: object = None) -> None:
        self.measures.image.offer(self.viewer)
        if self.layer is None or self.layer is not self.panel.labels.layer:
            self._watch(self.panel.labels.layer)


def _hint(classes: Iterable[str]) -> str:
    """A word on classes that are easily taken for one."""
    alike = look_alikes(classes)
    return f"; {' and '.join(map(quoted, alike[0]))} differ in capitals only" if alike else ""


def _heading(count: int, chosen: Collection[str]) -> str:
    names = " and ".join(quoted(name) for name in sorted(chosen)[:2])
    more = f" and {len(chosen) - 2} more" if len(chosen) > 2 else ""
    return f"{counted(count)} of {names}{more}" if chosen else counted(count)
