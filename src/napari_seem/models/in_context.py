"""The protocol of models that label by example: a lesson from labelled images, then labels.

The examples are learned from once (`learn`). Every target is labelled with the lesson (`label`), or
gets a share of each class for every pixel (`shares`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..errors import InvalidLabels
from ..images import AnyArray
from .base import Capability, Embedding

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]
Kind = Literal["semantic", "instance"]
Box2D = tuple[int, int, int, int]
"""Half-open (y0, x0, y1, x1) in pixels."""


@dataclass(frozen=True, eq=False)
class Example:
    """A labelled image.

    Attributes
    ----------
    embedding : Embedding
        By the model that learns from it.
    labels : integer array (H, W)
        0 is background. For the kind 'semantic' the ids are classes; for 'instance' every id is one
        object of the one kind that is wanted.
    part : (y0, x0, y1, x1), optional
        The part that is to be learned from; a model may use the whole all the same.
    """

    embedding: Embedding
    labels: npt.NDArray[np.integer[Any]] = field(repr=False)
    part: Box2D | None = None


@dataclass(frozen=True, eq=False)
class Labelled:
    """Labels of one target.

    Attributes
    ----------
    labels : int32 array of shape (H, W)
        The examples' ids (semantic), or objects numbered from 1 (instance).
    confidence : float32 array of shape (H, W)
        How surely each pixel has the label it has, 0..1.
    scores : mapping of int to float
        Mean confidence inside each id that occurs.
    """

    labels: IntArray = field(repr=False)
    confidence: FloatArray = field(repr=False)
    scores: Mapping[int, float]

    @property
    def score(self) -> float:
        """Mean confidence over everything labelled; over the image where nothing is."""
        inside = self.labels > 0
        return float(self.confidence[inside].mean() if inside.any() else self.confidence.mean())

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> AnyArray:
        return np.array(self.labels, dtype, copy=copy)


class Lesson(Protocol):
    """What a model learned from examples.

    Attributes
    ----------
    ids : tuple of int
        The examples' label ids, sorted ('semantic'); (1,) for 'instance'.
    kind : str
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def ids(self) -> tuple[int, ...]:
        """Label ids."""

    @property
    def kind(self) -> Kind:
        """'semantic' or 'instance'."""


@dataclass(frozen=True, eq=False)
class Tuned:
    """A step of teaching.

    Attributes
    ----------
    step, steps : int
        Number of the step from 1, and how many there are.
    loss : float
    lesson : Lesson
        The lesson so far.
    """

    step: int
    steps: int
    loss: float
    lesson: Any = field(repr=False)


@runtime_checkable
class InContextModel(Protocol):
    """A model that labels by example."""

    name: str
    capabilities: frozenset[Capability]
    identity: str

    @property
    def lesson_type(self) -> type[Lesson]:
        """Type of its lessons."""

    def encode(self, image: AnyArray) -> Embedding:
        """Encode an image (H, W) or (H, W, C) once; see `Model`."""

    def tune(
        self, examples: Sequence[Example], kind: Kind = "semantic", steps: int = 0
    ) -> Iterator[Tuned]:
        """Learn, and improve the lesson step by step; the model itself is not changed.

        The last step's lesson is the one to use. With `steps` 0 the model chooses their number.
        """

    def learn(self, examples: Sequence[Example], kind: Kind = "semantic", **options: Any) -> Lesson:
        """Fit a lesson to examples, for any number of targets."""

    def shares(self, lesson: Any, embedding: Embedding, within: Box2D | None = None) -> FloatArray:
        """Compute the share of each class at every pixel: float32 (K + 1, h, w), summing to 1.

        Plane 0 is background, plane i the i-th id of the lesson. For 'instance' plane 1 holds the
        objects; some models give their rims a plane 2 of their own. `within` limits the answer to a
        part of the image, which may be much quicker.
        """

    def label(self, lesson: Any, embedding: Embedding) -> Labelled:
        """Label an image by a lesson."""


def check_examples(examples: Sequence[Example]) -> tuple[int, ...]:
    """Return the label ids that occur, sorted.

    Raises
    ------
    InvalidLabels
        There is no example, one of another shape than its image, or none with a label.
    """
    if not examples:
        raise InvalidLabels("there is no example; label one to five images and give them")
    ids: set[int] = set()
    for number, example in enumerate(examples, 1):
        labels = np.asarray(example.labels)
        if labels.shape != example.embedding.shape:
            raise InvalidLabels(
                f"the labels of example {number} have shape {labels.shape}, its image "
                f"{example.embedding.shape}; give labels on the image's own grid"
            )
        if not np.issubdtype(labels.dtype, np.integer) and labels.dtype != bool:
            raise InvalidLabels(f"the labels of example {number} are {labels.dtype}, not integers")
        found = np.unique(labels)
        if found[0] < 0:
            raise InvalidLabels(f"example {number} has negative labels; use 0 for background")
        ids.update(int(i) for i in found if i)
    if not ids:
        raise InvalidLabels("no example has a label; paint at least one object in one of them")
    return tuple(sorted(ids))


def scores_by_id(labels: IntArray, confidence: FloatArray) -> dict[int, float]:
    """Average `confidence` (H, W) inside each id of `labels` (H, W)."""
    counts = np.bincount(labels.ravel())
    sums = np.bincount(labels.ravel(), weights=confidence.ravel())
    return {int(i): float(sums[i] / counts[i]) for i in np.flatnonzero(counts) if i}


def by_largest_share(shares: FloatArray, ids: Sequence[int]) -> Labelled:
    """Give every pixel the id of its largest share: shares (K + 1, H, W) -> `Labelled`."""
    index = shares.argmax(0)
    labels = np.array([0, *ids], np.int32)[index]
    confidence = np.take_along_axis(shares, index[None], 0)[0].astype(np.float32)
    return Labelled(labels, confidence, scores_by_id(labels, confidence))
