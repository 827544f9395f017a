"""All of a taught word on an image: as one region, as objects, and as the name of an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ....prompts import Prompt, rasterize
from ...base import Embedding, FloatArray, Instance, Segmentation, mask_bbox
from ...teachable import Word
from .. import chosen, everything, pyramid
from ..prompt_maps import canvas
from . import taught
from .concept import best_level, directions
from .taught import Taught

if TYPE_CHECKING:
    from ..model import CompactModel
    from .meaning import PromptMeaning

BoolArray = npt.NDArray[np.bool_]
"""An array of shape (H, W)."""
INSIDE_AT, INSIDE_AT_TOLD_APART = 0.3, 0.5
"""Least share of an object that a word names if the object is of its kind, without and with other
things marked in the examples; chosen on training images."""
OWN_OCTAVES, OWN_SCORE = 0.75, 0.6
"""Regions that no object covers: largest difference of their side in octaves; their score."""
NAME_AT = 0.6
"""Least share of an object that a word names if the object gets its name unasked."""
OCTAVES = 2.0
"""Largest difference in octaves of such an object's side to that of the examples."""


def region(
    model: CompactModel, wanted: PromptMeaning, prompts: Sequence[Prompt], embedding: Embedding
) -> tuple[FloatArray, float]:
    """Find all pixels of the taught words among the prompts.

    Parts that a negative prompt touches, and what a negative word names, are left out.

    Returns
    -------
    logits : float32 (H, W)
    score : float
        Mean share inside.
    """
    config = model.network.config
    found = [taught.logits(word.meaning, embedding, config) for word in wanted.taught]
    denied = [taught.logits(word.meaning, embedding, config) for word in wanted.taught_negative]
    logits = np.max(found, axis=0)
    for one in denied:
        logits = np.minimum(logits, -one)
    negative = np.zeros(embedding.shape, bool)
    for prompt in canvas.spatial(prompts):
        negative |= rasterize(prompt, embedding.shape)
    if negative.any():
        parts, _ = ndimage.label(logits > 0)
        touched = np.unique(parts[negative])
        logits[np.isin(parts, touched[touched > 0])] = -0.5
        logits[negative] = np.minimum(logits[negative], -0.5)
    inside = logits > 0
    sure = 1 / (1 + np.exp(-np.abs(logits)))
    score = float(sure[inside].mean()) if inside.any() else 0.0
    return logits.astype(np.float32), score


def segmented(
    model: CompactModel, embedding: Embedding, own: Sequence[int], words: Sequence[Word]
) -> Segmentation:
    """Find every object that a taught word, or a word of the vocabulary (an index), names."""
    config = model.network.config
    for word in words:
        taught.check_shown(word, embedding, config)
    plain = everything.find_objects(model, embedding, own) if own else None
    every = everything.find_objects(model, embedding, None, named=False).instances
    found = list(plain.instances) if plain else []
    names = list(plain.names) if plain else []
    semantic = np.zeros(embedding.shape, np.int32)
    if plain is not None and plain.semantic is not None:
        semantic = plain.semantic.copy()
    for word in dict.fromkeys(words):
        logits = taught.logits(word.meaning, embedding, config)
        found += objects(word, logits, every)
        names.append(word.name)
        semantic[logits > 0] = len(names)
    kept = chosen.without_overlaps(found, embedding.shape)
    stuff = plain.stuff if plain else ()
    return Segmentation(embedding.shape, tuple(kept), semantic, tuple(names), stuff)


def objects(word: Word, logits: FloatArray, every: Sequence[Instance]) -> list[Instance]:
    """Find the objects of a taught word.

    These are the objects of the image that lie on what the word names, and the further parts that
    it names, if they are as large as the examples.

    Parameters
    ----------
    word : Word
    logits : float32 (H, W)
        Of the word; see `taught.logits`.
    every : sequence of Instance
        All objects of the image, of any kind.
    """
    named = logits > 0
    found, taken = [], np.zeros(named.shape, bool)
    for one in every:
        y0, x0, y1, x1 = one.bbox
        share = float(named[y0:y1, x0:x1][one.mask].mean())
        if share >= (INSIDE_AT_TOLD_APART if word.meaning.told_apart else INSIDE_AT):
            taken[y0:y1, x0:x1] |= one.mask
            found.append(replace(one, score=float(np.sqrt(one.score * share)), label=word.name))
    parts, _ = ndimage.label(named & ~taken)
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        mask = parts[box] == number
        if not is_like(word.meaning, float(mask.sum()), OWN_OCTAVES):
            continue
        sure = float((1 / (1 + np.exp(-logits[box][mask]))).mean())
        (rows, cols) = box
        bbox = (rows.start, cols.start, rows.stop, cols.stop)
        found.append(Instance(mask, bbox, OWN_SCORE * sure, word.name))
    return found


def with_names(
    model: CompactModel, embedding: Embedding, instances: Sequence[Instance]
) -> list[Instance]:
    """Return the same objects; those that a taught word fits have the best fitting one as name."""
    config = model.network.config
    best: list[tuple[float, str | None]] = [(NAME_AT, one.label) for one in instances]
    for word in model.taught:
        if not taught.is_shown(word, embedding, config):
            continue
        named = taught.logits(word.meaning, embedding, config) > 0
        for number, one in enumerate(instances):
            y0, x0, y1, x1 = one.bbox
            share = float(named[y0:y1, x0:x1][one.mask].mean())
            if share >= best[number][0] and is_like(word.meaning, one.area, OCTAVES):
                best[number] = share, word.name
    return [replace(one, label=name) for one, (_, name) in zip(instances, best, strict=True)]


def name_of(model: CompactModel, embedding: Embedding, mask: BoolArray) -> str | None:
    """Return the taught word that fits a region (H, W), or None.

    Only directions are compared, which takes next to no time at every click.
    """
    bbox = mask_bbox(mask)
    config = model.network.config
    known = [one for one in model.taught if taught.is_shown(one, embedding, config)]
    if bbox is None or not known:
        return None
    area = float(mask[bbox[0] : bbox[2], bbox[1] : bbox[3]].sum())
    levels = pyramid.levels(embedding)
    _, seen = directions(best_level(levels, area**0.5), mask, config)
    best, name = taught.LIKE_AT[1], None
    for one in known:
        concept = taught.concept_on(one.meaning, levels)
        like, unlike = float(concept.semantic @ seen), float(concept.other_semantic @ seen)
        if like > max(best, unlike) and is_like(one.meaning, area, OCTAVES):
            best, name = like, one.name
    return name


def is_like(meaning: Taught, area: float, octaves: float) -> bool:
    """Return whether an object's side differs from that of the examples by at most `octaves`."""
    return bool(abs(np.log2(max(area, 1.0)) / 2 - np.log2(meaning.side)) <= octaves)
