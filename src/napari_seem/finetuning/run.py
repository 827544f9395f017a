"""A fine-tuning as it runs: step by step, with the best weights so far at any moment."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import real_number, whole_number
from ..errors import InvalidArgument
from ..models import registry
from ..models.base import Model
from ..models.files import own
from ..models.in_context import Kind
from ..models.running import mps
from ..models.running.fallback import PROCESSOR, has_left
from ..models.running.torch_import import import_torch
from ..values import JsonObject
from .examples import UInt8Array, divided, pieces_of
from .judge import FEW_CLICKS, MOST_CLICKS, HeldOutFigures, ObjectScore, judging
from .result import FineTuning

if TYPE_CHECKING:
    from ..training import Recipe, Tuner

JUDGE_EVERY = 1 / 10
"""Share of the time after which the weights are judged again, unless judging takes too long."""
JUDGING_SHARE = 0.2
"""Largest share of the time between two judgements that one may take."""
RESERVE = 1.2
"""The last judgement is expected to take so many times as long as the first."""
LEAST_MINUTES = 1e-3
LEAST_SHARE = 0.5
"""Share of the time that is trained at least, however long judging takes."""
NAME = "fine-tuned"


@dataclass(frozen=True)
class TuningReport:
    """Where a fine-tuning stands.

    Attributes
    ----------
    minutes : float
        Since it began.
    done : float
        Share of the time that is used up, 0 to 1.
    doing : str
        "judge" or "train".
    iou : float or None
        Of the held-out objects, where they have just been judged.
    best : float or None
        The highest of them so far.
    """

    minutes: float
    done: float
    doing: str
    iou: float | None = None
    best: float | None = None


class FineTuningRun:
    """A fine-tuning that can be stopped at any moment; parameters and errors as of `finetune`.

    Everything is checked at once; nothing is computed before `steps` is iterated.

    Parameters
    ----------
    groups : sequence, optional
        For each example what it belongs to, such as the stack that it is a plane of; what belongs
        together is held back together.
    recipe : Recipe, optional
        Of the trainer; by default `napari_seem.training.recipe.TUNING`.
    clock : callable
        Returns seconds since any fixed moment.

    Attributes
    ----------
    before : HeldOutFigures or None
        Of the given model; None until they are known.
    curve : list of (float, float)
        Minutes, and `iou` of the held-out objects by then.
    how : str
        What is held back, for people.
    trains_on : str
        A torch device: the one that was given, or the processor in place of graphics of a Mac.
    """

    def __init__(
        self, model: Model, examples: object, *, minutes: float = 5.0, device: str = "auto",
        name: str | None = None, seed: int = 0, kind: Kind = "instance",
        groups: Sequence[object] | None = None, recipe: Recipe | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        import_torch()
        self._model: Any = _tunable(model)
        self._minutes = real_number(minutes, "minutes", LEAST_MINUTES)
        self._seed = whole_number(seed, "seed", 0)
        self.name = NAME if name is None else own.checked_name(name)
        self._pieces = pieces_of(examples, kind, groups)
        self._division = divided(self._pieces, self._seed)
        self._kind, self._recipe, self._clock = kind, recipe, clock
        self._device = registry.resolve_device(device)
        # graphics of Macs have no float64, by which objects are drawn
        self.trains_on = PROCESSOR if self._device == mps.KIND else self._device
        self.how = self._division.how
        self.before: HeldOutFigures | None = None
        self.curve: list[tuple[float, float]] = []
        self._began = 0.0
        self._tuner: Tuner | None = None
        self._unjudged = False
        self._best = (-1.0, 0.0)
        self._kept: HeldOutFigures | None = None
        self._after: HeldOutFigures | None = None

    def steps(self) -> Iterator[TuningReport]:
        """Train until the time is up, yielding after every small step.

        Stop iterating to stop training; `result` gives the best so far.
        """
        self._began = self._clock()
        self._tuner = tuner = self._make_tuner()
        begun = self._elapsed()
        found = yield from self._judging(self._model, MOST_CLICKS)
        self.before = found
        yield self._judged(found)
        reserve = RESERVE * (self._elapsed() - begun)
        begin, whole = self._elapsed(), 60 * self._minutes
        end = max(whole - reserve, begin + LEAST_SHARE * whole)
        judged, took = begin, 0.0
        while (now := self._elapsed()) < end:
            if now - judged > max(JUDGE_EVERY * 60 * self._minutes, took / JUDGING_SHARE):
                yield from self._judge(tuner)
                judged = self._elapsed()
                took = judged - now
            tuner.step((now - begin) / (end - begin))
            self._unjudged = True
            yield self._report("train")
        if self._unjudged:
            yield from self._judge(tuner)

    def comparing(self) -> Iterator[TuningReport]:
        """Judge the best weights by as many clicks as the given ones, yielding after every object.

        Iterate it after `steps` to be able to stop in between; `result` does what is left of it.

        Raises
        ------
        RuntimeError
            The given model is not judged yet.
        """
        if self.before is None or self._tuner is None:
            raise RuntimeError("the given model is not judged yet; iterate `steps` first")
        if self._unjudged:
            yield from self._judge(self._tuner)
        if self._after is None and self._kept is not None:
            model = self._loaded(self._tuner.weights(kept=True))
            self._after = yield from self._judging(model, MOST_CLICKS)

    def result(self) -> FineTuning:
        """Return the best weights so far, judged; takes some seconds unless they are compared.

        Raises
        ------
        RuntimeError
            The given model is not judged yet.
        """
        deque(self.comparing(), maxlen=0)
        assert self.before is not None
        return self._tuned(self.before, self._after or self.before)

    def so_far(self) -> FineTuning | None:
        """Return the best weights if they are better by more than chance, as judged in training.

        Nothing is judged anew: the figures of both are by three clicks.
        """
        if self.before is None or self._kept is None:
            return None
        before = self.before.first(FEW_CLICKS)
        return self._tuned(before, self._kept) if self._kept.better_than(before) else None

    def _tuned(self, before: HeldOutFigures, after: HeldOutFigures) -> FineTuning:
        """Return the best weights with their figures."""
        assert self._tuner is not None
        facts = self._provenance(before, after)
        about = {"name": self.name, "provenance": json.dumps(facts)}
        content = self._tuner.weights(kept=True, about=about)
        model = self._loaded(content)
        return FineTuning(self.name, model, before, after, tuple(self.curve), facts, content)

    def _make_tuner(self) -> Tuner:
        from ..training import Picture, Tuner
        from ..training.recipe import TUNING

        pictures = [
            Picture(_plain(piece.image), piece.objects, {}, "examples")
            for piece in self._division.learned
        ]
        recipe = self._recipe or TUNING
        with mps.entered(self._model.device):
            return Tuner(self._model, pictures, recipe, self._seed, self.trains_on)

    def _judge(self, tuner: Tuner) -> Iterator[TuningReport]:
        """Judge the present weights, and keep them if they are the best."""
        model = self._loaded(tuner.weights())
        found = yield from self._judging(model, FEW_CLICKS)
        if found.iou > self._best[0]:
            tuner.keep()
            self._kept, self._after = found, None
        self._unjudged = False
        yield self._judged(found)

    def _judging(self, model: Model, clicks: int) -> Generator[TuningReport, None, HeldOutFigures]:
        """Judge a model object by object."""
        scores: list[ObjectScore] = []
        for score in judging(model, self._division.held, clicks, self._seed):
            scores.append(score)
            yield self._report("judge")
        if has_left(model):
            self._device = PROCESSOR  # else each of the next ones would leave it, and say so
        return HeldOutFigures(tuple(scores))

    def _judged(self, found: HeldOutFigures) -> TuningReport:
        """Report a judgement."""
        at = self._elapsed() / 60 if self.curve else 0.0
        self.curve.append((at, found.iou))
        if found.iou > self._best[0]:
            self._best = found.iou, at
        return replace(self._report("judge"), iou=found.iou)

    def _report(self, doing: str) -> TuningReport:
        minutes = self._elapsed() / 60
        done = min(1.0, minutes / self._minutes)
        best = self._best[0] if self.curve else None
        return TuningReport(minutes, done, doing, best=best)

    def _elapsed(self) -> float:
        return self._clock() - self._began

    def _loaded(self, content: bytes) -> Model:
        """Load a weights file that is not on disk."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "compact.safetensors"
            path.write_bytes(content)
            return registry.load_model("compact", self._device, path)

    def _provenance(self, before: HeldOutFigures, after: HeldOutFigures) -> JsonObject:
        """Say what was learned from, how long, from which weights, and what came of it."""
        from importlib.metadata import version

        assert self._tuner is not None
        pieces, model = self._pieces, self._model
        return {
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "from": {"name": model.name, "identity": model.identity, "sha256": model.sha256},
            "images": len(pieces),
            "objects": sum(piece.count for piece in pieces),
            "held_out": {"objects": len(before.objects), "how": self.how},
            "before": before.to_dict(), "after": after.to_dict(),
            "improved": after.better_than(before),
            "minutes": round(self._elapsed() / 60, 2), "best_at": round(self._best[1], 2),
            "steps": self._tuner.steps, "seed": self._seed, "kind": self._kind,
            "device": self.trains_on, "versions": {k: version(k) for k in ("napari-seem", "torch")},
        }  # fmt: skip


def _tunable(model: object) -> Model:
    """Return a model that can be trained further; InvalidArgument for any other."""
    from ..models.compact import CompactModel

    if isinstance(model, CompactModel):
        return model  # type: ignore[return-value]
    if isinstance(model, str):
        raise InvalidArgument(
            f"'{model}' is a name; load the model first, by load_model('{model}')"
        )
    name = getattr(model, "name", type(model).__name__)
    raise InvalidArgument(
        f"'{name}' can't be fine-tuned; give the compact model, as load_model('compact') returns "
        "it, or one that was fine-tuned before"
    )


def _plain(image: UInt8Array) -> UInt8Array:
    """Return the one channel of a gray image (H, W, 3), and others as they are."""
    gray = (image == image[..., :1]).all()
    return np.ascontiguousarray(image[..., 0]) if gray else image
