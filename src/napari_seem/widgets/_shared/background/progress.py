"""How far background work is, what it will take, and a button to cancel it."""

from __future__ import annotations

import time
from collections.abc import Callable

from qtpy.QtCore import QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QGridLayout, QProgressBar, QPushButton, QSizePolicy, QWidget
from superqt import QElidingLabel

from ..events import later

PAUSE = 100
"""Milliseconds between two updates of a row."""
SECOND = 1000
"""Milliseconds between two updates of the time that work has taken, where nobody knows the rest."""
FINENESS = 1000
"""Steps of the bar, whatever is counted."""
FLAT_WIDTH = 200
"""Pixels of title and bar of a row of one line."""


def counted(done: int, total: int) -> str:
    """'3 of 10'."""
    return f"{done} of {total}"


def time_left(seconds: float) -> str:
    """'about 20 s left', as coarse as such a guess is."""
    if seconds < 10:
        return "a few seconds left"
    if seconds < 90:
        return f"about {5 * round(seconds / 5)} s left"
    minutes = seconds / 60
    return f"about {minutes:.0f} min left" if minutes < 90 else f"about {minutes / 60:.1f} h left"


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
        self._began = 0.0
        self._first: tuple[float, int] | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the work began."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take, by the steps so far; None where they tell nothing yet.

        The first step counts for less: what is loaded before it is not loaded again.
        """
        if self._first is None or self.total <= 1 or self.elapsed < 1:
            return None
        when, done = self._first
        if self.done > done:
            pace = (time.monotonic() - when) / (self.done - done)
        else:
            pace = self.elapsed / self.done
        return pace * max(0, self.total - self.done)

    def start(self, title: str, total: int = 0) -> None:
        """Show that work began."""
        self.title, self.done, self.total = title, 0, total
        self.running, self.is_cancelled = True, False
        self._began, self._first = time.monotonic(), None
        self.changed.emit()

    def show_done(self, done: int, total: int | None = None) -> None:
        """Show how much is done, of a total that may be known by now."""
        self.done, self.total = done, total or self.total
        if done > 0 and self._first is None:
            self._first = time.monotonic(), done
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

    Nothing in it moves by itself but the seconds of work whose end nobody knows: an animation
    would take the worker's core where OpenGL is software.

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
        self._clock = QTimer(self)
        self._clock.setInterval(SECOND)
        self._clock.timeout.connect(self._show)
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
            self._clock.stop()
            return
        known = progress.total > 1
        if known == self._clock.isActive():
            self._clock.stop() if known else self._clock.start()
        stopping = "Stopping: " if progress.is_cancelled else ""
        waited = f"\N{HORIZONTAL ELLIPSIS} {progress.elapsed:.0f} s"
        self.title.setText(f"{stopping}{progress.title}{'' if known else waited}")
        self.title.setToolTip(progress.title)
        self.title.setMinimumHeight(self.title.fontMetrics().height())
        self.bar.setVisible(known)
        self.cancel.setEnabled(not progress.is_cancelled)
        if known:
            self.bar.setValue(min(FINENESS, FINENESS * progress.done // progress.total))
            left = None if progress.is_cancelled else progress.left
            said = progress.text(progress.done, progress.total)
            self.bar.setFormat(said if left is None else f"{said}, {time_left(left)}")
