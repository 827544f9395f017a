"""The protocol of models that carry objects from plane to plane by what they remember of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ..images import ArraySource
from .base import BoolArray, Capability, Embedding, FloatArray

if TYPE_CHECKING:
    from torch import Tensor

NEIGHBOURS = 6
"""Tracked planes behind the present one whose maps are remembered."""
POINTERS = 16
"""Planes, the present one included, over which object pointers are remembered."""


@dataclass(frozen=True, eq=False)
class ObjectMemory:
    """What a model remembers of one object on one plane.

    Attributes
    ----------
    maps : bfloat16 tensor (S, 1, C), or None
        Features of the plane's S cells together with the object's mask; None where only the
        pointer was kept.
    pointer : float32 tensor (1, D)
        Describes the object.
    """

    maps: Tensor | None = field(repr=False)
    pointer: Tensor = field(repr=False)

    def as_pointer(self) -> ObjectMemory:
        """Return the memory without its maps, which take nearly all of its bytes."""
        return replace(self, maps=None)


@dataclass(frozen=True, eq=False)
class Recalled:
    """A memory, as it is looked back on from another plane.

    Attributes
    ----------
    memory : ObjectMemory
    behind : int
        How many planes it lies behind in the direction of the carrying; negative for ahead.
    given : bool
        Whether a person labelled the object there; else it was carried there.
    """

    memory: ObjectMemory
    behind: int
    given: bool


@dataclass(frozen=True, eq=False)
class Tracked:
    """An object that was looked for on a plane.

    Attributes
    ----------
    logits : float32 (H, W)
        Of its mask; far below 0 everywhere where the object is gone.
    score : float
        The model's own estimate of its mask, times the probability that the object is there.
    memory : ObjectMemory
        What it remembers of it from now on.
    """

    logits: FloatArray = field(repr=False)
    score: float
    memory: ObjectMemory


@runtime_checkable
class MemoryModel(Protocol):
    """A model that carries objects by its memory of them."""

    name: str
    identity: str
    capabilities: frozenset[Capability]

    def encode(self, image: ArraySource, channels: int | None = None) -> Embedding:
        """Encode a plane (H, W) or (H, W, C) once; see `Model`."""

    def remember(self, embedding: Embedding, mask: BoolArray) -> ObjectMemory:
        """Remember an object that a person labelled on a plane, by its mask (H, W)."""

    def track(self, embedding: Embedding, recalled: Sequence[Recalled], planes: int) -> Tracked:
        """Look for an object on a plane.

        Parameters
        ----------
        embedding : Embedding
            Of the plane.
        recalled : sequence of Recalled
            At least one of them given.
        planes : int
            How many the stack has.
        """
