"""What is wanted apart from where: words and reference regions as directions in embedding space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from ...prompts import Prompt, Reference, Text
from . import focus, pyramid
from .network import CompactConfig

if TYPE_CHECKING:
    from .model import CompactModel


@dataclass(frozen=True)
class Concept:
    """What is wanted, apart from where: unit vectors, zero where nothing was said."""

    instance: Tensor
    semantic: Tensor
    other_semantic: Tensor
    word: Tensor
    side: float | None = None

    @property
    def given(self) -> bool:
        """Whether a word or a positive reference was given."""
        return bool(self.word.any() or self.semantic.any())


def concept_of(model: CompactModel, prompts: Sequence[Prompt]) -> Concept:
    """What the words and references among the prompts ask for."""
    config = model.network.config
    blank = torch.zeros(config.semantic_dim)
    positive = [p for p in prompts if isinstance(p, Reference) and p.positive]
    negative = [p for p in prompts if isinstance(p, Reference) and not p.positive]
    words = [model.word_vector(model.word_index(p.text)) for p in prompts
             if isinstance(p, Text) and p.positive]  # fmt: skip
    regions = [_region(model, p) for p in positive]
    return Concept(
        _mean_direction([r[0] for r in regions], torch.zeros(config.instance_dim)),
        _mean_direction([r[1] for r in regions], blank),
        _mean_direction([_region(model, p)[1] for p in negative], blank),
        _mean_direction(words, blank),
        float(np.median([r[2] for r in regions])) if regions else None,
    )


def _region(model: CompactModel, reference: Reference) -> tuple[Tensor, Tensor, float]:
    """Mean unit embeddings of a reference region, and its side in image pixels."""
    model.check(reference.embedding)
    parts, _ = ndimage.label(reference.mask)
    side = float(np.sqrt(np.median(np.bincount(parts.ravel())[1:])))
    level = best_level(pyramid.levels(reference.embedding), side)
    return *directions(level, reference.mask, model.network.config), side


def directions(
    level: pyramid.Level, mask: npt.NDArray[np.bool_], config: CompactConfig
) -> tuple[Tensor, Tensor]:
    """Mean unit instance and semantic embeddings of a region (H, W) as a level shows it."""
    at = config.coarse_slices
    weight = F.interpolate(
        torch.from_numpy(mask)[None, None].float(), level.shape,
        mode="bilinear", antialias=True,
    )  # fmt: skip
    padding = (0, -level.shape[1] % pyramid.MULTIPLE, 0, -level.shape[0] % pyramid.MULTIPLE)
    weight = F.avg_pool2d(F.pad(weight, padding), 4)[0, 0]
    weight = weight * (weight >= min(0.5, float(weight.max()))) + 1e-9
    vectors = [
        F.normalize((level.coarse[at[key]].float().cpu() * weight).sum((1, 2)), dim=0)
        for key in ("instance", "semantic")
    ]
    return vectors[0], vectors[1]


def best_level(levels: list[pyramid.Level], side: float) -> pyramid.Level:
    """The finest level on which an object of `side` image pixels has a size seen in training."""
    for level in levels:
        if side * max(level.scale) <= focus.WELL_SEEN[1]:
            return level
    return levels[-1]


def _mean_direction(vectors: list[Tensor], blank: Tensor) -> Tensor:
    return F.normalize(torch.stack(vectors).mean(0), dim=0) if vectors else blank
