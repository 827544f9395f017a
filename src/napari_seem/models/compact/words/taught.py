"""A word taught to the compact model: a lesson, and directions in embedding space.

The lesson says where on an image things of the kind are. The directions give the decoder the kind
that is meant, so that a word and a click go together. Only what is marked is learned: of the rest
of an example, what lies near the marked objects is background, and nothing else is. Objects that
nobody marked teach nothing.
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

from ....errors import InvalidPrompt
from ....values import JsonObject
from ...base import Embedding
from ...in_context import Example, FloatArray, check_examples
from ...teachable import Marked, Word
from .. import pyramid
from ..lessons import by_example
from ..lessons.by_example import FittedLesson
from ..network import COARSE_STRIDE, CompactConfig
from ..pyramid import Level
from .concept import ConceptVectors, best_level, directions

NEAR = 0.5
"""Width of the ring around an object that is background, over the object's side."""

FEW, FEW_TOLD_APART = 5.0, 0.5
"""Number of marked objects from which on the lesson weighs more than the directions, without and
with other things marked: the lesson separates them, the directions may not."""
LIKE_AT = (0.5, 0.6)
"""Cosines to the marked objects from which a pixel is one of their kind."""
SURE = 1e-4
SAME_CHANNEL = 0.02
"""Mean difference, in deviations of the picture, below which channels are the same."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Taught(FittedLesson):
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
    channels : tuple of int
        How many different channels the examples showed: 1 for gray, 3 for colour.
    objects : int
        How many were marked.
    told_apart : bool
        Other things were marked as such.
    """

    scales: Tensor
    instance: Tensor
    semantic: Tensor
    other_semantic: Tensor
    side: float
    channels: tuple[int, ...]
    objects: int
    told_apart: bool


def teach(marked: Sequence[Marked], config: CompactConfig) -> Taught:
    """Learn a word.

    Parameters
    ----------
    marked : sequence of Marked
        Encoded images with labels (H, W).
    config : CompactConfig

    Raises
    ------
    InvalidLabels
        No example, nothing marked in any, or labels of another shape than their image.
    """
    examples = [Example(one.embedding, np.asarray(one.labels)) for one in marked]
    check_examples(examples)
    known = [(one.labels > 0) | _background(one) for one in marked]
    lesson = _lesson(examples, known, config)
    values: JsonObject = {field.name: getattr(lesson, field.name) for field in fields(FittedLesson)}
    side = _usual_side(marked)
    channels = tuple(sorted({channels_of(one.embedding, config) for one in marked}))
    values |= _prototypes(marked, side, config)
    count = sum(int((_areas(one) > 0).sum()) for one in marked)
    apart = any(one.others is not None and one.others.any() for one in marked)
    return Taught(
        **values, side=side, channels=channels, objects=count, told_apart=bool(apart)
    )  # fmt: skip


def concept_on(taught: Taught, levels: Sequence[Level]) -> ConceptVectors:
    """Return a taught word as the decoder reads it, on an image of these levels."""
    wanted = best_level(list(levels), taught.side).scale[0]
    nearest = int((taught.scales / wanted).log().abs().argmin())
    return ConceptVectors(
        taught.instance[nearest], taught.semantic[nearest], taught.other_semantic[nearest],
        torch.zeros_like(taught.semantic[nearest]), taught.side,
    )  # fmt: skip


def channels_of(embedding: Embedding, config: CompactConfig) -> int:
    """Count the different channels of the encoded picture: 1 for gray, however it is stored."""
    level = pyramid.levels(embedding)[-1]
    red, green, blue = level.fine[config.fine_slices["image"]].float()
    if float((red - green).abs().mean() + (green - blue).abs().mean()) < SAME_CHANNEL:
        return 1
    return 2 if float(blue.std()) < SAME_CHANNEL else 3


def is_shown(word: Word, embedding: Embedding, config: CompactConfig) -> bool:
    """Return whether a picture has as many channels as the examples of a word."""
    return channels_of(embedding, config) in word.meaning.channels


def check_shown(word: Word, embedding: Embedding, config: CompactConfig) -> None:
    """Raise `InvalidPrompt` for a picture of another number of channels than the examples."""
    if not is_shown(word, embedding, config):
        here, known = channels_of(embedding, config), word.meaning.channels
        raise InvalidPrompt(
            f"'{word.name}' was taught on images of {_channels(known)}, this one shows "
            f"{_channels((here,))}; show it the same way, or teach the word on this one, too"
        )


def check_sizes(taught: Taught, config: CompactConfig) -> None:
    """Raise `ValueError` for a meaning whose arrays do not fit this network."""
    features, waves = taught.projection.shape
    scales = len(taught.scales)
    wanted = {
        "centre": (features,), "spread": (features,), "phase": (waves,), "bias": (3,),
        "weights": (features + waves + 1, 3), "instance": (scales, config.instance_dim),
        "semantic": (scales, config.semantic_dim), "other_semantic": (scales, config.semantic_dim),
    }  # fmt: skip
    for name, shape in wanted.items():
        found = tuple(getattr(taught, name).shape)
        if found != shape or not scales:
            raise ValueError(f"'{name}' has the shape {found}, not {shape}")


