"""Small widgets that several docks are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from magicgui.widgets import CheckBox
from qtpy.QtCore import QStringListModel, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QCompleter,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)

from ...errors import FileTrouble, NapariSeemError
from ...models.in_context import Kind
from ...viewer.stacks import axis_name, stack_axes
from .message import keys_here

if TYPE_CHECKING:
    from magicgui.widgets import Widget
    from napari.components import Dims
    from napari.layers import Image

MOST_SUGGESTIONS = 6
ID_KINDS: dict[str, Kind] = {
    "classes: ids are kept": "semantic", "objects of one kind, numbered": "instance",
}  # fmt: skip
"""What the ids of labels may be, by words for people."""


def with_ending(path: Path, ending: str) -> Path:
    """A path that a person typed, with its ending.

    Raises
    ------
    FileTrouble
        There is a file of that name, of which the dialog could not ask whether to replace it.
    """
    full = path if path.suffix == ending else path.with_suffix(ending)
    if full != path and full.exists():
        raise FileTrouble(
            f"there is a file '{full}' already; choose it by its whole name to replace it"
        )
    return full


def without_arguments(slot: Callable[[], object]) -> Callable[..., None]:
    """A slot that ignores what a signal or a key carries, and gives nothing back."""

    def call(*_: object) -> None:
        slot()

    return call


def on_click(pairs: Iterable[tuple[QPushButton, Callable[[], object]]]) -> None:
    """Let each button call its slot."""
    for button, slot in pairs:
        button.clicked.connect(without_arguments(slot))


def set_tips(pairs: Iterable[tuple[QWidget, str]]) -> None:
    """Give each widget its tooltip."""
    for widget, tip in pairs:
        widget.setToolTip(keys_here(tip))


def row(*widgets: QWidget, stretch: int | None = None) -> QHBoxLayout:
    """Widgets side by side: all but labels grow; with `stretch`, only the one of that number."""
    layout = QHBoxLayout()
    for number, widget in enumerate(widgets):
        grows = not isinstance(widget, QLabel) if stretch is None else number == stretch
        layout.addWidget(widget, int(grows))
    return layout


def form(*fields: tuple[str, QWidget | QLayout] | Widget) -> QFormLayout:
    """Named widgets or layouts, or magicgui's widgets with their labels, one to a line."""
    layout = QFormLayout()
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for field in fields:
        if isinstance(field, tuple):
            name, inner = field
            layout.addRow(name, inner)
        else:
            named = not isinstance(field, CheckBox)  # which writes its label itself
            layout.addRow(field.label if named else "", field.native)
    return layout


def offer_completions(field: QLineEdit, words: QStringListModel) -> None:
    """Offer words while something is typed that they hold."""
    completer = QCompleter(words, field)
    completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
    completer.setFilterMode(Qt.MatchFlag.MatchContains)
    field.setCompleter(completer)


class WordButtons(QGridLayout):
    """Words offered as buttons, two in a row.

    Attributes
    ----------
    chosen : Signal(str)
    """

    chosen = Signal(str)

    def offer(self, words: Sequence[str]) -> None:
        """Offer these words, at most `MOST_SUGGESTIONS`, instead of the former ones."""
        while self.count():
            item = self.takeAt(0)
            button = item.widget() if item is not None else None
            if button is not None:
                button.setParent(None)  # at once, deleting waits for the event loop
                button.deleteLater()
        for number, word in enumerate(words[:MOST_SUGGESTIONS]):
            choice = QPushButton(word)
            choice.setFlat(True)
            choice.clicked.connect(lambda _=False, word=word: self.chosen.emit(word))
            self.addWidget(choice, number // 2, number % 2)


class PlaneRange(QWidget):
    """First and last plane of a stack as the slider numbers them, both included."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers: list[int] = [0]
        self.first, self.last = QSpinBox(), QSpinBox()
        layout = row(self.first, QLabel("to"), self.last)
        layout.setContentsMargins(0, 0, 0, 0)
        self.setLayout(layout)

    @property
    def within(self) -> tuple[int, int]:
        """The chosen planes by their index in the array, half-open."""
        ends = [
            min(range(len(self._numbers)), key=lambda k: abs(self._numbers[k] - box.value()))
            for box in (self.first, self.last)
        ]
        return min(ends), max(ends) + 1

    def offer(self, numbers: Sequence[int]) -> None:
        """Offer planes by the slider's number of each; a choice that still fits stays."""
        lowest, highest = self.first.minimum(), self.last.maximum()
        whole = self.first.value() == lowest and self.last.value() in (highest, 0)
        self._numbers = list(numbers) or [0]
        lowest, highest = min(self._numbers), max(self._numbers)
        for box in (self.first, self.last):
            box.setRange(lowest, highest)
        if whole or self.last.value() < self.first.value():
            self.first.setValue(lowest)
            self.last.setValue(highest)


class AxisBox(QComboBox):
    """The axes along which the shown plane of an image has neighbours."""

    def __init__(self) -> None:
        super().__init__()
        self.axes: list[int] = []

    @property
    def axis(self) -> int | None:
        """The chosen axis of the image's array."""
        index = self.currentIndex()
        return self.axes[index] if 0 <= index < len(self.axes) else None

    def offer(self, image: Image | None, dims: Dims) -> bool:
        """Offer the axes of an image; whether they are others than before."""
        try:
            axes = [] if image is None else sorted(stack_axes(image, dims))
        except NapariSeemError:
            axes = []
        if axes == self.axes:
            return False
        self.axes = axes
        self.blockSignals(True)
        self.clear()
        if image is not None:
            self.addItems([axis_name(image, axis) for axis in axes])
        self.blockSignals(False)
        return True
