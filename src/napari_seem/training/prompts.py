"""Simulated prompts of a person, for a batch of windows at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.compact.network import COARSE_STRIDE, GRID, CompactConfig
from ..models.compact.prompt_maps.appearance import blur
from ..models.compact.prompt_maps.canvas import (
    BOX,
    CLICK_CELLS,
    LASSO,
    NEGATIVE,
    POSITIVE,
    PREVIOUS,
    SUREST,
    VALID,
)
from ..models.compact.prompt_maps.evidence import MAPS, ContextVectors, WindowPrompts
from .objects import CropObjects, is_kind
from .sampling import depth, extent_of, gumbel, pick
from .views import ViewWindows

BOX_SLACK = 0.05
"""Deviation of each side of a box, as a share of its longer side."""
SECOND_CLICK, STROKE_SHARE = 0.25, 0.15
"""Chances that a round of corrections has a second click, and that it is a stroke."""
KNOTS = 4
"""Corners of a hand-drawn line."""


@dataclass
class Round:
    """A batch of windows with their truth and their prompts.

    Attributes
    ----------
    target, valid : float32 (N, F, F)
        Wanted cells, and cells on the picture: 0 or 1.
    full : float32 (N,)
        The wanted object's whole area in cells, including what the window cuts off.
    counts : float32 (N,)
        0 where there is nothing to learn.
    maps : float32 (N, len(MAPS), F, F)
        See `WindowPrompts.maps`.
    complaint : float32 (N, F, F)
        The errors that the last click was about.
    """

    target: Tensor
    valid: Tensor
    full: Tensor
    counts: Tensor
    maps: Tensor
    complaint: Tensor


def begin(objects: CropObjects, ids: Tensor, found: ViewWindows, grid: int) -> Round:
    """Cut the truth out and draw the first prompt of each window.

    Parameters
    ----------
    objects : CropObjects
    ids : int64 (B, 2, S, S)
        See `Crops.ids`.
    found : ViewWindows
    grid : int
        Cells along a window in the decoder's core; the truth has twice as many.
    """
    target, valid = _truth(objects, ids, found, 2 * grid)
    cell = found.cells * COARSE_STRIDE / (2 * grid)  # crop pixels along a fine cell
    full = torch.maximum(objects.full.flatten()[found.item] / cell**2, target.sum((1, 2)))
    counts = objects.counts.flatten()[found.item] & target.flatten(1).any(1)
    return Round(
        target, valid, full, counts.float(), _first_maps(objects, found, target, valid),
        torch.zeros_like(target),
    )  # fmt: skip


def _truth(
    objects: CropObjects, ids: Tensor, found: ViewWindows, grid: int
) -> tuple[Tensor, Tensor]:
    """Read wanted pixels, and those on the picture, by nearest neighbour: (N, grid, grid) each."""
    side = ids.shape[-1]
    place = torch.floor(found.pixels(grid)).long()  # (N, 2, grid)
    inside = ((place >= 0) & (place < side)).float()
    row, col = place.clamp(0, side - 1).unbind(1)
    flat = row[:, :, None] * side + col[:, None, :]  # (N, grid, grid)
    wanted = objects.mask.flatten()[found.item[:, None, None] * side**2 + flat]
    there = ids[:, 0].flatten()[found.crop[:, None, None] * side**2 + flat] >= 0
    valid = inside[:, 0, :, None] * inside[:, 1, None, :] * there
    return wanted * valid, valid


def _first_maps(objects: CropObjects, found: ViewWindows, target: Tensor, valid: Tensor) -> Tensor:
    """Draw the first prompts of masks `target` (N, F, F): (N, len(MAPS), F, F).

    `valid` (N, F, F) is 1 on the picture.
    """
    grid = target.shape[-1]
    kind = objects.kind.flatten()[found.item]
    clicked = objects.clicked.flatten()[found.item]
    place = found.place(objects.click.flatten(0, 1)[found.item], grid)
    click = dots(place, grid) * clicked[:, None, None]
    deep = depth(target)
    line = strokes(target, deep)
    previous = torch.where(
        is_kind(kind, "detail")[:, None, None], coarsened(target), roughened(target, 0.6) * 2 - 1
    )
    sure = 3 + 3 * torch.rand(len(kind), 1, 1, device=kind.device)
    maps = target.new_zeros(len(target), len(MAPS), grid, grid)

    def only(*names: str) -> Tensor:
        return is_kind(kind, *names)[:, None, None].float()

    maps[:, POSITIVE] = torch.maximum(click, line * only("scribble"))
    maps[:, BOX] = boxes(target) * only("box")
    maps[:, LASSO] = roughened(target, 0.35) * valid * only("lasso")
    maps[:, PREVIOUS] = previous * sure * valid * only("mask", "detail")
    maps[:, VALID] = valid
    return maps


def as_prompts(
    round_: Round, objects: CropObjects, found: ViewWindows, vectors: dict[str, Tensor],
    words: Tensor, config: CompactConfig, context: ContextVectors,
) -> WindowPrompts:  # fmt: skip
    """Return the prompts that the decoder's evidence is computed from.

    Parameters
    ----------
    round_, objects, found
        The windows.
    vectors : dict of str to float32 (B * K, D)
        Embeddings of the examples, "instance" and "semantic".
    words : float32 (V, config.semantic_dim)
        Unit vectors of the vocabulary.
    config : CompactConfig
    context : ContextVectors
    """
    kind, word = (t.flatten()[found.item] for t in (objects.kind, objects.word))
    shown = is_kind(kind, "reference")[:, None].float()
    spoken = is_kind(kind, "word")[:, None].float()
    blank = round_.target.new_zeros(len(kind), config.semantic_dim)
    return WindowPrompts(
        round_.maps,
        vectors["instance"][found.item] * shown,
        vectors["semantic"][found.item] * shown,
        blank,
        words[word.clamp(min=0)] * spoken,
        found.relative(),
        context,
    )


def correct(round_: Round, logits: Tensor, again: Tensor | None = None) -> None:
    """Add the click or stroke that a person would make next, and remember the logits, in place.

    Parameters
    ----------
    round_ : Round
    logits : float32 (N, F, F)
        The answer that is corrected.
    again : bool (N,), optional
        Where nothing is added: a region is answered a second time beside its first answer.
    """
    predicted = (logits > 0).float()
    wrong = (predicted - round_.target).abs() * round_.valid
    missed, spilled = wrong * round_.target, wrong * (1 - round_.target)
    deep_missed, deep_spilled = depth(missed), depth(spilled)
    grid, device = logits.shape[-1], logits.device
    positive = (deep_missed.amax((1, 2)) >= deep_spilled.amax((1, 2)))[:, None, None]
    complaint = torch.where(positive, missed, spilled)
    deep = torch.where(positive, deep_missed, deep_spilled)
    exists = complaint.flatten(1).any(1)[:, None, None]
    if again is not None:
        exists = exists & ~again[:, None, None]
        complaint = complaint * exists
    click = dots(pick(complaint, deep, central=0.8), grid)
    other = torch.where(positive, spilled, missed)
    other_exists = other.flatten(1).any(1)[:, None, None] & exists
    other_deep = torch.where(positive, deep_spilled, deep_missed)
    second = dots(pick(other, other_deep, central=0.3), grid) * other_exists
    second = second * (torch.rand(len(logits), 1, 1, device=device) < SECOND_CLICK)
    by_stroke = torch.rand(len(logits), 1, 1, device=device) < STROKE_SHARE
    mark = torch.where(by_stroke, strokes(complaint, deep), click) * exists
    added = [torch.where(positive, mark, second), torch.where(positive, second, mark)]
    round_.complaint = complaint
    parts = list(round_.maps.unbind(1))
    parts[POSITIVE] = torch.maximum(parts[POSITIVE], added[0])
    parts[NEGATIVE] = torch.maximum(parts[NEGATIVE], added[1])
    parts[PREVIOUS] = logits.detach().float().clamp(-SUREST, SUREST) * round_.valid
    round_.maps = torch.stack(parts, 1)


def dots(place: Tensor, grid: int) -> Tensor:
    """Draw squares around cells (N, 2), as clicks are painted: float32 (N, grid, grid)."""
    reach = CLICK_CELLS * grid // (2 * GRID) // 2
    along = torch.arange(grid, device=place.device)
    near = ((along - place[..., None]).abs() <= reach).float()  # (N, 2, grid)
    return near[:, 0, :, None] * near[:, 1, None, :]


def boxes(target: Tensor) -> Tensor:
    """Draw boxes, a little carelessly, around masks (N, F, F): float32 of that shape."""
    grid = target.shape[-1]
    along = torch.arange(grid, device=target.device)
    extent = extent_of(target[:, None] > 0)[:, 0]  # (N, 4)
    longest = (extent[:, 2:] - extent[:, :2]).amax(1)
    inside = []
    for first, last in zip(extent[:, :2].unbind(1), extent[:, 2:].unbind(1), strict=True):
        slack = BOX_SLACK * longest * torch.randn(2, len(target), device=target.device)
        low, high = (first + slack[0]).round(), (last + slack[1]).round()
        high = torch.maximum(high, low + 2)
        inside.append((along >= low[:, None]) & (along < high[:, None]))
    return (inside[0][:, :, None] & inside[1][:, None, :]).float()


def strokes(target: Tensor, deep: Tensor) -> Tensor:
    """Draw lines inside masks: by hand, along the middle, or along the inside of the border.

    Parameters
    ----------
    target : float32 (N, F, F)
        The masks, 0 or 1.
    deep : float32 (N, F, F)
        Their `depth`.

    Returns
    -------
    float32 (N, F, F)
        Broken by smooth noise; a click where nothing of the line is left.
    """
    size, grid, _ = target.shape
    most = deep.amax((1, 2), keepdim=True)
    hand = _hand_line(deep, most)
    middle = (deep >= F.max_pool2d(deep[:, None], 5, 1, 2)[:, 0]) & (deep >= 0.4 * most)
    level = (0.15 + 0.35 * torch.rand(size, 1, 1, device=target.device)) * most
    border = (deep - level).abs() < 0.6
    lot = torch.rand(size, 1, 1, device=target.device)
    line = torch.where(lot < 0.5, hand, torch.where(lot < 0.8, middle, border)).float()
    noise = torch.randn(size, 1, 9, 9, device=target.device)
    smooth = F.interpolate(noise, (grid, grid), mode="bicubic", align_corners=False)[:, 0]
    broken = smooth > -1.5 * torch.rand(size, 1, 1, device=target.device)
    line = F.max_pool2d(line * broken, 3, 1, 1) * target
    left = line.flatten(1).any(1)[:, None, None]
    return torch.where(left, line, dots(pick(target, deep, 0.5), grid) * target)


def _hand_line(deep: Tensor, most: Tensor) -> Tensor:
    """Mark cells near a line through KNOTS random inner cells of each mask: bool (N, F, F)."""
    grid = deep.shape[-1]
    inner = deep >= torch.minimum(most, torch.ones_like(most))
    chance = gumbel(deep.shape, deep.device).masked_fill(~inner, -torch.inf)
    best = chance.flatten(1).topk(KNOTS, 1).indices
    known = torch.gather(inner.flatten(1), 1, best)
    best = torch.where(known, best, best[:, :1])
    knots = torch.stack([best // grid, best % grid], -1).float()  # (N, KNOTS, 2)
    along = torch.arange(grid, device=deep.device, dtype=torch.float32)
    near = torch.zeros_like(deep, dtype=torch.bool)
    for start, stop in zip(knots.unbind(1)[:-1], knots.unbind(1)[1:], strict=True):
        step = stop - start
        length = (step**2).sum(1).clamp(min=1e-3)[:, None, None]
        down = along[None, :, None] - start[:, 0, None, None]
        right = along[None, None, :] - start[:, 1, None, None]
        share = (down * step[:, 0, None, None] + right * step[:, 1, None, None]) / length
        share = share.clamp(0, 1)
        off = (down - share * step[:, 0, None, None]) ** 2
        off = off + (right - share * step[:, 1, None, None]) ** 2
        near = near | (off < 1)
    return near


def roughened(target: Tensor, strength: float) -> Tensor:
    """Draw masks (N, F, F) as a hurried hand would outline them: float32 0 or 1."""
    size, grid, _ = target.shape
    noise = strength * torch.randn(size, 1, 9, 9, device=target.device)
    noise = F.interpolate(noise, (grid, grid), mode="bicubic", align_corners=False)[:, 0]
    wide = blur(target[:, None], 5)
    wider = blur(wide, 5)
    lot = torch.rand(size, 1, 1, device=target.device)
    soft = torch.where(lot < 0.5, wide[:, 0], wider[:, 0])
    limit = 0.3 + 0.3 * torch.rand(size, 1, 1, device=target.device)
    rough = ((soft + noise * 0.5 > limit) & (soft > 0)).float()
    return torch.where(rough.flatten(1).any(1)[:, None, None], rough, target)


def coarsened(target: Tensor) -> Tensor:
    """Blur masks (N, F, F) as a coarser window would answer, blocky and unsure: -1..1."""
    size, grid, _ = target.shape
    device = target.device
    lot = torch.rand(size, 1, 1, device=device)
    out = torch.zeros_like(target)
    for index, block in enumerate((4, 8)):
        shift = torch.rand(size, 2, device=device) - 0.5
        moved = _moved(target, shift * block)
        seen = F.avg_pool2d(moved[:, None], block)
        seen = seen + 0.15 * torch.randn_like(seen)
        smooth = F.interpolate(seen, (grid, grid), mode="bilinear", align_corners=False)[:, 0]
        out = torch.where((lot < 0.5) == (index == 0), smooth, out)
    limit = 0.3 + 0.3 * torch.rand(size, 1, 1, device=device)
    return (out - limit).clamp(-0.5, 0.5) * 2


def _moved(target: Tensor, shift: Tensor) -> Tensor:
    """Move masks (N, F, F) by whole cells (N, 2), periodically."""
    grid = target.shape[-1]
    along = torch.arange(grid, device=target.device)
    rows, cols = ((along - shift[:, axis, None].round().long()) % grid for axis in (0, 1))
    moved = torch.gather(target, 1, rows[:, :, None].expand_as(target))
    return torch.gather(moved, 2, cols[:, None, :].expand_as(target))
