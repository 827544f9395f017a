"""The window that offers labels which were not saved when napari ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt
from qtpy.QtGui import QCloseEvent, QImage, QPixmap
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from ...commands.recovery import SIDE, Recovered, Recovery, each_recovery, is_closed
from ...errors import NapariSeemError
from ...labels.journal import BROUGHT_BACK, discard, logs_folder
from ...labels.plans import counted
from ...models.running.patience import patiently
from ...viewer.recovery.layers import bring_back
from .background.progress import ProgressRow
from .background.runner import Cancelled, Job, LatestRunner, explained
from .background.steps import Steps
from .forms import without_arguments
from .message import Message
from .models.cache import model_cache_of

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from napari.viewer import Viewer

Added = Callable[["Labels | None", "Image | None"], None]
Picture = npt.NDArray[np.uint8]
OFFERED = (
    "These labels were not saved when napari ended. What is brought back has not been saved yet, "
    "either; what is discarded stays in <i>napari-seem recover --all</i> for 30 days."
)
EVERY = (
    "These labels were removed or discarded, or napari ended before they were saved; they are kept "
    "for 30 days. What is brought back has not been saved yet, either."
)


class RecoveryWindow(QDialog):
    """Lists labels that were not saved, each with a picture, and brings them back.

    Parameters
    ----------
    viewer : Viewer
    added : callable
        Given the Labels layer and the image that were brought back, each of which may be None.
    parent : QWidget, optional
    every : bool
        What was discarded, and labels that were removed, as well.

    Attributes
    ----------
    rows : list of RecoveryRow
        As they are found; the window shows itself with the first.
    """

    def __init__(
        self, viewer: Viewer, added: Added, parent: QWidget | None = None, *, every: bool = False
    ) -> None:
        super().__init__(parent)
        self._viewer, self._added, self._every = ref(viewer), added, every
        self.rows: list[RecoveryRow] = []
        self.message = Message()
        self.steps, self.runner = Steps(self), LatestRunner(self)
        self.setWindowTitle("Labels that were not saved")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        introduction = QLabel(EVERY if every else OFFERED)
        introduction.setWordWrap(True)
        self._list = QVBoxLayout()
        self._list.addStretch(1)
        inner, area = QWidget(), QScrollArea()
        inner.setLayout(self._list)
        area.setWidgetResizable(True)
        area.setWidget(inner)
        buttons = QDialogButtonBox()
        self.all: Any = buttons.addButton("Bring all back", QDialogButtonBox.ButtonRole.AcceptRole)
        self.later: Any = buttons.addButton("Not now", QDialogButtonBox.ButtonRole.RejectRole)
        buttons.accepted.connect(self.bring_all_back)
        buttons.rejected.connect(self.close)
        column = QVBoxLayout(self)
        for widget in (introduction, area, self.message, ProgressRow(self.runner.progress, self),
                       ProgressRow(self.steps.progress, self), buttons):  # fmt: skip
            column.addWidget(widget)
        self.resize(620, 420)
        self.steps.stepped.connect(self._add)
        self.steps.ended.connect(self._on_end)

    def look(self) -> None:
        """Look for labels that were not saved, in a thread."""
        viewer = self._viewer()
        if viewer is not None:
            wait = partial(self.steps.wait_for, model_cache_of(viewer).gate)
            found = partial(_found, self._every, wait)
            self.steps.start("Looking for labels that were not saved", 0, found)

    def bring_back(self, row: RecoveryRow) -> None:
        """Add the labels of a row to the viewer, read in a thread."""
        row.setEnabled(False)
        self.runner.submit(Job(
            row.recovery.read, partial(self._on_read, row), partial(self._on_failure, row),
            f"Reading {row.recovery.labels}", partial(row.setEnabled, True), lane="",
        ))  # fmt: skip

    def bring_all_back(self) -> None:
        """Add the labels of all rows to the viewer."""
        for row in list(self.rows):
            self.bring_back(row)

    def discard(self, row: RecoveryRow) -> None:
        """Offer the labels of a row no more."""
        try:
            discard(row.recovery.path)
        except NapariSeemError as error:
            self.message.say(str(error), problem=True)
            return
        self._take_out(row)

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Read nothing more."""
        self.steps.close()
        self.runner.close()
        super().closeEvent(event)

    def _add(self, found: tuple[Recovery, int, Picture]) -> None:
        """Show what was found, with its picture (rows, columns, 3)."""
        row = RecoveryRow(self, *found)
        row.discard.setVisible(not self._every)
        self.rows.append(row)
        self._list.insertWidget(self._list.count() - 1, row)
        if not self.isVisible():
            self.show()

    def _on_end(self, trouble: str) -> None:
        if trouble not in ("", "stopped"):
            self.message.say(trouble, problem=True)
        elif not self.rows and self._every:
            self.message.say("nothing is left that was not saved")
            self._offer_nothing()
            self.show()
        elif not self.rows:
            self.close()

    def _on_read(self, row: RecoveryRow, done: Recovered) -> None:
        try:
            if is_closed(row.recovery.path, BROUGHT_BACK):
                self.message.say(f"another window has brought '{row.recovery.labels}' back")
                self._take_out(row)
                return
            labels, image = bring_back(self._viewer(), done)
        except (NapariSeemError, OSError) as error:
            self._on_failure(row, error)
            return
        self._added(labels, image)
        if image is None:
            source = row.recovery.source
            where = f" at '{source}'" if source else ""
            self.message.say(f"the image '{row.recovery.image}' was not found{where}; open it, too")
        self._take_out(row)

    def _on_failure(self, row: RecoveryRow, error: Exception) -> None:
        row.setEnabled(True)
        self.message.say(explained(error, OSError), problem=True)

    def _take_out(self, row: RecoveryRow) -> None:
        self.rows.remove(row)
        row.setParent(None)
        row.deleteLater()
        if not self.rows and not self.steps.running:
            self._offer_nothing()
            if not self.message.text():
                self.close()

    def _offer_nothing(self) -> None:
        """Leave the message, and a button to close it."""
        self.all.setVisible(False)
        self.later.setText("Close")


