"""Long work that lets others go first: an encoder in the background, while a person clicks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .mps import LOCK

_patience = threading.local()


@contextmanager
def patiently(wait: Callable[[], None]) -> Iterator[None]:
    """Let encoders in this thread pause between their stages.

    Parameters
    ----------
    wait : callable
        Called without arguments at every `checkpoint`. It may block, such as for as long as a
        person waits for an answer, and may raise an error to end the work.
    """
    before = getattr(_patience, "wait", None)
    _patience.wait = wait
    try:
        yield
    finally:
        _patience.wait = before


def checkpoint() -> None:
    """Pause, or end, where the thread works `patiently`; encoders call it between their stages."""
    wait = getattr(_patience, "wait", None)
    if wait is not None:
        with LOCK.let_go():
            wait()
