"""Values that go into and come out of a model, and the protocol of every model.

A model is stateless: `encode` gives an `Embedding`, `predict` takes it back. Nothing of a person's
work is kept inside a model, so that one model serves every image and every thread.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedPrompt
from ..images import AnyArray
from ..prompts import Box, Mask, Point, Polygon, Prompt, Reference, Scribble, Text
from .panoptic import Panoptic, panoptic_of

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int32]


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


_NEEDS: dict[type, Capability] = {
    Point: Capability.POINT,
    Box: Capability.BOX,
    Polygon: Capability.POLYGON,
    Scribble: Capability.SCRIBBLE,
    Mask: Capability.MASK,
    Text: Capability.TEXT,
    Reference: Capability.REFERENCE,
}


@dataclass(frozen=True, eq=False)
class Embedding:
    """An encoded image: opaque to all but the model that made it.

    Attributes
    ----------
    model : str
        Identity of the model and its weights; another model refuses the embedding.
    shape : (int, int)
        Height and width of the image in pixels: the frame of every prompt and mask.
    tensors : mapping of str to tensor
        The model's own cached features.
    meta : mapping of str to plain values
        The few numbers the model needs besides (scales, paddings).
    lasting : bool
        Whether it is worth keeping on disk: reading it takes less time than encoding again.
    scratch : dict
        What the model worked out last and may need again: never on disk, a megabyte at most. An
        answer is the same without it.
    """

    model: str
    shape: tuple[int, int]
    tensors: Mapping[str, Any] = field(repr=False)
    meta: Mapping[str, Any] = field(default_factory=dict)
    lasting: bool = True
    scratch: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def nbytes(self) -> int:
        """Size of the cached features in bytes."""
        return sum(t.numel() * t.element_size() for t in self.tensors.values())


@dataclass(frozen=True, eq=False)
class Prediction:
    """The answer to one turn.

    Attributes
    ----------
    logits : float32 array of shape (H, W)
        Greater than 0 inside the object, in the frame of the image.
    score : float
        The model's own estimate of its intersection over union, 0..1.
    label : str or None
        The name of the object, where the model knows one.
    memory : object
        Opaque; give it to the next turn's `predict`.
    """

    logits: FloatArray = field(repr=False)
    score: float
    label: str | None = None
    memory: Any = field(default=None, repr=False)

    @cached_property
    def mask(self) -> BoolArray:
        """The object as a bool array of shape (H, W)."""
        return self.logits > 0

    @cached_property
    def bbox(self) -> tuple[int, int, int, int] | None:
        """Half-open (y0, x0, y1, x1) around the mask, or None where the mask is empty."""
        return mask_bbox(self.mask)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        height, width = self.logits.shape
        return height, width

    def cut_out(self) -> tuple[BoolArray, tuple[int, int]]:
        """Return the mask within `bbox`, and the (y, x) of its corner in the image.

        The array is of shape (y1 - y0, x1 - x0), and of shape (0, 0) where the mask is empty.
        """
        y0, x0, y1, x1 = self.bbox or (0, 0, 0, 0)
        return self.mask[y0:y1, x0:x1], (y0, x0)

    def overview(self) -> tuple[BoolArray, tuple[int, int], int]:
        """Return what to show: a mask (h, w), its corner (y, x), image pixels a mask pixel."""
        return self.mask, (0, 0), 1


@dataclass(frozen=True, eq=False)
class Instance:
    """One proposed object.

    Attributes
    ----------
    mask : bool array of shape (y1 - y0, x1 - x0)
        The object within `bbox`.
    bbox : (int, int, int, int)
        Half-open (y0, x0, y1, x1) in image pixels.
    score : float
        0..1.
    label : str or None
        The object's name.
    thing : bool
        False for stuff (sky, road), which has one region a name.
    """

    mask: BoolArray = field(repr=False)
    bbox: tuple[int, int, int, int]
    score: float
    label: str | None = None
    thing: bool = True

    @property
    def area(self) -> int:
        """Pixels inside the mask."""
        return int(self.mask.sum())

    def full_mask(self, shape: tuple[int, int]) -> BoolArray:
        """Return the mask as a bool array of an image's `shape` (H, W)."""
        out = np.zeros(shape, dtype=bool)
        y0, x0, y1, x1 = self.bbox
        out[y0:y1, x0:x1] = self.mask
        return out


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Everything found in one image.

    Attributes
    ----------
    shape : (int, int)
        Height and width of the image in pixels.
    instances : tuple of Instance
        Best first; they do not overlap in `labels`.
    semantic : int32 array of shape (H, W), or None
        Index into `names` plus one; 0 where no name fits.
    names : tuple of str
        The vocabulary of `semantic`.
    stuff : tuple of str
        Those of `names` whose parts of `semantic` belong to `panoptic`.
    """

    shape: tuple[int, int]
    instances: tuple[Instance, ...]
    semantic: IntArray | None = field(default=None, repr=False)
    names: tuple[str, ...] = ()
    stuff: tuple[str, ...] = ()

    @cached_property
    def panoptic(self) -> Panoptic:
        """Instances, and stuff where no instance is: every pixel in at most one region."""
        return panoptic_of(self)

    @cached_property
    def labels(self) -> IntArray:
        """Instance i as value i + 1 in an int32 array (H, W); the better instance wins overlaps."""
        out = np.zeros(self.shape, dtype=np.int32)
        for index in reversed(range(len(self.instances))):
            y0, x0, y1, x1 = self.instances[index].bbox
            out[y0:y1, x0:x1][self.instances[index].mask] = index + 1
        return out


class Capable(Protocol):
    """A model by its name and capabilities."""

    name: str
    capabilities: frozenset[Capability]


@runtime_checkable
class Model(Protocol):
    """A model of any family.

    `isinstance(model, Model)` holds for whatever `load_model` gives. What a model can do besides is
    told by its `capabilities`, and by other protocols that it meets: `InContextModel`,
    `TeachableModel`, `AdaptableModel`, `BatchPredictor` and `PartEncoder`.

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

    def encode(self, image: AnyArray) -> Embedding:
        """Encode an image (H, W) or (H, W, C) of any real dtype, once for all turns."""

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


def check_capabilities(
    model: Capable, prompts: Sequence[Prompt], others: Mapping[str, Collection[Capability]]
) -> None:
    """Raise `UnsupportedPrompt` for the first prompt that `model` can't take.

    Parameters
    ----------
    model : Model
    prompts : sequence of Prompt
    others : mapping of str to collection of Capability
        The capabilities of all models by name; the error lists the models that take the prompt.
    """
    for prompt in prompts:
        needed = _NEEDS[type(prompt)]
        missing = [needed] if needed not in model.capabilities else []
        if not prompt.positive and Capability.NEGATIVE not in model.capabilities:
            missing.append(Capability.NEGATIVE)
        if missing:
            able = [name for name, caps in others.items() if set(missing) <= set(caps)]
            raise UnsupportedPrompt(
                f"model '{model.name}' takes no {' '.join(reversed(missing))} prompts; "
                + (f"choose one of: {', '.join(able)}" if able else "no other model does either")
            )


def mask_bbox(mask: BoolArray) -> tuple[int, int, int, int] | None:
    """Return the half-open box (y0, x0, y1, x1) around the True pixels of a mask.

    Parameters
    ----------
    mask : bool array of shape (H, W)

    Returns
    -------
    (int, int, int, int), or None where no pixel is True.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return None
    cols = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1
