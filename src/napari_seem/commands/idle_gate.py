"""Where work in the background waits while a person does."""

from __future__ import annotations

import threading
import time

REST = 1.0
"""Seconds for which the gate stays shut after an answer: the next click may be near."""


class IdleGate:
    """Shut while anybody holds it, and for a moment afterwards; safe in threads.

    Parameters
    ----------
    rest : float
        Seconds.
    """

    def __init__(self, rest: float = REST) -> None:
        self.rest = rest
        self._holders: set[object] = set()
        self._opens_at = 0.0
        self._changed = threading.Condition()

    def shut(self, holder: object) -> None:
        """Hold the gate; once more changes nothing."""
        with self._changed:
            self._holders.add(holder)

    def open(self, holder: object) -> None:
        """Let go of the gate; it opens when nobody else holds it."""
        with self._changed:
            if holder in self._holders:
                self._holders.discard(holder)
                self._opens_at = time.monotonic() + self.rest
                self._changed.notify_all()

    def wait(self, seconds: float, *, rest: bool = True) -> bool:
        """Whether one may pass, now or within some seconds; with `rest` not right afterwards."""
        until = time.monotonic() + seconds
        with self._changed:
            while True:
                now = time.monotonic()
                if not self._holders and (now >= self._opens_at or not rest):
                    return True
                if now >= until:
                    return False
                nearest = until if self._holders else min(until, self._opens_at)
                self._changed.wait(nearest - now)
