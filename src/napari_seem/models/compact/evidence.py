"""What the prompts say about a window, as maps the decoder can read.

Every kind of prompt ends in the same maps: strokes, regions, similarity of the cached embeddings
to the prompted ones, and the geodesic distance from the strokes over the predicted boundaries.
One path therefore serves them all, in any mix.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from . import appearance
from .network import GRID, CompactConfig

EXEMPLARS = 8
"""Stroke pixels whose embeddings are compared one by one (besides their mean)."""
GEODESIC_STEPS = 56
BOUNDARY_COST = 24.0
"""Cells a fully certain boundary costs to cross."""
MAPS = ("positive", "negative", "box", "lasso", "previous", "valid")
"""Channels of `WindowPrompts.maps`."""


@dataclass
class WindowPrompts:
    """The prompts of a batch of windows.

    Attributes
    ----------
    maps : float32 (B, len(MAPS), FINE_GRID, FINE_GRID)
        Strokes and regions in 0..1, the previous turn's logits, and which cells lie on the image.
    instance, semantic : float32 (B, D)
        Mean unit embeddings of reference regions; zero where there is none.
    other_semantic : float32 (B, S)
        The same for negative references.
    word : float32 (B, S)
        Unit vector of the word; zero where there is none.
    cells : float32 (B,)
        log2 of coarse encoder cells along the window, relative to GRID.
    """

    maps: Tensor
    instance: Tensor
    semantic: Tensor
    other_semantic: Tensor
    word: Tensor
    cells: Tensor

    @classmethod
    def blank(
        cls, batch: int, config: CompactConfig, fine_grid: int,
        device: torch.device | None = None,
    ) -> WindowPrompts:  # fmt: skip
        """No prompt at all on windows that lie wholly on the image."""
        maps = torch.zeros(batch, len(MAPS), fine_grid, fine_grid, device=device)
        maps[:, MAPS.index("valid")] = 1
        widths = (config.instance_dim, *[config.semantic_dim] * 3)
        instance, semantic, other, word = (torch.zeros(batch, n, device=device) for n in widths)
        return cls(maps, instance, semantic, other, word, torch.zeros(batch, device=device))


def squash(logits: Tensor) -> Tensor:
    """Logits of a former turn as the decoder sees them, in -1..1."""
    return torch.tanh(logits / 4)


def strokes(prompts: WindowPrompts) -> Tensor:
    """The fine-grid maps of the refinement: (B, 3, FINE_GRID, FINE_GRID)."""
    maps = prompts.maps
    return torch.cat([maps[:, :2], squash(maps[:, 4:5])], 1)


def gather(coarse: Tensor, fine: Tensor, prompts: WindowPrompts, config: CompactConfig) -> Tensor:
    """Turn prompts into the decoder's evidence.

    Parameters
    ----------
    coarse : (B, config.coarse_channels, GRID, GRID)
    fine : (B, config.fine_channels, FINE_GRID, FINE_GRID)
        The encoder's maps, resampled to the window.
    prompts : WindowPrompts

    Returns
    -------
    float32 (B, config.evidence, GRID, GRID)
    """
    # one split, because the gradient of every slice would be a whole map of zeros
    _, instance, semantic, *heads = (
        part.float() for part in coarse.split(config.coarse_sizes, dim=1)
    )
    fine_at = config.fine_slices
    maps = prompts.maps
    drawn = F.max_pool2d(maps[:, :2], 2)  # strokes must not fade
    regions = F.avg_pool2d(torch.cat([maps[:, 2:4], squash(maps[:, 4:5]), maps[:, 5:]], 1), 2)
    boundary = torch.sigmoid(F.max_pool2d(fine[:, fine_at["boundary"]].detach().float(), 2))
    geodesic = geodesic_nearness(drawn, boundary)
    marked = [_exemplars((drawn[:, channel].flatten(1) > 0.5).float()) for channel in (0, 1)]
    similar = _stroke_similarities(instance, semantic, drawn, prompts.other_semantic, marked)
    plain = _plain_evidence(fine[:, fine_at["image"]], maps, drawn, marked)
    concept = torch.cat(
        [_cosine(instance, prompts.instance), _cosine(semantic, prompts.semantic),
         _cosine(semantic, prompts.word)], 1
    )  # fmt: skip
    dense = torch.cat(
        [
            boundary,
            torch.sigmoid(heads[0]),  # distance
            torch.sigmoid(heads[1]),  # foreground
            (heads[2] - 6) / 2 - prompts.cells[:, None, None, None],  # size
        ],
        1,
    )
    return torch.cat([drawn, regions, geodesic, similar, concept, dense, _flags(prompts), plain], 1)


@torch.no_grad()
def _plain_evidence(
    image: Tensor, maps: Tensor, drawn: Tensor, marked: list[tuple[Tensor, Tensor]]
) -> Tensor:
    """What the picture itself says (`appearance.py`): (B, 7, GRID, GRID) in -1..1."""
    small = F.avg_pool2d(image.float(), 2)
    likeness = [appearance.colour_likeness(small, *where) for where in marked]
    paths = geodesic_nearness(drawn, appearance.edges(small))
    region = torch.maximum(maps[:, 2], maps[:, 3])
    outlined = region.flatten(1).any(1)[:, None, None]
    inside = torch.where(outlined, region, torch.sigmoid(maps[:, 4]) * (maps[:, 4] != 0))
    sides = torch.stack([inside, (maps[:, 5] - inside).clamp(min=0)], 1)
    within, without = F.avg_pool2d(sides, 2).unbind(1)
    within = torch.maximum(within, drawn[:, 0]) * (1 - drawn[:, 1])
    without = torch.maximum(without, drawn[:, 1]) * (1 - drawn[:, 0])
    ratio = appearance.log_likelihood_ratio(small, within, without)
    return torch.cat([likeness[0], likeness[1][:, :1], paths, ratio], 1)


def geodesic_nearness(seeds: Tensor, boundary: Tensor) -> Tensor:
    """Nearness to the seeds along paths that avoid predicted boundaries.

    Parameters
    ----------
    seeds : (B, K, G, G) in 0..1
    boundary : (B, 1, G, G) in 0..1

    Returns
    -------
    (B, K, G, G) in 0..1: exp(-d / 12) with d the length in cells of the cheapest 8-connected
    path, each cell costing 1 + `BOUNDARY_COST` * boundary; 0 where there is no seed.
    """
    nearness = torch.zeros_like(seeds)
    seeded = (seeds > 0.5).flatten(2).any(2)  # (B, K)
    if not bool(seeded.any()):
        return nearness
    with torch.no_grad():
        cost = (1 + BOUNDARY_COST * boundary.float()).expand_as(seeds)[seeded][:, None]
        distance = torch.where(seeds[seeded][:, None] > 0.5, 0.0, 1e3)
        for _ in range(GEODESIC_STEPS):
            distance = torch.minimum(distance, _least_around(distance) + cost)
        nearness[seeded] = torch.exp(-distance / 12)[:, 0]
    return nearness


def _least_around(values: Tensor) -> Tensor:
    """The least of each cell and its eight neighbours; on a CPU much faster than pooling."""
    padded = F.pad(values, (1, 1, 1, 1), value=torch.inf)
    rows = torch.minimum(padded[..., :-2, :], padded[..., 2:, :])
    rows = torch.minimum(rows, padded[..., 1:-1, :])
    return torch.minimum(torch.minimum(rows[..., :-2], rows[..., 2:]), rows[..., 1:-1])


def _stroke_similarities(
    instance: Tensor, semantic: Tensor, drawn: Tensor, other_semantic: Tensor,
    marked: list[tuple[Tensor, Tensor]],
) -> Tensor:  # fmt: skip
    """Cosines to the strokes' embeddings: mean and best of the positive, best of the negative."""
    batch = len(instance)
    flat_instance, flat_semantic = instance.flatten(2), semantic.flatten(2)  # (B, D, G*G)
    out = []
    for channel in (0, 1):
        weight = (drawn[:, channel].flatten(1) > 0.5).float()
        present = (weight.sum(1) > 0).float()
        share = weight / weight.sum(1, keepdim=True).clamp(min=1)
        index, known = marked[channel]
        chosen = torch.gather(
            flat_instance, 2, index[:, None].expand(-1, flat_instance.shape[1], -1)
        )  # (B, D, EXEMPLARS)
        best = torch.einsum("bde,bdn->ben", chosen, flat_instance)
        best = best.masked_fill(~known[:, :, None], -1).amax(1) * present[:, None]
        mean_semantic = F.normalize(torch.einsum("bdn,bn->bd", flat_semantic, share), dim=1)
        if channel == 0:
            mean = F.normalize(torch.einsum("bdn,bn->bd", flat_instance, share), dim=1)
            out.append(_cosine(instance, mean))
        else:
            mean_semantic = torch.where(present[:, None] > 0, mean_semantic, other_semantic)
        out.append(best.view(batch, 1, *instance.shape[2:]))
        out.append(_cosine(semantic, mean_semantic))
    return torch.cat(out, 1)  # (B, 5, G, G)


