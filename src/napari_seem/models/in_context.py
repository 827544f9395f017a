"""The protocol of models that label by example: a lesson from labelled images, then labels.

The examples are learned from once (`learn`). Every target is labelled with the lesson (`label`), or
gets a share of each class for every pixel (`shares`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, get_args, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..checks import check_choice, checked_labels
from ..errors import InvalidArgument, InvalidLabels
from ..images import AnyArray, ArraySource
from ..values import ArrayValue, listed, read_only
from .base import BoolArray, Capability, Embedding
from .registry import unable

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]
Kind = Literal["semantic", "instance"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Box2D = tuple[int, int, int, int]
"""Half-open (y0, x0, y1, x1) in pixels."""


@dataclass(frozen=True, eq=False, repr=False)
class Example(ArrayValue):
    """A labelled image.

    Parameters
    ----------
    embedding : Embedding
        By the model that learns from it.
    labels : integer array (H, W)
        0 is background. For the kind 'semantic' the ids are classes; for 'instance' every id is one
        object of the one kind that is wanted.
    part : (y0, x0, y1, x1), optional
        The part that is to be learned from; a model may use the whole all the same.

    Raises
    ------
    InvalidArgument
        An image stands where its embedding belongs.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> model = ns.load_model("compact")
    >>> image = np.zeros((32, 32), np.uint8)
    >>> image[8:20, 8:20] = 200
    >>> ns.Example(model.encode(image), image > 100)
    Example(shape=(32, 32), ids=[1])
    """

    embedding: Embedding
    labels: npt.NDArray[np.integer | np.bool_]
    part: Box2D | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.embedding, Embedding):
            raise InvalidArgument(
                f"the embedding of an example is a {type(self.embedding).__name__}; give what "
                "model.encode(image) returns, or the pair (image, labels) instead of the example"
            )
        object.__setattr__(self, "labels", read_only(np.asarray(self.labels)))

    def __repr__(self) -> str:
        ids = np.unique(np.asarray(self.labels))
        return f"Example(shape={self.embedding.shape}, ids={listed([int(i) for i in ids if i])})"


@dataclass(frozen=True, eq=False, repr=False)
class Labelled(ArrayValue):
    """Labels of one target; `numpy.asarray` gives them.

    Attributes
    ----------
    labels : int32 array of shape (H, W)
        The examples' ids (semantic), or objects numbered from 1 (instance); read-only.
    confidence : float32 array of shape (H, W)
        How surely each pixel has the label it has, 0..1; read-only.
    scores : mapping of int to float
        Mean confidence inside each id that occurs.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> model, image = ns.load_model("compact"), np.full((48, 48), 60, np.uint8)
    >>> image[10:30, 10:30] = 200
    >>> found = ns.label_like(model, (image, image > 100), np.roll(image, 9))
    >>> found.labels.dtype, np.asarray(found).shape, 0 < found.score <= 1
    (dtype('int32'), (48, 48), True)
    """

    labels: IntArray
    confidence: FloatArray
    scores: Mapping[int, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", read_only(np.asarray(self.labels, np.int32)))
        object.__setattr__(self, "confidence", read_only(np.asarray(self.confidence, np.float32)))

    def __repr__(self) -> str:
        ids = listed(sorted(self.scores))
        return f"Labelled(shape={self.shape}, ids={ids}, score={self.score:.3f})"

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.labels.shape
        return height, width

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
    model : str
        Identity of the model that learned it; "" where nobody knows.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def ids(self) -> tuple[int, ...]:
        """Label ids."""

    @property
    def kind(self) -> Kind:
        """'semantic' or 'instance'."""

    @property
    def model(self) -> str:
        """Identity of the model that learned it."""


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

    def encode(self, image: ArraySource, channels: int | None = None) -> Embedding:
        """Encode an image (H, W) or (H, W, C) once; see `Model`."""

    def tune(
        self, examples: Sequence[Example], kind: Kind = "semantic", steps: int = 0
    ) -> Iterator[Tuned]:
        """Learn, and improve the lesson step by step; the model itself is not changed.

        The last step's lesson is the one to use. With `steps` 0 the model chooses their number.
        """

    def learn(self, examples: Sequence[Example], kind: Kind = "semantic") -> Lesson:
        """Fit a lesson to examples, for any number of targets.

        Further keyword arguments are the model's own options.
        """

    def shares(
        self, lesson: Any, embedding: Embedding, within: Box2D | None = None,
        where: BoolArray | None = None,
    ) -> FloatArray:  # fmt: skip
        """Compute the share of each class at every pixel: float32 (K + 1, h, w), summing to 1.

        Plane 0 is background, plane i the i-th id of the lesson. For 'instance' plane 1 holds the
        objects; some models give their rims a plane 2 of their own. `within` limits the answer to a
        part of the image, which may be much quicker; of its pixels those inside `where` (h, w)
        matter, and others may get any shares.
        """

    def label(self, lesson: Any, embedding: Embedding) -> Labelled:
        """Label an image by a lesson."""


def check_can_learn(model: object) -> InContextModel:
    """Return the model; raise `UnsupportedPrompt` for one that can't label by example."""
    if isinstance(model, InContextModel) and Capability.IN_CONTEXT in model.capabilities:
        return model
    raise unable(model, Capability.IN_CONTEXT, "label by example")


