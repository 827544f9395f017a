"""An image at several scales, normalised and each encoded once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ..base import Embedding
from ..patience import checkpoint
from .network import COARSE_STRIDE, GRID, CompactNetwork

LARGEST = 2048
"""Longest side in pixels that is encoded; larger images are shrunk to it."""
ENLARGED_BELOW = 512
"""Images whose longest side is at most this are encoded at twice their size too."""
SMALLEST = GRID * COARSE_STRIDE
"""The pyramid ends where the longest side fits into one window."""
MULTIPLE = 32

Brightness = tuple[float, float]
"""Mean and deviation of the 0..1 values of an image."""


@dataclass(frozen=True, eq=False)
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
        `shape` is still that of the whole. Only `canvas.View` reads such a level.
    """

    coarse: Tensor
    fine: Tensor
    shape: tuple[int, int]
    scale: tuple[float, float]
    corner: tuple[int, int] | None = None


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


@torch.inference_mode()
def encode(
    network: CompactNetwork, image: Tensor, identity: str, compute: torch.dtype,
    storage: torch.dtype,
) -> Embedding:  # fmt: skip
    """Encode every level of a normalised image (1, 3, H, W)."""
    shape = (int(image.shape[2]), int(image.shape[3]))
    tensors: dict[str, Tensor] = {}
    sizes = level_shapes(shape)
    for index, size in enumerate(sizes):
        checkpoint()
        level = image
        if size != shape:
            level = F.interpolate(image, size, mode="bilinear", antialias=True)
        coarse, fine = features(network, level, compute)
        tensors[f"coarse{index}"] = coarse.to(storage)
        tensors[f"fine{index}"] = fine.to(storage)
    return Embedding(identity, shape, tensors, {"sizes": sizes})


def features(network: CompactNetwork, image: Tensor, compute: torch.dtype) -> tuple[Tensor, Tensor]:
    """Encode a normalised image (1, 3, H, W) as it is: coarse (C, h, w) and fine (D, 2 h, 2 w)."""
    padding = (0, -image.shape[3] % MULTIPLE, 0, -image.shape[2] % MULTIPLE)
    padded = F.pad(image, padding).to(compute).contiguous(memory_format=torch.channels_last)
    coarse, fine = network.encoder(padded)
    return coarse[0], fine[0]


def levels(embedding: Embedding) -> list[Level]:
    """Return the levels of an embedding, finest first."""
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
