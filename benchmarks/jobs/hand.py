"""A person at a napari window: every action is counted, every wait is timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.compat import isalive
from qtpy.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QMenu,
    QWidget,
)

from .mouse import LEFT, PLAIN, Mouse, Pair, is_reachable, press_widget, scroll_to

if TYPE_CHECKING:
    from napari import Viewer

PATIENCE = 240.0
"""Seconds of waiting after which a job counts as failed."""


class Stuck(RuntimeError):
    """A person could not go on: what they looked for is not on the screen."""


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
        button = self._find(
            QAbstractButton, lambda b: _plain(b.text()).startswith(text), dock, text
        )
        self._reach(button, text)
        with self._action():
            if not button.isEnabled():
                raise Stuck(f"the button '{text}' is greyed out")
            if then is not None:
                then()
            press_widget(button)

    def choose(self, box: QComboBox, text: str) -> None:
        """Open a combo box and click on an entry: two actions."""
        self._reach(box, text)
        with self._action():
            press_widget(box)
        view = box.view()
        row = next((i for i in range(box.count()) if box.itemText(i) == text), -1)
        if row < 0:
            entries = [box.itemText(i) for i in range(box.count())]
            raise Stuck(f"'{text}' is not among {entries}")
        with self._action():
            index = box.model().index(row, box.modelColumn())
            view.scrollTo(index)
            press_widget(view.viewport(), view.visualRect(index).center())
        if box.currentText() != text:
            raise Stuck(f"'{text}' was clicked on, and '{box.currentText()}' is chosen")

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
            found = [a for a in where.actions() if _plain(a.text()) == title and a.isVisible()]
            if not found:
                raise Stuck(f"no '{title}' among {[_plain(a.text()) for a in where.actions()]}")
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
        with self._action():
            data = QMimeData()
            data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
            target = self.viewer.window._qt_viewer
            place = QPointF(target.rect().center())
            event = QDropEvent(place, Qt.DropAction.CopyAction, data, LEFT, PLAIN)
            target.dropEvent(event)

    def answering(self, path: Path) -> Callable[[], None]:
        """What types a file name into the file dialog that is about to open: one action."""

        def answer() -> None:
            dialog = QApplication.activeModalWidget()
            if not isinstance(dialog, QFileDialog):
                QTimer.singleShot(50, answer)
                return
            self.actions += 1
            field = dialog.findChild(QLineEdit, "fileNameEdit")
            QTest.keyClick(field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
            QTest.keyClicks(field, str(path))
            QTimer.singleShot(50, lambda: _accept(dialog))

        return lambda: QTimer.singleShot(50, answer)

    def select(self, name: str) -> None:
        """Click on a layer in the list."""
        view: Any = self.viewer.window._qt_viewer.layers
        model = view.model()
        rows = [model.index(row, 0) for row in range(model.rowCount())]
        wanted = next((i for i in rows if model.data(i, Qt.ItemDataRole.DisplayRole) == name), None)
        if wanted is None:
            raise Stuck(f"there is no layer '{name}'")
        if not view.viewport().rect().contains(view.visualRect(wanted).center()):
            self.note(f"scrolled the layer list to '{name}'", 1)
            view.scrollTo(wanted)
        with self._action():
            press_widget(view.viewport(), view.visualRect(wanted).center())

    def new_labels(self) -> None:
        """Press napari's own button for a new Labels layer."""
        with self._action():
            press_widget(self.viewer.window._qt_viewer.layerButtons.newLabelsButton)

    def go_to(self, plane: int, axis: int = 0) -> None:
        """Type a plane's number beside the dimension slider."""
        slider = self.viewer.window._qt_viewer.dims.slider_widgets[axis]
        self.type(slider.curslice_label, str(plane))

    def wait(self) -> None:
        """Wait until the program has nothing more to do."""
        start, quiet = time.perf_counter(), 0
        while quiet < 3:
            QApplication.processEvents()
            quiet = 0 if self._is_busy() else quiet + 1
            time.sleep(0.005)
            if time.perf_counter() - start > PATIENCE:
                raise Stuck(f"the program was not ready after {PATIENCE:.0f} s")

    def settle(self) -> None:
        """Wait, as the program's time, for what was asked for without waiting."""
        with self._timed():
            self.wait()

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

    def dock(self, name: str) -> Any:
        """The widget of ours in a dock of the window."""
        for title, widget in self.viewer.window.dock_widgets.items():
            if title.startswith(name):
                return widget
        raise Stuck(f"there is no dock '{name}'")

    def field(self, label: str, dock: str) -> Any:
        """The field that stands beside a label, or that shows it as long as it is empty."""
        for form in self.dock(dock).findChildren(QFormLayout):
            for row in range(form.rowCount()):
                title = form.itemAt(row, QFormLayout.ItemRole.LabelRole)
                if title is not None and title.widget() and title.widget().text() == label:
                    return form.itemAt(row, QFormLayout.ItemRole.FieldRole).widget()
        for field in self.dock(dock).findChildren(QWidget):
            hint = getattr(field, "placeholderText", None) or getattr(
                field, "specialValueText", str
            )
            if field.isVisible() and hint() == label:
                return field
        raise Stuck(f"there is no field '{label}' in {dock}")

    def said(self, dock: str) -> str:
        """What the messages of a dock say, in one line."""
        from napari_seem.widgets._shared.message import Message

        texts = [m.text() for m in self.dock(dock).findChildren(Message) if m.isVisible()]
        return " / ".join(text for text in texts if text)

    def _home(self) -> None:
        """Press the house below the layer list, as what is wanted is out of view."""
        self.note("pressed Home: what was wanted was out of view")
        with self._action():
            press_widget(self.viewer.window._qt_viewer.viewerButtons.resetViewButton)
        self.rest(0.2)

    def _find(self, kind: Any, fits: Callable[[Any], bool], dock: str, text: str) -> Any:
        root = self.dock(dock) if dock else self.window
        found = [w for w in root.findChildren(kind) if w.isVisible() and fits(w)]
        if not found:
            raise Stuck(f"nothing called '{text}' is shown" + (f" in {dock}" if dock else ""))
        return found[0]

    def _reach(self, widget: QWidget, text: str) -> None:
        if is_reachable(widget):
            return
        with self._timed():
            scrolled = scroll_to(widget)
        if scrolled:
            self.note(f"scrolled to '{text}'", 1)
        if not is_reachable(widget):
            self.note(f"'{text}' is off the screen")

    def _is_busy(self) -> bool:
        from napari_seem.widgets._shared.runner import LatestRunner
        from napari_seem.widgets._shared.steps import Steps

        roots = (self.window, QApplication.instance())
        return any(r.busy for root in roots for r in root.findChildren(LatestRunner)) or any(
            s.running for s in self.window.findChildren(Steps)
        )

    @contextmanager
    def _action(self, wait: bool = True) -> Iterator[None]:
        self.actions += 1
        with self._timed():
            yield
            QApplication.processEvents()
            if wait:
                self.wait()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.program += time.perf_counter() - start


def _accept(dialog: QFileDialog) -> None:
    """Press Enter in a file dialog, again where a list of suggestions took the first one."""
    if isalive(dialog) and dialog.isVisible():
        QTimer.singleShot(200, lambda: _accept(dialog))
        field = dialog.findChild(QLineEdit, "fileNameEdit")
        completer = field.completer()
        if completer is not None:
            completer.popup().hide()
        QTest.keyClick(field, Qt.Key.Key_Return)


def answer_dialogs(press: str) -> None:
    """Press a button of whatever dialog comes up next."""

    def look() -> None:
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, QDialog):
            for button in dialog.findChildren(QAbstractButton):
                if _plain(button.text()) == press:
                    press_widget(button)
                    return
        QTimer.singleShot(50, look)

    QTimer.singleShot(50, look)


def _plain(text: str) -> str:
    return text.replace("&", "")
