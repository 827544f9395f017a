"""An image at several scales, normalised, each encoded as a whole or where it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ..base import Embedding
from ..running.mps import layout
from .network import COARSE_STRIDE, FINE_STRIDE, GRID, CompactNetwork

LARGEST = 2048
"""Longest side in pixels that is encoded; larger images are shrunk to it."""
ENLARGED_BELOW = 512
"""Images whose longest side is at most this are encoded at twice their size too."""
SMALLEST = GRID * COARSE_STRIDE
"""The pyramid ends where the longest side fits into one window."""
MULTIPLE = 32
HALO = 160
"""Pixels that are encoded around a part of a level, so that it looks as it does in the whole.

Found on training images: of 36 first clicks, answered from parts, 8 % differed by more than 1 % of
their pixels with 96, 3 % with 128 and none with 160.
"""

Box = tuple[int, int, int, int]
"""Half-open rows and columns of coarse cells: (top, left, bottom, right)."""
Features = tuple[Tensor, Tensor]
"""Coarse (C, h, w) and fine (D, 2 h, 2 w)."""
Brightness = tuple[float, float]
"""Mean and deviation of the 0..1 values of an image."""


@dataclass(eq=False)
class Level:
    """One encoded scale of an image.

    Attributes
    ----------
    coarse : (C, h, w) features at stride 4
    fine : (D, 2h, 2w) features at stride 2
    shape : (int, int)
        Height and width of the level in pixels, without padding.
    scale : (float, float)
        Level pixels per image pixel along rows and columns.
    corner : (int, int), optional
        The coarse cell at which the features begin, where they show only a part of the level:
        `shape` is still that of the whole. Only `at` and `canvas.View` read such a level.
    """

    coarse: Tensor
    fine: Tensor
    shape: tuple[int, int]
    scale: tuple[float, float]
    corner: tuple[int, int] | None = None

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of coarse cells of the whole level, with padding."""
        height, width = (size + -size % MULTIPLE for size in self.shape)
        return height // COARSE_STRIDE, width // COARSE_STRIDE

    def holds(self, box: Box) -> bool:
        """Return whether there are features of all that a box shows of the image."""
        if self.corner is None:
            return True
        first = np.array(self.corner)
        last = first + self.coarse.shape[-2:]
        end = np.minimum(box[2:], -(-np.array(self.shape) // COARSE_STRIDE))
        return bool((np.maximum(box[:2], 0) >= first).all() and (end <= last).all())

    def part(self, box: Box) -> Level:
        """Return a level with the features of a box, as far as there are any."""
        return self

    def at(self, row: int, col: int) -> Tensor:
        """Return the coarse features (C,) of a cell."""
        there = self.part((row, col, row + 1, col + 1))
        top, left = there.corner or (0, 0)
        return there.coarse[:, row - top, col - left]


class LazyLevel(Level):
    """A level that is encoded where it is looked at: in parts, or as a whole.

    A part is encoded with `HALO` pixels around it, so that its features are those of the whole but
    for a trace of what lies farther off. Threads may each encode the same part: they are alike.

    Parameters
    ----------
    read : callable
        Returns the level's normalised pixels (1, 3, H, W).
    encode : callable
        Maps such pixels to their features.
    shape, scale
        As of `Level`.

    Attributes
    ----------
    parts : tuple of Level
        What was encoded of it: the whole alone, once that was.
    """

    def __init__(
        self, read: Callable[[], Tensor], encode: Callable[[Tensor], Features],
        shape: tuple[int, int], scale: tuple[float, float],
    ) -> None:  # fmt: skip
        self.shape, self.scale = shape, scale
        self.parts: tuple[Level, ...] = ()
        self._spent, self._read, self._encode = 0, read, encode

    @property
    def coarse(self) -> Tensor:  # type: ignore[override]
        """The coarse features of all of it, encoded now where they were not."""
        return self.part((0, 0, *self.cells)).coarse

    @property
    def fine(self) -> Tensor:  # type: ignore[override]
        """The fine features of all of it, encoded now where they were not."""
        return self.part((0, 0, *self.cells)).fine

    def part(self, box: Box) -> Level:
        """Return a level with the features of a box, encoded now where there are none.

        The whole is encoded as soon as the parts would cost as much.
        """
        for known in self.parts:
            if known.holds(box):
                return known
        (top, bottom), (left, right) = (
            _around(box[axis], box[axis + 2], size) for axis, size in enumerate(self.cells)
        )
        spent = self._spent + (bottom - top) * (right - left)
        if spent < self.cells[0] * self.cells[1]:
            part = self._encoded(top, left, bottom, right)
            self.parts, self._spent = (*self.parts, part), spent
        else:
            part = Level(*self._encode(self._pixels), self.shape, self.scale)
            self.parts = (part,)
        return part

    def use_device(self, device: str) -> None:
        """Keep what was encoded on another device from now on."""
        self.__dict__.pop("_pixels", None)
        self.parts = tuple(
            replace(part, coarse=part.coarse.to(device), fine=part.fine.to(device))
            for part in self.parts
        )

    @cached_property
    def _pixels(self) -> Tensor:
        return self._read()

    def _encoded(self, top: int, left: int, bottom: int, right: int) -> Level:
        """Encode some coarse cells, and return what is not halo."""
        rows, cols = (slice(COARSE_STRIDE * a, COARSE_STRIDE * b)
                      for a, b in ((top, bottom), (left, right)))  # fmt: skip
        features = self._encode(self._pixels[..., rows, cols])
        halo = HALO // COARSE_STRIDE
        y, x = halo * (top > 0), halo * (left > 0)
        height = bottom - top - y - halo * (bottom < self.cells[0])
        width = right - left - x - halo * (right < self.cells[1])
        coarse, fine = (
            part[:, k * y : k * (y + height), k * x : k * (x + width)]
            for part, k in zip(features, (1, COARSE_STRIDE // FINE_STRIDE), strict=True)
        )
        return Level(coarse, fine, self.shape, self.scale, (top + y, left + x))


@dataclass(frozen=True, eq=False, repr=False)
class LazyEmbedding(Embedding):
    """An image whose levels are encoded where they are looked at.

    It answers as the embedding of the whole image, but for the trace that `HALO` leaves out.
    """

    levels: tuple[LazyLevel, ...] = field(kw_only=True, compare=False)


def brightness(rgb: npt.NDArray[np.uint8]) -> Brightness:
    """Return mean and deviation of an image (H, W) or (H, W, C), by which it is normalised."""
    small = rgb[::2, ::2].astype(np.float32) / 255
    return float(small.mean()), float(small.std()) + 0.02


def normalize(rgb: npt.NDArray[np.uint8], by: Brightness) -> Tensor:
    """Scale uint8 (H, W, 3) to about zero mean and unit deviation: float32 (1, 3, H, W)."""
    mean, deviation = by
    image = torch.tensor(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float()
    return ((image / 255 - mean) / deviation).clamp_(-5, 5)


def level_shapes(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the sizes of the levels, finest first, for an image of `shape` (H, W)."""
    longest = max(shape)
    top = 2.0 if longest <= ENLARGED_BELOW else min(1.0, LARGEST / longest)
    sizes = []
    for halvings in count():
        factor = top / 2**halvings
        sizes.append((max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))))
        if max(sizes[-1]) <= SMALLEST:
            return sizes
    raise AssertionError("unreachable")


def encode(
    network: CompactNetwork, image: Tensor, identity: str, storage: torch.dtype
) -> Embedding:
    """Encode every level of a normalised image (1, 3, H, W)."""
    lazy = encode_lazily(network, image, identity, storage)
    tensors: dict[str, Tensor] = {}
    for index, level in enumerate(lazy.levels):
        tensors[f"coarse{index}"], tensors[f"fine{index}"] = level.coarse, level.fine
    return Embedding(identity, lazy.shape, tensors, lazy.meta)


def encode_lazily(
    network: CompactNetwork, image: Tensor, identity: str, storage: torch.dtype
) -> LazyEmbedding:
    """Prepare every level of a normalised image (1, 3, H, W) to be encoded when looked at."""
    shape = int(image.shape[2]), int(image.shape[3])
    sizes = level_shapes(shape)

    @torch.inference_mode()
    def encoded(pixels: Tensor) -> Features:
        coarse, fine = features(network, pixels)
        return coarse.to(storage), fine.to(storage)

    def level(size: tuple[int, int]) -> LazyLevel:
        scale = size[0] / shape[0], size[1] / shape[1]
        return LazyLevel(
            lambda: resized(image.to(network.words.device), size), encoded, size, scale
        )

    levels = tuple(map(level, sizes))
    return LazyEmbedding(identity, shape, {"image": image}, {"sizes": sizes}, levels=levels)


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Return an image (1, C, H, W) at another size, smoothly."""
    if size == tuple(image.shape[2:]):
        return image
    return F.interpolate(image, size, mode="bilinear", antialias=True)


def features(network: CompactNetwork, image: Tensor) -> Features:
    """Encode a normalised image (1, 3, H, W) as it is: coarse (C, h, w) and fine (D, 2 h, 2 w)."""
    like = network.words
    padding = (0, -image.shape[3] % MULTIPLE, 0, -image.shape[2] % MULTIPLE)
    order = torch.channels_last if image.is_cpu else layout(image.device)
    padded = F.pad(image, padding).to(like.device, like.dtype).contiguous(memory_format=order)
    coarse, fine = network.encoder(padded)
    return coarse[0], fine[0]


def levels(embedding: Embedding) -> list[Level]:
    """Return the levels of an embedding, finest first."""
    if isinstance(embedding, LazyEmbedding):
        return list(embedding.levels)
    tensors: Any = embedding.tensors
    return [
        Level(
            tensors[f"coarse{index}"],
            tensors[f"fine{index}"],
            (int(size[0]), int(size[1])),
            (size[0] / embedding.shape[0], size[1] / embedding.shape[1]),
        )
        for index, size in enumerate(embedding.meta["sizes"])
    ]


def _around(first: int, last: int, size: int) -> tuple[int, int]:
    """Return which of the `size` cells along an axis to encode for some of them.

    They hold any window of up to `GRID` cells around the middle, and the halo.
    """
    first, last = max(first, 0), min(last, size)
    length = max(last - first, min(GRID + 3, size))
    first = min(max(first - (length - (last - first)) // 2, 0), size - length)
    halo, step = HALO // COARSE_STRIDE, MULTIPLE // COARSE_STRIDE
    start = max(0, (first - halo) // step * step)
    return start, min(size, -(-(first + length + halo) // step) * step)
