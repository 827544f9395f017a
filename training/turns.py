"""Simulated turns: objects of a crop, windows around them, first prompts and corrections."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_seem.models.compact import windows
from napari_seem.models.compact.evidence import MAPS, WindowPrompts
from napari_seem.models.compact.network import (
    COARSE_STRIDE,
    FINE_GRID,
    GRID,
    CompactNetwork,
)
from training.crops import CROP, Crop

FIRST_PROMPTS = {
    "click": 0.38, "box": 0.22, "scribble": 0.09, "lasso": 0.05, "mask": 0.03,
    "reference": 0.07, "word": 0.07, "detail": 0.09,
}  # fmt: skip
SMALLEST_VISIBLE = 40
SEARCH_DEPTH = 24
DETAIL_SIDE = 64
"""Smallest extent in crop pixels of an object whose border is worth a second, closer look."""
CLICK = 5
"""Side in fine cells of the square that a click paints."""


@dataclass
class Task:
    """One object to segment in one crop.

    `members` are the instance ids wanted (several for a word or a reference).
    """

    crop: int
    window: windows.Window
    members: list[int]
    kind: str
    word: int = -1
    full_area: float = 0.0
    reference: tuple[int, list[int]] | None = None


@dataclass
class Round:
    """A batch of windows with their truth and their prompts.

    `target` is (B, FINE_GRID, FINE_GRID) in {0, 1}; `valid` marks the cells on the picture;
    `full` is the wanted object's whole area in fine cells, also of what the window cuts off;
    `complaint` marks the errors that the last click was about.
    """

    tasks: list[Task]
    target: Tensor
    valid: Tensor
    full: Tensor
    coarse: Tensor
    fine: Tensor
    prompts: WindowPrompts
    complaint: Tensor


def choose_tasks(crops: list[Crop], per_crop: int, rng: np.random.Generator) -> list[Task]:
    """Pick objects, kinds of first prompt and windows for a batch of crops."""
    tasks = []
    for index, crop in enumerate(crops):
        visible = np.bincount(crop.instances.clamp(min=0).flatten().numpy())
        visible[0] = 0
        candidates = np.flatnonzero(visible >= SMALLEST_VISIBLE)
        for _ in range(per_crop if len(candidates) else 0):
            chosen = int(rng.choice(candidates))
            kind = str(rng.choice(list(FIRST_PROMPTS), p=list(FIRST_PROMPTS.values())))
            tasks.append(_task(crops, index, chosen, kind, visible, rng))
    return tasks


def _task(
    crops: list[Crop], index: int, chosen: int, kind: str, visible: np.ndarray,
    rng: np.random.Generator,
) -> Task:  # fmt: skip
    crop = crops[index]
    word = int(crop.classes[chosen])
    members, reference = [chosen], None
    if kind in ("reference", "word"):
        mate = index ^ 1  # crops come in pairs of one group
        there = (crops[mate].classes == word).nonzero()[:, 0] if mate < len(crops) else []
        there = [int(i) for i in there if word >= 0 and i > 0]
        if kind == "reference" and there:
            reference = (mate, [int(rng.choice(there))])
        elif kind == "reference" or word < 0:
            kind = "click"
    if kind in ("reference", "word"):
        members = [int(i) for i in (crop.classes == word).nonzero()[:, 0] if i > 0]
        if rng.random() < 0.25:  # the word says what kind, a click says which
            members, kind = [chosen], kind + "+click"
    if kind == "detail" and crop.areas[chosen] < DETAIL_SIDE**2 / 4:
        kind = "box"
    window = _window(crop, members, kind, rng)
    whole = visible[members].sum() if len(members) > 1 else max(
        float(crop.areas[chosen]), visible[chosen])  # fmt: skip
    cells = (window.cells * COARSE_STRIDE / FINE_GRID) ** 2
    return Task(index, window, members, kind, word, float(whole / cells), reference)


def _window(crop: Crop, members: list[int], kind: str, rng: np.random.Generator) -> windows.Window:
    inside = torch.isin(crop.instances, torch.tensor(members))
    rows, cols = (axis.numpy() for axis in inside.nonzero(as_tuple=True))
    extent = max(np.ptp(rows), np.ptp(cols)) + 1
    if kind == "detail":
        side = extent * rng.uniform(0.25, 0.8)
        pick = rng.integers(len(rows))
        center = rows[pick], cols[pick]
    elif kind in ("reference", "word"):
        side = rng.uniform(128, 256)
        pick = rng.integers(len(rows))
        center = rows[pick] + rng.uniform(-40, 40), cols[pick] + rng.uniform(-40, 40)
    elif kind in ("box", "lasso", "mask"):
        side = extent * rng.uniform(1.25, 2.0)
        center = (rows.min() + rows.max()) / 2, (cols.min() + cols.max()) / 2
    else:
        # also too small ones: the score must learn that the object runs out of its window
        side = extent * np.exp(rng.uniform(np.log(0.3), np.log(4.5)))
        pick = rng.integers(len(rows))
        share = rng.uniform(0, 0.8)
        center = tuple(
            (1 - share) * (axis.min() + axis.max()) / 2 + share * axis[pick]
            for axis in (rows, cols)
        )
    return windows.square(center, side, crop.instances.shape)


def start(
    tasks: list[Task], crops: list[Crop], coarse: Tensor, fine: Tensor,
    network: CompactNetwork, rng: np.random.Generator,
) -> Round:  # fmt: skip
    """Cut the windows and draw the first prompt of each task."""
    each_coarse, each_fine = coarse.unbind(0), fine.unbind(0)
    cut = [windows.cut(each_coarse[t.crop], each_fine[t.crop], t.window) for t in tasks]
    truth = np.stack([_truth(crops[t.crop], t) for t in tasks])
    device = coarse.device
    valid = torch.from_numpy(truth >= 0).float().to(device)
    target = torch.from_numpy(truth == 1).float().to(device)
    prompts = WindowPrompts.blank(len(tasks), network.config, FINE_GRID, device)
    prompts.maps[:, MAPS.index("valid")] = valid
    cells = [windows.relative_cells(t.window) for t in tasks]
    prompts.cells = torch.tensor(cells, device=device)
    full = torch.tensor([t.full_area for t in tasks], device=device)
    round_ = Round(
        tasks, target, valid, torch.maximum(full, target.sum((1, 2))),
        torch.cat([c[None] for c, _ in cut]), torch.cat([f[None] for _, f in cut]), prompts,
        torch.zeros_like(target),
    )  # fmt: skip
    _draw_first(round_, crops, coarse, network, rng)
    return round_


def _truth(crop: Crop, task: Task) -> np.ndarray:
    """Membership on the fine grid: 1 wanted, 0 not, -1 outside the picture."""
    rows, cols = (np.floor(windows.fine_centers(task.window, axis)).astype(int) for axis in (0, 1))
    ids = crop.instances.numpy()[np.clip(rows, 0, CROP - 1)[:, None], np.clip(cols, 0, CROP - 1)]
    outside = ((rows < 0) | (rows >= CROP))[:, None] | ((cols < 0) | (cols >= CROP))[None]
    return np.where(outside | (ids < 0), -1, np.isin(ids, task.members).astype(int))


def _draw_first(
    round_: Round, crops: list[Crop], coarse: Tensor, network: CompactNetwork,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    maps, at = round_.prompts.maps, network.config.coarse_slices
    words = F.normalize(network.words, dim=1)
    clicks = chebyshev_pick(round_.target, rng, central=0.6)
    instance, semantic, word = [], [], []
    for row, task in enumerate(round_.tasks):
        target = round_.target[row]
        kind = task.kind
        if kind == "box":
            maps[row, 2] = _jittered_box(target, rng)
        elif kind == "scribble":
            maps[row, 0] = _stroke(target, rng)
        elif kind == "lasso":
            maps[row, 3] = _roughened(target, rng, strength=0.35)
        elif kind == "mask":
            maps[row, 4] = (_roughened(target, rng, strength=0.6) * 2 - 1) * rng.uniform(3, 6)
        elif kind == "detail":
            maps[row, 4] = _coarsened(target, rng) * round_.valid[row]
        if "click" in kind or (kind in ("box", "lasso", "mask") and rng.random() < 0.15):
            paint_click(maps[row, 0], clicks[row])
        dims = network.config.instance_dim, network.config.semantic_dim
        vectors = tuple(words.new_zeros(dim) for dim in dims)
        if task.reference and "reference" in kind:
            mate, ids = task.reference
            region = torch.isin(crops[mate].instances[2::4, 2::4], torch.tensor(ids))
            if region.any():
                vectors = tuple(
                    F.normalize(coarse[mate, at[key]].float()[:, region].mean(1), dim=0)
                    for key in ("instance", "semantic")
                )
        instance.append(vectors[0])
        semantic.append(vectors[1])
        spoken = "word" in kind
        word.append(words[task.word] if spoken else words.new_zeros(words.shape[1]))
    round_.prompts.instance = torch.stack(instance)
    round_.prompts.semantic = torch.stack(semantic)
    round_.prompts.word = torch.stack(word)


def correct(round_: Round, logits: Tensor, rng: np.random.Generator) -> None:
    """Add the click a person would make next, and remember the logits as the previous turn's."""
    maps = round_.prompts.maps
    predicted = (logits > 0).float()
    wrong = (predicted != round_.target).float() * round_.valid
    missed = wrong * round_.target
    spilled = wrong * (1 - round_.target)
    deep_missed, deep_spilled = chebyshev_depth(missed), chebyshev_depth(spilled)
    positive = deep_missed.amax((1, 2)) >= deep_spilled.amax((1, 2))
    round_.complaint = torch.where(positive[:, None, None], missed, spilled)
    clicks = chebyshev_pick(round_.complaint, rng, central=0.8)
    for row in range(len(maps)):
        if round_.complaint[row].any():
            paint_click(maps[row, 0 if positive[row] else 1], clicks[row])
    maps[:, 4] = logits.detach().float().clamp(-12, 12) * round_.valid