class RecoveryRow(QWidget):
    """Labels that were not saved: a picture, what they are, and what can be done with them.

    Parameters
    ----------
    window : RecoveryWindow
    recovery : Recovery
    count : int
        Objects.
    picture : uint8 array (rows, columns, 3)
    """

    def __init__(
        self, window: RecoveryWindow, recovery: Recovery, count: int, picture: Picture
    ) -> None:
        super().__init__()
        self.recovery = recovery
        self.picture, self.text = QLabel(), QLabel(described(recovery, count))
        self.picture.setPixmap(pixmap(picture))
        self.picture.setFixedSize(SIDE, SIDE)
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.back, self.discard = QPushButton("Bring back"), QPushButton("Discard")
        self.back.clicked.connect(without_arguments(partial(window.bring_back, self)))
        self.discard.clicked.connect(without_arguments(partial(window.discard, self)))
        row = QHBoxLayout(self)
        row.addWidget(self.picture)
        row.addWidget(self.text, 1)
        row.addWidget(self.back)
        row.addWidget(self.discard)


def described(recovery: Recovery, count: int) -> str:
    """What was not saved, in a few lines."""
    on = f"on {recovery.image}\n" if recovery.image else ""
    more = f"\n{recovery.prompts}" if recovery.prompts else ""
    return f"{recovery.labels}\n{on}{recovery.time:%-d %B %Y, %H:%M}\n{counted(count)}{more}"


def pixmap(picture: Picture) -> QPixmap:
    """A picture, uint8 (rows, columns, 3), for a label."""
    data = np.ascontiguousarray(picture)
    rows, columns = data.shape[:2]
    image = QImage(data.tobytes(), columns, rows, 3 * columns, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image).scaled(
        SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )


def _found(every: bool, wait: Callable[[], None]) -> Iterator[tuple[Recovery, int, Picture]]:
    """What was not saved, but for that of series, which bring their own back; in a thread.

    Clicks go first: `wait` is called before each event of each log.
    """
    with suppress(Cancelled), patiently(wait):
        for recovery in each_recovery(logs_folder(), every=every):
            if recovery.is_of_series and not every:
                continue
            try:
                done = recovery.read()
            except Cancelled:
                raise
            except (NapariSeemError, OSError):  # told by `napari-seem recover`
                continue
            yield recovery, done.count, done.picture()
