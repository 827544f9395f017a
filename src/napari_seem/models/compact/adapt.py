"""The compact model, fitted to the objects that a person has accepted on an image.

A network of the second generation can read the appearance and the size of accepted objects beside
every window (`Accepted`). A few gradient steps fit a copy of the decoder, on the cached features,
to first clicks on these objects. Both are used where half of the objects make first clicks on the
other half better. A fitted decoder answers first clicks; corrections are answered by the shipped
one. The encoder is not changed, so that embeddings stay valid.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage, stats
from torch import Tensor

from ...errors import InvalidPrompt
from ...progress import Progress, Step, reporting
from ...prompts import Point
from ..base import Embedding, mask_bbox
from ..context import Context
from . import focus, pyramid
from .network import COARSE_STRIDE
from .prompt_maps import canvas
from .prompt_maps.canvas import View
from .prompt_maps.evidence import ACCEPTED, ContextVectors
from .words.concept import best_level, directions, nothing

if TYPE_CHECKING:
    from .model import CompactModel

STEPS = 16
BATCH = 6
RATE = 3e-4
FEWEST = 4
"""Least number of objects that anything is learned from."""
LEAST_GAIN, CAUTION = 0.01, 0.5
"""Least gain in intersection over union of first clicks on objects not learned from, and standard
errors of its mean that are taken off first: gains on few objects may be chance.

Of 15 training sets five passed without that, of which one lost .045 on later objects; three pass
with it, and gain .00 to .11.
"""
LATEST = 24
"""Objects that are learned from, the last accepted ones."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Accepted:
    """The appearance of accepted objects.

    Attributes
    ----------
    instance : float32 tensor of shape (N, I)
        Mean unit instance embedding of each object.
    semantic : float32 tensor of shape (N, S)
        Mean unit semantic embedding of each object.
    side : float
        log2 of the objects' mean side (geometric mean of the square roots of the areas) in image
        pixels.
    """

    instance: Tensor
    semantic: Tensor
    side: float

    def as_context(self, views: Sequence[View], device: str) -> ContextVectors:
        """Return the decoder's context for a batch of windows, of any levels."""
        scales = [float(np.sqrt(view.level.scale[0] * view.level.scale[1])) for view in views]
        side = torch.tensor([self.side + float(np.log2(scale)) for scale in scales])
        count = len(views)
        return ContextVectors(
            self.instance.expand(count, -1, -1).to(device),
            self.semantic.expand(count, -1, -1).to(device),
            torch.ones(count, len(self.instance), dtype=torch.bool, device=device),
            side.to(device),
        )


def accepted_on(model: CompactModel, embedding: Embedding, masks: Sequence[BoolArray]) -> Accepted:
    """Describe accepted objects, bool arrays (H, W), on the image of an embedding."""
    levels, config = pyramid.levels(embedding), model.network.config
    sides = [float(np.sqrt(mask.sum())) for mask in masks]
    vectors = [
        directions(best_level(levels, side), np.asarray(mask, bool), config)
        for mask, side in zip(masks, sides, strict=True)
    ]
    instance, semantic = (torch.stack(part) for part in zip(*vectors, strict=True))
    return Accepted(instance, semantic, float(np.mean(np.log2(sides))))


Compact = TypeVar("Compact", bound="CompactModel")


def accepted_in(model: CompactModel, embedding: Embedding, context: Context) -> Accepted:
    """Describe accepted objects by a few pixels of each on the image of an embedding."""
    at, side = model.network.config.coarse_slices, context.mean / 2
    level = best_level(pyramid.levels(embedding), 2**side)
    looks = []
    for spots in [some for some in context.spots if some][-ACCEPTED:]:
        cells = [level.at(*_cell(level, spot)) for spot in spots]
        looks.append(torch.stack(cells).float().mean(0).cpu())
    instance, semantic = (
        F.normalize(torch.stack(looks)[:, at[key]], dim=1) for key in ("instance", "semantic")
    )
    return Accepted(instance, semantic, side)


def _cell(level: pyramid.Level, spot: tuple[int, int]) -> tuple[int, int]:
    """Return row and column of the coarse cell of a level that holds an image pixel."""
    row, column = (
        int(np.clip((position + 0.5) * scale / COARSE_STRIDE, 0, cells - 1))
        for position, scale, cells in zip(spot, level.scale, level.cells, strict=True)
    )
    return row, column