def chebyshev_depth(mask: Tensor) -> Tensor:
    """Distance of each cell to the outside of its mask, in steps of two cells: (B, H, W)."""
    inside = F.avg_pool2d(mask[:, None], 2).ge(0.75).float()
    depth = F.interpolate(F.max_pool2d(mask[:, None], 2), scale_factor=2)[:, 0] * mask * 0.1
    for _ in range(SEARCH_DEPTH):
        depth = depth + F.interpolate(inside, scale_factor=2)[:, 0] * mask
        inside = -F.max_pool2d(F.pad(-inside, (1, 1, 1, 1)), 3, 1)
        if not bool(inside.any()):
            break
    return depth


def chebyshev_pick(mask: Tensor, rng: np.random.Generator, central: float) -> list[tuple[int, int]]:
    """A cell of each mask: at its centre with probability `central`, else anywhere inside."""
    depth = chebyshev_depth(mask)
    out = []
    for row in depth.cpu().numpy():
        flat = row.ravel()
        if rng.random() < central:
            best = np.flatnonzero(flat >= flat.max() - 1e-3)
            chosen = best[len(best) // 2]
        else:
            total = flat.sum()
            chosen = rng.choice(flat.size, p=flat / total) if total > 0 else int(flat.argmax())
        out.append(divmod(int(chosen), row.shape[1]))
    return out


def paint_click(channel: Tensor, cell: tuple[int, int]) -> None:
    """Paint a click into a stroke map (FINE_GRID, FINE_GRID), in place."""
    reach = CLICK // 2
    y, x = cell
    channel[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = 1


def _jittered_box(target: Tensor, rng: np.random.Generator) -> Tensor:
    out = torch.zeros_like(target)
    rows, cols = target.nonzero(as_tuple=True)
    if len(rows):
        y0, y1 = int(rows.min()), int(rows.max()) + 1
        x0, x1 = int(cols.min()), int(cols.max()) + 1
        slack = 0.05 * max(y1 - y0, x1 - x0)
        y0, y1, x0, x1 = (round(v + rng.normal(0, slack)) for v in (y0, y1, x0, x1))
        out[max(0, y0) : max(y1, y0 + 2), max(0, x0) : max(x1, x0 + 2)] = 1
    return out


def _stroke(target: Tensor, rng: np.random.Generator) -> Tensor:
    """A wobbly line between inner cells, kept inside the object."""
    out = torch.zeros_like(target)
    inner = (chebyshev_depth(target[None])[0] >= 1).nonzero()
    if not len(inner):
        inner = target.nonzero()
    if not len(inner):
        return out
    knots = inner[rng.integers(len(inner), size=int(rng.integers(2, 5)))].float()
    for a, b in pairwise(knots):
        along = torch.linspace(0, 1, 48, device=target.device)[:, None]
        cells = (a * (1 - along) + b * along).round().long()
        out[cells[:, 0], cells[:, 1]] = 1
    out = F.max_pool2d(out[None], 3, 1, 1)[0] * target
    return out if out.any() else target * (torch.rand_like(target) < 0.02)


def _roughened(target: Tensor, rng: np.random.Generator, strength: float) -> Tensor:
    """The object as a hurried hand would outline it."""
    kernel = int(rng.choice([5, 9, 13, 17]))
    noise = F.interpolate(
        torch.from_numpy(rng.normal(0, strength, (1, 1, 9, 9))).to(target),
        (FINE_GRID, FINE_GRID), mode="bicubic",
    )[0, 0]  # fmt: skip
    soft = F.avg_pool2d(target[None], kernel, 1, kernel // 2)[0]
    rough = (soft + noise * 0.5 > rng.uniform(0.3, 0.6)).float()
    near = F.max_pool2d(target[None], kernel, 1, kernel // 2)[0]
    rough = rough * near
    return rough if rough.any() else target


def _coarsened(target: Tensor, rng: np.random.Generator) -> Tensor:
    """The object's logits as a look from further away gives them: blocky, shifted, unsure."""
    block = int(rng.choice([4, 8, 16]))
    shift = tuple(int(v) for v in rng.integers(-block // 2, block // 2 + 1, 2))
    seen = F.avg_pool2d(torch.roll(target, shift, (0, 1))[None, None], block)
    seen = seen + torch.from_numpy(rng.normal(0, 0.15, seen.shape)).to(seen)
    smooth = F.interpolate(seen, target.shape, mode="bilinear", align_corners=False)[0, 0]
    return (smooth - rng.uniform(0.3, 0.6)).clamp(-0.5, 0.5) * 2 * rng.uniform(3, 6)


def turn_losses(round_: Round, logits: Tensor, core: Tensor, quality: Tensor) -> dict[str, Tensor]:
    """BCE and soft dice on both grids, and the score against the true intersection over union."""
    target, valid = round_.target, round_.valid
    small_target, small_valid = F.avg_pool2d(target, 2), F.avg_pool2d(valid, 2)
    with torch.no_grad():
        predicted = (logits > 0).float() * valid
        overlap = (predicted * target).sum((1, 2))
        union = predicted.sum((1, 2)) + round_.full - overlap
        iou = overlap / union.clamp(min=1)
    return {
        "mask": _bce(logits, target, valid, round_.complaint) + _dice(logits, target, valid),
        "obeyed": _disobedience(round_.prompts.maps, logits, target),
        "core": _bce(core, small_target, small_valid) + _dice(core, small_target, small_valid),
        "quality": F.binary_cross_entropy_with_logits(quality.float(), iou),
        "iou": iou,
    }


def _bce(logits: Tensor, target: Tensor, valid: Tensor, complaint: Tensor | None = None) -> Tensor:
    """Per window and then averaged: half the weight to each side, however small the object.

    What the last click complained of counts twice.
    """
    loss = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none") * valid
    if complaint is not None:
        loss = loss * (1 + complaint)
    share = (target * valid).sum((1, 2)) / valid.sum((1, 2)).clamp(min=1)
    weight = (0.25 / share.clamp(min=0.05)).clamp(0.5, 3)[:, None, None]
    weighted = loss * (1 + (weight - 1) * target)
    return (weighted.sum((1, 2)) / valid.sum((1, 2)).clamp(min=1)).mean()


def _disobedience(maps: Tensor, logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy on the strokes alone: what was clicked must come out as it was clicked."""
    drawn = maps[:, :2].amax(1)
    loss = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none") * drawn
    return (loss.sum((1, 2)) / drawn.sum((1, 2)).clamp(min=1)).mean()


def _dice(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    probability = torch.sigmoid(logits.float()) * valid
    overlap = (probability * target).sum((1, 2))
    total = (probability + target * valid).sum((1, 2))
    return (1 - (2 * overlap + 1) / (total + 1)).mean()


assert GRID * 2 == FINE_GRID
