"""Prompts of a window as maps that the decoder reads.

Every kind of prompt ends in the same maps: strokes, regions, similarity of the cached embeddings to
the prompted ones, and the geodesic distance from the strokes over the predicted boundaries. One
path therefore serves all kinds of prompts, in any mix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..network import COARSE_STRIDE, GRID, CompactConfig
from . import appearance

EXEMPLARS = 8
"""Stroke pixels whose embeddings are compared one by one (besides their mean)."""
GEODESIC_STEPS = 56
BOUNDARY_COST = 24.0
"""Cost in cells of crossing a fully certain boundary."""
FARTHEST = 1e3
"""Distance in cells of a cell that no path has reached."""
IMAGE_CHANNELS = 3
ACCEPTED = 8
"""Largest number of objects accepted before that are given as context."""
MAPS = ("positive", "negative", "box", "lasso", "previous", "valid")
"""Channels of `WindowPrompts.maps`."""


@dataclass
class ContextVectors:
    """Objects accepted before, beside a batch of windows.

    Attributes
    ----------
    instance, semantic : float32 (B, N, D)
        Mean unit embeddings of each accepted object.
    known : bool (B, N)
        Which of the N are real.
    side : float32 (B,)
        log2 of their mean side (square root of the area) in level pixels, of the known ones.
    """

    instance: Tensor
    semantic: Tensor
    known: Tensor
    side: Tensor


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
    context : ContextVectors, optional
        Objects accepted before; read by networks whose `CompactConfig.context` is 1.
    """

    maps: Tensor
    instance: Tensor
    semantic: Tensor
    other_semantic: Tensor
    word: Tensor
    cells: Tensor
    context: ContextVectors | None = None

    @classmethod
    def blank(
        cls, batch: int, config: CompactConfig, fine_grid: int,
        device: torch.device | None = None,
    ) -> WindowPrompts:  # fmt: skip
        """Return `batch` windows without prompts that lie wholly on the image."""
        maps = torch.zeros(batch, len(MAPS), fine_grid, fine_grid, device=device)
        maps[:, MAPS.index("valid")] = 1
        widths = (config.instance_dim, *[config.semantic_dim] * 3)
        instance, semantic, other, word = (torch.zeros(batch, n, device=device) for n in widths)
        return cls(maps, instance, semantic, other, word, torch.zeros(batch, device=device))


def squash(logits: Tensor) -> Tensor:
    """Scale logits of an earlier turn, of any shape (...), to -1..1 for the decoder."""
    return torch.tanh(logits / 4)


def strokes(prompts: WindowPrompts) -> Tensor:
    """Return the fine-grid maps of the refinement: (B, 3, FINE_GRID, FINE_GRID)."""
    maps = prompts.maps
    return torch.cat([maps[:, :2], squash(maps[:, 4:5])], 1)


def gather(
    coarse: Tensor, fine: Tensor, prompts: WindowPrompts, config: CompactConfig,
    skip_unmarked: bool = True,
) -> Tensor:  # fmt: skip
    """Turn prompts into the decoder's evidence.

    Parameters
    ----------
    coarse : (B, config.coarse_channels, G, G)
        The encoder's coarse maps, resampled to the window; G is GRID, or half of it early in
        training.
    fine : (B, C, 2 * G, 2 * G)
        The fine maps; at least the boundary and the image, which come last.
    prompts : WindowPrompts
    config : CompactConfig
    skip_unmarked : bool
        Compute no paths from strokes that are not there. This reads values back from the device;
        training does not, so that the device is never waited for.

    Returns
    -------
    float32 (B, config.evidence, G, G)
    """
    # one split, because the gradient of every slice would be a whole map of zeros
    _, *parts = coarse.split(config.coarse_sizes, dim=1)
    instance, semantic, *heads = (part.float() for part in parts)
    instance, semantic = instance.contiguous(), semantic.contiguous()
    border, image = fine[:, -IMAGE_CHANNELS - 1 : -IMAGE_CHANNELS], fine[:, -IMAGE_CHANNELS:]
    maps = prompts.maps
    drawn = _largest_of_four(maps[:, :2])  # strokes must not fade
    regions = F.avg_pool2d(torch.cat([maps[:, 2:4], squash(maps[:, 4:5]), maps[:, 5:]], 1), 2)
    boundary = torch.sigmoid(_largest_of_four(border.detach().float()))
    small = F.avg_pool2d(image.detach().contiguous().float(), 2)
    around = torch.cat([boundary, appearance.edges(small)])  # both in one go
    geodesic, over_edges = geodesic_nearness(
        torch.cat([drawn, drawn]), around, config.geodesic_grid, skip_unmarked
    ).chunk(2)
    marked = [_exemplars((drawn[:, channel].flatten(1) > 0.5).float()) for channel in (0, 1)]
    similar, accepted = _likeness(instance, semantic, drawn, marked, prompts)
    plain = _plain_evidence(small, maps, drawn, marked, over_edges)
    dense = torch.cat(
        [
            boundary,
            torch.sigmoid(heads[0]),  # distance
            torch.sigmoid(heads[1]),  # foreground
            (heads[2] - 6) / 2 - prompts.cells[:, None, None, None],  # size
        ],
        1,
    )
    parts = [drawn, regions, geodesic, similar, dense, _flags(prompts), plain]
    if config.context:
        parts.append(_context_evidence(accepted, heads[2], prompts))
    if config.centre:
        parts.append(torch.sigmoid(heads[3]))
    return torch.cat(parts, 1)


