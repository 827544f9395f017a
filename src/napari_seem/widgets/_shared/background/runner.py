"""One job at a time in a worker thread; of jobs of a lane that wait, the newest wins."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from napari.qt.threading import create_worker
from napari.utils.notifications import ErrorNotification, notification_manager
from qtpy.QtCore import QObject, QThreadPool, Signal
from superqt.utils import create_worker as create_plain_worker

from ....errors import NapariSeemError
from ....models.running import threads
from .progress import Progress

T = TypeVar("T")
LONGEST_END = 30_000
"""Milliseconds for which Python's end waits for threads that run."""


@atexit.register
def _wait_for_threads() -> None:
    """Let workers end first: one that outlives Qt finds its signals deleted, and aborts."""
    pool = QThreadPool.globalInstance()
    if pool is not None:
        pool.waitForDone(LONGEST_END)


class Cancelled(NapariSeemError):
    """A person cancelled the work; raised in its thread by what reports its steps."""


@dataclass(frozen=True, eq=False)
class Job:
    """Work for a thread, and what the main thread does with the outcome.

    `work` must not touch layers or widgets. With a `title`, or one that is asked for as it begins,
    the job shows as `progress`, where it can be cancelled: its outcome is then dropped and
    `dropped` called; work that reports its steps to `LatestRunner.report` ends there. A waiting job
    gives way to newer ones of its own `lane` only; one without a lane to none.
    """

    work: Callable[[], Any]
    done: Callable[[Any], None]
    failed: Callable[[Exception], None]
    title: str | Callable[[], str] = ""
    dropped: Callable[[], None] = lambda: None
    lane: str = "turn"


def report_crash(error: Exception) -> None:
    """Show an error nobody expected, with its trace, in napari's notifications.

    Raising it in a Qt slot would end the whole program where napari's own handler is not installed.
    """
    notification_manager.dispatch(ErrorNotification(error))


def explained(error: Exception, *expected: type[Exception]) -> str:
    """What a person is told of an error that ended work; one that nobody expected shows its trace.

    The project's own errors are expected, and `expected` ones.
    """
    if isinstance(error, (NapariSeemError, *expected)):
        return str(error)
    report_crash(error)
    return f"{type(error).__name__}: {error}"


def called_once(
    work: Callable[[], T], computing: Callable[[], AbstractContextManager[None]] = threads.work
) -> Callable[[], T]:
    """Return a function that does `work` with the threads for it, and lets go of it.

    A window of napari keeps every worker of napari's that it had, and with it the worker's
    function: the planes and prompts of an hour.
    """
    held = [work]

    def call() -> T:
        with computing():
            return held.pop()()

    return call


def _deliver(job: Job, cancelled: bool, outcome: object, error: Exception | None) -> None:
    if cancelled:
        job.dropped()
    elif error is not None:
        job.failed(error)
    else:
        job.done(outcome)


class LatestRunner(QObject):
    """Runs jobs one after another; a job that has to wait is replaced by a newer one.

    Parameters
    ----------
    parent : QObject, optional
    gate : IdleGate, optional
        Held shut while a job runs or waits.

    Attributes
    ----------
    progress : Progress
        Of a job with a title.
    """

    _reported = Signal(int, int)

    def __init__(self, parent: QObject | None = None, gate: threads.IdleGate | None = None) -> None:
        super().__init__(parent)
        self._gate = gate or threads.IdleGate()
        self._running: Job | None = None
        self._waiting: list[Job] = []
        self._worker: Any = None
        self.progress = Progress(self)
        self._reported.connect(self.progress.show_done)
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        return self._running is not None

    def report(self, done: int, total: int | None = None, what: str = "") -> None:
        """Show in the thread of a job how much is done; `Cancelled` where it is to end."""
        if self._closed or self.progress.is_cancelled:
            raise Cancelled(f"{what or 'the work'} was cancelled")
        self._reported.emit(done, total or 0)

    def submit(self, job: Job) -> None:
        """Run a job now, or as soon as the present one has ended."""
        if self._closed:
            return
        if self._running is None:
            self._start(job)
            return
        if job.lane:
            self.drop_waiting(job.lane)
        self._waiting.append(job)

    def drop_waiting(self, lane: str = "turn") -> None:
        """Forget the job of a lane that waits."""
        self._waiting = [job for job in self._waiting if job.lane != lane]

    def close(self) -> None:
        """Deliver nothing any more; a running thread ends by itself."""
        self._closed = True
        self._waiting.clear()
        self._gate.open(self)
        self.progress.end()

    def _start(self, job: Job) -> None:
        self._running = job
        self._gate.shut(self)
        title = job.title if isinstance(job.title, str) else job.title()
        if title:
            self.progress.start(title)
        computing = threads.turn if job.lane in ("turn", "hover") else threads.work
        make = create_worker if title else create_plain_worker  # napari lists those of its own
        worker = make(called_once(job.work, computing), _start_thread=False, _ignore_errors=True)
        worker.returned.connect(self._returned)
        worker.errored.connect(self._errored)
        self._worker = worker
        worker.start()

    def _returned(self, outcome: object) -> None:
        self._ended(outcome, None)

    def _errored(self, error: Exception) -> None:
        self._ended(None, error)

    def _ended(self, outcome: object, error: Exception | None) -> None:
        job, cancelled = self._finish()
        try:
            if job is not None:
                _deliver(job, cancelled, outcome, error)
                self._next()
        finally:
            if self._running is None:
                self._gate.open(self)

    def _finish(self) -> tuple[Job | None, bool]:
        job, self._running, self._worker = self._running, None, None
        cancelled = self.progress.running and self.progress.is_cancelled
        self.progress.end()
        return (None if self._closed else job), cancelled

    def _next(self) -> None:
        if self._waiting and not self._closed and self._running is None:
            self._start(self._waiting.pop(0))
