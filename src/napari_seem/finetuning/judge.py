"""How well a model segments objects that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ..models.base import Embedding, Model
from ..prompts import Prompt
from .examples import HeldOut
from .person import BoolArray, drawn_box, first_click, iou, next_click

GOAL = 0.85
"""Intersection over union at which an object is done."""
MOST_CLICKS = 10
"""Clicks after which an object that is not done is given up."""
FEW_CLICKS = 3
CERTAINTY = 0.95
"""Certainty with which better objects are told from noise."""


@dataclass(frozen=True)
class ObjectScore:
    """How well one object was segmented.

    Attributes
    ----------
    curve : tuple of float
        Intersection over union after each click.
    box : float
        Intersection over union by a box alone.
    """

    curve: tuple[float, ...]
    box: float

    @property
    def iou(self) -> float:
        """Mean of the intersection over union after one click, after three, and by a box."""
        return (self.curve[0] + self.curve[FEW_CLICKS - 1] + self.box) / 3

    @property
    def clicks(self) -> int:
        """Clicks until the object was done; at most as many as were made."""
        return next((n for n, value in enumerate(self.curve, 1) if value >= GOAL), len(self.curve))


@dataclass(frozen=True)
class HeldOutFigures:
    """How well a model segments the held-out objects.

    Attributes
    ----------
    objects : tuple of ObjectScore
        In the same order for every model.
    """

    objects: tuple[ObjectScore, ...]

    @property
    def iou_at_1(self) -> float:
        """Mean intersection over union after one click."""
        return float(np.mean([one.curve[0] for one in self.objects]))

    @property
    def iou_at_3(self) -> float:
        """Mean intersection over union after three clicks."""
        return float(np.mean([one.curve[FEW_CLICKS - 1] for one in self.objects]))

    @property
    def noc_at_85(self) -> float:
        """Mean number of clicks until an intersection over union of .85, of ten at most."""
        return float(np.mean([one.clicks for one in self.objects]))

    @property
    def box(self) -> float:
        """Mean intersection over union by a box."""
        return float(np.mean([one.box for one in self.objects]))

    @property
    def iou(self) -> float:
        """Mean of `iou_at_1`, `iou_at_3` and `box`."""
        return float(np.mean([one.iou for one in self.objects]))

    def first(self, clicks: int) -> HeldOutFigures:
        """Return the figures of so many clicks, and of the boxes."""
        return HeldOutFigures(tuple(ObjectScore(o.curve[:clicks], o.box) for o in self.objects))

    def better_than(self, other: HeldOutFigures) -> bool:
        """Return whether the same objects are segmented better, by more than chance would.

        A one-sided t-test of the differences, object by object, with a certainty of 95 %.
        """
        gains = [a.iou - b.iou for a, b in zip(self.objects, other.objects, strict=True)]
        if len(gains) < 2 or np.mean(gains) <= 0:
            return False
        error = np.std(gains, ddof=1) / np.sqrt(len(gains))
        return bool(np.mean(gains) > stats.t.ppf(CERTAINTY, len(gains) - 1) * error)

    def to_dict(self) -> dict[str, float]:
        """Return the means, rounded."""
        names = ("iou_at_1", "iou_at_3", "noc_at_85", "box")
        return {name: round(getattr(self, name), 4) for name in names}


def judging(model: Model, held: Sequence[HeldOut], clicks: int, seed: int) -> Iterator[ObjectScore]:
    """Segment the held-out objects by clicks and by boxes; yield the score of each.

    The first click is in the middle of the object, each later one in the middle of the largest
    error (Sofiiuk et al. 2022).
    """
    rng = np.random.default_rng(seed)
    for one in held:
        embedding = model.encode(one.image)
        for label_id in one.ids:
            truth = one.objects == label_id
            curve = _curve(model, embedding, truth, clicks)
            boxed = model.predict(embedding, [drawn_box(truth, rng)]).mask
            yield ObjectScore(curve, iou(boxed, truth))


def _curve(model: Model, embedding: Embedding, truth: BoolArray, clicks: int) -> tuple[float, ...]:
    """Return the intersection over union with an object (H, W) after each click."""
    prompts: list[Prompt] = [first_click(truth)]
    answer = model.predict(embedding, prompts)
    curve = [iou(answer.mask, truth)]
    while len(curve) < clicks:
        click = next_click(truth, answer.mask)
        if click is not None:
            prompts.append(click)
            answer = model.predict(embedding, prompts, answer.memory)
        curve.append(iou(answer.mask, truth))
    return tuple(curve)
