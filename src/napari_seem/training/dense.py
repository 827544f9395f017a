"""Dense supervision of the encoder: every pixel of a crop teaches at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.compact.network import COARSE_STRIDE, CompactNetwork
from ..models.compact.prompt_maps.appearance import least_around
from .crops import OUTSIDE, Crops
from .losses import mean
from .pictures import NO_WORD, PictureBank
from .sampling import gumbel

DEPTH_STEPS = 24
PROTOTYPES = 24
"""Number of instances of a crop among which its pixels are classified."""
SAMPLES = 384
"""Number of pixels of a crop that count for embeddings."""


def dense_losses(
    network: CompactNetwork, coarse: Tensor, fine: Tensor, crops: Crops, bank: PictureBank
) -> dict[str, Tensor]:
    """Compute the losses of every dense head.

    Parameters
    ----------
    network : CompactNetwork
    coarse : (B, C, S / 4, S / 4)
    fine : (B, D, S / 2, S / 2)
        Encoder outputs for the batch, of C coarse and D fine channels.
    crops : Crops
    bank : PictureBank

    Returns
    -------
    dict of str to scalar tensor
    """
    at = network.config.coarse_slices
    ids = crops.ids[:, 0]
    half = COARSE_STRIDE // 2
    small = ids[:, half::COARSE_STRIDE, half::COARSE_STRIDE]
    there, inside = (small != OUTSIDE).float(), (small > 0).float()
    rows = crops.rows(bank, 0, small)
    area = bank.area[rows] * crops.scale[:, None, None] ** 2
    sure = there * torch.maximum(inside, (~bank.partial[crops.picture]).float()[:, None, None])
    boundary = boundary_target(ids)
    on_picture = (ids[:, ::2, ::2] != OUTSIDE).float()
    head = {
        key: coarse[:, where][:, 0]
        for key, where in at.items()
        if key in _SINGLE and where.stop > where.start
    }
    losses = {
        "boundary": entropy(
            fine[:, network.config.fine_slices["boundary"]][:, 0], boundary,
            on_picture * (1 + 3 * boundary),
        ),
        "distance": entropy(head["distance"], relative_depth(small), there),
        "foreground": entropy(head["foreground"], inside, sure),
        "size": _size_loss(head["size"], area, inside),
    }  # fmt: skip
    if network.config.centre:
        losses["centre"] = entropy(head["centre"], centre_nearness(small), there)
    chosen = _sample(small, area)
    losses["instance"] = _instance_loss(network, coarse[:, at["instance"]], small, chosen)
    words = torch.where(small > 0, bank.word[rows], NO_WORD)
    losses["semantic"] = _semantic_loss(
        network, coarse[:, at["semantic"]], words, small, crops, bank
    )
    return losses


_SINGLE = ("distance", "foreground", "size", "centre")


def entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Average the cross-entropy of logits with targets in 0..1 by weights of the same shape."""
    loss = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
    return mean(loss, weight)


def boundary_target(ids: Tensor) -> Tensor:
    """Mark where ids change, but not at the picture's edge: (B, S, S) -> (B, S / 2, S / 2)."""
    values = ids.float()[:, None]
    top, bottom = F.max_pool2d(values, 3, 1, 1), -F.max_pool2d(-values, 3, 1, 1)
    return F.max_pool2d(((top != bottom) & (bottom >= 0)).float(), 2)[:, 0]


def relative_depth(ids: Tensor) -> Tensor:
    """Divide depth inside each instance by that instance's largest: (B, h, w) int -> 0..1."""
    values = ids.float()[:, None]
    alike = (least_around(values) == values) & (-least_around(-values) == values)
    inside = ((values > 0) & alike).float()
    depth = (values > 0).float() * 0.5
    for _ in range(DEPTH_STEPS):
        depth = depth + inside
        inside = least_around(inside)
    return depth[:, 0] / largest_of(depth[:, 0], ids).clamp(min=0.5)


def centre_nearness(ids: Tensor) -> Tensor:
    """Compute 1 at each instance's centroid, falling to 0 at its far end: (B, h, w) -> float32."""
    batch, height, width = ids.shape
    index = slots(ids)
    row = torch.arange(height, device=ids.device, dtype=torch.float32)[:, None].expand(ids.shape)
    col = torch.arange(width, device=ids.device, dtype=torch.float32).expand(ids.shape)
    sums = [
        torch.zeros(batch, SLOTS, device=ids.device).scatter_add_(1, index, v.flatten(1))
        for v in (torch.ones_like(row), row, col)
    ]
    centre = [(total / sums[0].clamp(min=1)).gather(1, index).view_as(row) for total in sums[1:]]
    off = ((row - centre[0]) ** 2 + (col - centre[1]) ** 2).sqrt()
    near = 1 - off / (largest_of(off, ids) + 1)
    return near * (ids > 0)


SLOTS = 4096
"""Rows of the tables of sums by instance, indexed by the id modulo this number; few pictures have
more objects."""


def slots(ids: Tensor) -> Tensor:
    """Return the row of each pixel's instance in tables of SLOTS rows: (B, h, w) -> (B, h * w)."""
    return ids.clamp(min=0).flatten(1) % SLOTS


