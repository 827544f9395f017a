"""Long work that lets others go first: an encoder in the background, while a person clicks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_patience = threading.local()


class DeviceLock:
    """A lock that its thread may take several times, and let go for a while."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._owner: int | None = None
        self._depth = 0

    @property
    def is_mine(self) -> bool:
        """Whether this thread holds it."""
        return self._owner == threading.get_ident()

    def __enter__(self) -> None:
        with self._free:
            if not self.is_mine:
                self._free.wait_for(lambda: self._owner is None)
                self._owner = threading.get_ident()
            self._depth += 1

    def __exit__(self, *_: object) -> None:
        with self._free:
            self._depth -= 1
            if not self._depth:
                self._owner = None
                self._free.notify()

    @contextmanager
    def let_go(self) -> Iterator[None]:
        """Let other threads have it meanwhile, where this one holds it."""
        if not self.is_mine:
            yield
            return
        with self._free:
            depth, self._depth, self._owner = self._depth, 0, None
            self._free.notify()
        try:
            yield
        finally:
            with self:
                self._depth = depth + 1


LOCK = DeviceLock()
"""Of graphics that one thread at a time may use; see `mps`."""


@contextmanager
def patiently(
    wait: Callable[[], None] | None = None,
    report: Callable[[str, float, float], object] | None = None,
) -> Iterator[None]:
    """Let encoders in this thread pause between their stages.

    Parameters
    ----------
    wait : callable, optional
        Called without arguments at every `checkpoint`. It may block, such as for as long as a
        person waits for an answer, and may raise an error to end the work.
    report : callable, optional
        Called by what knows how far it is on a picture, with what is done there, the share of it
        that is done, and the seconds that all of it takes. It may raise an error to end the work,
        too.
    """
    before = getattr(_patience, "both", (None, None))
    _patience.both = wait, report
    try:
        yield
    finally:
        _patience.both = before


def checkpoint() -> None:
    """Pause, or end, where the thread works `patiently`; encoders call it between their stages."""
    wait, _ = getattr(_patience, "both", (None, None))
    if wait is not None:
        with LOCK.let_go():
            wait()


def report_progress(what: str, share: float, seconds: float) -> None:
    """Say how much of a picture is done, and how long all of it takes; see `patiently`."""
    _, report = getattr(_patience, "both", (None, None))
    if report is not None:
        report(what, share, seconds)