def _context_evidence(accepted: Tensor | None, size: Tensor, prompts: WindowPrompts) -> Tensor:
    """Compare cells with the objects accepted before: (B, 5, G, G).

    The channels are the best cosine to their instance and to their semantic embeddings, the
    difference of the guessed size to theirs, the size of the window relative to theirs, and whether
    there are any.
    """
    context = prompts.context
    if context is None or accepted is None:
        return size.new_zeros(len(size), 5, *size.shape[2:])
    present = context.known.any(1).float()[:, None, None, None]
    side = context.side[:, None, None, None]
    window = prompts.cells[:, None, None, None] + math.log2(GRID * COARSE_STRIDE)
    beside = ((side - window + 1) / 2).expand_as(size)
    maps = torch.cat([accepted, (size - side) / 2, beside], 1)
    return torch.cat([maps * present, present.expand_as(beside)], 1)


@torch.no_grad()
def _plain_evidence(
    image: Tensor, maps: Tensor, drawn: Tensor, marked: list[appearance.Marked], paths: Tensor,
) -> Tensor:  # fmt: skip
    """Compute evidence from the picture itself (`appearance.py`): (B, 7, GRID, GRID) in -1..1.

    `image` (B, 3, GRID, GRID) is the picture, `paths` (B, 2, GRID, GRID) the nearness over its
    edges.
    """
    likeness = appearance.likeness(image, *marked)
    region = torch.maximum(maps[:, 2], maps[:, 3])
    outlined = region.flatten(1).any(1)[:, None, None]
    inside = torch.where(outlined, region, torch.sigmoid(maps[:, 4]) * (maps[:, 4] != 0))
    sides = torch.stack([inside, (maps[:, 5] - inside).clamp(min=0)], 1)
    within, without = F.avg_pool2d(sides, 2).unbind(1)
    within = torch.maximum(within, drawn[:, 0]) * (1 - drawn[:, 1])
    without = torch.maximum(without, drawn[:, 1]) * (1 - drawn[:, 0])
    ratio = appearance.log_likelihood_ratio(image, within, without)
    return torch.cat([likeness, paths, ratio], 1)


def geodesic_nearness(
    seeds: Tensor, boundary: Tensor, grid: int = GRID, skip_unmarked: bool = True
) -> Tensor:
    """Compute the nearness to seeds along paths that avoid predicted boundaries.

    Parameters
    ----------
    seeds : (B, K, G, G)
        In 0..1.
    boundary : (B, 1, G, G)
        In 0..1.
    grid : int
        Cells along a window on which the paths run; a larger G is pooled to it.
    skip_unmarked : bool
        See `gather`.

    Returns
    -------
    (B, K, G, G)
        In 0..1: exp(-d / 12) for the length d of the cheapest 8-connected path, in cells of a
        window of GRID cells, each costing 1 + `BOUNDARY_COST` * boundary; 0 where there is no seed.
    """
    with torch.no_grad():
        if not skip_unmarked:
            return _all_nearness(seeds, boundary, grid)
        nearness = torch.zeros_like(seeds)
        seeded = (seeds > 0.5).flatten(2).any(2)  # (B, K)
        if bool(seeded.any()):
            around = boundary.expand_as(seeds)[seeded][:, None]
            nearness[seeded] = _all_nearness(seeds[seeded][:, None], around, grid)[:, 0]
        return nearness


