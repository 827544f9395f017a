"""The class that commits belong to, and the classes that can be chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap, QWheelEvent
from qtpy.QtWidgets import QComboBox, QCompleter, QLineEdit

from ....edits import NO_CLASS
from ....labels.document import LabelDocument
from ....labels.plans import clean_name
from ....palette import Palette

if TYPE_CHECKING:
    from ..annotator import Annotator

NONE = "no class"
SWATCH = 12
"""Pixels of a swatch along each side."""


class Classes(QObject):
    """The active class: what is committed belongs to it until another is chosen.

    Parameters
    ----------
    annotator : Annotator

    Attributes
    ----------
    changed : Signal()
        Another class is active, or others can be chosen.
    active : str
        "" for none.
    """

    changed = Signal()

    def __init__(self, annotator: Annotator) -> None:
        super().__init__(annotator)
        self._annotator = annotator
        self.active = NO_CLASS
        self._used: list[str] = []
        self._palette = Palette()

    @property
    def names(self) -> list[str]:
        """The classes that can be chosen, those used last first, "" for none at the end."""
        others = [name for name in self._palette.colours if name not in self._used]
        return [*self._used, *others, NO_CLASS]

    @property
    def colours(self) -> Mapping[str, str]:
        """The colour of each, "#rrggbb"; of the labels that are written to where these have one."""
        return self._palette.colours

    def choose(self, name: str) -> None:
        """Choose a class, known or new; "" for none.

        Raises
        ------
        InvalidName
            The name is too long.
        """
        self.active = clean_name(name) if name.strip() else NO_CLASS
        self._palette = self._palette.with_classes([self.active])
        self.changed.emit()

    def step(self) -> None:
        """Choose the next class of the list."""
        names = self.names
        self.choose(names[(names.index(self.active) + 1) % len(names)])

    def note_use(self, name: str) -> None:
        """An object of a class was written: the class is the first of the list."""
        if name and self._used[:1] != [name]:
            self._used = [name, *(one for one in self._used if one != name)]
            self._palette = self._palette.with_classes([name])
            self.changed.emit()

    def colour_in(self, document: LabelDocument, name: str) -> str:
        """The colour that a class is to have in labels; "" where they have one or may choose."""
        known = document.host.palette.colours
        colour = self._palette.colours.get(name, "")
        return "" if name in known or colour in known.values() else colour

    def follow(self, palette: Palette) -> None:
        """Offer the classes of labels, too, in their colours there."""
        known = {**self._palette.colours, **palette.colours}
        if known != self._palette.colours:
            self._palette = Palette(colours=known)
            self.changed.emit()


class ClassBox(QComboBox):
    """A list of classes with their colours, in which a new one can be typed.

    Attributes
    ----------
    chosen : Signal(str)
        The name of a class; "" for none.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        edit = QLineEdit()
        self.setLineEdit(edit)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        edit.setPlaceholderText(NONE)
        edit.editingFinished.connect(self._on_typed)
        edit.returnPressed.connect(edit.clearFocus)
        self.activated.connect(self._on_typed)
        completer: QCompleter | None = self.completer()
        if completer is not None:  # Enter takes what was typed, not what begins like it
            completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self._active = NO_CLASS

    def offer(self, names: Sequence[str], colours: Mapping[str, str], active: str) -> None:
        """Offer classes and show the active one, without announcing it."""
        self._active = active
        self.blockSignals(True)
        self.clear()
        for name in names:
            self.addItem(_swatch(colours.get(name, "")), name or NONE)
        self.setCurrentIndex(list(names).index(active))
        if not active:
            self.clearEditText()
        self.blockSignals(False)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Leave the wheel to the page: a class is not chosen by accident."""
        if event is not None:
            event.ignore()

    def _on_typed(self, _: int = 0) -> None:
        name = self.currentText().strip()
        name = NO_CLASS if name == NONE else name
        if name != self._active:
            self.chosen.emit(name)


def _swatch(colour: str) -> QIcon:
    picture = QPixmap(SWATCH, SWATCH)
    picture.fill(QColor(colour) if colour else Qt.GlobalColor.transparent)
    return QIcon(picture)
