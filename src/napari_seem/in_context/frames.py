"""Labelling by example on pictures of any size: those too big for one pass go through frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..embeddings import EmbeddingCache
from ..embeddings import encoded as encoded_whole
from ..errors import InvalidPrompt, UnsupportedPrompt
from ..images import AnyArray, ArraySource
from ..models.base import Embedding, Instance, PartEncoder, Segmentation
from ..models.in_context import (
    Box2D,
    Example,
    FloatArray,
    InContextModel,
    IntArray,
    Labelled,
    Lesson,
    by_largest_share,
    scores_by_id,
)
from ..prompts import Prompt
from ..sources import PlanePixels, PlaneRun, is_big
from ..sources.frames import Frame, cores
from ..sources.pixels import encode_frame
from ..sources.tiled import TiledEmbedding

MOST_FRAMES = 8
"""Largest number of frames of one big example that are learned from."""
SURE = 65_534
"""Steps in which the confidence of a big picture is counted while it is worked through."""

Shown = Embedding | PlanePixels
"""A picture as a model is given it: encoded, or the pixels of one that is too big for one pass."""


def prepared(
    model: InContextModel, image: AnyArray | Embedding | PlanePixels, cache: EmbeddingCache | None
) -> Shown:
    """Encode an image (H, W) or (H, W, C); one that is too big is read later, in frames."""
    if isinstance(image, Embedding) and image.model != model.identity:
        raise InvalidPrompt(
            f"this embedding was made by '{image.model}', not by '{model.identity}'; encode the "
            "image again with the present model"
        )
    if isinstance(image, TiledEmbedding):
        return image.pixels
    if isinstance(image, (Embedding, PlanePixels)):
        return image
    return PlanePixels.of(image) if is_big(image.shape) else encoded_whole(model, image, cache)


def steps_of(image: AnyArray | Embedding, kind: str) -> int:
    """Return the number of steps of `labelling` an image (H, W) or (H, W, C)."""
    height, width = image.shape[:2]
    if not is_big((height, width)):
        return 1
    return len(cores((height, width))) * (1 if kind == "semantic" else 2)


def labelling(
    model: InContextModel, lesson: Lesson, shown: Shown, cache: EmbeddingCache | None
) -> Iterator[Labelled | None]:
    """Label a picture; yields None after every step but the last, then what was found."""
    if isinstance(shown, Embedding):
        yield model.label(lesson, shown)
    elif lesson.kind == "semantic":
        yield from _classes(model, lesson, shown, cache)
    else:
        yield from _objects(model, lesson, shown)


def shares(
    model: InContextModel, lesson: Lesson, shown: Shown, within: Box2D,
    cache: EmbeddingCache | None, where: npt.NDArray[np.bool_] | None = None,
) -> FloatArray:  # fmt: skip
    """Compute the share of each class in a part of a picture: float32 (K + 1, h, w).

    Outside of `where` (h, w) they may be any; frames without a pixel of it are not encoded.
    """
    if isinstance(shown, Embedding):
        return model.shares(lesson, shown, within, where)
    out: FloatArray | None = None
    y0, x0, y1, x1 = within
    for core, frame in cores(shown.shape):
        area = max(core[0], y0), max(core[1], x0), min(core[2], y1), min(core[3], x1)
        if area[0] >= area[2] or area[1] >= area[3]:
            continue
        rows, columns = slice(area[0] - y0, area[2] - y0), slice(area[1] - x0, area[3] - x0)
        inside = None if where is None or not where.any() else where[rows, columns]
        if inside is not None and not inside.any():
            continue
        found = _frame_shares(model, lesson, shown, frame, area, cache, inside)
        if out is None:
            out = np.zeros((len(found), y1 - y0, x1 - x0), np.float32)
        out[:, rows, columns] = found
    assert out is not None  # the cores cover the picture
    return out


def examples_of(
    model: InContextModel, shown: Shown, labels: IntArray, cache: EmbeddingCache | None,
    part: Box2D | None = None,
) -> list[Example]:  # fmt: skip
    """Return what is to be learned from a labelled picture: of a big one its labelled frames.

    Parameters
    ----------
    model : InContextModel
    shown : Embedding or PlanePixels
    labels : int32 array (H, W)
    cache : EmbeddingCache or None
    part : (y0, x0, y1, x1), optional
        As of `Example`.
    """
    if isinstance(shown, Embedding):
        return [Example(shown, labels, part)]
    found = []
    for frame in _labelled_frames(labels):
        own = labels[frame.y0 : frame.y1, frame.x0 : frame.x1]
        inner = None if part is None else _within(part, frame)
        if inner is None or (inner[0] < inner[2] and inner[1] < inner[3]):
            embedding = encoded_frame(model, shown, frame, cache)
            found.append(Example(embedding, own, inner))
    return found


def encode_all(model: InContextModel, shown: Shown, cache: EmbeddingCache | None) -> None:
    """Encode all frames of a big picture into the cache."""
    if isinstance(shown, PlanePixels):
        for _, frame in cores(shown.shape):
            encoded_frame(model, shown, frame, cache)


def encoded_frame(
    model: InContextModel, pixels: PlanePixels, frame: Frame, cache: EmbeddingCache | None
) -> Embedding:
    """Encode a frame with the brightness of the whole picture, or take it from the cache."""
    if cache is None:
        return encode_frame(_ByLesson(model), pixels, frame)
    name, raw = pixels.name_of(frame)
    return cache.get_or_encode(
        (model.identity, name), lambda: encode_frame(_ByLesson(model), pixels, frame, raw)
    )


def _labelled_frames(labels: IntArray) -> list[Frame]:
    """Choose the frames of a label array (H, W) to learn from: every id, then the most labels.

    They do not overlap, so that nothing counts twice, and are small enough to be learned from at
    full resolution.
    """
    candidates: list[tuple[int, frozenset[int], Frame]] = []
    for core, _ in cores((labels.shape[0], labels.shape[1])):
        own = labels[core[0] : core[2], core[1] : core[3]]
        if own.any():
            ids = frozenset(int(i) for i in np.unique(own) if i)
            candidates.append((int(np.count_nonzero(own)), ids, Frame(1, *core)))
    chosen: list[Frame] = []
    missing = frozenset[int]().union(*(ids for _, ids, _ in candidates))
    while candidates and len(chosen) < MOST_FRAMES:
        best = max(candidates, key=lambda one: (len(one[1] & missing), one[0]))
        candidates.remove(best)
        missing -= best[1]
        chosen.append(best[2])
    return chosen


def _within(part: Box2D, frame: Frame) -> Box2D:
    """Return a part of the picture in the pixels of a frame."""
    return (
        max(part[0], frame.y0) - frame.y0, max(part[1], frame.x0) - frame.x0,
        min(part[2], frame.y1) - frame.y0, min(part[3], frame.x1) - frame.x0,
    )  # fmt: skip


def _frame_shares(
    model: InContextModel, lesson: Lesson, pixels: PlanePixels, frame: Frame, area: Box2D,
    cache: EmbeddingCache | None, where: npt.NDArray[np.bool_] | None = None,
) -> FloatArray:  # fmt: skip
    """Compute the shares (K + 1, h, w) of an area inside a frame; any outside of `where` (h, w)."""
    raw = pixels.read(frame)
    if raw.dtype.kind == "f" and not np.isfinite(raw).any():  # a mosaic's empty rim
        out = np.zeros((1 + len(lesson.ids), area[2] - area[0], area[3] - area[1]), np.float32)
        out[0] = 1
        return out
    embedding = encoded_frame(model, pixels, frame, cache)
    return model.shares(lesson, embedding, _within(area, frame), where)


def _classes(
    model: InContextModel, lesson: Lesson, pixels: PlanePixels, cache: EmbeddingCache | None
) -> Iterator[Labelled | None]:
    """Label a big picture frame by frame, each for its own part."""
    labels = np.zeros(pixels.shape, np.int32)
    confidence = np.zeros(pixels.shape, np.float32)
    frames = cores(pixels.shape)
    for done, (core, frame) in enumerate(frames, 1):
        found = _frame_shares(model, lesson, pixels, frame, core, cache)
        own = by_largest_share(found, lesson.ids)
        where = np.s_[core[0] : core[2], core[1] : core[3]]
        labels[where], confidence[where] = own.labels, own.confidence
        if done < len(frames):
            yield None
    yield Labelled(labels, confidence, scores_by_id(labels, confidence))


def _objects(
    model: InContextModel, lesson: Lesson, pixels: PlanePixels
) -> Iterator[Labelled | None]:
    """Find objects frame by frame; one that lies in several gets one id."""
    steps_of_certainty = np.zeros(pixels.shape, np.uint16)
    labels = np.zeros(pixels.shape, np.int32)
    finder = _ByLesson(model, lesson)
    run = PlaneRun(finder, pixels, out=labels, semantic=steps_of_certainty)
    for done in run.run():
        if done < run.total:
            yield None
    # blank frames are not asked about: nothing is there for sure
    unasked = steps_of_certainty == 0
    confidence = np.where(unasked, 1.0, (steps_of_certainty - 1.0) / SURE).astype(np.float32)
    yield Labelled(labels, confidence, scores_by_id(labels, confidence))


class _ByLesson:
    """A model whose `segment` finds the objects of a lesson, as a run over a big plane asks.

    The confidence of every pixel goes along as the map of names: `SURE` steps, plus one.
    """

    def __init__(self, model: InContextModel, lesson: Lesson | None = None) -> None:
        self._model, self._lesson = model, lesson
        self.name, self.identity, self.capabilities = model.name, model.identity, frozenset[Any]()

    def encode(self, image: ArraySource, channels: int | None = None) -> Embedding:
        """Encode a frame (h, w, 3) by itself."""
        return self._model.encode(image, channels)

    def encode_part(self, image: npt.NDArray[np.uint8], sample: npt.NDArray[np.uint8]) -> Embedding:
        """Encode a frame (h, w, 3), with the brightness of the whole if the model can."""
        if isinstance(self._model, PartEncoder):
            return self._model.encode_part(image, sample)
        return self._model.encode(image)

    def predict(
        self, embedding: Embedding, prompts: Sequence[Prompt], memory: object = None
    ) -> NoReturn:
        """Raise `UnsupportedPrompt`: a lesson takes no prompts."""
        raise UnsupportedPrompt(f"a lesson of '{self.name}' takes no prompts; use the model itself")

    def segment(self, embedding: Embedding, names: Sequence[str] | None = None) -> Segmentation:
        """Find the objects of the lesson in a frame."""
        assert self._lesson is not None
        found = self._model.label(self._lesson, embedding)
        certainty = 1 + np.round(found.confidence * SURE).astype(np.int32)
        return Segmentation(embedding.shape, tuple(_instances(found)), certainty)

    def vocabulary(self) -> tuple[str, ...]:
        """Return no words."""
        return ()


def _instances(found: Labelled) -> Iterator[Instance]:
    """Yield the labelled objects of a frame."""
    for number, where in enumerate(ndimage.find_objects(found.labels), 1):
        if where is not None:
            rows, columns = where
            box = (rows.start, columns.start, rows.stop, columns.stop)
            mask = found.labels[where] == number
            yield Instance(mask, box, found.scores[number])
