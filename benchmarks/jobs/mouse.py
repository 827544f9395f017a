"""Raw mouse events on the canvas and the widgets of a shown napari window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication, QScrollArea, QWidget

if TYPE_CHECKING:
    from napari import Viewer

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NONE = Qt.MouseButton.NoButton
PLAIN, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
CTRL = Qt.KeyboardModifier.ControlModifier
MOVE, PRESS = QEvent.Type.MouseMove, QEvent.Type.MouseButtonPress
RELEASE, DOUBLE = QEvent.Type.MouseButtonRelease, QEvent.Type.MouseButtonDblClick
NOTCH = 120
"""What Qt counts for one notch of a wheel."""

Pair = Sequence[float]


def send(
    widget: QWidget, kind: QEvent.Type, at: QPointF, button: Qt.MouseButton,
    buttons: Qt.MouseButton, modifiers: Qt.KeyboardModifier = PLAIN,
) -> None:  # fmt: skip
    """Send one mouse event to a widget, at a position in its own pixels."""
    everywhere = QPointF(widget.mapToGlobal(at.toPoint()))
    event = QMouseEvent(kind, at, everywhere, button, buttons, modifiers)
    if kind == PRESS:
        _take_focus(widget)
    QApplication.sendEvent(widget, event)
    QApplication.processEvents()


def _take_focus(widget: QWidget) -> None:
    """Move the focus as Qt does for a real press: to the first widget upwards that takes clicks."""
    at: Any = widget
    while at is not None and not at.isWindow():
        if at.isEnabled() and at.focusPolicy().value & Qt.FocusPolicy.ClickFocus.value:
            at.setFocus(Qt.FocusReason.MouseFocusReason)
            return
        at = at.parentWidget()


def press_widget(
    widget: QWidget, at: QPoint | None = None, modifiers: Qt.KeyboardModifier = PLAIN
) -> None:
    """Click on a widget with the left button, in its middle or at a position of its own."""
    where = QPointF(at or widget.rect().center())
    send(widget, MOVE, where, NONE, NONE)
    send(widget, PRESS, where, LEFT, LEFT, modifiers)
    send(widget, RELEASE, where, LEFT, NONE, modifiers)


def is_reachable(widget: QWidget) -> bool:
    """Whether the middle of a widget is on the screen, with nothing in front of it."""
    middle = widget.rect().center()
    if not widget.isVisible() or not widget.visibleRegion().contains(middle):
        return False
    screen = QApplication.primaryScreen().geometry()
    return bool(screen.contains(widget.mapToGlobal(middle)))


def scroll_to(widget: QWidget) -> bool:
    """Turn the wheel over the page that holds a widget until it is seen; whether it was turned."""
    page: Any = widget.parentWidget()
    while page is not None and not isinstance(page, QScrollArea):
        page = page.parentWidget()
    if page is None or is_reachable(widget):
        return False
    view = page.viewport()
    for _ in range(60):
        below = widget.mapTo(view, widget.rect().center()).y() > view.height() / 2
        step = QPoint(0, -NOTCH if below else NOTCH)
        middle = QPointF(view.rect().center())
        event = QWheelEvent(
            middle, QPointF(view.mapToGlobal(view.rect().center())), QPoint(), step, NONE, PLAIN,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(view, event)
        QApplication.processEvents()
        if is_reachable(widget):
            break
    return True


class Mouse:
    """Presses, moves and releases at (row, column) of the world that the canvas shows."""

    def __init__(self, viewer: Viewer) -> None:
        self.canvas: Any = viewer.window._qt_viewer.canvas  # napari tells of no other way to it

    def reaches(self, at: Pair) -> bool:
        """Whether a position is on the canvas."""
        x, y = self.pixel(at)
        return 1 < x < self.canvas.native.width() - 1 and 1 < y < self.canvas.native.height() - 1

    def hover(self, at: Pair) -> None:
        """Move to a position with no button held."""
        self._send(MOVE, at, NONE, NONE)

    def click(
        self, at: Pair, button: Qt.MouseButton = LEFT, modifiers: Qt.KeyboardModifier = PLAIN
    ) -> None:
        """Press and release a button at a position."""
        self.trace([at], button, modifiers)

    def double_click(self, at: Pair) -> None:
        """Click twice at a position."""
        self.click(at)
        self._send(DOUBLE, at, LEFT, LEFT)
        self._send(RELEASE, at, LEFT, NONE)

    def drag(self, start: Pair, stop: Pair, button: Qt.MouseButton = LEFT) -> None:
        """Move from one position to the other with a button held."""
        shares = np.linspace(0, 1, 8)[:, None]
        self.trace(np.multiply(start, 1 - shares) + np.multiply(stop, shares), button)

    def trace(
        self, path: Any, button: Qt.MouseButton = LEFT, modifiers: Qt.KeyboardModifier = PLAIN
    ) -> None:
        """Move along a path, array (N, 2), with a button held."""
        self.hover(path[0])
        self._send(PRESS, path[0], button, button, modifiers)
        for at in path[1:]:
            self._send(MOVE, at, NONE, button, modifiers)
        self._send(RELEASE, path[-1], button, NONE, modifiers)

    def _send(
        self, kind: QEvent.Type, at: Pair, button: Qt.MouseButton, buttons: Qt.MouseButton,
        modifiers: Qt.KeyboardModifier = PLAIN,
    ) -> None:  # fmt: skip
        where = QPointF(*self.pixel(at))
        send(self.canvas.native, kind, where, button, buttons, modifiers)

    def pixel(self, at: Pair) -> tuple[float, float]:
        """Return (x, y) of a world position in pixels of the canvas."""
        mapped = self.canvas.view.scene.transform.map([at[1], at[0], 0, 1])
        x, y = mapped[:2] / mapped[3] + np.array(self.canvas.view.pos)
        return float(x), float(y)