def _exemplars(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Evenly spread marked positions: indices (B, EXEMPLARS) and which of them are real."""
    index = torch.zeros(len(weight), EXEMPLARS, dtype=torch.long, device=weight.device)
    known = torch.zeros(len(weight), EXEMPLARS, dtype=torch.bool, device=weight.device)
    for row, marked in enumerate(weight):
        positions = marked.nonzero()[:, 0]
        if len(positions):
            picks = torch.linspace(0, len(positions) - 1, EXEMPLARS, device=weight.device)
            index[row] = positions[picks.round().long()]
            known[row] = True
    return index, known


def _cosine(embedding: Tensor, vector: Tensor) -> Tensor:
    return torch.einsum("bdhw,bd->bhw", embedding, vector.to(embedding.dtype))[:, None]


def _flags(prompts: WindowPrompts) -> Tensor:
    maps = prompts.maps
    present = (maps[:, :5].abs().amax((2, 3)) > 0).float()  # (B, 5)
    concept = torch.stack(
        [prompts.semantic.abs().sum(1) > 0, prompts.word.abs().sum(1) > 0], 1
    ).float()
    flags = torch.cat([present, concept, prompts.cells[:, None]], 1)  # (B, 8)
    grid = maps.shape[-1] // 2
    return flags[:, :, None, None].expand(-1, -1, grid, maps.shape[-2] // 2 or GRID)
