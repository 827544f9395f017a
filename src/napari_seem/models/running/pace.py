"""How long an encoder takes on this computer, told while it reads its first picture."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate

from .patience import checkpoint, report_progress

LOG = logging.getLogger(__name__)
LONG = 5.0
"""Seconds from which a person is told ahead how long a picture takes."""
ENOUGH = 0.15
"""Share of the work from which its time tells that of the rest."""


class Pace:
    """Times the parts of an encoder, less the time for which they wait for others.

    Safe in threads: each times its own picture.

    Parameters
    ----------
    name : str
        Of the model, for the log.
    work : sequence of float
        Of each part, in any unit.

    Attributes
    ----------
    seconds : float or None
        That a picture takes: as the last one took or, in the first one, as its parts so far tell.
    """

    def __init__(self, name: str, work: Sequence[float]) -> None:
        self.name = name
        self.seconds: float | None = None
        done = list(accumulate(work, initial=0.0))
        self._before = [share / done[-1] for share in done[:-1]]
        self._picture = threading.local()
        self._is_measured = self._was_logged = False

    @contextmanager
    def picture(self) -> Iterator[None]:
        """Time a picture, from its first part to its last."""
        self._picture.begun = time.perf_counter()
        yield
        self.seconds, self._is_measured = self._spent(), True

    def reached(self, part: int) -> None:
        """Note that a part begins; it may be made to wait, or told to end, by its thread."""
        waits = time.perf_counter()
        checkpoint()
        self._picture.begun += time.perf_counter() - waits
        share = self._before[part]
        if share >= ENOUGH and not self._is_measured:
            self.seconds = self._spent() / share
        if self.seconds is not None:
            self._report(share, self.seconds)

    def _spent(self) -> float:
        return float(time.perf_counter() - self._picture.begun)

    def _report(self, share: float, seconds: float) -> None:
        if not self._was_logged and seconds >= LONG:
            LOG.warning("%s: %s", self.name, in_words(seconds))
        self._was_logged = True
        report_progress("reading the image", share, seconds)


def in_words(seconds: float) -> str:
    """Say what a person has to wait for, as coarse as such a guess is."""
    import torch

    step = 1 if seconds < 10 else 5 if seconds < 60 else 10
    threads = torch.get_num_threads()
    return (
        f"a picture takes about {step * round(seconds / step)} s to read on this computer "
        f"({threads} {'thread' if threads == 1 else 'threads'}), once; turns on it are fast"
    )
