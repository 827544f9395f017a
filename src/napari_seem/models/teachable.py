"""The protocol of models that can be taught words, and the values that this takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..errors import InvalidLabels
from ..images import AnyArray
from .base import Capability, Embedding, Model, Named
from .registry import unable

BoolArray = npt.NDArray[np.bool_]
Arrays = Mapping[str, AnyArray]
TASK = "be taught words"


@dataclass(frozen=True, eq=False)
class Marked:
    """An encoded image on which objects of one kind are marked.

    Attributes
    ----------
    embedding : Embedding
        By the model that is to be taught.
    labels : integer array (H, W)
        One id for each object of the kind; where it is 0, objects may be unmarked.
    others : bool array (H, W), optional
        True where there surely is something else.
    """

    embedding: Embedding
    labels: npt.NDArray[np.integer] = field(repr=False)
    others: BoolArray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.others is not None and self.others.shape != self.labels.shape:
            raise InvalidLabels(
                f"the mask of other objects has shape {self.others.shape}, the labels "
                f"{self.labels.shape}; give both on the image's own grid"
            )


@dataclass(frozen=True, eq=False)
class Word:
    """A taught word.

    Attributes
    ----------
    name : str
    meaning : object
        In a model's own terms.
    synonyms : tuple of str
    """

    name: str
    meaning: Any = field(repr=False)
    synonyms: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in small letters."""
        return tuple(plain(name) for name in (self.name, *self.synonyms))


class Words(Protocol):
    """A library of words."""

    def words_for(self, model: Any) -> Sequence[Word]:
        """Return the words in a model's own terms; raises an error for one it can't understand."""


@runtime_checkable
class TeachableModel(Model, Protocol):
    """A model that can be taught words."""

    def teach(self, marked: Sequence[Marked]) -> object:
        """Learn what the objects of labels (H, W) have in common: the meaning of a word."""

    def with_words(self, words: Words) -> Self:
        """Return a model that knows these words besides its own; this one is not changed."""

    def written(self, meaning: Any) -> tuple[Arrays, Mapping[str, object]]:
        """Split a meaning into arrays and plain values."""

    def read(self, arrays: Arrays, plain_values: Mapping[str, object]) -> object:
        """Join what `written` split; the arrays are of any shape."""


class NotTeachable(Named):
    """The methods of a model that can't be taught words."""

    name: str
    instead = ""
    """Added to the error: why, or what to do instead."""

    def teach(self, marked: Sequence[Marked]) -> NoReturn:
        """Raise `UnsupportedPrompt`."""
        raise unable(self, Capability.CONCEPTS, TASK, self.instead)

    def with_words(self, words: Words) -> NoReturn:
        """Raise `UnsupportedPrompt`."""
        raise unable(self, Capability.CONCEPTS, TASK, self.instead)


def check_teachable(model: object) -> TeachableModel:
    """Return the model; raise `UnsupportedPrompt` for one that can't be taught words."""
    if isinstance(model, TeachableModel) and Capability.CONCEPTS in model.capabilities:
        return model
    raise unable(model, Capability.CONCEPTS, TASK, getattr(model, "instead", ""))


def plain(name: str) -> str:
    """Return a name in the form in which names are compared: small letters, single spaces."""
    return " ".join(name.lower().split())
