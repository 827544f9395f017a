"""What every dock of ours is: a page that scrolls, its running work below, and an end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import ReferenceType, WeakKeyDictionary, ref

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QCloseEvent, QResizeEvent, QShowEvent
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QDockWidget,
    QFrame,
    QLabel,
    QLineEdit,
    QMainWindow,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ...errors import NapariSeemError
from ...viewer.private import unwrap
from ...viewer.roles import put_spares_away
from .background.progress import Progress, ProgressRow
from .events import Followed, later
from .focus import KeysToCanvas
from .intensity_box import WindowBox
from .layer_box import LabelsBox, LayerBox
from .message import Message, notify
from .preferences import plugin_page
from .watch import watch_of

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from napari.viewer import Viewer

Kind = TypeVar("Kind", bound="Dock")
_OPEN: WeakKeyDictionary[Viewer, dict[type, ReferenceType[Dock]]] = WeakKeyDictionary()
"""By viewer and kind: the dock that works, for two of a kind would both write what is clicked."""

LINES, LEAST_LINES = 20, 12
"""How many lines of text a page would like to be high, and has to be."""


class Page(QScrollArea):
    """Widgets that scroll up and down where there is less room than they want.

    Parameters
    ----------
    inner : QWidget
    keys : KeysToCanvas
        Of the same widget.
    """

    def __init__(self, inner: QWidget, keys: KeysToCanvas) -> None:
        super().__init__()
        self._inner, self._keys = inner, keys
        self._wanted: tuple[QSize, QSize] | None = None
        self._settle = later(self, 0, lambda: self.setViewportMargins(0, 0, 0, 0))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.setWidget(inner)

    def sizeHint(self) -> QSize:
        """Room for all widgets, or for `LINES` lines, so that two docks share what there is."""
        return self._room(self._inner.sizeHint(), LINES)

    def minimumSizeHint(self) -> QSize:
        """As wide as the widgets need, and a few lines high."""
        return self._room(self._inner.minimumSizeHint(), LEAST_LINES)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Take the scroll bar away where it is needed no more, which Qt forgets meanwhile."""
        super().resizeEvent(event)
        bar = self.verticalScrollBar()
        if bar is not None and not bar.isHidden() and not bar.maximum():
            self._settle.start()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Ask for another width where the widgets do; give the keys back from new ones, too."""
        kind = None if event is None else event.type()
        if kind == QEvent.Type.LayoutRequest:
            wanted = self.sizeHint(), self.minimumSizeHint()
            if wanted != self._wanted:  # or napari's whole window is laid out and drawn once more
                self._wanted = wanted
                self.updateGeometry()
        elif kind in (QEvent.Type.Show, QEvent.Type.ChildPolished):
            self._keys.look()
        return bool(super().eventFilter(watched, event))

    def _room(self, hint: QSize, lines: int) -> QSize:
        bar: Any = self.verticalScrollBar()
        height = min(hint.height(), lines * self.fontMetrics().lineSpacing())
        return QSize(hint.width() + bar.sizeHint().width(), height)


class Dock(QWidget):
    """A page for a viewer, alone or as a tab of the workbench.

    It lets go of the viewer once it is closed, taken away by napari, or opened a second time.

    Parameters
    ----------
    napari_viewer : napari.Viewer

    Attributes
    ----------
    viewer : Viewer
        The viewer itself, not napari's proxy of it.
    events : Followed
        What is followed until the dock lets go of the viewer.
    """

    panel: Any
    """Its widgets; has a `message`."""
    _released = _placed = False

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = unwrap(napari_viewer)
        self.events = Followed()
        tidy = later(self, 0, lambda: put_spares_away(self.viewer))
        self.events.follow(lambda _: tidy.start(), self.viewer.layers.events.removed)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        former = open_dock(self.viewer, type(self))
        if former is not None:
            former.retire()
        _OPEN.setdefault(self.viewer, {})[type(self)] = ref(self)
        self._viewer_watch = watch_of(self.viewer)
        self._viewer_watch.docks.add(self)

    @property
    def is_released(self) -> bool:
        """Whether it has let go of the viewer."""
        return self._released

    def place(self, widget: QWidget, *running: Progress) -> None:
        """Show a widget as a page that scrolls, and below it the work that runs.

        A problem that is shown there goes away as soon as a person makes another choice.
        """
        self.fill(Page(widget, KeysToCanvas(widget, self.viewer)))
        for box in widget.findChildren(QComboBox):
            if not isinstance(box, WindowBox):  # a choice there is carried out, and may fail
                box.activated.connect(self.settle)
            if isinstance(box, LayerBox):
                box.chosen.connect(self.settle)
            if isinstance(box, LabelsBox):
                box.unfit.connect(lambda text: self.tell(text, True))
        for field in widget.findChildren(QLineEdit):
            field.textEdited.connect(self.settle)
        for progress in running:
            self._column.addWidget(ProgressRow(progress, self))

    def fill(self, widget: QWidget) -> None:
        """Show a widget that scrolls by itself."""
        self._column.addWidget(widget, 1)

    @contextmanager
    def reporting(self, *further: type[Exception]) -> Iterator[None]:
        """Show the project's own errors, and `further` ones, in place of a former problem."""
        self.settle()
        expected: tuple[type[Exception], ...] = (NapariSeemError, *further)
        try:
            yield
        except expected as error:
            self.panel.message.say(str(error), problem=True)

    def settle(self, _: object = None) -> None:
        """Take problems away that are shown in the dock."""
        for message in self.findChildren(Message):
            message.settle()

    def tell(self, text: str, problem: bool) -> None:
        """Show what happened in the dock; a problem among napari's notifications, too."""
        self.panel.message.say(text, problem=problem)
        if problem:
            notify(text, problem=True)

    def act(self, name: str) -> None:
        """Do what a key is for: by its name, that of a method."""
        getattr(self, name)()

    def follow_preferences(self) -> None:
        """Take other choices in napari's Preferences up from now on."""
        page = plugin_page()
        if page is not None:
            self.events.follow(self._on_page, page.events)

    def prepare_to_close(self) -> int:
        """Save what saves itself, before the window closes; how many commits are not written."""
        return 0

    def take_up(self, image: Image | None, labels: Labels | None) -> None:
        """Work on an image and labels that were brought back; each may be None."""

    def retire(self) -> None:
        """Let go of the viewer, as another dock of the kind takes over."""
        self.release()
        self._column.insertWidget(0, QLabel("This was opened elsewhere; close it here."))
        self.setEnabled(False)

    def release(self) -> None:
        """Let go of the viewer; what is written stays."""
        if not self._released:
            self._released = True
            self.events.close()
            self._let_go()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Share the room of a dock that is open already, as a tab; once, for docks can be moved."""
        super().showEvent(event)
        window = self.window()
        if isinstance(window, QMainWindow):
            self._viewer_watch.follow_window(window)
        frame = self.parent()
        if not self._placed and isinstance(frame, QDockWidget):
            self._placed = True
            # napari 0.9.0 keeps what it docks to its hint
            self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
            later(self, 0, lambda: _join_tabs(frame)).start()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Let go of the viewer; what is written stays."""
        self.release()
        super().closeEvent(event)

    def event(self, event: QEvent | None) -> bool:
        """Let go too when napari takes the dock away, which sends no close event."""
        taken = event is not None and event.type() == QEvent.Type.ParentChange
        if taken and self.parent() is None:
            self.release()
        return bool(super().event(event))

    def _on_page(self, _: object) -> None:
        if isalive(self):  # the preferences outlive viewers
            self._on_preferences()

    def _on_preferences(self) -> None:
        """What a kind of dock does where a person prefers something else."""

    def _let_go(self) -> None:
        """What a kind of dock does besides when it lets go."""


def open_dock(viewer: Viewer, kind: type[Kind]) -> Kind | None:
    """The dock of a kind that works in a viewer, or None."""
    known = _OPEN.get(unwrap(viewer), {}).get(kind)
    dock = None if known is None else known()
    if not isinstance(dock, kind) or not isalive(dock) or dock.is_released:
        return None
    return dock


@contextmanager
def busy() -> Iterator[None]:
    """Show by the mouse pointer that the viewer is at work."""
    QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
    try:
        yield
    finally:
        QApplication.restoreOverrideCursor()


def _join_tabs(frame: QDockWidget) -> None:
    """Put a dock beside another of ours in its area, as a tab: half a screen is too low for one."""
    window = frame.parent()
    if not isinstance(window, QMainWindow) or frame.isFloating():
        return
    area = window.dockWidgetArea(frame)
    for other in window.findChildren(QDockWidget):
        fits = window.dockWidgetArea(other) == area and not other.isFloating()
        if other is not frame and fits and other.isVisible() and isinstance(other.widget(), Dock):
            window.tabifyDockWidget(other, frame)
            frame.raise_()
            return
