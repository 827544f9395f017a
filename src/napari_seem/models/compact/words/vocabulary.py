"""Words: those the compact model was trained on, and those a person taught it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import fields
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....errors import UnknownWord
from ...base import Embedding
from ...teachable import Arrays, Marked, Word, Words
from ..network import CompactNetwork
from . import taught
from .synonyms import normal_form
from .taught import Taught

SHOWN = 60
"""Number of letters of an unknown word that an error message repeats."""


class VocabularyMixin:
    """The words of the compact model.

    Parameters
    ----------
    network : CompactNetwork
    words : sequence of str
        The vocabulary, in the order of the network's word vectors.
    """

    network: CompactNetwork
    taught: tuple[Word, ...] = ()
    """The taught words; see `with_words`."""

    def __init__(self, network: CompactNetwork, words: Sequence[str]) -> None:
        self._words = tuple(words)
        self._word_vectors = F.normalize(network.words.detach().float(), dim=1).cpu()
        self._word_bias = network.word_bias.detach().float().cpu()
        self._word_scale = float(network.temperature[1].detach().exp())

    def check(self, embedding: Embedding) -> None:
        """Raise `InvalidPrompt` for an embedding that another model made."""
        raise NotImplementedError

    def vocabulary(self) -> tuple[str, ...]:
        """Return the words of the training, sorted, followed by the taught words."""
        return (*self._words, *(one.name for one in self.taught if one.name not in self._words))

    def teach(self, marked: Sequence[Marked]) -> Taught:
        """Learn what marked objects have in common; see `taught`.

        Parameters
        ----------
        marked : sequence of Marked
            Encoded images with labels (H, W).

        Raises
        ------
        InvalidLabels
            No example, nothing marked in any, or labels of another shape than their image.
        InvalidPrompt
            An embedding of another model.
        """
        for one in marked:
            self.check(one.embedding)
        return taught.teach(marked, self.network.config)

    def with_words(self, words: Words) -> Self:
        """Return a model that knows these words besides its own; this one is not changed.

        A taught word goes before a word of the vocabulary, of the same name or not. Words of an
        earlier call are forgotten.

        Parameters
        ----------
        words : ConceptLibrary
            Or any other object with `words_for(model)`.
        """
        new = copy(self)
        new.taught = tuple(words.words_for(self))
        return new

    def written(self, meaning: Taught) -> tuple[Arrays, Mapping[str, object]]:
        """Split a meaning into arrays and plain values, to be kept in a file."""
        values = {field.name: getattr(meaning, field.name) for field in fields(meaning)}
        arrays = {k: v.float().cpu().numpy() for k, v in values.items() if isinstance(v, Tensor)}
        return arrays, {k: v for k, v in values.items() if k not in arrays}

    def read(self, arrays: Arrays, plain_values: Mapping[str, object]) -> Taught:
        """Join what `written` split: arrays of any shape that `taught.check_sizes` lets pass.

        Raises
        ------
        KeyError, TypeError, ValueError
            For anything else.
        """
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in plain_values.items()
        }
        values |= {k: torch.from_numpy(np.array(v, np.float32)) for k, v in arrays.items()}
        meaning = Taught(**values)
        taught.check_sizes(meaning, self.network.config)
        return meaning

    def meaning_of(self, text: str) -> Word | int:
        """Return the taught word, or the vocabulary's index, of a word, its plural or its synonym.

        Raises
        ------
        UnknownWord
            It names the nearest words of the model.
        """
        for candidate in normal_form(text):
            for one in self.taught:
                if candidate in one.names or text.strip() == one.name:
                    return one
            if candidate in self._words:
                return self._words.index(candidate)
        words = self.vocabulary()
        nearest = tuple(difflib.get_close_matches(text.lower()[:SHOWN], words, 5, 0.4))
        hint = ", ".join(nearest) if nearest else ", ".join(words[:8]) + ", ..."
        raise UnknownWord(
            f"the compact model was not taught the word '{text[:SHOWN]}'; words it knows: {hint}",
            nearest,
        )

    def word_vector(self, index: int) -> Tensor:
        """Return the unit vector (S,) of a word of the vocabulary in the semantic space."""
        return self._word_vectors[index]

    def word_probabilities(self, semantic: Tensor) -> Tensor:
        """Compute how well each word fits unit semantic vectors: (..., S) -> (..., V) in 0..1."""
        return torch.sigmoid(
            self._word_scale * semantic.float() @ self._word_vectors.T + self._word_bias
        )
