"""A model on planes too big for one pass: it encodes the frames of prompts and objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import numpy as np

from ..embeddings import EmbeddingCache
from ..embeddings.memory import Need
from ..errors import InvalidPrompt
from ..models.base import (
    Capability,
    Embedding,
    FloatArray,
    Instance,
    LazyEncoder,
    Model,
    Prediction,
    Segmentation,
    check_model,
    check_owner,
    mask_bbox,
)
from ..models.context import Context, in_context_of
from ..models.cropped import CroppedPrediction
from ..progress import Progress
from ..prompts import Extent, Prompt, Reference, check_prompts, extent, union
from .frames import (
    Area,
    Frame,
    Shape,
    frames_around,
    into_frame,
    whole_frame,
)
from .pixels import PlaneImage, PlanePixels, begin_frame, encode_frame
from .refine import BAND, refined
from .whole import instances_of, segment_tiled

ROOM = BAND + 2
"""Frame pixels kept around an object, into which its border may move."""


@dataclass(frozen=True, eq=False, repr=False)
class TiledEmbedding(Embedding):
    """A big plane, whose frames are encoded when they are needed.

    It holds no features itself, but knows where those of its frames are kept.
    """

    pixels: PlanePixels = field(kw_only=True)
    frames: EmbeddingCache = field(kw_only=True)


@dataclass(frozen=True, eq=False)
class TiledMemory:
    """The state that one turn on a big plane passes to the next.

    Attributes
    ----------
    frame : Frame
        The frame in which the object was decoded.
    inner : object
        The model's own memory of it there.
    bbox : (y0, x0, y1, x1), or None
        Half-open, in the plane.
    """

    frame: Frame
    inner: Any = field(repr=False)
    bbox: Area | None


class TiledModel:
    """Any model, on planes of any size; a `Model` itself.

    A prompt encodes the one frame of `SIDE` pixels that it lies well inside. If the object reaches
    the frame's rim, a larger frame is decoded, of twice as coarse pixels where necessary, until the
    object or the plane ends. Its border is then refined in frames of finer pixels. Frames are kept
    in a cache by their content. On a plane that fits into one frame answers may differ by a few
    pixels from the model's own: the brightness of a plane is that of patches of it.

    Parameters
    ----------
    model : Model
    cache : EmbeddingCache, optional
        Keeps the encoded frames; by default one of its own.
    identity : str, optional
        The model's name in the cache; by default its own identity.
    on_part : callable, optional
        If given, a frame that is not encoded is encoded where turns look at it, by a model that can
        do that, and this is called without arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> plane = np.random.default_rng(0).integers(60, 80, (3000, 3000)).astype(np.uint8)
    >>> plane[1990:2020, 990:1020] = 200
    >>> tiled = ns.TiledModel(ns.load_model("compact"))
    >>> tiled.predict(tiled.encode(plane), [ns.Point(2005, 1005)]).bbox
    (1990, 990, 2020, 1020)
    """

    def __init__(
        self, model: Model, cache: EmbeddingCache | None = None, identity: str = "",
        on_part: Callable[[], object] | None = None,
    ) -> None:  # fmt: skip
        self.model = check_model(model)
        self.name = model.name
        self.capabilities = model.capabilities
        self.cache = EmbeddingCache() if cache is None else cache
        self.identity = identity or model.identity
        self._on_part = on_part
        self._context: Context | None = None

    def vocabulary(self) -> tuple[str, ...]:
        """Return the words of the model."""
        return self.model.vocabulary()

    def with_context(self, context: Context | None) -> Self:
        """Return the same model, steered by accepted objects; see `ContextModel`."""
        new = copy(self)
        new._context = context
        return new

    def encode(self, image: PlaneImage, channels: int | None = None) -> TiledEmbedding:
        """Prepare a plane for prompts; its pixels are read later.

        Parameters
        ----------
        image : array-like (H, W) or (H, W, C), list of its resolutions, or PlanePixels
            numpy, dask, zarr, or any other array that slices.
        channels : int, optional
            Axis of the channels, as for `napari_seem.images.as_picture`.

        Raises
        ------
        InvalidImage
            The array is no image.
        """
        pixels = image if isinstance(image, PlanePixels) else PlanePixels.of(image, channels)
        return TiledEmbedding(self.identity, pixels.shape, {}, pixels=pixels, frames=self.cache)

    def predict(
        self, embedding: Embedding, prompts: Sequence[Prompt], memory: object = None
    ) -> Prediction:
        """Answer one turn, as the model's own `predict`, with a `CroppedPrediction`.

        Words and references without a place are searched in the whole plane, as coarsely as
        necessary; `segment_tiled` finds all of a word at full resolution.
        """
        tiled = self._checked(embedding)
        check_prompts(prompts, tiled.shape)
        if memory is not None and not isinstance(memory, TiledMemory):
            raise InvalidPrompt("this memory is of another image; start the object again")
        prompts = [self._local_reference(prompt) for prompt in prompts]
        where = _prompted_extent(prompts, tiled.shape)
        if where is None:
            frame = whole_frame(tiled.shape)
            return self._predict_in(tiled, frame, prompts, memory)[0]
        prediction = self._predict_in_frames(tiled, prompts, where, memory)
        if Capability.MASK not in self.capabilities:
            return prediction

        def finer(one: CroppedPrediction) -> CroppedPrediction:
            return refined(one, prompts, lambda f, p: self._answer(tiled, f, p, None))

        def others() -> list[Prediction]:
            found = prediction.alternatives[1:]
            return [finer(one) for one in found if isinstance(one, CroppedPrediction)]

        return finer(prediction).offering(prediction.others and others)

    def segment(
        self, embedding: Embedding, names: Sequence[str] | None = None, area: Area | None = None,
        progress: bool | Progress | None = None,
    ) -> Segmentation:  # fmt: skip
        """Find everything in an area of the plane, or everything that one of `names` names.

        Parameters
        ----------
        embedding : Embedding
        names : sequence of str, optional
        area : (y0, x0, y1, x1), optional
            Half-open. It is one frame, as coarse as necessary: what a viewer shows. By default the
            plane is processed as by `segment_tiled`.
        progress : bool or callable, optional
            As for `segment_tiled`.

        Returns
        -------
        Segmentation
            For an `area`, `semantic` is None; else int32 (H, W).
        """
        tiled = self._checked(embedding)
        if area is None:
            semantic = np.zeros(tiled.shape, np.int32)
            found = segment_tiled(
                self.model, tiled.pixels, names, semantic=semantic, progress=progress
            )
            return Segmentation(
                tiled.shape, instances_of(found), semantic, found.names, found.stuff
            )
        frame = next(frames_around(area, tiled.shape, 0))
        inner = self.model.segment(self.tile(tiled, frame), names)
        instances = [_placed(instance, frame, tiled.shape) for instance in inner.instances]
        return Segmentation(tiled.shape, tuple(instances), None, inner.names, inner.stuff)

    def is_ready(
        self, embedding: Embedding, prompts: Sequence[Prompt], memory: TiledMemory | None = None
    ) -> bool:
        """Return whether the first frame that the prompts are decoded in is encoded."""
        tiled = self._checked(embedding)
        where = _prompted_extent(prompts, tiled.shape)
        frame = whole_frame(tiled.shape)
        if where is not None:
            frame, _ = next(_candidate_frames(where, tiled.shape, memory))
        name = tiled.pixels.known_name(frame)
        return name is not None and (self.identity, name) in self.cache

    def tile(self, embedding: TiledEmbedding, frame: Frame, need: Need = "now") -> Embedding:
        """Return an encoded frame, from the cache or encoded now; `need` as for the cache."""
        plane, model = embedding.pixels, self.model
        name, read = plane.name_of(frame)
        key = self.identity, name
        if self._on_part is not None and isinstance(model, LazyEncoder):
            begin = partial(begin_frame, model, plane, frame, read)
            return self.cache.get_or_begin(key, begin, self._on_part)
        encode = partial(encode_frame, model, plane, frame, read)
        return self.cache.get_or_encode(key, encode, need=need)

    def encode_begun(self, embedding: TiledEmbedding) -> None:
        """Encode the frames as wholes of which turns of another `TiledModel` use parts."""
        for frame in embedding.pixels.known_frames():
            if self.cache.is_begun((self.identity, embedding.pixels.name_of(frame)[0])):
                self.tile(embedding, frame)

    def _checked(self, embedding: Embedding) -> TiledEmbedding:
        embedding = check_owner(self.identity, embedding)
        if not isinstance(embedding, TiledEmbedding):
            raise InvalidPrompt(
                "this embedding is of a plane that was encoded as one; encode the image anew"
            )
        return embedding

    def _predict_in_frames(
        self,
        tiled: TiledEmbedding,
        prompts: Sequence[Prompt],
        where: Extent,
        memory: TiledMemory | None,
    ) -> CroppedPrediction:
        """Predict in larger and larger frames, until the object does not run out of one."""
        frames = _candidate_frames(where, tiled.shape, memory)
        frame, before = next(frames)
        prediction, reached = self._predict_in(tiled, frame, prompts, before)
        known = where
        while reached is not None:
            known = union(known, reached)
            larger = [
                f
                for f, _ in _candidate_frames(known, tiled.shape, None)
                if f.factor >= frame.factor
            ]
            if not larger or larger[0] == frame:
                break
            frame = larger[0]
            prediction, reached = self._predict_in(tiled, frame, prompts, None)
        return prediction

    def _predict_in(
        self, tiled: TiledEmbedding, frame: Frame, prompts: Sequence[Prompt],
        memory: TiledMemory | None,
    ) -> tuple[CroppedPrediction, Extent | None]:  # fmt: skip
        """Predict in a frame; also return the object's extent if it reaches the frame's rim."""
        same = memory is not None and memory.frame == frame
        answer = self._answer(tiled, frame, prompts, memory.inner if memory and same else None)
        found, reached = _in_plane(answer, frame, tiled.shape)
        if answer.others is None:
            return found, reached

        def others() -> Iterator[CroppedPrediction]:
            for other in answer.alternatives[1:]:
                one, beyond = _in_plane(other, frame, tiled.shape)
                if beyond is None:  # how far it would go beyond the frame is not known
                    yield one

        return found.offering(others), reached

    def _answer(
        self, tiled: TiledEmbedding, frame: Frame, prompts: Sequence[Prompt], memory: object
    ) -> Prediction:
        inside = into_frame(prompts, frame, tiled.shape)
        context = self._context and self._context.at_scale(frame.factor)
        model = in_context_of(self.model, context)
        return model.predict(self.tile(tiled, frame), inside, memory)

    def _local_reference(self, prompt: Prompt) -> Prompt:
        """Turn a reference into a big plane into one to the frame around its region."""
        if not isinstance(prompt, Reference) or not isinstance(prompt.embedding, TiledEmbedding):
            return prompt
        tiled = self._checked(prompt.embedding)
        bbox = mask_bbox(prompt.mask)
        assert bbox is not None  # a reference is never empty
        frame = next(frames_around(bbox, tiled.shape))
        y0, x0, y1, x1 = frame.area
        mask = prompt.mask[y0 : y1 : frame.factor, x0 : x1 : frame.factor]
        return replace(prompt, embedding=self.tile(tiled, frame), mask=mask)


def _prompted_extent(prompts: Sequence[Prompt], shape: Shape) -> Extent | None:
    """Return the extent of the positive prompts; of the negative ones if no other has a place."""
    return extent(prompts, shape) or extent(prompts, shape, positive=False)


def _candidate_frames(
    where: Extent, shape: Shape, memory: TiledMemory | None
) -> Iterator[tuple[Frame, TiledMemory | None]]:
    """Yield frames for the prompts, first that of the turn before if they lie well inside."""
    if memory is not None:
        if memory.frame.holds(where, shape):
            yield memory.frame, memory
        where = union(where, memory.bbox)
    for frame in frames_around(where, shape):
        yield frame, None


def _cut(logits: FloatArray, frame: Frame, bbox: Area | None) -> tuple[FloatArray, tuple[int, int]]:
    """Cut a frame's logits (h, w) around an object; return them and their corner in the plane."""
    if bbox is None:
        return np.zeros((0, 0), np.float32), (frame.y0, frame.x0)
    y0, x0 = max(0, bbox[0] - ROOM), max(0, bbox[1] - ROOM)
    part = logits[y0 : bbox[2] + ROOM, x0 : bbox[3] + ROOM].copy()
    return part, (frame.y0 + y0 * frame.factor, frame.x0 + x0 * frame.factor)


