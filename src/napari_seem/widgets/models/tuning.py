"""A fine-tuning in a thread: a person's clicks go first, and the best so far is never lost."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal

from ...errors import InvalidName
from ...finetuning import FineTuning, FineTuningRun, TuningReport
from ...models import own, threads
from ...models.in_context import Kind
from ...models.registry import load_model
from ...series.labelled import labelled_planes
from ...viewer.labelled import LabelledPart
from .._shared.steps import LOOK, Steps

LONGEST_PAUSE = 5.0
"""Seconds for which a step waits for a person who clicks on and on."""
MOST_PIXELS = 1 << 25
"""Labelled pixels that are learned from at most, some 500 MB of memory in all."""
LEAST_GROUPS = 5
"""Of fewer layers and files no whole one is held back: it may hold most of what is labelled."""
PARTS = 1000
"""Parts of the time in the bar."""


@dataclass(frozen=True, eq=False)
class TuningRequest:
    """What a model is to learn from, and for how long.

    Attributes
    ----------
    base, name : str
        The model to begin with, and what the new one is called.
    parts : sequence of (hashable, LabelledPart)
        Labelled planes; what has the same key is held back together.
    files : sequence of (Path, Path)
        Images, and the folder where their labels may lie.
    kind : str
        Whether ids are objects or classes; see `finetune`.
    minutes : float
    device : str
    """

    base: str
    name: str
    parts: Sequence[tuple[object, LabelledPart]] = field(repr=False)
    files: Sequence[tuple[Path, Path]] = field(repr=False)
    kind: Kind
    minutes: float
    device: str

    def examples(self) -> tuple[list[Any], list[object]]:
        """Read all images; return (image, labels) pairs, and what each belongs to.

        Files are read as long as there is room.
        """
        pairs: list[Any] = [(part.read(), part.labels) for _, part in self.parts]
        groups: list[object] = [key for key, _ in self.parts]
        left = MOST_PIXELS - sum(part.labels.size for _, part in self.parts)
        for path, labels in self.files:
            if left <= 0:
                break
            for plane in labelled_planes([path], labels):
                pairs.append((plane.image, plane.labels))
                groups.append(path)
                left -= plane.labels.size
        if len(set(groups)) < LEAST_GROUPS:
            groups = [None] * len(pairs)
        return pairs, groups


class ModelTuning(QObject):
    """Fine-tunes one model at a time.

    Parameters
    ----------
    gate : IdleGate
        Shut while a person waits for an answer.
    parent : QObject

    Attributes
    ----------
    reported : Signal(object)
        A `TuningReport`.
    finished : Signal(object)
        A `FineTuning`.
    ended : Signal(str)
        As of `Steps`; comes after `finished`.
    """

    reported = Signal(object)
    finished = Signal(object)
    ended = Signal(str)

    def __init__(self, gate: threads.IdleGate, parent: QObject) -> None:
        super().__init__(parent)
        self._gate = gate
        self._enough, self._closed = threading.Event(), threading.Event()
        self._waited = 0.0
        self.steps = Steps(self)
        self.steps.progress.text = _percent
        self.steps.stepped.connect(self._on_step)
        self.steps.ended.connect(self._on_end)

    @property
    def running(self) -> bool:
        """Whether a model is fine-tuned."""
        return self.steps.running

    def start(self, request: TuningRequest) -> None:
        """Begin; all that the thread needs is in the request."""
        self._enough.clear()
        self._waited = 0.0
        atexit.register(self.close)  # where no window closes first; before threads are waited for
        self.steps.start(f"Fine-tuning '{request.name}'", 0, lambda: self._run(request))

    def stop(self) -> None:
        """End training soon and deliver the best so far."""
        self._enough.set()

    def cancel(self) -> None:
        """End training soon and deliver nothing."""
        self.steps.progress.cancel()

    def close(self) -> None:
        """End training soon; the thread keeps the best so far if it is better."""
        self._closed.set()
        self._enough.set()

    def _on_end(self, outcome: str) -> None:
        atexit.unregister(self.close)
        self.ended.emit(outcome)

    def _run(self, request: TuningRequest) -> Iterator[TuningReport | FineTuning]:
        model = load_model(request.base, request.device)
        pairs, groups = request.examples()
        run = FineTuningRun(
            model, pairs, minutes=request.minutes, device=request.device, name=request.name,
            kind=request.kind, groups=groups, clock=self._clock,
        )  # fmt: skip
        del pairs
        for report in run.steps():
            if self._enough.is_set() or not isalive(self):
                break
            yield report
            self._let_clicks_go_first()
        if run.before is None:
            return
        found = run.result()
        if self._closed.is_set() or not isalive(self):  # nobody listens any more
            keep(found)
        else:
            yield found

    def _clock(self) -> float:
        """Seconds that are not spent waiting for a person."""
        return time.monotonic() - self._waited

    def _let_clicks_go_first(self) -> None:
        begun = time.monotonic()
        while not (self._enough.is_set() or self.steps.stopping or self._gate.wait(LOOK)):
            if time.monotonic() - begun > LONGEST_PAUSE:
                break
        self._waited += time.monotonic() - begun

    def _on_step(self, outcome: TuningReport | FineTuning) -> None:
        if not isalive(self) or self._closed.is_set():
            return
        if isinstance(outcome, FineTuning):
            self.finished.emit(outcome)
            return
        self.steps.progress.show_done(max(1, int(PARTS * outcome.done)), PARTS)
        self.reported.emit(outcome)


def keep(found: FineTuning) -> None:
    """Install a model if it is better, under a name that is free."""
    if not found.improved:
        return
    try:
        found.install()
    except InvalidName:
        found.install(free_name(found.name))


def free_name(name: str) -> str:
    """Return a name for a model that none has, with a number where it is taken."""
    names = (f"{name} {number}" if number > 1 else name for number in range(1, 10_000))
    return next(one for one in names if not own.path_of(one).exists())


def _percent(done: int, total: int) -> str:
    return f"{100 * done // total} %"
