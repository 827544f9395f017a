"""Keys for the canvas: a dock that was used by the mouse gives the keyboard back.

In a list a key that a dock has does what it is for, and does not search the list as well.
"""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QApplication,
    QComboBox,
    QLineEdit,
    QWidget,
)

from ...viewer.private import canvas_of, layer_list_of, unwrap
from .keys import is_claimed

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
        layer_list = layer_list_of(viewer)
        if layer_list is not None:
            layer_list.installEventFilter(self)
        self.look()

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Pass keys of docks from a list on to the viewer."""
        plain = event.type() == QEvent.Type.KeyPress and not event.modifiers()
        if plain and event.text() and is_claimed(unwrap(self._viewer), event.text()):
            event.ignore()
            return True
        return False

    def look(self) -> None:
        """Look for widgets that are new."""
        for kind in (QAbstractButton, QComboBox, QAbstractSlider, QLineEdit, QAbstractItemView):
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
            child.installEventFilter(self)
        elif isinstance(child, QAbstractItemView):
            if child.window() is self._widget.window():  # not the list that a box opens
                child.installEventFilter(self)
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
