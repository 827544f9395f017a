"""The pixels of a big plane, read where and as coarsely as they are needed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np
import numpy.typing as npt

from ..embeddings import content_key
from ..errors import InvalidImage
from ..images import AnyArray, ArraySource, Window, as_picture, channel_windows, to_rgb
from ..models.base import Embedding, LazyEncoder, Model, PartEncoder
from ..planes import Plane
from .frames import Area, Frame, Shape

SAMPLES, SAMPLE_SIDE = 8, 64
"""Number of patches along both axes, and their side, that determine the brightness of a plane."""
STRIP_PIXELS = 1 << 22
"""Largest number of pixels in memory for averaging."""
FINEST_MEAN = 4
"""A coarse pixel is the mean of at most this number of pixels along each axis."""


@dataclass(frozen=True, eq=False)
class Appearance:
    """The mapping by which all parts of a plane are shown to a model.

    Attributes
    ----------
    windows : tuple of (low, high), or None
        One for each channel; None where 8-bit pixels are shown unchanged.
    sample : uint8 (h, w, 3)
        Pixels from all over the plane, as shown.
    """

    windows: tuple[Window, ...] | None
    sample: npt.NDArray[np.uint8] = field(repr=False)

    @cached_property
    def key(self) -> str:
        """A digest of the windows and the sample."""
        digest = hashlib.blake2b(repr(self.windows).encode(), digest_size=4)
        digest.update(np.ascontiguousarray(self.sample).data)
        return digest.hexdigest()

    def show(self, pixels: AnyArray) -> npt.NDArray[np.uint8]:
        """Map a part of the plane, (h, w) or (h, w, C), to RGB (h, w, 3)."""
        return to_rgb(pixels, self.windows)


class PlanePixels:
    """One plane of one or more array-likes, read in parts when they are needed.

    Parameters
    ----------
    images : sequence of sequence of array-like (..., H, W) or (..., H, W, C)
        Each image's resolutions, finest first. Several images are channels of one.
    plane : Plane
        Of the finest arrays.
    """

    def __init__(self, images: Sequence[Sequence[ArraySource]], plane: Plane) -> None:
        self._images = [list(levels) for levels in images]
        self.plane = plane
        self.shape: Shape = plane.shape(self._images[0][0].shape)
        self._names: dict[Frame, str] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(
        cls, image: ArraySource | Sequence[ArraySource], channels: int | None = None
    ) -> PlanePixels:
        """Wrap an array-like (H, W) or (H, W, C), or a list of its resolutions.

        Raises
        ------
        InvalidImage
            For arrays of other axes, or of no pixel.
        """
        given = list(image) if isinstance(image, (list, tuple)) else [image]
        if not given:
            raise InvalidImage("there is no resolution of the image; give one at least")
        levels = [as_picture(cast(ArraySource, level), channels) for level in given]
        shape = levels[0].shape
        return cls([levels], Plane((None, None), (0, 1), len(shape) == 3))

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def read(self, frame: Frame) -> AnyArray:
        """Read the pixels of a frame: (h, w) or (h, w, C), of the arrays' own dtype."""
        parts = [self._read(levels, frame) for levels in self._images]
        return parts[0] if len(parts) == 1 else np.stack(parts, axis=-1)

    @cached_property
    def appearance(self) -> Appearance:
        """The mapping for all parts, from patches all over the finest resolution."""
        bands = []
        tops, lefts = (
            np.unique(((np.arange(SAMPLES) + 0.5) / SAMPLES * size - SAMPLE_SIDE / 2)
                      .clip(0, max(0, size - SAMPLE_SIDE)).astype(int))
            for size in self.shape
        )  # fmt: skip
        for y in tops:
            row = [self.read(self._patch(int(y), int(x))) for x in lefts]
            bands.append(np.concatenate(row, axis=1))
        sample = np.concatenate(bands, axis=0)
        windows = channel_windows(sample)
        return Appearance(windows, to_rgb(_finite(sample), windows))

    def name_of(self, frame: Frame) -> tuple[str, AnyArray | None]:
        """Return the name of a frame's content, and its pixels if they had to be read for it."""
        with self._lock:
            known = self._names.get(frame)
        if known is not None:
            return known, None
        pixels = np.array(self.read(frame))  # copied, as the array may be changed meanwhile
        name = f"{content_key(pixels)}-{self.appearance.key}"
        with self._lock:
            self._names[frame] = name
        return name, pixels

    def known_name(self, frame: Frame) -> str | None:
        """Return the name of a frame's content, if it was read before."""
        with self._lock:
            return self._names.get(frame)

    def known_frames(self) -> list[Frame]:
        """Return the frames that were read before."""
        with self._lock:
            return list(self._names)

    def _patch(self, y: int, x: int) -> Frame:
        height, width = self.shape
        return Frame(1, y, x, min(height, y + SAMPLE_SIDE), min(width, x + SAMPLE_SIDE))

    def _read(self, levels: list[ArraySource], frame: Frame) -> AnyArray:
        """Read a frame from the resolutions (..., H, W) of one image."""
        level, coarseness = self._level_for(levels, frame.factor)
        y0, x0, y1, x1 = frame.area
        height, width = self.plane.shape(level.shape)
        plane = self._plane_of(levels, level)
        area = (
            y0 // coarseness, x0 // coarseness,
            min(height, -(-y1 // coarseness)), min(width, -(-x1 // coarseness)),
        )  # fmt: skip
        pixels = _mean(plane, level, area, frame.factor // coarseness)
        missing = [wanted - there for wanted, there in zip(frame.shape, pixels.shape, strict=False)]
        if any(missing):  # a pyramid that rounds its sizes down
            pad = [(0, n) for n in missing] + [(0, 0)] * (pixels.ndim - 2)
            pixels = np.pad(pixels, pad, mode="edge")
        return pixels

    def _level_for(self, levels: list[ArraySource], factor: int) -> tuple[ArraySource, int]:
        """Return the coarsest array (..., H, W) that is fine enough, and how coarse it is."""
        best, coarseness = levels[0], 1
        for level in levels[1:]:
            height, width = self.plane.shape(level.shape)
            ratio = round(self.shape[0] / max(1, height))
            near = abs(self.shape[0] / ratio - height) <= 1 if ratio else False
            near = near and abs(self.shape[1] / ratio - width) <= 1
            if near and coarseness < ratio <= factor and factor % ratio == 0:
                best, coarseness = level, ratio
        return best, coarseness

    def _plane_of(self, levels: list[ArraySource], level: ArraySource) -> Plane:
        """Return the same plane in a coarser array (..., H, W), whose other axes may be coarser."""
        if level is levels[0]:
            return self.plane
        index = tuple(
            None if position is None
            else min(position * level.shape[axis] // levels[0].shape[axis], level.shape[axis] - 1)
            for axis, position in enumerate(self.plane.index)
        )  # fmt: skip
        return Plane(index, self.plane.axes, self.plane.channels)


PlaneImage = ArraySource | Sequence[ArraySource] | PlanePixels
"""An array-like (H, W) or (H, W, C), a list of its resolutions, or its pixels."""


def encode_frame(
    model: Model, pixels: PlanePixels, frame: Frame, raw: AnyArray | None = None
) -> Embedding:
    """Encode a frame of a plane, with the brightness of the whole plane.

    `raw` are the frame's pixels (h, w) or (h, w, C), if they were read already.
    """
    appearance, shown = _shown(pixels, frame, raw)
    if isinstance(model, PartEncoder):
        return model.encode_part(shown, appearance.sample)
    return model.encode(shown)


def begin_frame(
    model: LazyEncoder, pixels: PlanePixels, frame: Frame, raw: AnyArray | None = None
) -> Embedding:
    """As `encode_frame` of `raw` (h, w) or (h, w, C), but turns encode what they look at."""
    appearance, shown = _shown(pixels, frame, raw)
    return model.encode_lazily(shown, appearance.sample)


def _shown(
    pixels: PlanePixels, frame: Frame, raw: AnyArray | None
) -> tuple[Appearance, npt.NDArray[np.uint8]]:
    """Read a frame, (h, w) or (h, w, C), where it was not, and show it: uint8 (h, w, 3)."""
    appearance = pixels.appearance
    return appearance, appearance.show(pixels.read(frame) if raw is None else raw)


def _finite(sample: AnyArray) -> AnyArray:
    """Return the sample (h, w) or (h, w, C), or black where it has no finite value."""
    if sample.dtype.kind == "f" and not np.isfinite(sample).any():
        return np.zeros_like(sample)
    return sample


def _mean(plane: Plane, array: ArraySource, area: Area, factor: int) -> AnyArray:
    """Read an area of an array (..., H, W) with `factor` x `factor` pixels averaged, in strips."""
    if factor == 1:
        return plane.read(array, area)
    y0, x0, y1, x1 = area
    step = max(1, factor // FINEST_MEAN)
    rows = factor * max(1, STRIP_PIXELS // (factor * (x1 - x0)))
    strips = []
    for top in range(y0, y1, rows):
        strip = plane.read(array, (top, x0, min(y1, top + rows), x1), step)
        strips.append(_blocks(strip, factor // step))
    return np.concatenate(strips)


def _blocks(pixels: AnyArray, side: int) -> AnyArray:
    """Average blocks of side x side of (h, w) or (h, w, C); the last ones may be smaller."""
    missing = [-n % side for n in pixels.shape[:2]]
    padded = np.pad(pixels, [(0, n) for n in missing] + [(0, 0)] * (pixels.ndim - 2), mode="edge")
    height, width = padded.shape[0] // side, padded.shape[1] // side
    means = padded.reshape(height, side, width, side, *padded.shape[2:]).mean(
        axis=(1, 3), dtype=np.float64
    )
    if pixels.dtype.kind == "f":
        return means.astype(pixels.dtype)
    return means.round().astype(pixels.dtype)
