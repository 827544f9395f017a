"""Keys for the canvas: a dock that was used by the mouse gives the keyboard back."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QApplication,
    QComboBox,
    QLineEdit,
    QWidget,
)

from ...viewer.private import canvas_of

CONNECTED = "gives keys back"
"""Property of the widgets that give the keyboard back."""


class KeysToCanvas(QObject):
    """Gives the keyboard to the canvas after a button, a choice, a slider or Enter in a field.

    A slot of the button may still give it to a field, such as one that is to be filled in.

    Parameters
    ----------
    widget : QWidget
        With everything in it.
    viewer : Viewer
    """

    def __init__(self, widget: QWidget, viewer: Any) -> None:
        super().__init__(widget)
        self._widget, self._viewer = widget, viewer
        self.look()

    def look(self) -> None:
        """Look for widgets that are new."""
        for kind in (QAbstractButton, QComboBox, QAbstractSlider, QLineEdit):
            for child in self._widget.findChildren(kind):
                if not child.property(CONNECTED):
                    child.setProperty(CONNECTED, True)
                    self._follow(child)

    def _follow(self, child: Any) -> None:
        if isinstance(child, QAbstractButton):
            child.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            child.pressed.connect(self._by_mouse)
            child.clicked.connect(self._by_keyboard)
        elif isinstance(child, QComboBox):
            child.activated.connect(self._give)
        elif isinstance(child, QAbstractSlider):
            child.sliderReleased.connect(self._give)
        else:
            child.returnPressed.connect(self._give)

    def _by_mouse(self) -> None:
        """Before the button does its work, so that this has the last word."""
        if self.sender() is not QApplication.focusWidget():
            self._give()

    def _by_keyboard(self) -> None:
        if self.sender() is QApplication.focusWidget():
            self._give()

    def _give(self, *_: object) -> None:
        canvas = canvas_of(self._viewer)
        if canvas is not None:
            canvas.setFocus(Qt.FocusReason.OtherFocusReason)