def logits(taught: Taught, embedding: Embedding, config: CompactConfig) -> FloatArray:
    """Find all of a taught word: float32 (H, W), greater than 0 inside.

    Directions measure likeness to the marked objects and to their surroundings, from the first
    object on. The lesson, which learns from more of the pixels, weighs more the more objects were
    marked. The weights were chosen on training images.
    """
    like, unlike, foreground = _likeness(taught, embedding, config)
    background = np.clip(by_example.shares(taught, embedding, config)[0], SURE, 1 - SURE)
    learned = np.log((1 - background) / background)
    few = np.minimum(like - unlike, like - LIKE_AT[0]) * 10 + (foreground - 0.3) * 2
    many = learned / 4 + (like - LIKE_AT[1]) * 5 + (foreground - 0.5) * 3
    weight = taught.objects / (taught.objects + (FEW_TOLD_APART if taught.told_apart else FEW))
    return np.asarray((1 - weight) * few + weight * many, np.float32)


def _likeness(
    taught: Taught, embedding: Embedding, config: CompactConfig
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return cosines to objects and to surroundings, and foreground: float32 (H, W) each."""
    levels, at = pyramid.levels(embedding), config.coarse_slices
    concept, level = concept_on(taught, levels), best_level(levels, taught.side)
    height, width = (-(-size // COARSE_STRIDE) for size in level.shape)
    coarse = level.coarse[:, :height, :width].float().cpu()
    semantic = F.normalize(coarse[at["semantic"]], dim=0)
    maps = torch.stack([
        torch.einsum("shw,s->hw", semantic, concept.semantic),
        torch.einsum("shw,s->hw", semantic, concept.other_semantic),
        torch.sigmoid(coarse[at["foreground"]][0]),
    ])  # fmt: skip
    size = embedding.shape
    like, unlike, foreground = F.interpolate(
        maps[None], size, mode="bilinear", align_corners=False
    )[0].numpy()
    return like, unlike, foreground


def _lesson(
    examples: Sequence[Example], known: Sequence[BoolArray], config: CompactConfig
) -> FittedLesson:
    """Fit a lesson to the pixels inside `known` (H, W) of each example."""
    scale = by_example.usual_scale(examples[0].embedding)
    chosen = by_example.samples(examples, config, "instance", (1,), scale, known)
    smallest = by_example.smallest_area(examples)
    return by_example.fitted(chosen, "instance", (1,), smallest, scale)


def _background(one: Marked) -> BoolArray:
    """Return what is surely not of the kind, bool (H, W): others, and rings around the objects."""
    labels = np.asarray(one.labels).astype(np.int64)
    ring = _near_objects(labels) & (labels == 0)
    return ring if one.others is None else ring | (one.others & (labels == 0))


def _channels(counts: tuple[int, ...]) -> str:
    return " or ".join(f"{n} channel{'s' * (n > 1)}" for n in counts)


def _near_objects(labels: npt.NDArray[np.int64]) -> BoolArray:
    """Return the pixels (H, W) near an object of `labels` (H, W), as a share of its side."""
    if not labels.any():
        return np.zeros(labels.shape, bool)
    away, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    sides = np.sqrt(np.bincount(labels.ravel()))
    return np.asarray(away <= np.maximum(NEAR * sides[labels[tuple(nearest)]], 4.0))


def _usual_side(marked: Sequence[Marked]) -> float:
    """Return the side of the median object of labels (H, W), in pixels."""
    areas = np.concatenate([_areas(one) for one in marked])
    return float(np.sqrt(np.median(areas[areas > 0])))


def _areas(one: Marked) -> npt.NDArray[np.int64]:
    """Return the pixels of each object, by its id from 1 on: int64 (n,)."""
    return np.bincount(np.asarray(one.labels).astype(np.int64).ravel())[1:]


def _prototypes(marked: Sequence[Marked], side: float, config: CompactConfig) -> dict[str, Tensor]:
    """Average directions on the best level of each image and its neighbours, by octave of scale."""
    seen: dict[int, list[_LevelDirections]] = {}
    for one in marked:
        inside = np.asarray(one.labels) > 0
        if not inside.any():
            continue
        around = _background(one)
        levels = pyramid.levels(one.embedding)
        best = levels.index(best_level(levels, side))
        for level in levels[max(0, best - 1) : best + 2]:
            instance, semantic = directions(level, inside, config)
            other = directions(level, around, config)[1] if around.any() else 0 * semantic
            seen.setdefault(round(float(np.log2(level.scale[0]))), []).append(
                _LevelDirections(level.scale[0], instance, semantic, other)
            )
    octaves = [octave for _, octave in sorted(seen.items())]
    return {
        "scales": torch.tensor([float(np.median([s.scale for s in same])) for same in octaves]),
        "instance": _mean([[s.instance for s in same] for same in octaves]),
        "semantic": _mean([[s.semantic for s in same] for same in octaves]),
        "other_semantic": _mean([[s.other for s in same] for same in octaves]),
    }


@dataclass(frozen=True, eq=False)
class _LevelDirections:
    """Directions of the marked objects, and of their surroundings, on one level."""

    scale: float
    instance: Tensor
    semantic: Tensor
    other: Tensor


def _mean(rows: list[list[Tensor]]) -> Tensor:
    """Normalise the mean of each row of vectors (D,): (n, D)."""
    return F.normalize(torch.stack([torch.stack(row).mean(0) for row in rows]), dim=1)
