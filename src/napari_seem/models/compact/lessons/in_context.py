"""The compact model as an in-context model: it labels images as labelled examples are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...base import Embedding, Named, check_embedding
from ...in_context import (
    BoolArray,
    Box2D,
    Example,
    FloatArray,
    Kind,
    Labelled,
    Tuned,
    check_kind,
    check_lesson,
)
from ..network import CompactNetwork
from . import by_example, teaching
from .by_example import FittedLesson


class InContextMixin(Named):
    """Labelling by example, for the compact model.

    Parameters
    ----------
    network : CompactNetwork
    identity : str
        Name and weights of the model; embeddings carry it.
    """

    lesson_type = FittedLesson

    def __init__(self, network: CompactNetwork, identity: str) -> None:
        self.network = network
        self.identity = identity

    def check(self, embedding: Embedding) -> None:
        """Raise `InvalidPrompt` for what is no embedding of this model."""
        check_embedding(self.identity, embedding)

    def learn(self, examples: Sequence[Example], kind: Kind = "semantic") -> FittedLesson:
        """Fit a lesson to labelled examples, for any number of targets; see `by_example`.

        Raises `InvalidLabels` for no example, no label, or labels of another shape.
        """
        check_kind(kind)
        for example in examples:
            self.check(example.embedding)
        return by_example.learn(examples, self.network.config, kind)

    def tune(
        self, examples: Sequence[Example], kind: Kind = "semantic", steps: int = 0
    ) -> Iterator[Tuned]:
        """Fit a lesson, and improve it by gradient steps; see `teaching`."""
        check_kind(kind)
        for example in examples:
            self.check(example.embedding)
        return teaching.tune(examples, self.network.config, kind, steps or teaching.STEPS)

    def shares(
        self, lesson: FittedLesson, embedding: Embedding, within: Box2D | None = None,
        where: BoolArray | None = None,
    ) -> FloatArray:  # fmt: skip
        """Return the shares of background and of each class: float32 (K + 1, h, w)."""
        self.check(embedding)
        check_lesson(lesson, self)
        return by_example.shares(lesson, embedding, self.network.config, within, where)

    def label(self, lesson: FittedLesson, embedding: Embedding) -> Labelled:
        """Label an image by a lesson."""
        self.check(embedding)
        check_lesson(lesson, self)
        return by_example.label(lesson, embedding, self.network.config)
