"""Whole-image results from all object queries: semantic, panoptic and instance segmentation.

K names have one more class, the background, as the last. Masks are resized to the padded input,
cropped to the image within, and resized to the original image.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..base import BoolArray, Instance, IntArray, mask_bbox

CHUNK = 16
"""Masks brought to the size of the image at once."""


@dataclass(frozen=True, slots=True)
class OutputSizes:
    """Sizes (height, width) on the way from masks to image: padded input, input, image."""

    padded: tuple[int, int]
    resized: tuple[int, int]
    shape: tuple[int, int]

    def resize(self, logits: Tensor) -> Tensor:
        """Resize mask logits (N, h, w) to the image: (N, H, W)."""
        x = F.interpolate(logits[None], size=self.padded, mode="bilinear")
        x = x[..., : self.resized[0], : self.resized[1]]
        if self.resized != self.shape:
            x = F.interpolate(x, size=self.shape, mode="bilinear")
        return x[0]


def semantic(classes: Tensor, masks: Tensor, frame: OutputSizes) -> IntArray:
    """Find the most probable name of each pixel.

    Parameters
    ----------
    classes : Tensor (Q, K + 1)
        Class logits.
    masks : Tensor (Q, h, w)
        Mask logits at stride 4.
    frame : OutputSizes

    Returns
    -------
    int32 array (H, W)
        Index of the name plus one.
    """
    probabilities = classes.softmax(dim=1)[:, :-1]  # (Q, K)
    total = torch.zeros(probabilities.shape[1], *frame.shape, device=masks.device)
    for first in range(0, len(masks), CHUNK):
        inside = frame.resize(masks[first : first + CHUNK]).sigmoid()
        total += torch.einsum("qk,qhw->khw", probabilities[first : first + CHUNK], inside)
    return (total.argmax(dim=0) + 1).to(torch.int32).cpu().numpy()


def panoptic(
    classes: Tensor,
    masks: Tensor,
    frame: OutputSizes,
    names: Sequence[str],
    stuff: Collection[str] = (),
    *,
    threshold: float,
    visible: float = 0.8,
) -> tuple[Instance, ...]:
    """Find regions that do not overlap, best first.

    Parameters
    ----------
    classes : Tensor (Q, K + 1)
        Class logits.
    masks : Tensor (Q, h, w)
        Mask logits at stride 4.
    frame : OutputSizes
    names : sequence of str
        The K names.
    stuff : collection of str
        Names whose regions are merged into one each.
    threshold : float
        Class score above which a query counts.
    visible : float
        Share of its mask that a region must keep against better ones.
    """
    scores, best = classes.softmax(dim=1).max(dim=1)  # (Q,)
    kept = ((best < len(names)) & (scores > threshold)).nonzero().squeeze(1)
    if len(kept) == 0:
        return ()
    inside = frame.resize(masks[kept]).sigmoid()  # (N, H, W)
    owner = (inside * scores[kept, None, None]).argmax(dim=0)  # (H, W)
    found: dict[object, tuple[float, BoolArray, str]] = {}
    for index, query in enumerate(kept.tolist()):
        mask, owned = inside[index] >= 0.5, owner == index
        if not (mask & owned).any() or owned.sum() < visible * mask.sum():
            continue
        name, region = names[int(best[query])], (mask & owned).cpu().numpy()
        key: object = name if name in stuff else query
        score = float(scores[query])
        if key in found:
            score, region = max(score, found[key][0]), region | found[key][1]
        found[key] = (score, region, name)
    instances = [
        _instance(region, score, name, thing=name not in stuff)
        for score, region, name in found.values()
    ]
    return tuple(sorted(instances, key=lambda instance: -instance.score))


def instances(
    classes: Tensor, masks: Tensor, frame: OutputSizes, names: Sequence[str], limit: int = 100
) -> tuple[Instance, ...]:
    """Find the `limit` best pairs of query and name, best first; they may overlap.

    The score is that of the class times the mean probability inside the mask. `classes` is (Q, K +
    1) and `masks` (Q, h, w), as for `panoptic`.
    """
    probabilities = classes.softmax(dim=1)[:, :-1]  # (Q, K)
    best = probabilities.flatten().topk(min(limit, probabilities.numel()))
    made: dict[int, tuple[float, BoolArray]] = {}
    found = []
    for score, index in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        query, name = divmod(index, len(names))
        if query not in made:
            logits = frame.resize(masks[query : query + 1])[0]
            made[query] = (certainty(logits), (logits > 0).cpu().numpy())
        sure, mask = made[query]
        if mask.any():
            found.append(_instance(mask, score * sure, names[name]))
    return tuple(sorted(found, key=lambda instance: -instance.score))


def certainty(logits: Tensor) -> float:
    """Average the probability inside the mask of logits (H, W); 0 where it is empty."""
    inside = logits > 0
    return float(logits[inside].sigmoid().mean()) if inside.any() else 0.0


def _instance(mask: BoolArray, score: float, name: str, *, thing: bool = True) -> Instance:
    """Cut an object out of its mask (H, W)."""
    box = mask_bbox(mask)
    if box is None:
        raise ValueError("an instance has at least one pixel")
    y0, x0, y1, x1 = box
    return Instance(np.ascontiguousarray(mask[y0:y1, x0:x1]), box, float(score), name, thing)
