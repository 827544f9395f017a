"""Downloads of model weights: in a thread, with progress in napari's activity dock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from napari.qt.threading import create_worker
from napari.utils.progress import cancelable_progress
from qtpy.QtCore import QObject, Signal

from ...errors import DownloadCancelled, NapariSeemError
from ...models.registry import download_model
from ...models.weights import Cancel, Progress
from .._shared.runner import report_crash

Fetch = Callable[[str, Progress, Cancel], Path]
EVERY = 0.1
"""Seconds between two reports of progress."""


class Download(QObject):
    """Fetches the weights of one model at a time; what has arrived is kept when it is stopped.

    Parameters
    ----------
    parent : QObject
    fetch : callable
        `fetch(name, progress, cancel)`; by default `registry.download_model`.

    Attributes
    ----------
    progressed : Signal(object, object)
        Bytes that are here, and in all (None where the server does not say).
    ended : Signal(str, str)
        Name of the model, and what went wrong or ''.
    """

    progressed = Signal(object, object)
    ended = Signal(str, str)

    def __init__(self, parent: QObject, fetch: Fetch = download_model) -> None:
        super().__init__(parent)
        self._fetch = fetch
        self._stop = threading.Event()
        self._worker: Any = None
        self._progress: Any = None
        self.name = ""
        self.progressed.connect(self._show)

    @property
    def running(self) -> bool:
        """Whether something is being downloaded."""
        return self._worker is not None

    def start(self, name: str, title: str) -> None:
        """Begin, or go on where an earlier download stopped."""
        if self.running:
            return
        self.name = name
        self._stop.clear()
        self._progress = cancelable_progress(total=0, desc=f"Downloading {title}")
        report = _Sparse(self.progressed.emit)
        work = partial(self._fetch, name, report, self._stop.is_set)
        self._worker = create_worker(work, _start_thread=False, _ignore_errors=True)
        self._worker.returned.connect(lambda _: self._end(""))
        self._worker.errored.connect(self._failed)
        self._worker.start()

    def cancel(self) -> None:
        """Stop after the block that is being read."""
        self._stop.set()

    def _show(self, done: int, total: int | None) -> None:
        if self._progress is None:
            return
        if self._progress.is_canceled:
            self.cancel()
        if total and self._progress.total != total:
            self._progress.reset(total=total)
        self._progress.update(done - self._progress.n)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, DownloadCancelled):
            self._end("stopped; the next download goes on from there")
        elif isinstance(error, NapariSeemError):
            self._end(str(error))
        else:
            report_crash(error)
            self._end(f"{type(error).__name__}: {error}")

    def _end(self, problem: str) -> None:
        self._worker = None
        if self._progress is not None:
            self._progress.close()
            self._progress = None
        self.ended.emit(self.name, problem)


class _Sparse:
    """Passes reports on, but not more often than a person can see."""

    def __init__(self, report: Callable[[int, int | None], None]) -> None:
        self._report = report
        self._last = 0.0

    def __call__(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._last >= EVERY or done == total:
            self._last = now
            self._report(done, total)
