"""Findings written into label files in a thread, one file after another."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, Signal

from ...errors import NapariSeemError
from ...query import Finding, LabelFile, added, taken_out
from .._shared.steps import Steps


@dataclass(frozen=True, eq=False)
class Wish:
    """Findings to be written into their file, or what was written to be taken out again.

    `numbers` are those of the findings in the list of that number.
    """

    numbers: tuple[int, ...]
    source: Path
    findings: tuple[Finding, ...] = field(default=(), repr=False)
    model: str = ""
    overwrite: bool = False
    back: LabelFile | None = field(default=None, repr=False)
    list_number: int = 0


@dataclass(frozen=True, eq=False)
class Granted:
    """What came of a wish: what was written (nothing where it was taken out), or a problem."""

    wish: Wish
    written: LabelFile | None = None
    problem: str = ""


class FileTakings(QObject):
    """Does wishes in their order.

    Attributes
    ----------
    granted : Signal(object)
        A `Granted`.
    """

    granted = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._left: deque[Wish] = deque()
        self._writing = threading.Lock()
        self.steps = Steps(self)
        self.steps.stepped.connect(self.granted)
        self.steps.ended.connect(lambda _: self._go_on())

    @property
    def busy(self) -> bool:
        """Whether something is being written, or waits to be."""
        return self.steps.running or bool(self._left)

    def wish(self, wishes: Sequence[Wish]) -> None:
        """Do these, after those that wait."""
        self._left.extend(wishes)
        self._go_on()

    def close(self) -> None:
        """Write what still waits, and deliver nothing any more."""
        self.steps.close()
        for granted in self._run():
            if granted.problem:
                show_warning(granted.problem)

    def _go_on(self) -> None:
        if self._left and not self.steps.running:
            self.steps.start("Writing labels", len(self._left), self._run)

    def _run(self) -> Iterator[Granted]:
        while self._left:
            wish = self._left.popleft()
            try:
                with self._writing:
                    done = _done(wish)
                yield Granted(wish, done)
            except (NapariSeemError, OSError) as error:
                yield Granted(wish, problem=str(error))


def _done(wish: Wish) -> LabelFile | None:
    if wish.back is not None:
        taken_out(wish.back)
        return None
    return added(wish.source, wish.findings, wish.model, overwrite=wish.overwrite)
