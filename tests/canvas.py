"""Real mouse and key events on the canvas of a shown viewer."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

LEFT, RIGHT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.NoButton
PLAIN = Qt.KeyboardModifier.NoModifier
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


class Mouse:
    """Presses, moves and releases at pixels of the image."""

    def __init__(self, viewer):
        self.canvas = viewer.window._qt_viewer.canvas

    def hover(self, at):
        self._send(QEvent.Type.MouseMove, at, NONE, NONE)

    def click(self, at, button=LEFT, modifiers=PLAIN):
        self.hover(at)
        self._send(QEvent.Type.MouseButtonPress, at, button, button, modifiers)
        self._send(QEvent.Type.MouseButtonRelease, at, button, NONE, modifiers)

    def double_click(self, at):
        self.click(at)
        self._send(QEvent.Type.MouseButtonDblClick, at, LEFT, LEFT)
        self._send(QEvent.Type.MouseButtonRelease, at, LEFT, NONE)

    def drag(self, start, stop, button=LEFT):
        shares = np.linspace(0, 1, 8)[:, None]
        self.trace(np.multiply(start, 1 - shares) + np.multiply(stop, shares), button)

    def trace(self, path, button=LEFT):
        self.hover(path[0])
        self._send(QEvent.Type.MouseButtonPress, path[0], button, button)
        for at in path[1:]:
            self._send(QEvent.Type.MouseMove, at, NONE, button)
        self._send(QEvent.Type.MouseButtonRelease, path[-1], button, NONE)

    def _send(self, kind, at, button, buttons, modifiers=PLAIN):
        mapped = self.canvas.view.scene.transform.map([at[1], at[0], 0, 1])
        x, y = mapped[:2] / mapped[3] + np.array(self.canvas.view.pos)
        native = self.canvas.native
        place = QPointF(float(x), float(y))
        everywhere = QPointF(native.mapToGlobal(place.toPoint()))
        event = QMouseEvent(kind, place, everywhere, button, buttons, modifiers)
        QApplication.sendEvent(native, event)
        QApplication.processEvents()


def press(widget, key, modifiers=PLAIN):
    """Press and release a key, such as "K", with the focus on a widget."""
    QTest.keyClick(widget, getattr(Qt.Key, f"Key_{key}"), modifiers)
    QApplication.processEvents()


def lay_out(viewer, qtbot):
    """Wait until the canvas of a viewer has its final size, its image in the middle."""
    QApplication.processEvents()
    viewer.reset_view()
    canvas, sizes = viewer.window._qt_viewer.canvas.native, []
    while len(sizes) < 3 or sizes[-1] != sizes[-3]:
        qtbot.wait(100)
        sizes.append((canvas.width(), canvas.height()))
