"""What is wanted apart from where: words and reference regions as directions in embedding space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ...base import mask_bbox
from .. import focus, pyramid
from ..network import CompactConfig


@dataclass(frozen=True)
class ConceptVectors:
    """What is wanted, apart from where: unit vectors, zero where nothing was given.

    Attributes
    ----------
    instance : float32 (I,)
        Instance embedding of a reference region.
    semantic, other_semantic : float32 (S,)
        Semantic embedding of positive and of negative references.
    word : float32 (S,)
        Vector of the word.
    side : float or None
        Side of the wanted objects in image pixels.
    """

    instance: Tensor
    semantic: Tensor
    other_semantic: Tensor
    word: Tensor
    side: float | None = None

    @property
    def given(self) -> bool:
        """Whether a word or a positive reference was given."""
        return bool(self.word.any() or self.semantic.any())


def nothing(config: CompactConfig) -> ConceptVectors:
    """Return the concept of no word and no reference."""
    blank = torch.zeros(config.semantic_dim)
    return ConceptVectors(torch.zeros(config.instance_dim), blank, blank, blank)


def directions(
    level: pyramid.Level, mask: npt.NDArray[np.bool_], config: CompactConfig
) -> tuple[Tensor, Tensor]:
    """Average the unit instance and semantic embeddings of a region as a level shows it.

    Parameters
    ----------
    level : Level
    mask : bool array (H, W)
        The region, in image pixels.
    config : CompactConfig

    Returns
    -------
    instance : float32 (I,)
    semantic : float32 (S,)
    """
    at = config.coarse_slices
    weight = F.interpolate(
        torch.tensor(mask)[None, None].float(), level.shape,
        mode="bilinear", antialias=True,
    )  # fmt: skip
    padding = (0, -level.shape[1] % pyramid.MULTIPLE, 0, -level.shape[0] % pyramid.MULTIPLE)
    weight = F.avg_pool2d(F.pad(weight, padding), 4)[0, 0]
    weight = weight * (weight >= min(0.5, float(weight.max())))
    level = level.part(mask_bbox(weight.numpy() > 0) or (0, 0, *level.cells))
    top, left = level.corner or (0, 0)
    height, width = level.coarse.shape[-2:]
    weight = weight[top : top + height, left : left + width] + 1e-9
    vectors = [
        F.normalize((level.coarse[at[key]].float().cpu() * weight).sum((1, 2)), dim=0)
        for key in ("instance", "semantic")
    ]
    return vectors[0], vectors[1]


def best_level(levels: list[pyramid.Level], side: float) -> pyramid.Level:
    """Return the finest level that shows an object of `side` image pixels in a familiar size."""
    for level in levels:
        if side * max(level.scale) <= focus.WELL_SEEN[1]:
            return level
    return levels[-1]


def mean_direction(vectors: list[Tensor], blank: Tensor) -> Tensor:
    """Normalise the mean of unit vectors (D,); return `blank` (D,) if there are none."""
    return F.normalize(torch.stack(vectors).mean(0), dim=0) if vectors else blank
