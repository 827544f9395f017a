"""Files written one after another in a thread, none of them dropped."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from qtpy.QtCore import QObject, Signal

LONGEST = 300
"""Seconds that a file is waited for at most."""


class Saver(QObject):
    """Does what is to be written, in the order in which it was asked for.

    What fails is kept, and done again before the next.

    Attributes
    ----------
    done : Signal(int, str)
        Something was written for an image; its number, and the text that the work gave, or "".
    failed : Signal(int, object)
        The exception.
    """

    done = Signal(int, str)
    failed = Signal(int, object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(1, "series")
        self._last: dict[int, Future[object]] = {}
        self._again: dict[int, Callable[[], object]] = {}
        self._closed = False

    def submit(self, index: int, work: Callable[[], object], *, keep: bool = False) -> None:
        """Do some work for an image in the thread; with `keep` again, where it fails."""
        if self._closed:
            return
        again, self._again = self._again, {}
        for number, former in again.items():
            if number != index:
                self._start(number, former, True)
        self._start(index, work, keep)

    def wait(self, index: int) -> None:
        """Wait, in any thread, until everything asked for so far is written for an image."""
        last = self._last.get(index)
        if last is not None:
            wait([last], LONGEST)

    def close(self) -> None:
        """Wait until everything is written; nothing more is taken."""
        self._closed = True
        self._pool.shutdown(wait=True)

    def _start(self, index: int, work: Callable[[], object], keep: bool) -> None:
        future = self._pool.submit(work)
        self._last[index] = future
        future.add_done_callback(lambda done: self._ended(index, work, keep, done))

    def _ended(
        self, index: int, work: Callable[[], object], keep: bool, future: Future[object]
    ) -> None:
        """In the thread: tell the main one."""
        if self._last.get(index) is future:  # which would keep what was written
            del self._last[index]
        error = future.exception()
        if error is not None and keep:
            self._again[index] = work
        if self._closed:
            return
        if error is None:
            said = future.result()
            self.done.emit(index, said if isinstance(said, str) else "")
        else:
            self.failed.emit(index, error)
