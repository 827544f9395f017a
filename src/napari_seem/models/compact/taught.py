"""A word taught to the compact model: a lesson, and directions in embedding space.

The lesson says where on an image things of the kind are; the directions say to the decoder what
kind is meant, so that a word and a click go together. Only what is marked is believed: of the rest
of an example only what lies near the marked objects is background from the start, and elsewhere
what a first lesson takes for background; objects that nobody marked teach nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from ..base import Embedding
from ..in_context import Example, FloatArray, check_examples
from . import by_example, pyramid
from .by_example import Lesson
from .concept import Concept, best_level, directions
from .network import CompactConfig
from .pyramid import Level

NEAR = 0.5
"""Width of the ring around an object that is background, over the object's side."""
SURE = 0.7
"""Share of background from which the first lesson is believed elsewhere."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Taught(Lesson):
    """What a taught word means.

    Attributes
    ----------
    scales : (S,)
        Of the levels that the prototypes were seen on: level pixels per image pixel.
    instance : (S, I)
        Mean unit instance embedding of the marked objects on each level.
    semantic, other_semantic : (S, C)
        The same of their semantic embeddings, and of what lies around them or is marked as
        something else.
    side : float
        Root of the median object's area, in image pixels.
    """

    scales: Tensor
    instance: Tensor
    semantic: Tensor
    other_semantic: Tensor
    side: float


@dataclass(frozen=True, eq=False)
class Marked:
    """An image with objects of the kind (`labels`, one id each) and of other kinds (`others`)."""

    embedding: Embedding
    labels: npt.NDArray[np.int64]
    others: BoolArray

    @property
    def background(self) -> BoolArray:
        """What is surely not of the kind: other things, and a ring around each object."""
        return self.others | (_near(self.labels) & (self.labels == 0))


def teach(marked: Sequence[Marked], config: CompactConfig) -> Taught:
    """Learn a word.

    Raises
    ------
    InvalidLabels
        No example, nothing marked in any, or labels of another shape than their image.
    """
    examples = [Example(one.embedding, one.labels) for one in marked]
    check_examples(examples)
    known = [(one.labels > 0) | one.background for one in marked]
    lesson = _lesson(examples, known, config)
    wider = [
        there | (by_example.shares(lesson, one.embedding, config)[0] > SURE)
        for one, there in zip(marked, known, strict=True)
    ]
    lesson = _lesson(examples, wider, config)
    told = {field.name: getattr(lesson, field.name) for field in fields(Lesson)}
    side = _usual_side(marked)
    return Taught(**told, **_prototypes(marked, side, config), side=side)


def concept_on(taught: Taught, levels: Sequence[Level]) -> Concept:
    """A taught word as the decoder is told of it, on an image of these levels."""
    wanted = best_level(list(levels), taught.side).scale[0]
    nearest = int((taught.scales / wanted).log().abs().argmin())
    return Concept(
        taught.instance[nearest], taught.semantic[nearest], taught.other_semantic[nearest],
        torch.zeros_like(taught.semantic[nearest]), taught.side,
    )  # fmt: skip


def logits(taught: Taught, embedding: Embedding, config: CompactConfig) -> FloatArray:
    """All of a taught word: float32 (H, W), greater than 0 inside."""
    background = np.clip(by_example.shares(taught, embedding, config)[0], 1e-5, 1 - 1e-5)
    return np.asarray(np.log((1 - background) / background), np.float32)


def _lesson(
    examples: Sequence[Example], known: Sequence[BoolArray], config: CompactConfig
) -> Lesson:
    scale = by_example.usual_scale(examples[0].embedding)
    chosen = by_example.samples(examples, config, "instance", (1,), scale, known)
    smallest = by_example.smallest_area(examples)
    return by_example.fitted(chosen, "instance", (1,), smallest, scale)


def _near(labels: npt.NDArray[np.int64]) -> BoolArray:
    """Pixels not farther from an object than a share of its side."""
    if not labels.any():
        return np.zeros(labels.shape, bool)
    away, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    sides = np.sqrt(np.bincount(labels.ravel()))
    return np.asarray(away <= np.maximum(NEAR * sides[labels[tuple(nearest)]], 4.0))


def _usual_side(marked: Sequence[Marked]) -> float:
    areas = np.concatenate([np.bincount(one.labels.ravel())[1:] for one in marked])
    return float(np.sqrt(np.median(areas[areas > 0])))


def _prototypes(
    marked: Sequence[Marked], side: float, config: CompactConfig
) -> dict[str, Tensor]:
    """Mean directions on the best level of each image and its neighbours, by octave of scale."""
    seen: dict[int, list[tuple[float, Tensor, Tensor, Tensor]]] = {}
    for one in marked:
        if not one.labels.any():
            continue
        levels = pyramid.levels(one.embedding)
        best = levels.index(best_level(levels, side))
        for number in range(max(0, best - 1), min(len(levels), best + 2)):
            level = levels[number]
            instance, semantic = directions(level, one.labels > 0, config)
            other = torch.zeros_like(semantic)
            if one.background.any():
                other = directions(level, one.background, config)[1]
            scale = level.scale[0]
            seen.setdefault(round(float(np.log2(scale))), []).append(
                (scale, instance, semantic, other)
            )
    rows = [
        (float(np.median([s[0] for s in same])), *(torch.stack(v).mean(0) for v in
         ([s[i] for s in same] for i in (1, 2, 3))))
        for _, same in sorted(seen.items())
    ]  # fmt: skip
    return {
        "scales": torch.tensor([row[0] for row in rows]),
        **{
            key: F.normalize(torch.stack([row[i] for row in rows]), dim=1)
            for i, key in enumerate(("instance", "semantic", "other_semantic"), 1)
        },
    }
