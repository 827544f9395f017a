"""The list of pixel classes: the chosen one is what the brush paints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem

from .._shared.events import later

if TYPE_CHECKING:
    from ...viewer.pixels.teaching import TaughtClass

SWATCH = 14
"""Pixels of a swatch along each side."""
LINES, MOST_LINES = 4, 5
"""Classes that there is room for, and at most."""
NAME = Qt.ItemDataRole.UserRole


Offer = tuple[list["TaughtClass"], dict[str, int]]


class ClassList(QListWidget):
    """Names of classes with their colours; a double click renames one.

    Attributes
    ----------
    chosen : Signal(str)
        A person chose a class.
    renamed : Signal(str, str)
        What a class was called, and what a person typed.
    """

    chosen = Signal(str)
    renamed = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        line = self.fontMetrics().height() + 8
        self.setMinimumHeight(LINES * line)
        self.setMaximumHeight(MOST_LINES * line)
        self._shown: Offer = ([], {})
        self._wanted: Offer = ([], {})
        self._next = ""
        self._soon = later(self, 0, self._offer)
        delegate: Any = self.itemDelegate()
        delegate.closeEditor.connect(self._on_typed)
        self.currentItemChanged.connect(self._on_current)
        self.itemClicked.connect(self._on_current)
        self.itemChanged.connect(self._on_changed)

    @property
    def current(self) -> str:
        """The chosen class; "" for none."""
        item = self.currentItem()
        return "" if item is None else str(item.data(NAME))

    def offer(self, classes: Sequence[TaughtClass], strokes: dict[str, int]) -> None:
        """Show classes, the chosen one as before; `strokes` counts the painted pixels of each.

        While a name is typed they are shown once that is done.
        """
        self._wanted = list(classes), dict(strokes)
        if self.state() != QAbstractItemView.State.EditingState:
            self._offer()

    def _offer(self) -> None:
        (classes, strokes), current = self._wanted, self._next or self.current
        if self._wanted == self._shown:
            return
        self._shown = self._wanted
        self.blockSignals(True)
        self.clear()
        for one in classes:
            item = QListWidgetItem(_swatch(one.colour), one.name)
            item.setData(NAME, one.name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
            painted = strokes.get(one.name, 0)
            item.setToolTip(f"{painted:,} painted pixels" if painted else "No strokes yet")
            self.addItem(item)
        if not self._put(current):
            self.setCurrentRow(0)
        self.blockSignals(False)

    def choose(self, name: str) -> None:
        """Show a class as chosen, without announcing it; one that is not listed yet, once it is."""
        self._next = name
        self.blockSignals(True)
        self._put(name)
        self.blockSignals(False)

    def type_name(self) -> None:
        """Let the name of the chosen class be typed."""
        item = self.currentItem()
        if item is not None:
            self.editItem(item)

    def _put(self, name: str) -> bool:
        """Choose a class, if it is listed; whether it is."""
        items = map(self.item, range(self.count()))
        names = [item.data(NAME) for item in items if item is not None]
        if name in names:
            self._next = ""
            self.setCurrentRow(names.index(name))
        return name in names

    def _on_current(self, *_: object) -> None:
        if self.current:
            self.chosen.emit(self.current)

    def _on_typed(self, *_: object) -> None:
        self._shown = [], {}  # what was typed may be refused
        self._soon.start()

    def _on_changed(self, item: QListWidgetItem) -> None:
        old, new = str(item.data(NAME)), item.text()
        if new != old:
            self.renamed.emit(old, new)


def _swatch(colour: str) -> QIcon:
    picture = QPixmap(SWATCH, SWATCH)
    picture.fill(QColor(colour))
    return QIcon(picture)
