"""All objects of an image: a grid of clicks, of whose masks the stable and distinct ones stay.

After the automatic mask generator of Kirillov et al., Segment Anything, ICCV 2023, appendix B.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...prompts import Point
from ..base import Capability, Embedding, Instance, Segmentation, mask_bbox, words_of
from ..patience import checkpoint
from ..registry import unable
from .prompting import read
from .square import Square, overlap

if TYPE_CHECKING:
    from .model import SamModel

ALONG = 32
"""Clicks along the longer side of the image."""
TOGETHER = 16
"""Clicks that are decoded together."""
LEAST_SCORE, LEAST_STABILITY = 0.80, 0.92
"""What a mask needs to be kept: its own score, and its overlap with itself at other thresholds."""
OFFSET = 1.0
"""How far these thresholds are from 0."""
SAME = 0.7
"""Intersection over union from which the worse of two masks is dropped."""
SMALLEST = 4
"""Cells of the low-resolution mask that the smallest object has."""
LARGEST = 0.95
"""Share of the image that the largest object has."""


@dataclass(frozen=True)
class _Found:
    """A mask with its score.

    Attributes
    ----------
    cells : float16 (GRID, GRID)
        Logits in the square.
    inside : bool (h, w)
        The cells of the image that are in the mask.
    score : float
    """

    cells: Tensor
    inside: Tensor
    score: float

    def is_same(self, other: _Found) -> bool:
        """Return whether both show one object."""
        small, large = sorted((int(self.inside.sum()), int(other.inside.sum())))
        return small >= SAME * large and overlap(self.inside, other.inside) >= SAME


def find_objects(
    model: SamModel, embedding: Embedding, names: Sequence[str] | None
) -> Segmentation:
    """Find all objects of an encoded image, best first.

    Raises
    ------
    UnsupportedPrompt
        For `names`: the model knows no words.
    """
    if words_of(names) is not None:
        raise unable(model, Capability.TEXT, "find what words name")
    square = Square(embedding.shape, model.keeps_aspect)
    kept: list[_Found] = []
    for found in sorted(_candidates(model, embedding, square), key=lambda f: -f.score):
        if not any(found.is_same(other) for other in kept):
            kept.append(found)
    instances = (_instance(found, square) for found in kept)
    return Segmentation(embedding.shape, tuple(one for one in instances if one is not None))


def grid(shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Return the places (N, 2) of the clicks on an image, rows before columns."""
    step = max(shape) / ALONG
    axes = [(np.arange(max(1, round(side / step))) + 0.5) for side in shape]
    rows, cols = (axis * side / len(axis) - 0.5 for axis, side in zip(axes, shape, strict=True))
    return np.stack(np.meshgrid(rows, cols, indexing="ij"), -1).reshape(-1, 2)


def _candidates(model: SamModel, embedding: Embedding, square: Square) -> Iterator[_Found]:
    places = grid(embedding.shape)
    height, width = square.in_cells
    for start in range(0, len(places), TOGETHER):
        checkpoint()
        some = places[start : start + TOGETHER]
        turns = [read([Point(y, x)], square, None) for y, x in some.tolist()]
        masks, scores = model.decode(embedding, turns, several=True)
        for cells, score in zip(masks.flatten(0, 1), scores.flatten().tolist(), strict=True):
            image = cells[:height, :width]
            if score >= LEAST_SCORE and _is_object(image):
                yield _Found(cells.half().cpu(), (image > 0).cpu(), score)


def _is_object(cells: Tensor) -> bool:
    """Return whether logits (h, w) are stable, and neither a speck nor the whole image."""
    area = int((cells > 0).sum())
    if not SMALLEST <= area <= LARGEST * cells.numel():
        return False
    wide = int((cells > -OFFSET).sum())
    return int((cells > OFFSET).sum()) >= LEAST_STABILITY * wide


@torch.inference_mode()
def _instance(found: _Found, square: Square) -> Instance | None:
    mask = square.logits(found.cells[None])[0] > 0
    box = mask_bbox(mask)
    if box is None:
        return None
    y0, x0, y1, x1 = box
    return Instance(mask[y0:y1, x0:x1], box, min(1.0, found.score))
