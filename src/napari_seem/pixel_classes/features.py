"""Features of every pixel of a plane, kept from one stroke to the next."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

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
from .resampling import FloatArray, sampled
from .scales import split

MOST_BYTES = 1 << 29
"""Bytes of features of a plane that are kept; those of further frames are computed again."""
SAMPLE = 4096
"""Pixels from all over a plane by which its features are standardised."""
SAMPLED_FRAMES = 4
"""Largest number of a big plane's frames that these pixels are drawn from."""
SMALLEST_SPREAD = 1e-3
PLAIN_GAIN = 2.0
"""Weight of plain filters beside the many features of an encoder, before the ridge.

With it, signed roots, and filters of lines, the IoU of 35 training images of seven thin sets was
.43, and .41 without (`fives_vessels` .35 and .25).
"""
PLAIN = "plain filters"
"""What takes the place of a model's identity where there are only plain filters."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Features all over a plane.

    Attributes
    ----------
    mean, spread : float32 array (D,)
        By which features are standardised; the spread also weighs them.
    sample : float16 array (N, D)
        Standardised features of some pixels.
    """

    mean: FloatArray = field(repr=False)
    spread: FloatArray = field(repr=False)
    sample: npt.NDArray[np.float16] = field(repr=False)


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

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> features = ns.PixelFeatures(None, np.arange(64, dtype=np.uint8).reshape(8, 8))
    >>> features.shape, features.at(np.array([3]), np.array([4])).shape
    ((8, 8), (1, 79))
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
        self._gains: npt.NDArray[np.float64] = np.ones(1)

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

    def frames_in(self, area: Area) -> list[tuple[Area, Frame]]:
        """The parts of the plane that touch an area (y0, x0, y1, x1), each with its frame."""
        y0, x0, y1, x1 = area
        return [(part, frame) for part, frame in self.frames
                if part[0] < y1 and y0 < part[2] and part[1] < x1 and x0 < part[3]]  # fmt: skip

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

    @cached_property
    def statistics(self) -> Statistics:
        """The features' mean and spread over the plane, and a sample of them; computed once."""
        rng, frames = np.random.default_rng(0), self.frames
        chosen = np.linspace(0, len(frames) - 1, min(len(frames), SAMPLED_FRAMES)).round()
        found = []
        for number in chosen.astype(int):
            (y0, x0, y1, x1), frame = frames[number]
            count = SAMPLE // len(chosen)
            rows, columns = rng.integers(y0, y1, count), rng.integers(x0, x1, count)
            found.append(self._read(frame, rows, columns))
        sample = np.concatenate(found)
        mean, spread = sample.mean(0), sample.std(0) + SMALLEST_SPREAD
        spread /= self._gains
        return Statistics(mean, spread, ((sample - mean) / spread).astype(np.float16))

    def at(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> FloatArray:
        """Return the features of some pixels, standardised by those of the whole plane.

        Parameters
        ----------
        rows, columns : int array (N,)

        Returns
        -------
        float32 array (N, D)
        """
        statistics = self.statistics
        out = np.empty((len(rows), len(statistics.mean)), np.float32)
        for (y0, x0, y1, x1), frame in self.frames:
            inside = (rows >= y0) & (rows < y1) & (columns >= x0) & (columns < x1)
            if inside.any():
                found = self._read(frame, rows[inside], columns[inside])
                out[inside] = (found - statistics.mean) / statistics.spread
        return out

    def _read(
        self, frame: Frame, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
    ) -> FloatArray:
        """Return the features (N, D) of some pixels of a frame, as they are."""
        y, x = rows - frame.y0, columns - frame.x0
        return np.concatenate([sampled(one, y, x) for one in self.maps(frame)], axis=1)

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
        found = [(one, PLAIN_GAIN) for one in plain_features(shown)]
        if self._model is not None:
            for one in self._model.pixel_features(self._encoded(frame)):
                found += split(one)
        self._gains = np.concatenate([np.full(len(one.values), gain) for one, gain in found])
        return [one for one, _ in found]

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


def _nbytes(maps: Sequence[FeatureMap]) -> int:
    return sum(one.values.nbytes for one in maps)