def _all_nearness(seeds: Tensor, boundary: Tensor, grid: int) -> Tensor:
    """Compute `geodesic_nearness` of `seeds` (B, K, G, G), whether they are marked or not."""
    pooled = max(1, seeds.shape[-1] // grid)
    if pooled > 1:
        seeds, boundary = F.max_pool2d(seeds, pooled), F.max_pool2d(boundary, pooled)
    cell = GRID // seeds.shape[-1]
    cost = cell * (1 + BOUNDARY_COST * boundary.float())
    distance = _cheapest_paths(
        torch.where(seeds > 0.5, 0.0, FARTHEST), cost, GEODESIC_STEPS // cell
    )
    nearness = torch.exp(-distance / 12)
    if pooled > 1:
        nearness = F.interpolate(nearness, scale_factor=pooled, mode="bilinear")
    return nearness


def _cheapest_paths(start: Tensor, cost: Tensor, steps: int) -> Tensor:
    """Let distances spread over 8-connected cells, step by step, in place.

    Parameters
    ----------
    start : float32 (B, K, G, G)
        The distance at each cell to begin with.
    cost : float32 (B, 1, G, G)
        The cost of entering a cell.
    steps : int

    Returns
    -------
    float32 (B, K, G, G)
    """
    rimmed = F.pad(start, (1, 1, 1, 1), value=torch.inf)
    above, middle, below = rimmed[..., :-2, :], rimmed[..., 1:-1, :], rimmed[..., 2:, :]
    rows = torch.empty_like(middle)
    left, centre, right = rows[..., :-2], rows[..., 1:-1], rows[..., 2:]
    distance, nearest = middle[..., 1:-1], torch.empty_like(start)
    for _ in range(steps):
        torch.minimum(above, below, out=rows)
        torch.minimum(rows, middle, out=rows)
        torch.minimum(left, right, out=nearest)
        torch.minimum(nearest, centre, out=nearest)
        torch.minimum(distance, nearest.add_(cost), out=distance)
    return distance


def _largest_of_four(values: Tensor) -> Tensor:
    """Return the maxima of 2 x 2 cells: (..., 2 H, 2 W) -> (..., H, W)."""
    top, bottom = values[..., ::2, :], values[..., 1::2, :]
    rows = torch.maximum(top, bottom)
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


def _likeness(
    instance: Tensor, semantic: Tensor, drawn: Tensor, marked: list[tuple[Tensor, Tensor]],
    prompts: WindowPrompts,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Compute the cosines of every cell to the prompted embeddings.

    Returns
    -------
    similar : (B, 8, G, G)
        To the positive strokes (mean and best instance, mean semantic), to the negative ones (best
        instance, mean semantic), to the reference (instance, semantic) and to the word.
    accepted : (B, 2, G, G), or None without context
        Best instance and semantic cosine to the objects accepted before.
    """
    flat_instance, flat_semantic = instance.flatten(2), semantic.flatten(2)  # (B, D, n)
    weight = (drawn.flatten(2) > 0.5).float()  # (B, 2, n)
    present = (weight.sum(2) > 0).float()
    share = (weight / weight.sum(2, keepdim=True).clamp(min=1)).mT
    mean_instance = F.normalize(torch.bmm(flat_instance, share[..., :1]), dim=1).mT
    mean_semantic = F.normalize(torch.bmm(flat_semantic, share), dim=1).mT  # (B, 2, S)
    other = torch.where(present[:, 1:] > 0, mean_semantic[:, 1], prompts.other_semantic)
    chosen = [
        torch.gather(flat_instance, 2, index[:, None].expand(-1, flat_instance.shape[1], -1)).mT
        for index, _ in marked
    ]  # (B, EXEMPLARS, D) each
    context = prompts.context
    known = [] if context is None else [context.instance, context.semantic]
    by_instance = torch.bmm(
        torch.cat([*chosen, mean_instance, prompts.instance[:, None], *known[:1]], 1),
        flat_instance,
    )
    vectors = torch.stack([mean_semantic[:, 0], other, prompts.semantic, prompts.word], 1)
    by_semantic = torch.bmm(torch.cat([vectors, *known[1:]], 1), flat_semantic)
    best = [
        part.masked_fill(~real[:, :, None], -1).amax(1) * there[:, None]
        for part, (_, real), there in zip(
            by_instance[:, : 2 * EXEMPLARS].split(EXEMPLARS, 1), marked, present.T, strict=True
        )
    ]
    mean, reference = by_instance[:, 2 * EXEMPLARS : 2 * EXEMPLARS + 2].unbind(1)
    positive, negative, like, word = by_semantic[:, :4].unbind(1)
    similar = torch.stack(
        [mean, best[0], positive, best[1], negative, reference, like, word], 1
    ).unflatten(2, instance.shape[2:])
    if context is None:
        return similar, None
    accepted = [
        part.masked_fill(~context.known[:, :, None], -1).amax(1)
        for part in (by_instance[:, 2 * EXEMPLARS + 2 :], by_semantic[:, 4:])
    ]
    return similar, torch.stack(accepted, 1).unflatten(2, instance.shape[2:])


def _exemplars(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Choose evenly spread marked positions: indices (B, EXEMPLARS), and which of them are real.

    `weight` (B, N) is 1 at marked positions and 0 elsewhere.
    """
    count = weight.cumsum(1)
    total = count[:, -1:]
    share = torch.linspace(0, 1, EXEMPLARS, device=weight.device)
    wanted = ((total - 1).clamp(min=0) * share).round() + 1  # the how-manieth marked position
    index = torch.searchsorted(count, wanted).clamp(max=weight.shape[1] - 1)
    known = (total > 0).expand(-1, EXEMPLARS)
    return torch.where(known, index, 0), known


def _flags(prompts: WindowPrompts) -> Tensor:
    """Return which kinds of prompts are present, and the window's size, as maps (B, 8, G, G)."""
    maps = prompts.maps
    present = (maps[:, :5].abs().amax((2, 3)) > 0).float()  # (B, 5)
    concept = torch.stack(
        [prompts.semantic.abs().sum(1) > 0, prompts.word.abs().sum(1) > 0], 1
    ).float()
    flags = torch.cat([present, concept, prompts.cells[:, None]], 1)  # (B, 8)
    grid = maps.shape[-1] // 2
    return flags[:, :, None, None].expand(-1, -1, grid, maps.shape[-2] // 2 or GRID)
