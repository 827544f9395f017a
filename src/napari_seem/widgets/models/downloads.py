"""Downloads of model weights in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, Signal

from ...errors import DownloadCancelled
from ...models.files.weights import Cancel
from ...models.files.weights import Progress as Report
from ...models.registry import download_model
from .._shared.background.progress import Progress
from .._shared.background.runner import explained

Fetch = Callable[[str, Report, Cancel], Path]
MEGABYTE = 1e6
EVERY = 0.1
"""Seconds between two reports of progress."""


def fetched(name: str, report: Report, cancel: Cancel) -> Path:
    """Download a model; `report` is called with bytes done and bytes in all."""
    return download_model(name, lambda done, total, what: report(done, total), cancel)


class Download(QObject):
    """Fetches the weights of one model at a time; what has arrived is kept when it is stopped.

    Parameters
    ----------
    parent : QObject
    fetch : callable
        `fetch(name, progress, cancel)`; by default `fetched`.

    Attributes
    ----------
    progress : Progress
        In bytes.
    ended : Signal(str, str)
        Name of the model, and what went wrong or ''.
    """

    _reported = Signal(object, object)
    ended = Signal(str, str)

    def __init__(self, parent: QObject, fetch: Fetch = fetched) -> None:
        super().__init__(parent)
        self._fetch = fetch
        self._stop = threading.Event()
        self._worker: Any = None
        self.progress = Progress(self, megabytes)
        self.progress.cancelled.connect(self.cancel)
        self.name = ""
        self._reported.connect(self.progress.show_done)

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
        self.progress.start(f"Downloading {title}")
        report = _Sparse(self._reported.emit)
        work = partial(self._fetch, name, report, self._stop.is_set)
        self._worker = create_worker(work, _start_thread=False, _ignore_errors=True)
        self._worker.returned.connect(lambda _: self._end(""))
        self._worker.errored.connect(self._failed)
        self._worker.start()

    def cancel(self) -> None:
        """Stop after the block that is being read."""
        self._stop.set()

    def _failed(self, error: Exception) -> None:
        stopped = isinstance(error, DownloadCancelled)
        self._end("stopped; the next download resumes there" if stopped else explained(error))

    def _end(self, problem: str) -> None:
        self._worker = None
        self.progress.end()
        self.ended.emit(self.name, problem)


def megabytes(done: int, total: int) -> str:
    """'12.1 of 94.0 MB'."""
    return f"{done / MEGABYTE:,.1f} of {total / MEGABYTE:,.1f} MB"


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
