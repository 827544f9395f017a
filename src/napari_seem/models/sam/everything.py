"""All objects of an image: many clicks, of whose masks the stable and distinct ones stay.

After the automatic mask generators of Kirillov et al., Segment Anything, ICCV 2023, appendix B, and
of Ravi et al., SAM 2, ICLR 2025: grid, thresholds and offset are the defaults of
segment_anything/automatic_mask_generator.py and sam2/automatic_mask_generator.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..base import (
    OUTSIDE,
    Capability,
    Embedding,
    Instance,
    Segmentation,
    check_embedding,
    mask_bbox,
    words_of,
)
from ..registry import unable
from ..running.patience import checkpoint
from .clicks import answers, grid, peaks
from .instances import find_prompted, find_regions, maps_of, object_of
from .square import Square

if TYPE_CHECKING:
    from .model import SamModel

LEAST_SCORE = {True: 0.88, False: 0.80}
"""What the score of a mask is above, of SAM (which keeps the aspect) and of SAM 2.1."""
LEAST_STABILITY = 0.95
"""Intersection over union of a mask with itself at thresholds `OFFSET` above and below 0."""
OFFSET = 1.0
SAME = 0.7
"""Intersection over union from which the worse of two masks is dropped."""
SMALLEST = 4
"""Cells of the low-resolution mask that the smallest object has."""
LARGEST = 0.95
"""Share of the image that the largest object has."""
ROOM = 2
"""Cells around an object that are kept to place its border between cells."""


@dataclass(frozen=True, eq=False)
class _Found:
    """A mask with its score, as no more than the part of the square that it takes.

    Attributes
    ----------
    logits : float16 (h, w)
    corner : (y, x)
        Of `logits`, in the cells of the square.
    area : int
        Cells in the mask.
    score : float
    """

    logits: npt.NDArray[np.float16]
    corner: tuple[int, int]
    area: int
    score: float

    def is_same(self, other: _Found) -> bool:
        """Return whether both show one object."""
        if min(self.area, other.area) < SAME * max(self.area, other.area):
            return False
        y0, x0 = np.maximum(self.corner, other.corner)
        y1, x1 = np.minimum(self._end, other._end)
        if y1 <= y0 or x1 <= x0:
            return False
        mine, theirs = (
            one.logits[y0 - one.corner[0] : y1 - one.corner[0],
                       x0 - one.corner[1] : x1 - one.corner[1]] > 0
            for one in (self, other)
        )  # fmt: skip
        shared = int((mine & theirs).sum())
        return shared >= SAME * (self.area + other.area - shared)

    @property
    def _end(self) -> tuple[int, int]:
        return self.corner[0] + self.logits.shape[0], self.corner[1] + self.logits.shape[1]


def find_objects(
    model: SamModel, embedding: Embedding, names: Sequence[str] | None, prompted: bool = True
) -> Segmentation:
    """Find all objects of an encoded image, best first.

    With micro-sam's decoder its maps say where they are, and `prompted` ones are what a click in
    each finds; else they are asked for by a grid of clicks, and by clicks where features stand out.

    Raises
    ------
    InvalidPrompt
        The embedding is of another model.
    UnsupportedPrompt
        For `names`: the model knows no words.
    """
    if words_of(names) is not None:
        raise unable(model, Capability.TEXT, "find what words name")
    check_embedding(model.identity, embedding)
    if model.decoder is not None:
        maps = maps_of(model, embedding)
        found = find_prompted(model, embedding, maps) if prompted else find_regions(maps)
        return Segmentation(embedding.shape, tuple(found))
    square = Square(embedding.shape, model.keeps_aspect)
    kept: list[_Found] = []
    for one in sorted(_candidates(model, embedding, square), key=lambda one: -one.score):
        if not any(one.is_same(other) for other in kept):
            kept.append(one)
    instances = (_instance(one, square) for one in kept)
    return Segmentation(embedding.shape, tuple(one for one in instances if one is not None))


def _candidates(model: SamModel, embedding: Embedding, square: Square) -> Iterator[_Found]:
    """Yield the good masks of all clicks, told before they are brought to the image's size."""
    places = np.concatenate([grid(embedding.shape), peaks(embedding, square)])
    height, width = square.in_cells
    least = LEAST_SCORE[model.keeps_aspect]
    for masks, scores in answers(model, embedding, places, several=True):
        image = masks.flatten(0, 1)[:, :height, :width]
        good = (scores.flatten() > least) & _are_objects(image)
        for cells, score in zip(masks.flatten(0, 1)[good], scores.flatten()[good], strict=True):
            yield _found(cells, square.in_cells, float(score))


def _are_objects(cells: Tensor) -> Tensor:
    """Return which logits (N, h, w) are stable, and neither a speck nor the whole image."""
    area, wide, narrow = ((cells > at).sum((1, 2)) for at in (0, -OFFSET, OFFSET))
    fits = (area >= SMALLEST) & (area <= LARGEST * cells[0].numel())
    return fits & (narrow >= LEAST_STABILITY * wide)


def _found(cells: Tensor, image: tuple[int, int], score: float) -> _Found:
    """Return what logits (grid, grid) show in the image, which takes the first (h, w) of them."""
    logits = cells.half().cpu().numpy()
    y0, x0, y1, x1 = mask_bbox(logits[: image[0], : image[1]] > 0) or (0, 0, 1, 1)
    y0, x0 = max(0, y0 - ROOM), max(0, x0 - ROOM)
    part = logits[y0 : y1 + ROOM, x0 : x1 + ROOM].copy()
    return _Found(part, (y0, x0), int((part > 0).sum()), score)


@torch.inference_mode()
def _instance(found: _Found, square: Square) -> Instance | None:
    checkpoint()
    (y, x), (height, width) = found.corner, found.logits.shape
    cells = torch.full((square.grid, square.grid), OUTSIDE)
    cells[y : y + height, x : x + width] = torch.from_numpy(found.logits)
    return object_of(cells, square, found.score)
