"""The neighbourhood of a small object, encoded at twice its size.

Images of up to 512 pixels are encoded at twice their size as a whole. A larger image keeps its
8-bit pixels instead, and a patch of them is encoded once prompts or an earlier answer show that an
object is small.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from ...prompts import Extent
from ..base import Embedding
from . import pyramid
from .network import COARSE_STRIDE, CompactNetwork

FACTOR = 2
SMALL, LONGEST = 12.0, 20.0
"""Sides in image pixels, geometric mean and longer one, up to which an object is magnified.

Found on training images: beyond them nothing is gained.
"""
PATCH, STEP = 64, 8
"""Side of a patch in image pixels, and the grid that its corner lies on."""
LAST = "magnified"
"""Key of the last patch in an embedding; the next turn mostly needs it again."""
PIXELS, BRIGHTNESS = "pixels", "brightness"
"""Keys of the pixels, uint8 (H, W, 3), and of the mean and deviation that normalise them."""


def with_pixels(
    embedding: Embedding, rgb: npt.NDArray[np.uint8], brightness: pyramid.Brightness, device: str
) -> Embedding:
    """Add the pixels to an embedding, unless magnifying them would show nothing new.

    Parameters
    ----------
    embedding : Embedding
    rgb : uint8 (H, W, 3)
        The pixels that were encoded.
    brightness : (float, float)
        Their mean and deviation.
    device : str
    """
    if not pyramid.ENLARGED_BELOW < max(embedding.shape) <= pyramid.LARGEST:
        return embedding
    pixels = torch.from_numpy(np.array(rgb)).to(device)  # a copy: the image may be changed
    return replace(
        embedding, tensors={**embedding.tensors, PIXELS: pixels},
        meta={**embedding.meta, BRIGHTNESS: brightness},
    )  # fmt: skip


@torch.inference_mode()
def around(network: CompactNetwork, embedding: Embedding, extent: Extent) -> list[pyramid.Level]:
    """Encode the neighbourhood of a small object as a level of its own.

    Parameters
    ----------
    network : CompactNetwork
        The one that the image was encoded with.
    embedding : Embedding
        There is no level for one without pixels (a small or a huge image, or made by an older
        version).
    extent : (y0, x0, y1, x1)
        What is known of the object, in image pixels.

    Returns
    -------
    list of Level
        One level, or none for an object that is not small.
    """
    kept: Any = embedding.tensors.get(PIXELS)
    y0, x0, y1, x1 = extent
    sides = y1 - y0, x1 - x0
    if kept is None or max(sides) > LONGEST or sides[0] * sides[1] > SMALL**2:
        return []
    (top, bottom), (left, right) = (
        _span((low + high) / 2, size)
        for low, high, size in zip((y0, x0), (y1, x1), embedding.shape, strict=True)
    )
    last: tuple[tuple[int, int], pyramid.Level] | None = embedding.scratch.get(LAST)
    if last is not None and last[0] == (top, left):
        return [last[1]]
    part = kept[top:bottom, left:right].cpu().numpy()
    image = pyramid.normalize(part, embedding.meta[BRIGHTNESS]).to(kept.device)
    size = FACTOR * (bottom - top), FACTOR * (right - left)
    enlarged = F.interpolate(image, size, mode="bilinear", antialias=True)
    coarse, fine = pyramid.features(network, enlarged)
    height, width = embedding.shape
    level = pyramid.Level(
        coarse, fine, (FACTOR * height, FACTOR * width), (FACTOR, FACTOR),
        (FACTOR * top // COARSE_STRIDE, FACTOR * left // COARSE_STRIDE),
    )  # fmt: skip
    embedding.scratch[LAST] = (top, left), level  # threads may each write theirs: they are alike
    return [level]


def _span(middle: float, size: int) -> tuple[int, int]:
    """Return where a patch around `middle` begins and ends along an axis of `size` pixels.

    It begins on a fixed grid, so that later turns see the object on the same pixels, or else on a
    whole coarse cell, and ends with the image at the latest.
    """
    cell = COARSE_STRIDE // FACTOR
    last = max(0, cell * -(-(size - PATCH) // cell))
    start = min(max(0, STEP * round((middle - PATCH / 2) / STEP)), last)
    return start, min(start + PATCH, size)
