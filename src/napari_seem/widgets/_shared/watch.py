"""What is done for every viewer with a dock of ours, so that no labels are lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet, ref

from napari.viewer import Viewer
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QMainWindow, QMessageBox, QWidget

from ...commands.recovery import left_behind
from ...labels.journal import logs_folder
from ...viewer.coordinates import lie_alike
from ...viewer.documents import begin_log, close_document, is_unsaved
from ...viewer.private import canvas_of, unwrap
from ...viewer.recovery.left_prompts import close_draft
from ...viewer.roles import follow_painting, is_ours
from ...viewer.shown import image_layers, owner_of
from ..menus.files import front_window, save
from .message import notify
from .recovery import RecoveryWindow

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.utils.events import Event

    from .dock import Dock

_WATCHES: WeakKeyDictionary[Viewer, Watch] = WeakKeyDictionary()


class Watch(QObject):
    """Begins logs of layers that are painted, and asks before labels are lost.

    Parameters
    ----------
    viewer : Viewer

    Attributes
    ----------
    docks : WeakSet of Dock
        Those of the viewer; told before its window closes, and of what is brought back.
    offer : RecoveryWindow or None
        What was not saved before, where there was something.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = ref(viewer)
        self._window_ref: Callable[[], QMainWindow | None] = lambda: None
        self._closes = False
        self.docks: WeakSet[Dock] = WeakSet()
        self.offer: RecoveryWindow | None = None
        follow_painting(viewer, self._on_paint)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def window(self) -> QMainWindow | None:
        """The window, which must not be kept alive; None without one."""
        window = self._window_ref()
        return window if window is not None and isalive(window) else None

    def look_for_lost(self, window: QWidget | None, *, every: bool = False) -> None:
        """Offer what was not saved when a program ended, where there is any."""
        viewer = self._viewer()
        if viewer is not None and (every or left_behind(logs_folder())):
            self.offer = RecoveryWindow(viewer, self._brought_back, window, every=every)
            self.offer.finished.connect(self._forget_offer)
            self.offer.look()

    def follow_window(self, window: QMainWindow) -> None:
        """Know the window, to ask before it closes; napari doesn't tell its docks."""
        if window is not self.window:
            self._window_ref = ref(window)
            window.installEventFilter(self)
            self.look_for_lost(window)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Ask before the window closes, where a person closes it."""
        kind = None if event is None or watched is not self.window else event.type()
        if event is not None and kind == QEvent.Type.Hide and not event.spontaneous():
            self._close_logs()  # where it does close, as napari may have asked, too
        if event is None or kind != QEvent.Type.Close:
            return bool(super().eventFilter(watched, event))
        waiting = sum(dock.prepare_to_close() for dock in self._open_docks())
        viewer = self._viewer()
        canvas = None if viewer is None else canvas_of(viewer)
        if viewer is None or canvas is None or not canvas.isVisible():  # a script closes it
            return False
        self._closes = self._may_close(waiting)
        if not self._closes:
            event.ignore()
        return not self._closes

    def unsaved(self) -> list[Labels]:
        """The Labels layers with changes that are in no file."""
        viewer = self._viewer()
        return [] if viewer is None else [x for x in viewer.layers if is_unsaved(x)]

    def _may_close(self, waiting: int) -> bool:
        """Ask what to do with unsaved labels; whether the window is to close now."""
        layers = self.unsaved()
        if not layers and not waiting:
            return True
        chosen = _ask(self.window, [layer.name for layer in layers], waiting)
        if chosen == QMessageBox.StandardButton.Save:
            self._save_next("", False)
        return bool(chosen == QMessageBox.StandardButton.Discard)

    def _close_logs(self) -> None:
        closes, viewer, self._closes = self._closes, self._viewer(), False
        for layer in list(viewer.layers) if closes and viewer is not None else ():
            close_document(layer)
            close_draft(layer)

    def _save_next(self, said: str, wrong: bool) -> None:
        """Save one layer after another, each to its file or where the person says; then close."""
        if said:
            notify(said, problem=wrong)
        layers = self.unsaved()
        if wrong or self.window is None:
            return
        if layers:
            save(layers[0], _image_under(layers[0], self._viewer()), self._save_next)
        else:
            self.window.close()

    def _forget_offer(self, _: int) -> None:
        self.offer = None

    def _brought_back(self, labels: Labels | None, image: Image | None) -> None:
        for dock in self._open_docks():
            dock.take_up(image, labels)

    def _open_docks(self) -> list[Dock]:
        return [dock for dock in self.docks if isalive(dock) and not dock.is_released]

    def _on_paint(self, event: Event) -> None:
        """A layer is painted, perhaps one that no dock knows; napari may tell it beforehand."""
        QTimer.singleShot(0, partial(self._begin_log, event.source))

    def _begin_log(self, layer: Layer) -> None:
        viewer = self._viewer() if isalive(self) else None
        if viewer is not None and layer in viewer.layers and not is_ours(layer):
            begin_log(layer, _image_under(layer, viewer))

    def _on_removed(self, event: Event) -> None:
        if is_unsaved(event.value):
            QTimer.singleShot(0, partial(self._say_removed, event.value.name))
        close_document(event.value)
        close_draft(event.value)

    def _say_removed(self, name: str) -> None:
        if not isalive(self) or self.window is None or not self.window.isVisible():
            return
        said = (
            f"'{name}' had changes that were not saved; File > IO Utilities > Bring back "
            "labels that were not saved has them"
        )
        seen = [dock for dock in self._open_docks() if dock.isVisible()]
        for dock in seen:  # napari keeps the widget of every notification
            dock.tell(said, False)
        if not seen:
            notify(said)


def watch_of(viewer: Viewer) -> Watch:
    """What watches over the labels of a viewer, from when it is asked for first."""
    own = unwrap(viewer)
    if own not in _WATCHES:
        _WATCHES[own] = Watch(own)
    return _WATCHES[own]


def bring_back_labels(viewer: Viewer) -> None:
    """Show all labels that were not saved, also those that were discarded or removed."""
    own = unwrap(viewer)
    watch = watch_of(own)
    watch.look_for_lost(watch.window or front_window(), every=True)


def _image_under(layer: Layer, viewer: Viewer) -> Image | None:
    """The image that labels were made for, or else the uppermost one that they lie on, or None."""
    images = (x for x in reversed(image_layers(viewer)) if lie_alike(layer, x))
    return owner_of(layer) or next(images, None)


def _ask(window: QWidget | None, names: list[str], waiting: int) -> QMessageBox.StandardButton:
    """Ask whether labels are to be saved; gives a standard button."""
    listed = ", ".join(f"'{name}'" for name in names)
    said = [f"Changes of {listed} were not saved."] if names else []
    if waiting:
        said.append(
            f"{waiting} committed object{'s are' if waiting > 1 else ' is'} not written yet, as "
            "the mask is being computed."
        )
    box = QMessageBox(window)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Labels that were not saved")
    box.setText(" ".join(said))
    box.setInformativeText("Do you want to save before napari closes?" if names else "Close?")
    kinds = QMessageBox.StandardButton
    box.setStandardButtons((kinds.Save if names else kinds.Discard) | kinds.Discard | kinds.Cancel)
    box.setDefaultButton(kinds.Save if names else kinds.Cancel)
    return QMessageBox.StandardButton(box.exec())
