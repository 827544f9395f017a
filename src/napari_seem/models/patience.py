"""Long work that lets others go first: an encoder in the background, while a person clicks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .mps import LOCK

_patience = threading.local()


@contextmanager
def patiently(
    wait: Callable[[], None] | None = None, told: Callable[[float, float], object] | None = None
) -> Iterator[None]:
    """Let encoders in this thread pause between their stages.

    Parameters
    ----------
    wait : callable, optional
        Called without arguments at every `checkpoint`. It may block, such as for as long as a
        person waits for an answer, and may raise an error to end the work.
    told : callable, optional
        Called by encoders that know how far they are, with the share of a picture that is done and
        the seconds that all of it takes. It may raise an error to end the work, too.
    """
    before = getattr(_patience, "both", (None, None))
    _patience.both = wait, told
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


def tell(share: float, seconds: float) -> None:
    """Say how much of a picture is done, and how long all of it takes; see `patiently`."""
    _, told = getattr(_patience, "both", (None, None))
    if told is not None:
        told(share, seconds)