def largest_of(values: Tensor, ids: Tensor) -> Tensor:
    """Return the largest value in each pixel's own instance: (B, h, w)."""
    index = slots(ids)
    table = torch.zeros(len(ids), SLOTS, device=ids.device)
    table.scatter_reduce_(1, index, values.flatten(1), "amax")
    return table.gather(1, index).view_as(values)


def _size_loss(predicted: Tensor, area: Tensor, inside: Tensor) -> Tensor:
    """Compare predicted log2 sides (B, h, w) with areas (B, h, w) where `inside` (B, h, w) is 1."""
    target = 0.5 * torch.log2(area.clamp(min=1))
    loss = F.smooth_l1_loss(predicted.float(), target, reduction="none", beta=0.5)
    return mean(loss, inside)


def _sample(ids: Tensor, area: Tensor) -> Tensor:
    """Draw flat positions of SAMPLES pixels of each crop of `ids` (B, h, w): (B, SAMPLES).

    Small instances, by `area` (B, h, w), are drawn as often as large ones.
    """
    background = (ids == 0).flatten(1).sum(1, keepdim=True).clamp(min=1) * COARSE_STRIDE**2
    share = torch.where(ids > 0, area, background[..., None].float()).clamp(min=16)
    chance = gumbel(ids.shape, ids.device) - torch.log(share)
    chance = chance.masked_fill(ids == OUTSIDE, -1e4)
    count = min(SAMPLES, chance[0].numel())
    return chance.flatten(1).topk(count, 1).indices


def _instance_loss(
    network: CompactNetwork, embedding: Tensor, ids: Tensor, chosen: Tensor
) -> Tensor:
    """Compute the cross-entropy of pixels against the mean embeddings of the crop's instances.

    Parameters
    ----------
    embedding : (B, I, h, w)
    ids : int64 (B, h, w)
    chosen : int64 (B, P)
        Flat positions of the pixels that count.
    """
    flat = embedding.float().flatten(2)  # (B, D, n)
    index = ids.flatten(1)
    sampled = index.gather(1, chosen)  # (B, P)
    seeds = sampled[:, :PROTOTYPES]
    same = (index[:, None] == seeds[..., None]).float()  # (B, M, n)
    means = F.normalize(torch.einsum("bmn,bdn->bmd", same, flat), dim=2)
    alike = seeds[:, :, None] == seeds[:, None]
    twice = alike.tril(-1).any(2)  # an earlier seed is of the same instance
    out = twice | (seeds == OUTSIDE)
    pixels = flat.gather(2, chosen[:, None].expand(-1, flat.shape[1], -1))  # (B, D, P)
    logits = network.temperature[0].exp() * torch.einsum("bmd,bdp->bpm", means, pixels)
    logits = logits.masked_fill(out[:, None], -1e4)
    mine = (sampled[..., None] == seeds[:, None]) & ~out[:, None]  # (B, P, M)
    enough = ((~out).sum(1) > 1)[:, None]
    known = (mine.any(2) & enough).float()
    loss = torch.logsumexp(logits, 2) - torch.where(mine, logits, 0.0).sum(2)
    return mean(loss, known)


def _semantic_loss(
    network: CompactNetwork, embedding: Tensor, words: Tensor, ids: Tensor, crops: Crops,
    bank: PictureBank,
) -> Tensor:  # fmt: skip
    """Classify named pixels among all words, and deny annotated words of all other pixels.

    Parameters
    ----------
    embedding : (B, S, h, w)
    words, ids : int64 (B, h, w)
        The word and the object of every pixel.
    """
    annotated = bank.annotated[bank.group[crops.picture]]  # (B, V)
    partial = bank.partial[crops.picture][:, None, None]
    usable = (ids != OUTSIDE) & ((words != NO_WORD) | ~partial)
    place = words.flatten(1) - NO_WORD  # 0 is no word
    pixels_of = torch.zeros(len(ids), annotated.shape[1] + 1, device=ids.device)
    pixels_of.scatter_add_(1, place, usable.flatten(1).float())
    chance = gumbel(place.shape, ids.device) - torch.log(pixels_of.gather(1, place).clamp(min=1))
    chance = chance.masked_fill(~usable.flatten(1), -1e4)
    chosen = chance.topk(min(SAMPLES, chance.shape[1]), 1).indices
    weight = usable.flatten(1).gather(1, chosen) & annotated.any(1, keepdim=True)
    pixels = embedding.float().flatten(2)
    pixels = pixels.gather(2, chosen[:, None].expand(-1, pixels.shape[1], -1))  # (B, S, P)
    vectors = F.normalize(network.words, dim=1)
    logits = network.temperature[1].exp() * torch.einsum("bsp,vs->bpv", pixels, vectors)
    logits = logits + network.word_bias
    target = words.flatten(1).gather(1, chosen)
    known = (weight & (target != NO_WORD)).float()
    right = logits.gather(2, target.clamp(min=0)[..., None])[..., 0]
    which = mean(torch.logsumexp(logits, 2) - right, known)
    vocabulary = torch.arange(logits.shape[2], device=ids.device)
    hot = (target[..., None] == vocabulary).float()
    each = F.binary_cross_entropy_with_logits(logits, hot, reduction="none")
    counted = annotated[:, None].float() * weight[..., None]
    return which + 2 * mean(each, counted)
