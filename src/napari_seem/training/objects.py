"""The objects to segment in a batch of crops, and the kinds of their first prompts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from ..models.compact.prompt_maps.evidence import ACCEPTED
from .crops import OUTSIDE, Crops
from .pictures import NO_WORD, PictureBank
from .recipe import FIRST_PROMPTS
from .sampling import depth, extent_of, gumbel, pick

KINDS = tuple(FIRST_PROMPTS)
REGION_SHARE = 0.35
"""Share of the objects that are superpixels or unions of few."""
UNION = (0.15, 0.4)
"""Chances that neighbours are joined: labelled objects of one word, superpixels."""
LEAST_VISIBLE = 30
"""Least number of visible pixels of an object that counts."""
SPACING = 4
"""Stride in pixels at which a crop is searched for objects."""
DETAIL_SHARE = 0.25
"""Least extent, in crop sides, of an object whose border is decoded in a closer window."""
WITH_CLICK = 0.25
"""Share of words and references that come with a click on the wanted object."""
CENTRAL, BORDER = 0.6, 0.1
"""Shares of first clicks in the middle and near the border; the others are anywhere inside."""


def is_kind(kind: Tensor, *names: str) -> Tensor:
    """Return where the kinds of prompts, of any shape, are one of some: bool, of the same shape."""
    out = torch.zeros_like(kind, dtype=torch.bool)
    for name in names:
        out = out | (kind == KINDS.index(name))
    return out


@dataclass
class CropObjects:
    """K objects of each of B crops.

    Attributes
    ----------
    kind : int64 (B, K)
        Index into `KINDS`, the kind of the first prompt.
    clicked : bool (B, K)
        Whether a click belongs to the first prompt.
    mask : bool (B, K, S, S)
        The wanted pixels.
    counts : bool (B, K)
        False where there is nothing to learn.
    word : int64 (B, K)
        Index into the vocabulary, or `NO_WORD`.
    full : float32 (B, K)
        Whole area in crop pixels, including what the crop cuts off.
    click : float32 (B, K, 2)
        Row and column inside the object.
    example : bool (B, K, s, s)
        At stride `COARSE_STRIDE`, an object of the same word in the crop's mate.
    accepted : bool (B, K, ACCEPTED, s, s)
        Likewise, objects of the same word in the crop itself that were accepted before.
    accepted_side : float32 (B, K)
        log2 of the mean side of these in crop pixels.
    """

    kind: Tensor
    clicked: Tensor
    mask: Tensor
    counts: Tensor
    word: Tensor
    full: Tensor
    click: Tensor
    example: Tensor
    accepted: Tensor
    accepted_side: Tensor


def draw_objects(bank: PictureBank, crops: Crops, count: int) -> CropObjects:
    """Choose `count` objects of each crop and the kind of their first prompt."""
    batch, side, device = len(crops.ids), crops.ids.shape[-1], crops.ids.device
    half = SPACING // 2
    sparse = crops.ids[:, :, half::SPACING, half::SPACING]  # (B, 2, s, s)
    layer = _draw_layers(sparse, count)
    seed = _draw_seeds(bank, crops, sparse, layer)
    ids = torch.where(layer[..., None, None] == 0, crops.ids[:, :1], crops.ids[:, 1:])
    members = _draw_members(bank, crops, ids, layer, seed)  # (B, K, 3)
    rows = _rows(bank, crops, layer, members[..., 0])
    word = torch.where((layer == 0) & (members[..., 0] > 0), bank.word[rows], NO_WORD)

    kind = _draw_kinds(batch, count, device)
    classes = _words_of(bank, crops.rows(bank, 0, sparse[:, 0]), sparse[:, 0])  # (B, s, s)
    example = _draw_example(classes, sparse[:, 0], word)
    unknown = (word == NO_WORD) | (is_kind(kind, "reference") & ~example.flatten(2).any(2))
    kind = torch.where(is_kind(kind, "word", "reference") & unknown, KINDS.index("click"), kind)
    one = torch.rand(batch, count, device=device) < WITH_CLICK
    every = is_kind(kind, "word", "reference") & ~one
    whole = _words_of(bank, crops.rows(bank, 0, crops.ids[:, 0]), crops.ids[:, 0])
    mask = (ids[:, :, None] == members[..., None, None]).any(2)
    mask = torch.where(every[..., None, None], whole[:, None] == word[..., None, None], mask)

    visible = mask.sum((2, 3)).float()
    area = bank.area[_rows(bank, crops, layer, members)] * (members > 0)  # (B, K, 3)
    area = area.sum(2) * crops.scale[:, None] ** 2
    extent = extent_of(mask)
    reach = (extent[..., 2:] - extent[..., :2]).amax(2)
    within = (extent[..., :2] > 0).all(2) & (extent[..., 2:] < side).all(2)  # all of it is seen
    full = torch.where(every | within, visible, torch.maximum(area, visible))
    small = is_kind(kind, "detail") & (reach < DETAIL_SHARE * side)
    kind = torch.where(small, KINDS.index("box"), kind)
    region = is_kind(kind, "box", "lasso", "mask")
    clicked = is_kind(kind, "click") | (is_kind(kind, "word", "reference") & one)
    clicked = clicked | (region & (torch.rand(batch, count, device=device) < 0.15))
    accepted, accepted_side = _draw_accepted(bank, crops, sparse[:, 0], classes, members, word)
    return CropObjects(
        kind, clicked, mask, (visible >= LEAST_VISIBLE) & (members[..., 0] > 0), word, full,
        _draw_click(mask), example, accepted, accepted_side,
    )  # fmt: skip


def _draw_kinds(batch: int, count: int, device: torch.device) -> Tensor:
    """Draw kinds of first prompts by their chances: (B, K); nothing is copied to the device."""
    lot = torch.rand(batch, count, device=device)
    kind = torch.zeros(batch, count, dtype=torch.long, device=device)
    for edge in list(accumulate(FIRST_PROMPTS.values()))[:-1]:
        kind = kind + (lot >= edge)
    return kind


def _rows(bank: PictureBank, crops: Crops, layer: Tensor, ids: Tensor) -> Tensor:
    """Return rows in the tables of objects of ids (B, K, ...) on layers (B, K)."""
    layer = layer.view(*layer.shape, *(1,) * (ids.ndim - 2))
    return torch.where(layer == 0, crops.rows(bank, 0, ids), crops.rows(bank, 1, ids))


def _words_of(bank: PictureBank, rows: Tensor, ids: Tensor) -> Tensor:
    """Return the words of objects, int64, by rows and ids of the same shape."""
    return torch.where(ids > 0, bank.word[rows], NO_WORD)


def _draw_layers(sparse: Tensor, count: int) -> Tensor:
    """Draw 0 for a labelled object or 1 for a superpixel, all that some crops have: (B, K)."""
    labelled = (sparse[:, 0] > 0).flatten(1).any(1)
    region = torch.rand(len(sparse), count, device=sparse.device) < REGION_SHARE
    return (region | ~labelled[:, None]).long()


def _draw_seeds(bank: PictureBank, crops: Crops, sparse: Tensor, layer: Tensor) -> Tensor:
    """Draw a pixel (row, col) of an object for each layer drawn, small ones often: (B, K, 2)."""
    batch, count = layer.shape
    flat = sparse.flatten(2)  # (B, 2, n)
    ids = torch.gather(flat, 1, layer[:, :, None].expand(-1, -1, flat.shape[2]))  # (B, K, n)
    area = bank.area[_rows(bank, crops, layer, ids)] * crops.scale[:, None, None] ** 2
    chance = -0.8 * torch.log(area.clamp(min=16)) + gumbel(ids.shape, ids.device)
    best = chance.masked_fill(ids <= 0, -torch.inf).argmax(2)
    width = sparse.shape[-1]
    place = torch.stack([best // width, best % width], -1)
    return place.view(batch, count, 2) * SPACING + SPACING // 2


def _draw_members(
    bank: PictureBank, crops: Crops, ids: Tensor, layer: Tensor, seed: Tensor
) -> Tensor:
    """Draw ids that form one object: (B, K, 3), unused ones `OUTSIDE` - 1."""
    side, device = ids.shape[-1], ids.device
    first = _at(ids, seed)
    area = bank.area[_rows(bank, crops, layer, first)] * crops.scale[:, None] ** 2
    reach = 1.2 * area.sqrt()[..., None, None]
    moved = seed[:, :, None] + torch.randn(*seed.shape[:2], 2, 2, device=device) * reach
    near = torch.stack(
        [_at(ids, moved[:, :, i].round().long().clamp(0, side - 1)) for i in (0, 1)], 2
    )
    words = [
        _words_of(bank, _rows(bank, crops, layer, some), some) for some in (first[..., None], near)
    ]
    chance = torch.where(layer == 0, *UNION)[..., None]
    joined = torch.rand(*first.shape, 1, device=device) < chance
    new = (near != first[..., None]) & (near != torch.stack([first, near[..., 0]], 2))
    alike = (words[0] == words[1]) & ((words[0] != NO_WORD) | (layer[..., None] == 1))
    joined = joined & (near > 0) & alike & new
    return torch.cat([first[..., None], torch.where(joined, near, OUTSIDE - 1)], 2)


def _at(ids: Tensor, place: Tensor) -> Tensor:
    """Read values of (B, K, S, S) at pixels (B, K, 2): (B, K)."""
    flat = place[..., 0] * ids.shape[-1] + place[..., 1]
    return torch.gather(ids.flatten(2), 2, flat[..., None])[..., 0]


def _draw_example(classes: Tensor, ids: Tensor, word: Tensor) -> Tensor:
    """Draw an object of each word in the other crop of the pair: bool (B, K, s, s)."""
    mate = torch.arange(len(ids), device=ids.device) ^ 1
    flat = ids[mate].flatten(1)[:, None]
    named = (classes[mate].flatten(1)[:, None] == word[..., None]) & (word[..., None] != NO_WORD)
    chance = gumbel(named.shape, ids.device).masked_fill(~named, -torch.inf)
    chosen = torch.gather(flat.expand(named.shape), 2, chance.argmax(2, keepdim=True))
    return ((flat == chosen) & named).view(*word.shape, *ids.shape[1:])


def _draw_accepted(
    bank: PictureBank, crops: Crops, ids: Tensor, classes: Tensor, members: Tensor, word: Tensor
) -> tuple[Tensor, Tensor]:
    """Draw other labelled objects of the same word, for half of the objects none.

    Parameters
    ----------
    ids, classes : int64 (B, s, s)
        Objects and words at stride `SPACING`.
    members : int64 (B, K, 3)
    word : int64 (B, K)

    Returns
    -------
    accepted, accepted_side
        See `CropObjects`.
    """
    flat = ids.flatten(1)[:, None]  # (B, 1, n)
    other = (flat > 0) & (flat[:, :, None] != members[..., None]).all(2)
    other = other & (classes.flatten(1)[:, None] == word[..., None])
    other = other & (word[..., None] != NO_WORD)
    area = bank.area[crops.rows(bank, 0, flat)] * crops.scale[:, None, None] ** 2
    chance = gumbel(other.shape, ids.device) - torch.log(area.clamp(min=16))
    best = chance.masked_fill(~other, -torch.inf).topk(ACCEPTED, 2).indices
    most = torch.rand(*word.shape, 1, device=ids.device) * 2 - 1  # under 0: none
    used = torch.arange(ACCEPTED, device=ids.device) < torch.ceil(most * ACCEPTED)
    used = used & torch.gather(other, 2, best)
    chosen = torch.gather(flat.expand(other.shape), 2, best)
    masks = (flat[:, :, None] == chosen[..., None]) & used[..., None]
    sides = 0.5 * torch.log2(torch.gather(area.expand(other.shape), 2, best).clamp(min=1))
    mean = (sides * used).sum(2) / used.sum(2).clamp(min=1)
    return masks.view(*best.shape, *ids.shape[1:]), mean


def _draw_click(mask: Tensor) -> Tensor:
    """Draw a pixel of each mask: in its middle, near its border or anywhere: (B, K, 2) centres."""
    flat = mask.flatten(0, 1)
    found = pick(flat, depth(flat), CENTRAL, BORDER)
    return found.view(*mask.shape[:2], 2).float() + 0.5
