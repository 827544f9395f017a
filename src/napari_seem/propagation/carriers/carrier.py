"""What carries objects to a plane: a model that learns by example, or one with a memory of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from ...embeddings import EmbeddingCache
from ...images import AnyArray, Window
from ...in_context import Learner, check_can_learn
from ...models.base import Capability
from ...models.in_context import Kind
from ...models.memory import MemoryModel
from ...models.registry import unable
from ..known import KnownPlanes
from ..results import PlaneResult
from ..shapes import Shape
from .by_example import ByExample
from .by_memory import ByMemory


class Carrier(Protocol):
    """Labels planes, by what is expected on them and a model.

    Attributes
    ----------
    gap_by_gap : bool
        Do all planes between two accepted ones before those of the next gap.
    """

    gap_by_gap: bool

    def label(
        self, index: int, expected: Mapping[int, Shape], beside: Sequence[int]
    ) -> PlaneResult:
        """Label a plane.

        Parameters
        ----------
        index : int
        expected : mapping of int to Shape
            The objects that the known planes `beside` it let expect.
        beside : sequence of int
        """

    def encode(self, image: AnyArray) -> None:
        """Encode a plane (H, W) or (H, W, C) into the cache."""

    def forget(self, index: int | None = None) -> None:
        """Forget what depends on the labels of a plane, or on which planes are accepted."""


def carrier_of(
    model: Learner | None, known: KnownPlanes, kind: Kind, window: Window | None, *,
    find_new: bool, divide: bool, cache: EmbeddingCache | None,
) -> Carrier:  # fmt: skip
    """Return what carries objects by a model.

    Raises
    ------
    UnsupportedPrompt
        The model can't carry objects through a stack, or can't find new ones on the way.
    """
    able: frozenset[Capability] = getattr(model, "capabilities", frozenset())
    if Capability.IN_CONTEXT in able:
        learner = check_can_learn(model)
        return ByExample(learner, known, kind, window, find_new, divide, cache)
    if Capability.PROPAGATE not in able:
        why = getattr(model, "why_no_memory", "")
        raise unable(model, Capability.PROPAGATE, "carry objects through a stack", why)
    if find_new:
        why = ": it carries those that are labelled"
        raise unable(model, Capability.IN_CONTEXT, "look for new objects in a stack", why)
    return ByMemory(cast("MemoryModel", model), known, window, divide, cache)
