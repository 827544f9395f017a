"""Values that go into and come out of a model, and the protocol of every model.

A model is stateless: `encode` gives an `Embedding`, `predict` takes it back. Nothing of a person's
work is kept inside a model, so that one model serves every image and every thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..checks import as_names, said
from ..errors import InvalidArgument, InvalidPrompt, UnsupportedPrompt
from ..images import AnyArray, ArraySource
from ..prompts import Box, Mask, Point, Polygon, Prompt, Reference, Scribble, Text
from .answers import (
    BoolArray,
    Embedding,
    FloatArray,
    Instance,
    IntArray,
    Prediction,
    Segmentation,
    mask_bbox,
)

__all__ = [
    "OUTSIDE", "BoolArray", "Capability", "Capable", "Embedding", "FloatArray", "Instance",
    "IntArray", "LazyEncoder", "Model", "Named", "PartEncoder", "Prediction", "Segmentation",
    "check_capabilities", "check_embedding", "check_memory", "check_model", "check_owner",
    "mask_bbox", "words_of",
]  # fmt: skip

TurnMemory = TypeVar("TurnMemory")

OUTSIDE = -12.0
"""Logit of the pixels outside of the windows that a model decoded."""


class Capability(StrEnum):
    """One thing a model can take or do."""

    POINT = "point"
    BOX = "box"
    POLYGON = "polygon"
    SCRIBBLE = "scribble"
    MASK = "mask"
    TEXT = "text"
    REFERENCE = "reference"
    NEGATIVE = "negative"
    MEMORY = "memory"
    EVERYTHING = "everything"
    IN_CONTEXT = "in-context"
    CONCEPTS = "concepts"
    PROPAGATE = "propagate"


_NEEDS: dict[type, Capability] = {
    Point: Capability.POINT,
    Box: Capability.BOX,
    Polygon: Capability.POLYGON,
    Scribble: Capability.SCRIBBLE,
    Mask: Capability.MASK,
    Text: Capability.TEXT,
    Reference: Capability.REFERENCE,
}


class Named:
    """A model that says in one line what it is."""

    identity: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.identity})"


class Capable(Protocol):
    """A model by its name and capabilities."""

    name: str
    capabilities: frozenset[Capability]


@runtime_checkable
class Model(Protocol):
    """A model of any family.

    `isinstance(model, Model)` holds for whatever `load_model` gives. What a model can do besides is
    told by its `capabilities`, and by other protocols that it meets: `InContextModel`,
    `TeachableModel`, `AdaptableModel`, `ContextModel`, `MemoryModel`, `BatchPredictor`,
    `PartEncoder` and `LazyEncoder`.

    Attributes
    ----------
    name : str
        By which `load_model` finds it.
    identity : str
        Name and weights: embeddings of one identity are not taken by another.
    capabilities : frozenset of Capability
    """

    name: str
    identity: str
    capabilities: frozenset[Capability]

    def encode(self, image: ArraySource, channels: int | None = None) -> Embedding:
        """Encode an image (H, W) or (H, W, C) of any real dtype, once for all turns.

        `channels` is the axis of the channels, where it is not a short last one.
        """

    def predict(
        self, embedding: Embedding, prompts: Sequence[Prompt], memory: object = None
    ) -> Prediction:
        """Answer one turn: the one object (or region) that the prompts describe."""

    def segment(self, embedding: Embedding, names: Sequence[str] | None = None) -> Segmentation:
        """Find everything in an image, or everything that one of `names` names."""

    def vocabulary(self) -> tuple[str, ...]:
        """Return the words that the model was trained on.

        It is empty for a model that takes any word, and for one that takes none.
        """


@runtime_checkable
class BatchPredictor(Protocol):
    """A model that answers for several objects faster together than one by one."""

    def predict_many(
        self, embedding: Embedding, objects: Sequence[Sequence[Prompt]]
    ) -> Iterator[Prediction]:
        """Answer the first turn of each object.

        Parameters
        ----------
        embedding : Embedding
            From this model's `encode`.
        objects : sequence of sequence of Prompt
            The prompts of each.

        Yields
        ------
        Prediction
            One for each object, in their order, with the mask that `predict` gives. Logits outside
            of the object and `memory` may be left out.
        """


@runtime_checkable
class PartEncoder(Protocol):
    """A model whose encoding depends on brightness, and that can encode a part of an image."""

    def encode_part(self, image: npt.NDArray[np.uint8], sample: npt.NDArray[np.uint8]) -> Embedding:
        """Encode a part of an image with the brightness of the whole.

        Parameters
        ----------
        image : (H, W) or (H, W, C) array
            The part.
        sample : (h, w) or (h, w, C) array
            Pixels from all over the whole image.
        """


@runtime_checkable
class LazyEncoder(Protocol):
    """A model that can encode an image where turns look at it, before the rest."""

    def encode_lazily(
        self, image: AnyArray, sample: npt.NDArray[np.uint8] | None = None
    ) -> Embedding:
        """Prepare an image without encoding it.

        A turn on it encodes what it looks at. Its answer differs from that of the encoded image by
        few pixels, if by any.

        Parameters
        ----------
        image : (H, W) or (H, W, C) array of any real dtype
        sample : uint8 array (h, w, 3), optional
            Pixels from all over the whole image, where `image` is a part of it, in RGB.
        """


def check_capabilities(
    model: Capable, prompts: Sequence[Prompt],
    others: Callable[[], Mapping[str, Collection[Capability]]],
) -> None:  # fmt: skip
    """Raise `UnsupportedPrompt` for the first prompt that `model` can't take.

    Parameters
    ----------
    model : Model
    prompts : sequence of Prompt
    others : callable
        Gives the capabilities of all models by name, asked only for an error, which lists the
        models that take the prompt: it looks for a person's own models on the disk.
    """
    for prompt in prompts:
        needed = _NEEDS[type(prompt)]
        missing = [needed] if needed not in model.capabilities else []
        if not prompt.positive and Capability.NEGATIVE not in model.capabilities:
            missing.append(Capability.NEGATIVE)
        if missing:
            able = [name for name, caps in others().items() if set(missing) <= set(caps)]
            raise UnsupportedPrompt(
                f"model '{model.name}' takes no {' '.join(reversed(missing))} prompts; "
                + (f"choose one of: {', '.join(able)}" if able else "no other model does either")
            )


def check_model(model: object) -> Model:
    """Return a model; raise `InvalidArgument` for anything else."""
    if not isinstance(model, Model):
        raise InvalidArgument(f"{said(model)} is no model; give what load_model('compact') returns")
    return model


def check_owner(identity: str, embedding: object) -> Embedding:
    """Return an embedding; raise `InvalidPrompt` unless the model of this identity made it.

    Parameters
    ----------
    identity : str
        `Model.identity`.
    embedding : object
    """
    if not isinstance(embedding, Embedding):
        raise InvalidPrompt(
            f"a model is asked about an encoded image, not about {type(embedding).__name__}; give "
            "model.encode(image)"
        )
    if embedding.model != identity:
        raise InvalidPrompt(
            f"this embedding was made by '{embedding.model}', not by '{identity}'; "
            "encode the image again with the present model"
        )
    return embedding


def check_embedding(identity: str, embedding: object) -> Embedding:
    """Return an embedding of the model, as `check_owner`, of an image that was encoded as one."""
    embedding = check_owner(identity, embedding)
    if not embedding.tensors:
        height, width = embedding.shape
        raise InvalidPrompt(
            f"the image of {height} x {width} pixels is too big to be encoded as one, and only "
            "predict and segment work in parts of it; give a part of it, or a coarser copy"
        )
    return embedding


def check_memory(memory: object, kind: type[TurnMemory]) -> TurnMemory:
    """Return the memory of a turn; raise `InvalidPrompt` unless it is of a model's own kind."""
    if not isinstance(memory, kind):
        raise InvalidPrompt(
            "this memory is of another model; start the object again with memory=None"
        )
    return memory


def words_of(names: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Take one name or several, without blanks around them; None is every name.

    Raises
    ------
    InvalidPrompt
        There is none, or an empty one.
    InvalidArgument
        One is no text.
    """
    if names is None:
        return None
    chosen = tuple(name.strip() for name in as_names(names, "names"))
    if not all(chosen):
        raise InvalidPrompt("a name is empty; give words such as 'nucleus'")
    if not chosen:
        raise InvalidPrompt("there are no names to look for; give at least one")
    return chosen
