"""Small widgets that several docks are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QWidget,
)

from ...errors import NapariSeemError
from ...viewer.stacks import axis_name, stack_axes

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image

MOST_SUGGESTIONS = 6


def row(*widgets: QWidget, stretch: int | None = None) -> QHBoxLayout:
    """Widgets side by side: all but labels grow; with `stretch`, only the one of that number."""
    layout = QHBoxLayout()
    for number, widget in enumerate(widgets):
        grows = not isinstance(widget, QLabel) if stretch is None else number == stretch
        layout.addWidget(widget, int(grows))
    return layout


def form_layout() -> QFormLayout:
    """Named fields, one to a line, that grow to the width of the dock on every system."""
    form = QFormLayout()
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form


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
    """First and last plane of a stack, both included."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = QSpinBox(), QSpinBox()
        layout = row(self.first, QLabel("to"), self.last)
        layout.setContentsMargins(0, 0, 0, 0)
        self.setLayout(layout)

    def offer(self, count: int) -> None:
        """Offer the planes of a stack of `count`; a choice that still fits stays."""
        whole = self.first.value() == 0 and self.last.value() in (self.last.maximum(), 0)
        for box in (self.first, self.last):
            box.setRange(0, max(0, count - 1))
        if whole or self.last.value() < self.first.value():
            self.first.setValue(0)
            self.last.setValue(max(0, count - 1))


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
