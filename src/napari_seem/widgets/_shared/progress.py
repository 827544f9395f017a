"""How far background work is: a row that is drawn only when it changes, with a button to cancel."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QGridLayout, QProgressBar, QPushButton, QSizePolicy, QWidget
from superqt import QElidingLabel

from .events import later

PAUSE = 100
"""Milliseconds between two updates of a row."""
FINENESS = 1000
"""Steps of the bar, whatever is counted."""
FLAT_WIDTH = 200
"""Pixels of title and bar of a row of one line."""


def counted(done: int, total: int) -> str:
    """'3 of 10'."""
    return f"{done} of {total}"


class Progress(QObject):
    """What a person is shown of background work, and whether it was cancelled.

    Parameters
    ----------
    parent : QObject
    text : callable
        Writes what is done of how much onto the bar.

    Attributes
    ----------
    changed : Signal()
        The work began, went on, or ended.
    ended : Signal()
    cancelled : Signal()
        A person pressed Cancel.
    title : str
    done, total : int
        A `total` of 0 means that nobody knows.
    running, is_cancelled : bool
    """

    changed = Signal()
    ended = Signal()
    cancelled = Signal()

    def __init__(self, parent: QObject, text: Callable[[int, int], str] = counted) -> None:
        super().__init__(parent)
        self.text = text
        self.title = ""
        self.done = self.total = 0
        self.running = self.is_cancelled = False

    def start(self, title: str, total: int = 0) -> None:
        """Show that work began."""
        self.title, self.done, self.total = title, 0, total
        self.running, self.is_cancelled = True, False
        self.changed.emit()

    def show_done(self, done: int, total: int | None = None) -> None:
        """Show how much is done, of a total that may be known by now."""
        self.done, self.total = done, total or self.total
        self.changed.emit()

    def cancel(self) -> None:
        """Ask the work to stop."""
        if self.running and not self.is_cancelled:
            self.is_cancelled = True
            self.cancelled.emit()
            self.changed.emit()

    def end(self) -> None:
        """Show that the work has ended, one way or another."""
        if self.running:
            self.running = False
            self.changed.emit()
            self.ended.emit()


class ProgressRow(QWidget):
    """Shows one piece of work while it runs, and takes no room when it does not.

    Nothing in it moves by itself: an animation would take the worker's core where OpenGL is
    software.

    Parameters
    ----------
    progress : Progress
    parent : QWidget, optional
    flat : bool
        Lay it out as one line, as a status bar has room for, not as two.
    """

    def __init__(
        self, progress: Progress, parent: QWidget | None = None, *, flat: bool = False
    ) -> None:
        super().__init__(parent)
        self.progress = progress
        self.title, self.bar, self.cancel = QElidingLabel(), QProgressBar(), QPushButton("Cancel")
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.title.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.bar.setRange(0, FINENESS)
        self.cancel.setToolTip("Stop as soon as can be; what is done stays")
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 0, 8, 0 if flat else 4)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(0, 1)
        if flat:
            self.title.setMinimumWidth(FLAT_WIDTH)
            self.bar.setMaximumWidth(FLAT_WIDTH)
        grid.addWidget(self.title, 0, 0)
        grid.addWidget(self.bar, 0 if flat else 1, int(flat))
        grid.addWidget(self.cancel, 0, 2, 1 if flat else 2, 1, Qt.AlignmentFlag.AlignBottom)
        self._stale = False
        self._pause = later(self, PAUSE, self._go_on)
        self.cancel.clicked.connect(lambda _: progress.cancel())
        progress.changed.connect(self._on_change)
        self._show()

    def _on_change(self) -> None:
        """Draw the row now, or at the end of the pause after the last time."""
        other = self.progress.running == self.isHidden()
        other |= self.progress.is_cancelled == self.cancel.isEnabled()
        if self._pause.isActive() and not other:
            self._stale = True
        else:
            self._show()
            self._pause.start()

    def _go_on(self) -> None:
        if self._stale:
            self._show()
            self._pause.start()

    def _show(self) -> None:
        self._stale = False
        progress = self.progress
        self.setVisible(progress.running)
        if not progress.running:
            self._pause.stop()
            return
        known = progress.total > 1
        stopping = "stopping: " if progress.is_cancelled else ""
        self.title.setText(f"{stopping}{progress.title}{'' if known else ' ...'}")
        self.title.setToolTip(progress.title)
        self.title.setMinimumHeight(self.title.fontMetrics().height())
        self.bar.setVisible(known)
        self.cancel.setEnabled(not progress.is_cancelled)
        if known:
            self.bar.setValue(min(FINENESS, FINENESS * progress.done // progress.total))
            self.bar.setFormat(progress.text(progress.done, progress.total))
