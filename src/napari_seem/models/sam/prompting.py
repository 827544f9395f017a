"""The project's prompts as SAM and SAM 2.1 read them: points, one box, one low-resolution mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

from ...prompts import BoolArray, Box, Mask, Point, Polygon, Prompt, Scribble, pixel_box, rasterize
from ..base import mask_bbox
from .square import Square

ALONG_A_STROKE = 16
"""Most points that stand for a scribble."""
INSIDE_A_REGION = 4
"""Points that stand for a region that is not the object."""
SURE = 10.0
"""Logit of a cell in the mask of a prompt, and of one outside with the other sign."""


@dataclass(frozen=True)
class TurnInput:
    """One turn's prompts, for one object.

    Attributes
    ----------
    points : float32 (N, 2)
        (x, y) in the square.
    labels : int64 (N,)
        1 on the object, 0 on what is not the object.
    box : float32 (4,) or None
        (x0, y0, x1, y1) in the square.
    mask : float32 (GRID, GRID) or None
        Logits.
    """

    points: Tensor
    labels: Tensor
    box: Tensor | None
    mask: Tensor | None

    @property
    def is_ambiguous(self) -> bool:
        """Whether one click is all that is known."""
        return len(self.labels) == 1 and self.box is None and self.mask is None


def read(prompts: Sequence[Prompt], square: Square, memory: Tensor | None) -> TurnInput:
    """Return what prompts on an image say to the network.

    A scribble becomes points along it. A polygon or a mask becomes a box and the mask of the turn,
    unless `memory` holds one; several boxes become the one around them. A region that is not the
    object becomes points in it, and is cut out of the mask.

    Parameters
    ----------
    prompts : sequence of Point, Box, Polygon, Scribble or Mask
    square : Square
    memory : float32 (GRID, GRID), optional
        Logits of the turn before.
    """
    places: list[npt.NDArray[np.float64]] = []
    labels: list[int] = []
    for prompt in prompts:
        found = _places(prompt, square.shape)
        places.append(found)
        labels += [int(prompt.positive)] * len(found)
    points = np.concatenate([np.zeros((0, 2)), *places])
    boxes = [_box(p, square.shape) for p in prompts if p.positive and _is_region(p)]
    box = None
    if boxes:
        around = np.array(boxes)
        corners = np.array([around[:, :2].min(0), around[:, 2:].max(0)]) - 0.5  # edges of pixels
        box = square.places(corners).flatten()
    return TurnInput(
        square.places(points), torch.tensor(labels, dtype=torch.int64), box,
        _mask(prompts, square, memory),
    )  # fmt: skip


def _is_region(prompt: Prompt) -> bool:
    return isinstance(prompt, (Box, Polygon, Mask))


def _places(prompt: Prompt, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Return the points (N, 2) that a prompt puts, rows before columns."""
    if isinstance(prompt, Point):
        return np.array([[prompt.y, prompt.x]], float)
    if isinstance(prompt, Scribble):
        return along(rasterize(prompt, shape))
    if not prompt.positive and isinstance(prompt, (Box, Polygon, Mask)):
        return _inside(rasterize(prompt, shape))
    return np.zeros((0, 2))


def along(stroke: BoolArray, most: int = ALONG_A_STROKE) -> npt.NDArray[np.float64]:
    """Return at most `most` pixels (N, 2) of a stroke (H, W), far from each other."""
    pixels = np.argwhere(stroke).astype(float)
    if not len(pixels):
        return pixels
    centre = pixels.mean(0)
    chosen = [int(((pixels - centre) ** 2).sum(1).argmin())]
    far = np.full(len(pixels), np.inf)
    apart = max(9.0, len(pixels) / most)  # squared: 3 pixels, or a point's share of a wide stroke
    while len(chosen) < most:
        far = np.minimum(far, ((pixels - pixels[chosen[-1]]) ** 2).sum(1))
        if far.max() < apart:
            break
        chosen.append(int(far.argmax()))
    return pixels[chosen]


def _inside(region: BoolArray) -> npt.NDArray[np.float64]:
    """Return the deepest pixels (N, 2) of a region (H, W), none near another."""
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    rows, cols = np.indices(region.shape)
    found: list[tuple[int, int]] = []
    while len(found) < INSIDE_A_REGION and depth.max() > 0:
        y, x = divmod(int(depth.argmax()), region.shape[1])
        found.append((y, x))
        depth[(rows - y) ** 2 + (cols - x) ** 2 <= (2 * depth[y, x]) ** 2] = 0
    return np.array(found, float).reshape(-1, 2)


def _box(prompt: Prompt, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the half-open (y0, x0, y1, x1) around a region of the object."""
    if isinstance(prompt, Box):
        return pixel_box(prompt, shape)
    assert isinstance(prompt, (Polygon, Mask))
    box = mask_bbox(rasterize(prompt, shape))
    assert box is not None  # `check_prompts` takes no empty region
    return box


def _mask(prompts: Sequence[Prompt], square: Square, memory: Tensor | None) -> Tensor | None:
    """Return the logits (GRID, GRID) that a turn starts from, or None."""
    drawn = [p for p in prompts if isinstance(p, (Polygon, Mask)) and p.positive]
    logits = memory
    if logits is None and drawn:
        covered = torch.stack([square.cells(rasterize(p, square.shape)) for p in drawn]).amax(0)
        logits = SURE * (2 * covered - 1)
    if logits is None:
        return None
    for prompt in prompts:
        if not prompt.positive and isinstance(prompt, (Box, Polygon, Mask)):
            out = square.cells(rasterize(prompt, square.shape)) > 0.5
            logits = torch.where(out.to(logits.device), -SURE, logits)
    return logits
