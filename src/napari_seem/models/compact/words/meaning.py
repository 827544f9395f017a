"""What the words and references among the prompts mean, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from ....errors import UnsupportedPrompt
from ....prompts import Prompt, Reference, Text
from ...base import Embedding
from ...teachable import Word
from .. import pyramid
from .concept import ConceptVectors, best_level, directions, mean_direction
from .taught import check_shown, concept_on

if TYPE_CHECKING:
    from ..model import CompactModel


@dataclass(frozen=True)
class PromptMeaning:
    """What is wanted, apart from where it is.

    Attributes
    ----------
    concept : ConceptVectors
        All of it, as the decoder reads it.
    taught : tuple of Word
        The taught words among the positive prompts.
    taught_negative : tuple of Word
        The taught words among the negative prompts.
    only_taught : bool
        Whether the positive prompts that say what is wanted are taught words only.
    """

    concept: ConceptVectors
    taught: tuple[Word, ...]
    taught_negative: tuple[Word, ...]
    only_taught: bool


def meaning_of_prompts(
    model: CompactModel, prompts: Sequence[Prompt], embedding: Embedding
) -> PromptMeaning:
    """Collect the words and references among the prompts.

    Raises
    ------
    UnknownWord
        A word that the model was not taught.
    UnsupportedPrompt
        A negative word of the model's own vocabulary.
    InvalidPrompt
        A word taught on images of another number of channels, a reference of another model.
    """
    levels, config = pyramid.levels(embedding), model.network.config
    blank = torch.zeros(config.semantic_dim)
    said = [model.meaning_of(p.text) for p in prompts if isinstance(p, Text) and p.positive]
    denied = [_denied(model, p) for p in prompts if isinstance(p, Text) and not p.positive]
    taught = tuple(one for one in said if isinstance(one, Word))
    for one in (*taught, *denied):
        check_shown(one, embedding, config)
    references = [p for p in prompts if isinstance(p, Reference)]
    regions = [_region(model, p) for p in references if p.positive]
    meanings = [concept_on(one.meaning, levels) for one in taught]
    sides = [r[2] for r in regions] + [one.side for one in meanings if one.side is not None]
    others = [_region(model, p)[1] for p in references if not p.positive]
    others += [concept_on(one.meaning, levels).semantic for one in denied]
    words = [model.word_vector(one) for one in said if isinstance(one, int)]
    # beside a click the semantic direction runs neighbours of a kind together; the other does not
    placed = any(p.positive and not isinstance(p, (Text, Reference)) for p in prompts)
    kinds = [] if placed else [one.semantic for one in meanings]
    concept = ConceptVectors(
        mean_direction(
            [r[0] for r in regions] + [c.instance for c in meanings],
            torch.zeros(config.instance_dim),
        ),
        mean_direction([r[1] for r in regions] + kinds, blank),
        mean_direction(others, blank),
        mean_direction(words, blank),
        float(np.median(sides)) if sides else None,
    )
    return PromptMeaning(concept, taught, tuple(denied), bool(taught) and not regions and not words)


def _denied(model: CompactModel, prompt: Text) -> Word:
    """Return the meaning of a negative word: only taught ones have examples to compare with."""
    word = model.meaning_of(prompt.text)
    if isinstance(word, Word):
        return word
    raise UnsupportedPrompt(
        f"the word '{prompt.text}' can't be negative; show what is not meant with a click, a "
        "region or a word that you taught"
    )


def _region(model: CompactModel, reference: Reference) -> tuple[Tensor, Tensor, float]:
    """Return a reference's mean unit embeddings (I,) and (S,), and its side in image pixels."""
    model.check(reference.embedding)
    parts, _ = ndimage.label(reference.mask)
    side = float(np.sqrt(np.median(np.bincount(parts.ravel())[1:])))
    level = best_level(pyramid.levels(reference.embedding), side)
    return *directions(level, reference.mask, model.network.config), side
