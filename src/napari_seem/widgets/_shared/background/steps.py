"""Work of many steps in a thread: each step is handed over as it is done; it can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from napari.qt.threading import create_worker
from qtpy.compat import isalive
from qtpy.QtCore import QObject, QThreadPool, Signal

from ....errors import Abandoned
from ....models.running import threads
from ....models.running.patience import patiently
from .progress import Progress
from .runner import Cancelled, called_once, explained

if TYPE_CHECKING:
    from ....embeddings import EmbeddingCache

Run = Generator[object, None, tuple[RuntimeError, ...]]
LOOK = 0.1
"""Seconds after which waiting work looks whether it was stopped."""


class Steps(QObject):
    """Runs a generator in a worker thread, on all cores; between steps, a person's turn goes first.

    Parameters
    ----------
    parent : QObject
    explain : callable
        What is said of an error that ended the work.

    Attributes
    ----------
    progress : Progress
        How many steps are done; cancelling it stops the work.
    stepped : Signal(object)
        What the generator yielded, in the main thread.
    ended : Signal(str)
        '' where it came to its end, 'stopped', or what went wrong.
    """

    stepped = Signal(object)
    ended = Signal(str)

    def __init__(self, parent: QObject, explain: Callable[[Exception], str] = explained) -> None:
        super().__init__(parent)
        self._explain = explain
        self._worker: Any = None
        self.progress = Progress(self)
        self.progress.cancelled.connect(self.stop)
        self._stop = threading.Event()
        self._closed = False

    @property
    def running(self) -> bool:
        """Whether a generator is at work."""
        return self._worker is not None

    @property
    def stopping(self) -> bool:
        """Whether the generator is to end; one that waits inside a step asks."""
        return self._stop.is_set()

    def start(self, title: str, total: int, work: Callable[[], Iterator[object]]) -> None:
        """Begin; `work` is called, and iterated, in the thread and must not touch layers."""
        if self.running or self._closed:
            return
        self._stop.clear()
        self.progress.start(title, total)
        worker = create_worker(_until(work, self._stop), _start_thread=False, _ignore_errors=True)
        worker.yielded.connect(self._stepped)
        worker.returned.connect(self._returned)
        worker.errored.connect(self._failed)
        self._worker = worker
        worker.start()

    def stop(self) -> None:
        """Stop after the step that is being done; what is done stays."""
        self._stop.set()

    def leaving(
        self, work: Callable[[], Iterator[object]], cache: EmbeddingCache
    ) -> Callable[[], Iterator[object]]:
        """Let work be left within a step, too, at the checkpoints of a model, once it is stopped.

        A plane in `cache` that a turn waits for is encoded to its end.
        """

        def pause() -> None:
            if self.stopping and not cache.is_awaited:
                raise Abandoned("the work was stopped")

        def run() -> Iterator[object]:
            with suppress(Abandoned), patiently(pause):
                yield from work()

        return run

    def may_go_on(self, gate: threads.IdleGate) -> bool:
        """In the thread: wait while a person does; False once it was stopped."""
        while not self.stopping:
            if gate.wait(LOOK):
                return not self.stopping
        return False

    def wait_for(self, gate: threads.IdleGate) -> None:
        """In the thread: wait while a person does; raise `Cancelled` once it was stopped."""
        if not self.may_go_on(gate):
            raise Cancelled("the work was stopped")

    def close(self) -> None:
        """Stop and deliver nothing any more."""
        self._closed = True
        self.stop()
        self.progress.end()

    def _stepped(self, outcome: object) -> None:
        if self._closed or not isalive(self):
            return
        self.progress.show_done(self.progress.done + 1)
        self.stepped.emit(outcome)

    def _returned(self, errors: tuple[RuntimeError, ...]) -> None:
        for error in errors:
            self._failed(error)
        if not errors:
            self._end("stopped" if self._stop.is_set() else "")

    def _failed(self, error: Exception) -> None:
        self._end(self._explain(error))

    def _end(self, outcome: str) -> None:
        self._worker = None
        if not self._closed and isalive(self):  # a window that closes deletes its docks
            self.progress.end()
            self.ended.emit(outcome)


def _until(work: Callable[[], Iterator[object]], stop: threading.Event) -> Callable[[], Run]:
    begin = called_once(work)

    def run() -> Run:
        pool: Any = QThreadPool.globalInstance()
        pool.releaseThread()  # it may wait for a turn, which needs one of as few as two threads
        try:
            with threads.work():
                for outcome in begin():
                    yield outcome
                    if stop.is_set():
                        break
                    threads.give_way()
            return ()
        except RuntimeError as error:  # the worker takes one for its own end, and tells nobody
            return (error,)
        finally:
            pool.reserveThread()

    return run