def _in_plane(
    answer: Prediction, frame: Frame, shape: Shape
) -> tuple[CroppedPrediction, Extent | None]:
    """Return the answer in a frame as one on the plane, and its extent if it reaches the rim."""
    mask = answer.mask
    values, corner = _cut(answer.logits, frame, mask_bbox(mask))
    found = CroppedPrediction(values, corner, frame.factor, shape, answer.score, answer.label)
    inner = TiledMemory(frame, answer.memory, found.bbox)
    object.__setattr__(found, "memory", inner)
    rims = (mask[0], mask[:, 0], mask[-1], mask[:, -1])
    touches = any(o and r.any() for o, r in zip(frame.open_sides(shape), rims, strict=True))
    if not touches or found.bbox is None:
        return found, None
    y0, x0, y1, x1 = found.bbox
    return found, (float(y0), float(x0), float(y1), float(x1))


def _placed(instance: Instance, frame: Frame, shape: Shape) -> Instance:
    """Move an object of a frame to the plane."""
    factor = frame.factor
    y0, x0 = instance.bbox[0] * factor, instance.bbox[1] * factor
    mask = instance.mask.repeat(factor, 0).repeat(factor, 1)
    mask = mask[: shape[0] - frame.y0 - y0, : shape[1] - frame.x0 - x0]
    y, x = frame.y0 + y0, frame.x0 + x0
    box = (y, x, y + mask.shape[0], x + mask.shape[1])
    return replace(instance, mask=mask, bbox=box)
