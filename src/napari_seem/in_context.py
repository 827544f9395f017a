"""Label images as a few examples are labelled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from . import embeddings
from .embeddings import EmbeddingCache
from .embeddings.keys import Encoder
from .errors import UnsupportedPrompt
from .images import AnyArray
from .models.base import Capability, Capable, Embedding
from .models.in_context import Example, InContextModel, Kind, Labelled, Lesson, Tuned

LabelledImage = tuple[AnyArray, AnyArray]
"""An image (H, W) or (H, W, C), and its integer labels (H, W)."""


def label_like(
    model: InContextModel, examples: Sequence[LabelledImage] | Lesson,
    targets: Iterable[AnyArray], kind: Kind = "semantic", cache: EmbeddingCache | None = None,
    **options: Any,
) -> list[Labelled]:  # fmt: skip
    """Label targets as examples are labelled.

    Parameters
    ----------
    model : InContextModel
        'compact' or 'seggpt-vit-l'.
    examples : sequence of (image, labels), or a lesson
        Images (H, W) or (H, W, C) of any dtype with integer labels (H, W), 0 for background; or a
        lesson from `teach` or `load_lesson`.
    targets : iterable of image
        Arrays (H, W) or (H, W, C), read one at a time; they may differ in size from the examples
        and from each other.
    kind : str
        'semantic': ids are classes, and kept; 'instance': every id is one object of the same kind,
        and the objects found are numbered. A lesson has its own.
    cache : EmbeddingCache, optional
        Keeps encoded images.
    **options
        Of the model's `learn`: for SegGPT `ensemble`, `draws`, `seed`.

    Returns
    -------
    list of Labelled
        Labels, confidence and scores of each target. A target that is itself an example is labelled
        like any other: its labels show how well the examples were learned.

    Raises
    ------
    InvalidLabels
        No example, no label in any, labels of another shape, too many classes for the model.
    UnsupportedPrompt
        The model can't label by example.
    """
    return list(iter_label_like(model, examples, targets, kind, cache, **options))


def iter_label_like(
    model: InContextModel, examples: Sequence[LabelledImage] | Lesson,
    targets: Iterable[AnyArray], kind: Kind = "semantic", cache: EmbeddingCache | None = None,
    **options: Any,
) -> Iterator[Labelled]:  # fmt: skip
    """Label targets as `label_like`, yielding each result at once; stop iterating to cancel.

    Images are (H, W) or (H, W, C), labels (H, W).
    """
    check_can_learn(model)
    if isinstance(examples, model.lesson_type):
        lesson = examples
    else:
        pairs = cast(Sequence[LabelledImage], examples)
        lesson = model.learn(encoded_examples(model, pairs, cache), kind, **options)
    for image in targets:
        yield model.label(lesson, encoded(model, image, cache))


def teach(
    model: InContextModel, examples: Sequence[LabelledImage], kind: Kind = "semantic",
    steps: int = 0, cache: EmbeddingCache | None = None,
) -> Iterator[Tuned]:  # fmt: skip
    """Fit a lesson to examples by gradient, step by step; the model itself is not changed.

    Parameters
    ----------
    model, kind, cache
        As for `label_like`.
    examples : sequence of (image, labels)
        Arrays (H, W) or (H, W, C), and (H, W).
    steps : int
        With 0 the model chooses their number.

    Yields
    ------
    Tuned
        The loss, and the lesson so far; stop iterating to keep it.
    """
    check_can_learn(model)
    yield from model.tune(encoded_examples(model, examples, cache), kind, steps)


def save_lesson(path: str | Path, model: InContextModel, lesson: Lesson, name: str = "") -> None:
    """Write a lesson to a small file, which `load_lesson` reads."""
    from .models import lessons

    lessons.save(Path(path), lesson, model.identity, name)


def load_lesson(path: str | Path, model: InContextModel) -> Lesson:
    """Read a lesson.

    Raises
    ------
    InvalidLabels
        The file is no lesson, is damaged, or was taught to another model.
    """
    from .models import lessons

    return lessons.load(Path(path), model.lesson_type, model.identity)


def encoded_examples(
    model: InContextModel,
    examples: Sequence[LabelledImage],
    cache: EmbeddingCache | None,
) -> list[Example]:  # fmt: skip
    """Encode the images of examples, (H, W) or (H, W, C), or take them from the cache."""
    return [
        # models refuse labels that are no integers
        Example(encoded(model, image, cache), cast(npt.NDArray[np.integer], labels))
        for image, labels in examples
    ]


def encoded(model: Encoder, image: AnyArray, cache: EmbeddingCache | None) -> Embedding:
    """Encode an image (H, W) or (H, W, C), or take its embedding from the cache."""
    return embeddings.encoded(model, np.asarray(image), cache)


def check_can_learn(model: Capable) -> None:
    """Raise `UnsupportedPrompt` for a model that can't label by example."""
    from .models.registry import able_models

    if Capability.IN_CONTEXT in model.capabilities:
        return
    able = able_models(Capability.IN_CONTEXT)
    raise UnsupportedPrompt(
        f"model '{model.name}' can't label by example; choose one of: {', '.join(able)}"
    )
