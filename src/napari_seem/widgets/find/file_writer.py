"""Findings written into label files in a thread, one file after another."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qtpy.QtCore import QObject, Signal

from ...commands.label_files import FiledFindings, remove_findings, write_findings
from ...errors import NapariSeemError
from ...query import Finding
from .._shared.background.steps import Steps
from .._shared.message import notify


@dataclass(frozen=True, eq=False)
class FileRequest:
    """Findings to be written into their file, or what was written to be taken out again.

    `numbers` are those of the findings in the list of that number.
    """

    numbers: tuple[int, ...]
    source: Path
    findings: tuple[Finding, ...] = field(default=(), repr=False)
    model: str = ""
    overwrite: bool = False
    back: FiledFindings | None = field(default=None, repr=False)
    list_number: int = 0


@dataclass(frozen=True, eq=False)
class FileResult:
    """What came of a request: what was written (nothing where it was taken out), or a problem."""

    request: FileRequest
    written: FiledFindings | None = None
    problem: str = ""


class FileWriter(QObject):
    """Does requests in their order.

    Attributes
    ----------
    finished : Signal(object)
        A `FileResult`.
    """

    finished = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._left: deque[FileRequest] = deque()
        self._writing = threading.Lock()
        self.steps = Steps(self)
        self.steps.stepped.connect(self.finished)
        self.steps.ended.connect(lambda _: self._go_on())

    @property
    def busy(self) -> bool:
        """Whether something is being written, or waits to be."""
        return self.steps.running or bool(self._left)

    def submit(self, requests: Sequence[FileRequest]) -> None:
        """Do these, after those that wait."""
        self._left.extend(requests)
        self._go_on()

    def close(self) -> None:
        """Write what still waits, and deliver nothing any more."""
        self.steps.close()
        for finished in self._run():
            if finished.problem:
                notify(finished.problem, problem=True)

    def _go_on(self) -> None:
        if self._left and not self.steps.running:
            self.steps.start("Writing labels", len(self._left), self._run)

    def _run(self) -> Iterator[FileResult]:
        while self._left:
            request = self._left.popleft()
            try:
                with self._writing:
                    done = _done(request)
                yield FileResult(request, done)
            except (NapariSeemError, OSError) as error:
                yield FileResult(request, problem=str(error))


def _done(request: FileRequest) -> FiledFindings | None:
    if request.back is not None:
        remove_findings(request.back)
        return None
    return write_findings(
        request.source, request.findings, request.model, overwrite=request.overwrite
    )
