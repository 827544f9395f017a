"""The project's prompts as SAM and SAM 2.1 read them: points, one box, one low-resolution mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

from ...prompts import BoolArray, Box, Point, Prompt, Scribble, pixel_box, rasterize
from ..base import mask_bbox
from .square import Square

RegionPrompt = tuple[Prompt, BoolArray, bool]
"""A prompt, the pixels (H, W) that it covers, and whether it is new in this turn."""

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
    mask : float32 (grid, grid) or None
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


@dataclass(frozen=True)
class SamMemory:
    """What is remembered of a turn.

    Attributes
    ----------
    logits : float32 (grid, grid)
        Of the answer that counts.
    prompts : int
        How many prompts it answers; those after them are new in the next turn.
    """

    logits: Tensor
    prompts: int


def read(prompts: Sequence[Prompt], square: Square, memory: SamMemory | None) -> TurnInput:
    """Return what prompts on an image say to the network.

    A scribble becomes points along it. A polygon or a mask becomes a box and the mask of the turn;
    beside the mask of the turn before, one that is new decides in its own box. Several boxes become
    the one around them. A region that is not the object becomes points in it, and is cut out of the
    mask.

    Parameters
    ----------
    prompts : sequence of Point, Box, Polygon, Scribble or Mask
        On an image (H, W).
    square : Square
    memory : SamMemory, optional
        Of the turn before.
    """
    known = 0 if memory is None else memory.prompts
    regions: list[RegionPrompt] = []
    places: list[npt.NDArray[np.float64]] = []
    labels: list[int] = []
    for number, prompt in enumerate(prompts):
        if isinstance(prompt, Point):
            found = np.array([[prompt.y, prompt.x]], float)
        else:
            covered = rasterize(prompt, square.shape)  # type: ignore[arg-type]
            found = _places(prompt, covered)
            if not isinstance(prompt, Scribble):
                regions.append((prompt, covered, number >= known))
        places.append(found)
        labels += [int(prompt.positive)] * len(found)
    points = np.concatenate([np.zeros((0, 2)), *places])
    boxes = [_box(p, covered, square.shape) for p, covered, _ in regions if p.positive]
    box = None
    if boxes:
        around = np.array(boxes)
        corners = np.array([around[:, :2].min(0), around[:, 2:].max(0)]) - 0.5  # edges of pixels
        box = square.places(corners).flatten()
    mask = _mask(regions, square, None if memory is None else memory.logits)
    return TurnInput(square.places(points), torch.tensor(labels, dtype=torch.int64), box, mask)


def _places(prompt: Prompt, covered: BoolArray) -> npt.NDArray[np.float64]:
    """Return the points (N, 2) that a stroke or a region puts, rows before columns."""
    if isinstance(prompt, Scribble):
        return along(covered)
    return np.zeros((0, 2)) if prompt.positive else _inside(covered)


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


def _box(prompt: Prompt, covered: BoolArray, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the half-open (y0, x0, y1, x1) around a region (H, W) of the object."""
    if isinstance(prompt, Box):
        return pixel_box(prompt, shape)
    box = mask_bbox(covered)
    assert box is not None  # `check_prompts` takes no empty region
    return box


def _mask(regions: Sequence[RegionPrompt], square: Square, logits: Tensor | None) -> Tensor | None:
    """Return the logits (grid, grid) that a turn starts from, or None.

    `logits` are those of the turn before.
    """
    drawn = [
        square.cells(covered) for prompt, covered, is_new in regions
        if is_new and prompt.positive and not isinstance(prompt, Box)
    ]  # fmt: skip
    if drawn:
        sure = SURE * (2 * torch.stack(drawn).amax(0) - 1)
        if logits is None:
            logits = sure
        else:
            logits = logits.clone()
            for one in drawn:
                here = _cells_around(one)
                logits[here] = sure[here].to(logits.device)
    if logits is None:
        return None
    for prompt, covered, _ in regions:
        if not prompt.positive:
            out = square.cells(covered) > 0.5
            logits = torch.where(out.to(logits.device), -SURE, logits)
    return logits


def _cells_around(shares: Tensor) -> tuple[slice, slice]:
    """Return the rows and columns in which a region has a share of cells (h, w)."""
    rows, cols = (shares.amax(axis).nonzero().flatten() for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)