def adapted(
    model: Compact, embedding: Embedding, masks: Sequence[BoolArray], steps: int = STEPS,
    seed: int = 0, progress: bool | Progress | None = None,
) -> Compact:  # fmt: skip
    """Fit a model to accepted objects; the given model is not changed.

    Parameters
    ----------
    model : CompactModel
        As it is shipped: see `CompactModel.plain`.
    embedding : Embedding
        Of the image on which the objects lie.
    masks : sequence of bool arrays (H, W)
        The accepted objects, in the order of acceptance. Fewer than `FEWEST` change nothing.
    steps : int
        Gradient steps on the decoder.
    seed : int
    progress : bool or callable, optional
        True shows a bar; a callable gets steps done, steps in all, and what is done. An exception
        that it raises ends the work.

    Returns
    -------
    CompactModel
        Its first answers are better on these objects, or the same.

    Raises
    ------
    InvalidPrompt
        The embedding is another model's, or a mask is empty or of another shape.
    """
    model.check(embedding)
    boxes = []
    for mask in masks:
        box = mask_bbox(np.asarray(mask, bool)) if mask.shape == embedding.shape else None
        if box is None:
            raise InvalidPrompt(
                "an accepted object is empty or has another shape than its image; give masks "
                f"of shape {embedding.shape}"
            )
        boxes.append(box)
    new = copy.copy(model)
    if len(boxes) < FEWEST:
        return new
    masks, boxes = masks[-LATEST:], boxes[-LATEST:]

    def knowing(chosen: Sequence[int]) -> Compact:
        known = copy.copy(new)
        known.accepted = accepted_on(model, embedding, [masks[i] for i in chosen[-ACCEPTED:]])
        return known

    def fitted(chosen: Sequence[int]) -> Compact:
        trial, some = copy.copy(new), [masks[i] for i in chosen]
        around = [boxes[i] for i in chosen]
        trial.first_decoder = _fitted(new, embedding, some, around, steps, seed, step)
        return trial

    ways = [knowing, fitted] if model.network.config.context else [fitted]
    total = 3 * steps + len(ways) * len(masks)
    with reporting(progress, total, "learn from objects") as report:
        step = partial(_next_step, report, itertools.count(1))
        for learn in ways:
            if _helps(new, learn, embedding, masks, step):
                new = learn(range(len(masks)))
    return new


def _helps(
    model: Compact, learn: Callable[[Sequence[int]], Compact], embedding: Embedding,
    masks: Sequence[BoolArray], step: Callable[[], object],
) -> bool:  # fmt: skip
    """Return whether learning from half of `masks` (H, W) helps with the others, beyond chance."""
    halves = [range(start, len(masks), 2) for start in (0, 1)]
    gain = []
    for half, rest in (halves, halves[::-1]):
        trial = learn(half)
        for i in rest:
            step()
            gain.append(
                _first_iou(trial, embedding, masks[i]) - _first_iou(model, embedding, masks[i])
            )
    return bool(np.mean(gain) - CAUTION * stats.sem(gain) >= LEAST_GAIN)


def _next_step(report: Step, count: Iterator[int]) -> None:
    report(next(count))


def _first_iou(model: CompactModel, embedding: Embedding, mask: BoolArray) -> float:
    """Compute the intersection over union after one click in the middle of `mask` (H, W)."""
    box = mask_bbox(mask)
    assert box is not None
    part = np.pad(mask[box[0] : box[2], box[1] : box[3]], 1)
    depth = ndimage.distance_transform_edt(part)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    found = model.predict(embedding, [Point(float(box[0] + y - 1), float(box[1] + x - 1))]).mask
    return float((found & mask).sum() / (found | mask).sum())


def _fitted(
    model: CompactModel, embedding: Embedding, masks: Sequence[BoolArray],
    boxes: Sequence[tuple[int, int, int, int]], steps: int, seed: int,
    step: Callable[[], object] = lambda: None,
) -> torch.nn.Module:  # fmt: skip
    """Return a copy of the decoder after gradient steps on windows around `masks` (H, W)."""
    decoder = copy.deepcopy(model.network.decoder).float().train()
    for parameter in decoder.parameters():
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=RATE, weight_decay=0.0)
    levels = pyramid.levels(embedding)
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        step()
        picks = rng.choice(len(masks), min(BATCH, len(masks)), replace=False)
        lots = [_window(levels, masks[i], boxes[i], rng) for i in picks]
        with torch.no_grad():
            inputs = _inputs(model, [view for view, _ in lots], [p for _, p in lots])
        truth = torch.tensor(
            np.stack([view.sample(masks[i]) for i, (view, _) in zip(picks, lots, strict=True)])
        ).float()
        with torch.enable_grad():
            logits, _, _ = decoder(*(tensor.clone() for tensor in inputs))
            loss = _loss(logits.float(), truth.to(logits.device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return decoder.eval().requires_grad_(False).to(model.compute)


def _window(
    levels: list[pyramid.Level], mask: BoolArray, box: tuple[int, int, int, int],
    rng: np.random.Generator,
) -> tuple[View, list[Point]]:  # fmt: skip
    """Draw a window of random size around an object (H, W), and a click near its middle."""
    part = mask[box[0] : box[2], box[1] : box[3]]
    depth = ndimage.distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1]
    deep = np.argwhere(depth >= 0.6 * depth.max())
    y, x = deep[rng.integers(len(deep))] + np.array(box[:2])
    side = max(box[2] - box[0], box[3] - box[1], 4) * float(rng.uniform(1.3, 2.2))
    view = focus.view_around(levels, (float(y), float(x)), side)
    return view, [Point(float(y), float(x))]


def _inputs(
    model: CompactModel, views: Sequence[View], prompts: Sequence[list[Point]]
) -> tuple[Tensor, ...]:
    """Return the decoder's inputs for these windows, as float32 tensors of batch size B."""
    maps = np.stack([
        canvas.draw(points, view, None) for view, points in zip(views, prompts, strict=True)
    ])  # fmt: skip
    tensors = model.decoder_inputs(views, maps, nothing(model.network.config))
    return tuple(tensor.float() for tensor in tensors)


def _loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Sum the cross-entropy and the mean soft Dice loss of logits and truth, (B, G, G) each."""
    entropy = F.binary_cross_entropy_with_logits(logits, truth)
    share = torch.sigmoid(logits)
    both = (share * truth).sum((1, 2))
    dice = 1 - (2 * both + 1) / (share.sum((1, 2)) + truth.sum((1, 2)) + 1)
    return entropy + dice.mean()
