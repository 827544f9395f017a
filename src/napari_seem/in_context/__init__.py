"""Label images as a few examples are labelled."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from itertools import chain
from os import PathLike
from typing import TypeGuard, overload

import numpy as np

from ..checks import as_path, check_options, checked_labels, whole_number
from ..embeddings import EmbeddingCache
from ..errors import InvalidImage
from ..models.base import Model
from ..models.in_context import (
    Example,
    InContextModel,
    IntArray,
    Kind,
    Labelled,
    Lesson,
    Tuned,
    check_can_learn,
    check_kind,
    check_labelled,
    check_lesson,
)
from ..progress import Progress, reporting
from ..sources import PlanePixels
from ..values import listed
from . import frames
from .given import (
    ExampleLike,
    LabelledImage,
    Picture,
    as_examples,
    check_picture,
    is_picture,
)

__all__ = [
    "ExampleLike", "LabelledImage", "Picture", "check_can_learn", "iter_label_like", "label",
    "label_like", "learn", "load_lesson", "save_lesson", "teach",
]  # fmt: skip

LOG = logging.getLogger(__name__)
Learner = Model | InContextModel
"""A model that can label by example, as `load_model` gives it."""
Examples = ExampleLike | Sequence[ExampleLike] | Lesson
NO_TARGET = "there is no target; give an image, or a list of them"
Shows = bool | Progress | None


@overload
def label_like(  # type: ignore[overload-overlap]  # arrays are iterable, too
    model: Learner, examples: Examples, targets: Picture, kind: Kind = "semantic",
    cache: EmbeddingCache | None = None, *, progress: Shows = None, **options: object,
) -> Labelled: ...  # fmt: skip
@overload
def label_like(
    model: Learner, examples: Examples, targets: Iterable[Picture], kind: Kind = "semantic",
    cache: EmbeddingCache | None = None, *, progress: Shows = None, **options: object,
) -> list[Labelled]: ...  # fmt: skip
def label_like(
    model: Learner, examples: Examples, targets: Picture | Iterable[Picture],
    kind: Kind = "semantic", cache: EmbeddingCache | None = None, *, progress: Shows = None,
    **options: object,
) -> Labelled | list[Labelled]:  # fmt: skip
    """Label targets as examples are labelled.

    Parameters
    ----------
    model : Model
        'compact' or 'seggpt-vit-l', from `load_model`.
    examples : (image, labels), Example, a list of them, or a lesson
        Images (H, W) or (H, W, C) of any dtype with integer labels (H, W), 0 for background; or a
        lesson from `teach` or `load_lesson`.
    targets : image, or iterable of images
        Arrays (H, W) or (H, W, C), or embeddings; they may differ in size from the examples and
        from each other. Those of an iterable are read one at a time. Images with a side of more
        than 2048 pixels are worked through in frames.
    kind : str
        'semantic': ids are classes, and kept; 'instance': every id is one object of the same kind,
        and the objects found are numbered from 1, whatever the examples' ids, which a warning of
        the log says where they are others. A lesson has its own.
    cache : EmbeddingCache, optional
        Keeps encoded images.
    progress : bool or callable, optional
        True for a bar; a callable gets (done, total, what), and cancels by an exception.
        `iter_label_like` gives what is done until then.
    **options
        Of the model's `learn`: for SegGPT `ensemble`, `draws`, `seed`.

    Returns
    -------
    Labelled, or list of Labelled
        Labels, confidence and scores of the one target, or of each. A target that is itself an
        example is labelled like any other: its labels show how well the examples were learned.

    Raises
    ------
    InvalidLabels
        No example, no label in any, labels of another shape, too many classes for the model, or a
        lesson of another model.
    InvalidImage
        No target, or one that is no picture, such as a stack.
    InvalidArgument
        A kind or an option that does not exist.
    InvalidPrompt
        An embedding of another model.
    UnsupportedPrompt
        The model can't label by example.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> model = ns.load_model("compact")
    >>> image = np.random.default_rng(0).normal(100, 5, (64, 64))
    >>> image[20:40, 20:40] += 80
    >>> found = ns.label_like(model, (image, image > 140), image[::-1])
    >>> found.labels.shape, found.labels[30, 30]
    ((64, 64), np.int32(1))
    """
    found = list(iter_label_like(model, examples, targets, kind, cache, progress=progress,
                                 **options))  # fmt: skip
    return found[0] if is_picture(targets) else found


def iter_label_like(
    model: Learner, examples: Examples, targets: Picture | Iterable[Picture],
    kind: Kind = "semantic", cache: EmbeddingCache | None = None, *, progress: Shows = None,
    **options: object,
) -> Iterator[Labelled]:  # fmt: skip
    """Label targets as `label_like`, yielding each result at once; stop iterating to cancel.

    Images are (H, W) or (H, W, C), labels (H, W). Arguments are checked at once, but for the
    targets of an iterator.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> image = np.random.default_rng(0).normal(100, 5, (64, 64))
    >>> image[20:40, 20:40] += 80
    >>> example = image, image > 140
    >>> for found in ns.iter_label_like(ns.load_model("compact"), example, [image, image.T]):
    ...     print(found.shape, sorted(found.scores))
    (64, 64) [1]
    (64, 64) [1]
    """
    able = check_can_learn(model)
    lesson = _lesson_for(able, examples, kind, cache, options)
    if is_picture(targets):
        every: Iterable[Picture] = [check_picture(targets, "the target")]
    elif isinstance(targets, str) or not isinstance(targets, Iterable):
        every = [check_picture(targets, "the target")]
    elif isinstance(targets, Sized):
        every = [check_picture(one, f"target {n}") for n, one in enumerate(targets, 1)]
        if not every:
            raise InvalidImage(NO_TARGET)
    else:
        every = (check_picture(one, f"target {n}") for n, one in enumerate(targets, 1))
    return _labelled(able, lesson, every, cache, progress)


def learn(
    model: Learner, examples: ExampleLike | Sequence[ExampleLike], kind: Kind = "semantic",
    cache: EmbeddingCache | None = None, **options: object,
) -> Lesson:  # fmt: skip
    """Learn from labelled images (H, W) or (H, W, C), for any number of targets; see `label_like`.

    Of images with a side of more than 2048 pixels the frames that hold labels are learned from.
    """
    able = check_can_learn(model)
    _check_learning(able, kind, options)
    return _fit(able, _checked(examples, kind), kind, cache, options)


def label(
    model: InContextModel, lesson: Lesson, image: Picture | PlanePixels,
    cache: EmbeddingCache | None = None,
) -> Labelled:  # fmt: skip
    """Label an image (H, W) or (H, W, C) of any size by a lesson."""
    *_, found = frames.labelling(model, lesson, frames.prepared(model, image, cache), cache)
    assert found is not None  # it comes last
    return found


def teach(
    model: Learner, examples: ExampleLike | Sequence[ExampleLike], kind: Kind = "semantic",
    steps: int = 0, cache: EmbeddingCache | None = None, *, progress: Shows = None,
) -> Iterator[Tuned]:  # fmt: skip
    """Fit a lesson to examples by gradient, step by step; the model itself is not changed.

    Parameters
    ----------
    model, kind, cache, progress
        As for `label_like`.
    examples : (image, labels), Example, or a list of them
        Arrays (H, W) or (H, W, C), and (H, W).
    steps : int
        With 0 the model chooses their number.

    Yields
    ------
    Tuned
        The loss, and the lesson so far; stop iterating to keep it.

    Raises
    ------
    InvalidLabels, InvalidImage, InvalidArgument, UnsupportedPrompt
        As for `label_like`, at once.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> model = ns.load_model("compact")
    >>> image = np.random.default_rng(0).normal(100, 5, (64, 64))
    >>> image[20:40, 20:40] += 80
    >>> *_, last = ns.teach(model, (image, image > 140))
    >>> ns.label_like(model, last.lesson, image).scores.keys()
    dict_keys([1])
    """
    able = check_can_learn(model)
    check_kind(kind)
    count = whole_number(steps, "steps", 0)
    tuned = able.tune(_encoded(able, _checked(examples, kind), cache), kind, count)
    return _followed(tuned, progress)


def save_lesson(path: str | PathLike[str], model: Learner, lesson: Lesson, name: str = "") -> None:
    """Write a lesson to a small file, which `load_lesson` reads.

    Raises
    ------
    InvalidLabels
        It is no lesson of this model.
    FileTrouble
        The file can't be written.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> model, image = ns.load_model("compact"), np.full((48, 48), 60, np.uint8)
    >>> image[10:30, 10:30] = 200
    >>> *_, last = ns.teach(model, (image, image > 100), steps=2)
    >>> ns.save_lesson("squares.safetensors", model, last.lesson, "squares")
    """
    from ..models.files import lessons

    able, target = check_can_learn(model), as_path(path)
    check_lesson(lesson, able)
    lessons.save(target, lesson, able.identity, str(name))


def load_lesson(path: str | PathLike[str], model: Learner) -> Lesson:
    """Read a lesson.

    Raises
    ------
    InvalidLabels
        The file is no lesson, is damaged, or was taught to another model.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> model, image = ns.load_model("compact"), np.full((48, 48), 60, np.uint8)
    >>> image[10:30, 10:30] = 200
    >>> *_, last = ns.teach(model, (image, image > 100), steps=2)
    >>> ns.save_lesson("squares.safetensors", model, last.lesson, "squares")
    >>> ns.label_like(model, ns.load_lesson("squares.safetensors", model), image).labels.shape
    (48, 48)
    """
    from ..models.files import lessons

    able = check_can_learn(model)
    return lessons.load(as_path(path), able.lesson_type, able.identity)


def _lesson_for(
    model: InContextModel, examples: Examples, kind: Kind, cache: EmbeddingCache | None,
    options: dict[str, object],
) -> Callable[[], Lesson]:  # fmt: skip
    """Check examples, images (H, W) or (H, W, C) with labels (H, W), or a lesson.

    The function that is returned learns.
    """
    _check_learning(model, kind, options)
    if _is_lesson(examples):
        lesson = examples
        check_lesson(lesson, model)
        return lambda: lesson
    pairs = _checked(examples, kind)
    return lambda: _fit(model, pairs, kind, cache, options)


def _checked(examples: object, kind: Kind) -> list[tuple[Picture, IntArray]]:
    """Check examples; their labels become int32. Warn of ids that the kind does not keep."""
    pairs = [
        (image, checked_labels(labels, image.shape[:2], f"the labels of example {n}", "its image"))
        for n, (image, labels) in enumerate(as_examples(examples), 1)
    ]
    check_labelled(any(labels.any() for _, labels in pairs))
    if kind == "instance":
        _say_numbered(pairs)
    return pairs


def _encoded(
    model: InContextModel, pairs: Iterable[tuple[Picture, IntArray]], cache: EmbeddingCache | None
) -> list[Example]:
    """Encode the images of checked examples, (H, W) or (H, W, C), with labels (H, W)."""
    found: list[Example] = []
    for image, labels in pairs:
        shown = frames.prepared(model, image, cache)
        found += frames.examples_of(model, shown, labels, cache)
    return found


def _fit(
    model: InContextModel, pairs: Iterable[tuple[Picture, IntArray]], kind: Kind,
    cache: EmbeddingCache | None, options: dict[str, object],
) -> Lesson:  # fmt: skip
    """Learn from checked examples: images (H, W) or (H, W, C), and labels (H, W)."""
    fit: Callable[..., Lesson] = model.learn
    return fit(_encoded(model, pairs, cache), kind, **options)


def _say_numbered(pairs: Iterable[tuple[Picture, IntArray]]) -> None:
    """Warn that the ids of labels (H, W) are not kept, unless they just number their objects."""
    ids = sorted({int(i) for _, labels in pairs for i in np.unique(labels) if i})
    if ids != list(range(1, len(ids) + 1)):
        LOG.warning(
            "objects of one kind are numbered from 1: the examples' ids %s are not kept; where "
            "they are classes, ask for the kind 'semantic'", listed(ids),
        )  # fmt: skip


def _is_lesson(examples: object) -> TypeGuard[Lesson]:
    return all(hasattr(examples, name) for name in ("ids", "kind", "__dataclass_fields__"))


def _check_learning(model: InContextModel, kind: Kind, options: dict[str, object]) -> None:
    check_kind(kind)
    parameters = inspect.signature(model.learn).parameters.values()
    known = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
    check_options(options, known, f"labelling by example with '{model.name}'")


def _labelled(
    model: InContextModel, learned: Callable[[], Lesson], targets: Iterable[Picture],
    cache: EmbeddingCache | None, progress: Shows,
) -> Iterator[Labelled]:  # fmt: skip
    """Learn, then label images (H, W) or (H, W, C) one by one."""
    lesson = learned()
    total = None
    if isinstance(targets, Sequence):
        total = sum(frames.steps_of(image, lesson.kind) for image in targets)
    done = 0
    with reporting(progress, total, "label images") as report:
        for image in targets:
            shown = frames.prepared(model, image, cache)
            for found in frames.labelling(model, lesson, shown, cache):
                if found is not None:
                    yield found
                done += 1
                report(done)
    if not done:
        raise InvalidImage(NO_TARGET)


def _followed(tuned: Iterator[Tuned], progress: Shows) -> Iterator[Tuned]:
    first = next(tuned)
    with reporting(progress, first.steps, "teach") as report:
        for one in chain([first], tuned):
            report(one.step)
            yield one
