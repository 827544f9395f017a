"""The turns of the Annotate dock: prompts are answered in a thread, and the answer is shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QCoreApplication, QEvent, QObject

from ....errors import InvalidPrompt, NapariSeemError, UnknownWord, UnsupportedPrompt
from ....viewer.private import canvas_of
from ..._shared.background.runner import Job, report_crash
from ..._shared.events import later
from .planes import uses_parts

if TYPE_CHECKING:
    from ....models.base import Prediction
    from ....models.turns import Request
    from ..annotator import Annotator
    from .planes import PlaneSession

Foreseen = tuple["Prediction", float]
"""An answer that was computed before it was asked for, and how many milliseconds that took."""
REFUSALS = (InvalidPrompt, UnsupportedPrompt, UnknownWord)
"""Errors that the last prompt is at fault for; it is taken back then."""
HOLD, SLOW = 250, 500
"""Milliseconds for which a window is held, and of a turn that is not worth waiting for."""


class HeldWindow(QObject):
    """Lets a window be drawn once for a click: with its answer, or after `HOLD` milliseconds.

    Without a graphics card, drawing takes as long as a turn, and both want the same cores: a point
    that is drawn at once delays the mask by twice that.

    Parameters
    ----------
    annotator : Annotator
    """

    def __init__(self, annotator: Annotator) -> None:
        super().__init__(annotator)
        self._viewer = annotator.viewer
        self._window: Any = None
        self._owed = False
        self._soon = later(self, HOLD, self.release)

    def hold(self) -> None:
        """Draw nothing until `release` is called, or the time is up."""
        canvas = canvas_of(self._viewer)
        if canvas is not None and self._window is None:
            self._window, self._owed = canvas.window(), False
            self._window.installEventFilter(self)
            self._soon.start()

    def release(self) -> None:
        """Draw what was changed meanwhile."""
        self._soon.stop()
        window, self._window = self._window, None
        if window is not None and isalive(window):
            window.removeEventFilter(self)
            if self._owed:
                QCoreApplication.postEvent(window, QEvent(QEvent.Type.UpdateRequest))

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Put off that Qt draws what was changed in the window."""
        if event is None or event.type() != QEvent.Type.UpdateRequest:
            return bool(super().eventFilter(watched, event))
        self._owed = True
        return True


class Turns:
    """Answers the prompts on the shown plane and keeps the preview in step.

    Parameters
    ----------
    annotator : Annotator

    Attributes
    ----------
    last_ms : float
        How long the last turn took, in milliseconds.
    held : HeldWindow
        Keeps the window from being drawn while a turn is computed.
    foreseen : callable or None
        Gives the answer to a request on a plane, and how many milliseconds it took, where that is
        known before it is asked.
    """

    def __init__(self, annotator: Annotator) -> None:
        self._annotator = annotator
        self.held = HeldWindow(annotator)
        self.last_ms = float("nan")
        self.foreseen: Callable[[PlaneSession, Request], Foreseen | None] | None = None

    def close(self) -> None:
        """Let go of the window."""
        self.held.release()

    def compute(self) -> None:
        """Bring the preview to the present prompts: at once where the answer is known."""
        work = self._annotator.work
        self._annotator.changed.emit()
        if work is None or not work.session.prompts:
            self._annotator.runner.drop_waiting()
            self._annotator.preview.clear()
            return
        if work.session.prediction is not None:
            self._annotator.runner.drop_waiting()
            self._show(work)
            return
        encoded = self._annotator.sessions.is_encoded(work)
        if encoded:
            self._annotator.sessions.settle(work)
        request, started = work.session.request(), time.perf_counter()
        known = self.foreseen(work, request) if self.foreseen is not None else None
        if known is not None:
            self._annotator.runner.drop_waiting()
            self._on_answer(work, request, started - known[1] / 1e3, known[0])
            return
        if encoded and not self.last_ms > SLOW:
            self.held.hold()
        self._annotator.runner.submit(
            Job(
                request.run,
                partial(self._on_answer, work, request, started),
                partial(self._on_failure, work, request),
                "" if encoded else "Reading the image",
                partial(self._annotator.say, "cancelled; the prompts are kept"),
            )
        )

    def renew(self) -> None:
        """Answer anew from the whole plane, once it is encoded, what was answered from parts."""
        work = self._annotator.work
        sessions = self._annotator.sessions
        if work is not None and sessions.is_encoded(work) and sessions.settle(work):
            self.compute()

    def _on_answer(
        self, work: PlaneSession, request: Request, started: float, best: Prediction
    ) -> None:
        if not work.session.deliver(request, best):
            return  # a newer request waits
        self.held.release()
        self.last_ms = (time.perf_counter() - started) * 1e3
        if work is self._annotator.work and self._annotator.plane is not None:
            self._show(work)
            self._annotator.answered.emit(work.session.prediction)
            if uses_parts(work.session.resolve):
                self._annotator.answered_in_part.emit()

    def _on_failure(self, work: PlaneSession, request: Request, error: Exception) -> None:
        self.held.release()
        if work not in self._annotator.sessions:
            return  # it was committed, and that is answered by itself
        if not isinstance(error, NapariSeemError):
            self._annotator.say(f"{type(error).__name__}: {error}", error=True)
            report_crash(error)
            return
        if isinstance(error, REFUSALS):
            if request.revision != work.session.revision:
                return  # a newer request waits, and will be refused itself if need be
            self._take_refused_back(work)
        self._annotator.say(str(error), error=True)

    def _take_refused_back(self, work: PlaneSession) -> None:
        if not work.session.can_undo:
            return
        self._annotator.travel(work, lambda session: session.step_back())

    def _show(self, work: PlaneSession) -> None:
        prediction = work.session.prediction
        if prediction is not None and work.image in self._annotator.viewer.layers:
            self._annotator.preview.show(work.image, work.plane, *prediction.overview())
            self._annotator.changed.emit()
