"""A person at a napari window: every action is counted, every wait is timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.compat import isalive
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QDialogButtonBox,
    QFileDialog,
    QLineEdit,
    QMenu,
    QRadioButton,
    QWidget,
)

from . import screen
from .mouse import LEFT, PLAIN, Mouse, Pair, is_reachable, press_widget, scroll_to

if TYPE_CHECKING:
    from napari import Viewer

PATIENCE = 240.0
"""Seconds of waiting after which a job counts as failed."""


class Hand:
    """Does what a person does with mouse and keyboard, by what the screen shows.

    Parameters
    ----------
    viewer : napari.Viewer
        Shown.
    photos : Path, optional
        Folder for pictures of the window.

    Attributes
    ----------
    actions : int
        Actions so far.
    program : float
        Seconds for which the program worked on them.
    stumbles : list of str
        What had to be done besides, such as scrolling to a button.
    """

    def __init__(self, viewer: Viewer, photos: Path | None = None) -> None:
        self.viewer, self.mouse = viewer, Mouse(viewer)
        self.window: Any = viewer.window._qt_window
        self.actions, self.program = 0, 0.0
        self.stumbles: list[str] = []
        self._photos = photos

    def click(
        self, at: Pair, button: Any = LEFT, modifiers: Any = PLAIN, wait: bool = True
    ) -> None:
        """Click on the canvas at (row, column) of the shown world."""
        if not self.mouse.reaches(at):
            self._home()
        with self._action(wait):
            self.mouse.click(at, button, modifiers)

    def trace(self, path: Any, button: Any = LEFT, modifiers: Any = PLAIN) -> None:
        """Drag on the canvas along a path of shown world positions, array (N, 2)."""
        if not all(self.mouse.reaches(at) for at in path):
            self._home()
        with self._action():
            self.mouse.trace(np.asarray(path, float), button, modifiers)

    def key(self, key: Any, modifiers: Any = PLAIN, wait: bool = True) -> None:
        """Press a key where the focus is."""
        with self._action(wait):
            QTest.keyClick(QApplication.focusWidget() or self.window, key, modifiers)

    def press(self, text: str, dock: str = "", then: Callable[[], None] | None = None) -> None:
        """Press the button whose text begins so; `then` answers the dialog that it opens."""
        button = screen.button(self.viewer, text, dock)
        self._reach(button, text)
        with self._action():
            if not button.isEnabled():
                raise screen.Stuck(f"the button '{text}' is greyed out")
            if then is not None:
                then()
            press_widget(button, screen.target(button))

    def tap(self, widget: QWidget, at: QPoint | None = None) -> None:
        """Click on a widget, in its middle or at a position of its own pixels."""
        self._reach(widget, widget.objectName() or type(widget).__name__)
        with self._action():
            press_widget(widget, at)

    def choose(self, box: QComboBox, text: str) -> None:
        """Open a combo box and click on an entry: two actions."""
        self._reach(box, text)
        with self._action():
            press_widget(box)
        view = box.view()
        row = next((i for i in range(box.count()) if box.itemText(i) == text), -1)
        if row < 0:
            entries = [box.itemText(i) for i in range(box.count())]
            raise screen.Stuck(f"'{text}' is not among {entries}")
        with self._action():
            index = box.model().index(row, box.modelColumn())
            view.scrollTo(index)
            press_widget(view.viewport(), view.visualRect(index).center())
        if box.currentText() != text:
            raise screen.Stuck(f"'{text}' was clicked on, and '{box.currentText()}' is chosen")

    def type(self, field: QWidget, text: str, enter: bool = True) -> None:
        """Fill a field: one action, with the click into it and Enter after it."""
        self._reach(field, text)
        with self._action():
            inner = field.findChild(QLineEdit) or field
            press_widget(inner)
            inner.setFocus()
            QTest.keyClick(inner, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
            QTest.keyClicks(inner, text)
            if enter:
                QTest.keyClick(inner, Qt.Key.Key_Return)

    def menu(self, *titles: str, then: Callable[[], None] | None = None) -> None:
        """Click through the menus of the window: an action a title."""
        where: Any = self.window.menuBar()
        for title in titles:
            QApplication.processEvents()
            found = [
                a for a in where.actions() if screen.plain(a.text()) == title and a.isVisible()
            ]
            if not found:
                raise screen.Stuck(
                    f"no '{title}' among {[screen.plain(a.text()) for a in where.actions()]}"
                )
            action, place = found[0], where
            with self._action():
                if title == titles[-1] and then is not None:
                    then()
                press_widget(place, place.actionGeometry(action).center())
            where = action.menu()
        for left in self.window.findChildren(QMenu):
            left.close()

    def drop(self, *paths: Path) -> None:
        """Drag files from the desktop onto the canvas."""
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        target = self.viewer.window._qt_viewer
        place, copy = QPointF(target.rect().center()), Qt.DropAction.CopyAction
        with self._action():
            watch = QTimer()
            watch.timeout.connect(self._choose_reader)
            watch.start(100)
            enter = QDragEnterEvent(place.toPoint(), copy, data, LEFT, PLAIN)
            QApplication.sendEvent(target, enter)
            QApplication.sendEvent(target, QDropEvent(place, copy, data, LEFT, PLAIN))
            watch.stop()

    def _choose_reader(self) -> None:
        """Where napari asks which reader to take, take ours and press OK: two actions."""
        dialog = QApplication.activeModalWidget()
        if dialog is None or type(dialog).__name__ != "QtReaderDialog":
            return
        choices = {button.text(): button for button in dialog.findChildren(QRadioButton)}
        self.note(f"napari asked which reader to take: {', '.join(choices)}", 2)
        ours = next((b for text, b in choices.items() if "SEEM" in text), None)
        if ours is not None:
            press_widget(ours, screen.target(ours))
        press_widget(dialog.findChild(QDialogButtonBox).buttons()[0])

    def answering(self, path: Path) -> Callable[[], None]:
        """What types a file name into the file dialog that is about to open: one action."""

        def answer() -> None:
            dialog = QApplication.activeModalWidget()
            if not isinstance(dialog, QFileDialog):
                QTimer.singleShot(50, answer)
                return
            self.actions += 1
            QTimer.singleShot(200, lambda: _fill(dialog, path))

        return lambda: QTimer.singleShot(50, answer)

    def go_to(self, number: int) -> None:
        """Type the number of a plane beside the slider."""
        slider: Any = self.viewer.window._qt_viewer.dims.slider_widgets[0]
        self.type(slider.curslice_label, str(number))

    def _wait(self) -> None:
        """Wait until the program has nothing more to do."""
        start, quiet = time.perf_counter(), 0
        while quiet < 3:
            QApplication.processEvents()
            quiet = 0 if self._is_busy() else quiet + 1
            time.sleep(0.005)
            if time.perf_counter() - start > PATIENCE:
                raise screen.Stuck(f"the program was not ready after {PATIENCE:.0f} s")

    def settle(self) -> None:
        """Wait, as the program's time, for what was asked for without waiting."""
        with self._timed():
            self._wait()

    def rest(self, seconds: float) -> None:
        """Do nothing for a while, as a person does between two actions; the program goes on."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            QApplication.processEvents()
            time.sleep(0.002)

    def photo(self, name: str) -> None:
        """Keep a picture of the window."""
        if self._photos is not None:
            QApplication.processEvents()
            self.window.grab().save(str(self._photos / f"{name}.png"))

    def note(self, what: str, actions: int = 0) -> None:
        """Remember something that got in the way."""
        self.stumbles.append(what)
        self.actions += actions

    def _home(self) -> None:
        """Press the house below the layer list, as what is wanted is out of view."""
        self.note("pressed Home: what was wanted was out of view")
        with self._action():
            press_widget(self.viewer.window._qt_viewer.viewerButtons.resetViewButton)
        self.rest(0.2)

    def _reach(self, widget: QWidget, text: str) -> None:
        """See to it that a widget is seen: by the tab of its dock, or by scrolling there."""
        tab = screen.tab_of(widget)
        if tab is not None:
            with self._action():
                press_widget(*tab)
        if is_reachable(widget):
            return
        with self._timed():
            scrolled = scroll_to(widget)
        if scrolled:
            self.note(f"scrolled to '{text}'", 1)
        if not is_reachable(widget):
            self.note(f"'{text}' is off the screen")

    def _is_busy(self) -> bool:
        from napari_seem.widgets._shared.background.runner import LatestRunner
        from napari_seem.widgets._shared.background.steps import Steps

        roots = (self.window, QApplication.instance())
        return any(r.busy for root in roots for r in root.findChildren(LatestRunner)) or any(
            s.running for s in self.window.findChildren(Steps)
        )

    @contextmanager
    def _action(self, wait: bool = True) -> Iterator[None]:
        self.actions += 1
        if QApplication.activeWindow() is None:  # a window manager would see to that
            self.window.activateWindow()
            self.rest(0.2)
        with self._timed():
            yield
            QApplication.processEvents()
            if wait:
                self._wait()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.program += time.perf_counter() - start


def _fill(dialog: QFileDialog, path: Path) -> None:
    """Type a file name into a dialog, again where its list of the folder came in between."""
    if not (isalive(dialog) and dialog.isVisible()):
        return
    QTimer.singleShot(500, lambda: _fill(dialog, path))
    field = dialog.findChild(QLineEdit, "fileNameEdit")
    field.selectAll()
    QTest.keyClicks(field, str(path))
    completer = field.completer()
    if completer is not None:
        completer.popup().hide()
    field.setText(str(path))  # what the list of suggestions made of it
    QTest.keyClick(field, Qt.Key.Key_Return)
