"""Features of every pixel of a plane, kept from one stroke to the next."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ..embeddings import EmbeddingCache, encoded
from ..errors import InvalidPrompt
from ..images import ArraySource, as_picture, to_rgb
from ..models.base import Embedding, Model
from ..models.pixel_features import FeatureMap, PixelFeatureModel
from ..sources import PlanePixels, is_big
from ..sources.frames import Area, Frame, cores
from ..sources.pixels import encode_frame
from ..sources.tiled import TiledEmbedding
from .filters import plain_features

FloatArray = npt.NDArray[np.float32]
MOST_BYTES = 1 << 29
"""Bytes of features of a plane that are kept; those of further frames are computed again."""
PLAIN = "plain filters"
"""What takes the place of a model's identity where there are only plain filters."""


class PixelFeatures:
    """Features of every pixel of a plane, computed when they are first needed.

    Plain filters at several scales, and the features of the model's encoder if it is a
    `PixelFeatureModel`. They are kept on their own grids and resampled where they are asked for. A
    plane of more than 2048 pixels along a side is worked through in frames.

    Parameters
    ----------
    model : Model or None
        None for plain filters alone.
    image : (H, W) or (H, W, C) array, or PlanePixels
    embedding : Embedding, optional
        Of the image, by this model, where it is known.
    cache : EmbeddingCache, optional
        Where encoded images are looked for and kept.

    Attributes
    ----------
    shape : (int, int)
        Height and width of the plane in pixels.
    identity : str
        What made the features: a classifier works with features of one identity only.

    Raises
    ------
    InvalidImage
        The array is no image.
    InvalidPrompt
        The embedding is another model's, or of an image of another size.
    """

    def __init__(
        self, model: Model | None, image: ArraySource | PlanePixels,
        embedding: Embedding | None = None, cache: EmbeddingCache | None = None,
    ) -> None:  # fmt: skip
        self._model = model if isinstance(model, PixelFeatureModel) else None
        self.identity = self.identity_of(model)
        self._image = image if isinstance(image, PlanePixels) else as_picture(image)
        height, width = self._image.shape[:2]
        self.shape = int(height), int(width)
        if is_big(self.shape) and not isinstance(self._image, PlanePixels):
            self._image = PlanePixels.of(self._image)
        self._embedding = None if embedding is None else self._checked(embedding)
        self._cache = cache
        self._kept: OrderedDict[Frame, list[FeatureMap]] = OrderedDict()
        self._lock = threading.Lock()

    @staticmethod
    def identity_of(model: Model | None) -> str:
        """Return the identity of the features that a model gives."""
        return model.identity if isinstance(model, PixelFeatureModel) else PLAIN

    @property
    def frames(self) -> list[tuple[Area, Frame]]:
        """The parts (y0, x0, y1, x1) that the plane is worked through in, each with its frame."""
        if isinstance(self._image, PlanePixels):
            return cores(self.shape)
        whole = (0, 0, *self.shape)
        return [(whole, Frame(1, *whole))]

    @property
    def nbytes(self) -> int:
        """Bytes of the features that are kept now."""
        with self._lock:
            return sum(map(_nbytes, self._kept.values()))

    def maps(self, frame: Frame) -> list[FeatureMap]:
        """Return the features of a frame, computed now where they were not."""
        with self._lock:
            if frame in self._kept:
                self._kept.move_to_end(frame)
                return self._kept[frame]
        found = self._computed(frame)
        with self._lock:
            self._kept[frame] = found
            while len(self._kept) > 1 and sum(map(_nbytes, self._kept.values())) > MOST_BYTES:
                self._kept.popitem(last=False)
        return found

    def at(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> FloatArray:
        """Return the features of some pixels.

        Parameters
        ----------
        rows, columns : int array (N,)

        Returns
        -------
        float32 array (N, D)
        """
        parts: list[tuple[npt.NDArray[np.intp], FloatArray]] = []
        for (y0, x0, y1, x1), frame in self.frames:
            inside = (rows >= y0) & (rows < y1) & (columns >= x0) & (columns < x1)
            here = np.flatnonzero(inside)
            if len(here):
                y, x = rows[here] - frame.y0, columns[here] - frame.x0
                found = [sampled(one, y, x) for one in self.maps(frame)]
                parts.append((here, np.concatenate(found, axis=1)))
        out = np.empty((len(rows), parts[0][1].shape[1] if parts else 0), np.float32)
        for here, values in parts:
            out[here] = values
        return out

    def _checked(self, embedding: Embedding) -> Embedding | None:
        if embedding.model != self.identity and self._model is not None:
            raise InvalidPrompt(
                f"this embedding was made by '{embedding.model}', not by '{self.identity}'; encode "
                "the image again with the present model"
            )
        if tuple(embedding.shape) != self.shape:
            raise InvalidPrompt(
                f"the embedding is of an image of {embedding.shape}, not of {self.shape}; give "
                "that of the same image"
            )
        return None if isinstance(embedding, TiledEmbedding) else embedding

    def _computed(self, frame: Frame) -> list[FeatureMap]:
        if isinstance(self._image, PlanePixels):
            raw = self._image.read(frame)
            shown = self._image.appearance.show(raw)
        else:
            shown = to_rgb(np.asarray(self._image))
        maps = plain_features(shown)
        if self._model is not None:
            maps += self._model.pixel_features(self._encoded(frame))
        return maps

    def _encoded(self, frame: Frame) -> Embedding:
        model: Model = self._model  # type: ignore[assignment]
        if self._embedding is not None:
            return self._embedding
        if not isinstance(self._image, PlanePixels):
            return encoded(model, np.asarray(self._image), self._cache)
        pixels = self._image
        if self._cache is None:
            return encode_frame(model, pixels, frame)
        name, raw = pixels.name_of(frame)
        return self._cache.get_or_encode(
            (model.identity, name), lambda: encode_frame(model, pixels, frame, raw)
        )


def sampled(
    one: FeatureMap, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> FloatArray:
    """Return the features of some pixels of the image, bilinearly: float32 (N, C)."""
    (top, bottom, down), (left, right, across) = (
        _between(where, scale, size)
        for where, scale, size in zip((rows, columns), one.scale, one.values.shape[1:], strict=True)
    )
    values = one.values
    upper = values[:, top, left] * (1 - across) + values[:, top, right] * across
    lower = values[:, bottom, left] * (1 - across) + values[:, bottom, right] * across
    return (upper * (1 - down) + lower * down).T


def resampled(one: FeatureMap, area: Area) -> FloatArray:
    """Return the features of an area (y0, x0, y1, x1) of the image: float32 (C, h, w)."""
    y0, x0, y1, x1 = area
    if one.scale == (1.0, 1.0):
        return one.values[:, y0:y1, x0:x1].astype(np.float32)
    top, bottom, down = _between(np.arange(y0, y1), one.scale[0], one.values.shape[1])
    left, right, across = _between(np.arange(x0, x1), one.scale[1], one.values.shape[2])
    first = int(top[0])
    band = one.values[:, first : int(bottom[-1]) + 1].astype(np.float32)
    wide = band[..., left] * (1 - across) + band[..., right] * across
    weight = down[:, None]
    return wide[:, top - first] * (1 - weight) + wide[:, bottom - first] * weight


def _between(
    where: npt.NDArray[np.intp], scale: float, size: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], FloatArray]:
    """Return the cells before and after some pixels along an axis, and the latter's weight."""
    place = np.clip((where + 0.5) * scale - 0.5, 0, size - 1)
    first = place.astype(np.intp)
    return first, np.minimum(first + 1, size - 1), (place - first).astype(np.float32)


def _nbytes(maps: Sequence[FeatureMap]) -> int:
    return sum(one.values.nbytes for one in maps)


def strips(area: Area, most: int) -> Iterator[Area]:
    """Cut an area (y0, x0, y1, x1) into strips of at most `most` pixels, or of one row."""
    y0, x0, y1, x1 = area
    rows = max(1, most // (x1 - x0))
    for top in range(y0, y1, rows):
        yield top, x0, min(y1, top + rows), x1
