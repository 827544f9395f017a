"""Where everything is asked for on an image, and the masks of many clicks in batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ...prompts import Point
from ..base import Embedding
from ..running.patience import checkpoint
from .prompting import read
from .square import Square

if TYPE_CHECKING:
    from .model import SamModel

Places = npt.NDArray[np.float64]

ALONG = 32
"""Clicks along the longer side of the image."""
TOGETHER = {"cpu": 4}
"""Clicks that are decoded together, by kind of device: `MORE` elsewhere.

On a processor 8 take a third longer each than 2 or 4, with SAM and with SAM 2.1.
"""
MORE = 8
PEAKS = 128
"""Most clicks on peaks of the features."""


def answers(
    model: SamModel, embedding: Embedding, places: npt.ArrayLike, several: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the masks and scores of clicks on places (N, 2), a batch at a time.

    Each is as `SamModel.decode` returns it: three masks of a click where `several` are asked for.
    """
    square = Square(embedding.shape, model.keeps_aspect)
    clicks = np.asarray(places, float).tolist()
    together = TOGETHER.get(torch.device(model.device).type, MORE)
    for start in range(0, len(clicks), together):
        checkpoint()
        turns = [read([Point(y, x)], square, None) for y, x in clicks[start : start + together]]
        yield model.decode(embedding, turns, several)


def grid(shape: tuple[int, int]) -> Places:
    """Return the places (N, 2) of a grid of clicks on an image, rows before columns."""
    step = max(shape) / ALONG
    axes = [(np.arange(max(1, round(side / step))) + 0.5) for side in shape]
    rows, cols = (axis * side / len(axis) - 0.5 for axis, side in zip(axes, shape, strict=True))
    return np.stack(np.meshgrid(rows, cols, indexing="ij"), -1).reshape(-1, 2)


@torch.inference_mode()
def peaks(embedding: Embedding, square: Square) -> Places:
    """Return the places (N, 2) where the finest features differ most from those around them.

    A grid steps over objects that are smaller than its meshes; these stand out there.
    """
    features = embedding.tensors["level.0"][0].float()
    step = max(1, features.shape[-1] // ALONG)
    rows, cols = (max(1, round(part * features.shape[-1])) for part in square.covered)
    features = features[:, :rows, :cols]
    features = features / (features.std((1, 2), correction=0, keepdim=True) + 1e-6)
    around = F.avg_pool2d(features, 2 * step + 1, 1, step, count_include_pad=False)
    contrast = torch.linalg.vector_norm(features - around, dim=0)
    highest = F.max_pool2d(contrast[None], 2 * step + 1, 1, step)[0]
    stands_out = (contrast == highest) & (contrast > contrast.mean() + contrast.std(correction=0))
    found = stands_out.nonzero()
    best = contrast[stands_out].argsort(descending=True)[:PEAKS]
    cells = found[best].cpu().numpy()
    return (cells + 0.5) / (rows, cols) * embedding.shape - 0.5
