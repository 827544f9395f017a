"""Keys for the canvas: a dock that was used by the mouse gives the keyboard back.

In a list a key that a dock has does what it is for, and does not search the list as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent
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

if TYPE_CHECKING:
    from napari.components import ViewerModel

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

    def __init__(self, widget: QWidget, viewer: ViewerModel) -> None:
        super().__init__(widget)
        self._widget, self._viewer = widget, viewer
        self._list: QWidget | None = None
        app: Any = QApplication.instance()
        app.focusChanged.connect(self._on_focus)
        self.look()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Pass keys of docks from a list on to the viewer."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        text = "" if event.modifiers() else event.text()
        if text and is_claimed(unwrap(self._viewer), text):
            event.ignore()
            return True
        return False

    def look(self) -> None:
        """Look for widgets that are new."""
        for kind in (QAbstractButton, QComboBox, QAbstractSlider, QLineEdit):
            for child in self._widget.findChildren(kind):
                if not child.property(CONNECTED):
                    child.setProperty(CONNECTED, True)
                    self._follow(child)

    def _follow(self, child: QObject) -> None:
        if isinstance(child, QAbstractButton):
            child.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            child.pressed.connect(self._by_mouse)
            child.clicked.connect(self._by_keyboard)
        elif isinstance(child, QComboBox):
            child.activated.connect(self._give)
        elif isinstance(child, QAbstractSlider):
            child.sliderReleased.connect(self._give)
        elif isinstance(child, QLineEdit):
            child.returnPressed.connect(self._give)

    def _on_focus(self, _: object, focused: QWidget | None) -> None:
        """Listen to a list of the dock, or that of the layers, for as long as it has the focus."""
        if self._list is not None and isalive(self._list):
            self._list.removeEventFilter(self)
        mine = isinstance(focused, (QComboBox, QAbstractItemView)) and (
            self._widget.isAncestorOf(focused) or focused is layer_list_of(self._viewer)
        )
        self._list = focused if mine else None
        if self._list is not None:
            self._list.installEventFilter(self)

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