def check_kind(kind: object) -> None:
    """Raise `InvalidArgument` for a kind that does not exist."""
    check_choice(kind, KINDS, "kind")


class Learned(Protocol):
    """A model by its identity and the type of its lessons."""

    identity: str

    @property
    def lesson_type(self) -> type[Lesson]:
        """Type of its lessons."""


def check_lesson(lesson: Lesson, model: Learned) -> None:
    """Raise `InvalidLabels` for what is no lesson of a model."""
    if not isinstance(lesson, model.lesson_type):
        raise InvalidLabels(
            f"a {type(lesson).__name__} is no lesson of '{model.identity}'; give what it learned "
            "from examples"
        )
    if lesson.model not in ("", model.identity):
        raise InvalidLabels(
            f"the lesson was taught to '{lesson.model}', not to '{model.identity}'; teach this "
            "model from the examples again"
        )


def lesson_line(lesson: Lesson) -> str:
    """Describe a lesson in a line."""
    return f"Lesson(kind='{lesson.kind}', ids={listed(lesson.ids)}, model='{lesson.model}')"


def check_labelled(labelled: bool) -> None:
    """Raise `InvalidLabels` where no example has a label."""
    if not labelled:
        raise InvalidLabels("no example has a label; paint at least one object in one of them")


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
        what = f"the labels of example {number}"
        labels = checked_labels(example.labels, example.embedding.shape, what, "its image")
        ids.update(int(i) for i in np.unique(labels) if i)
    check_labelled(bool(ids))
    return tuple(sorted(ids))


def scores_by_id(labels: IntArray, confidence: FloatArray) -> dict[int, float]:
    """Average `confidence` (H, W) inside each id of `labels` (H, W)."""
    ids, number = np.unique(labels, return_inverse=True)
    counts = np.bincount(number.ravel())
    sums = np.bincount(number.ravel(), weights=confidence.ravel())
    means = zip(ids, sums / np.maximum(counts, 1), strict=True)
    return {int(i): float(mean) for i, mean in means if i}


def by_largest_share(shares: FloatArray, ids: Sequence[int]) -> Labelled:
    """Give every pixel the id of its largest share: shares (K + 1, H, W) -> `Labelled`."""
    index = shares.argmax(0)
    labels = np.array([0, *ids], np.int32)[index]
    confidence = np.take_along_axis(shares, index[None], 0)[0].astype(np.float32)
    return Labelled(labels, confidence, scores_by_id(labels, confidence))
