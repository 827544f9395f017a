"""A fine-tuning in a thread: a person's clicks go first, and the best so far is never lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from ...finetuning import MOST_PIXELS, FineTuning, FineTuningRun, TuningReport
from ...finetuning.draft import Draft
from ...models.files import own
from ...models.in_context import Kind
from ...models.registry import build_model, model_spec
from ...models.running import threads
from ...series.labelled import labelled_planes
from ...viewer.labelled import LabelledPart
from .._shared.background.steps import LOOK, Steps
from .._shared.message import notify_problem

if TYPE_CHECKING:
    from ...in_context.given import LabelledImage

LONGEST_PAUSE = 5.0
"""Seconds for which a step waits for a person who clicks on and on."""
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
    files : sequence of (sequence of Path, Path)
        Images, and the folder where their labels may lie.
    kind : str
        Whether ids are objects or classes; see `finetune`.
    minutes : float
    device : str
    """

    base: str
    name: str
    parts: Sequence[tuple[object, LabelledPart]] = field(repr=False)
    files: Sequence[tuple[Sequence[Path], Path]] = field(repr=False)
    kind: Kind
    minutes: float
    device: str

    def examples(self) -> tuple[list[LabelledImage], list[object]]:
        """Read all images; return (image, labels) pairs, and what each belongs to.

        Of files there are as many planes as there is room for.
        """
        pairs: list[LabelledImage] = [(part.read(), part.labels) for _, part in self.parts]
        groups: list[object] = [key for key, _ in self.parts]
        left = MOST_PIXELS - sum(part.labels.size for _, part in self.parts)
        for paths, labels in self.files:
            planes = labelled_planes(paths, labels, most_pixels=max(1, left // len(self.files)))
            pairs += [(plane.image, plane.labels) for plane in planes]
            groups += [(labels, plane.name) for plane in planes]
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
        self._enough = threading.Event()
        self._draft: Draft | None = None
        self._waited = 0.0
        self.steps = Steps(self)
        self.steps.progress.text = _percent
        self.steps.stepped.connect(self._on_step)
        self.steps.ended.connect(self.ended.emit)

    @property
    def running(self) -> bool:
        """Whether a model is fine-tuned."""
        return self.steps.running

    def start(self, request: TuningRequest) -> None:
        """Begin; all that the thread needs is in the request."""
        self._enough.clear()
        self._waited = 0.0
        self._draft = draft = Draft(request.name)
        self.steps.start(f"Fine-tuning '{request.name}'", 0, lambda: self._run(request, draft))

    def stop(self) -> None:
        """End training soon and deliver the best so far."""
        self._enough.set()

    def cancel(self) -> None:
        """End training soon and deliver nothing."""
        self.steps.progress.cancel()

    def close(self) -> None:
        """End training soon and deliver nothing; the draft of the best so far stays."""
        self.steps.close()

    def drop_draft(self) -> None:
        """Delete the best weights so far, which nobody needs any more."""
        if self._draft is not None:
            self._draft.drop()
            self._draft = None

    def leave_draft(self) -> str:
        """Leave the best weights so far to the person; what they are called, '' without any."""
        draft, self._draft = self._draft, None
        return f"{own.PREFIX}{draft.name}" if draft is not None and draft.exists else ""

    def _run(self, request: TuningRequest, draft: Draft) -> Iterator[TuningReport | FineTuning]:
        model = build_model(model_spec(request.base), request.device, report=notify_problem)
        pairs, groups = request.examples()
        run = FineTuningRun(
            model, pairs, minutes=request.minutes, device=request.device, name=request.name,
            kind=request.kind, groups=groups, clock=self._clock,
        )  # fmt: skip
        del pairs
        for report in run.steps():
            if report.iou is not None and report.iou == report.best:
                _put(draft, run)
            if self._enough.is_set():
                break
            yield report
            self._let_clicks_go_first()
        if run.before is not None:
            yield from run.comparing()
            yield run.result()

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
        if isinstance(outcome, FineTuning):
            self.finished.emit(outcome)
            return
        self.steps.progress.show_done(max(1, int(PARTS * outcome.done)), PARTS)
        self.reported.emit(outcome)


def _put(draft: Draft, run: FineTuningRun) -> None:
    """Write the best weights so far if they are better than those to begin with."""
    found = run.so_far()
    if found is not None:
        draft.put(found)


def _percent(done: int, total: int) -> str:
    return f"{100 * done // total} %"
