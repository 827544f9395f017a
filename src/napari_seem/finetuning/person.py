"""A simulated person: where they click first, where next, and how they draw a box."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..models.base import mask_bbox
from ..prompts import Box, Point

BoolArray = npt.NDArray[np.bool_]
BOX_SLACK = 0.05
"""Each side of a drawn box is off by up to this share of the object's size."""


def innermost(mask: BoolArray) -> tuple[int, int, float]:
    """Return the pixel of a mask (H, W) that is farthest from its border, and how far in pixels."""
    box = mask_bbox(mask)
    if box is None:
        return 0, 0, 0.0
    y0, x0, y1, x1 = box
    depth = ndimage.distance_transform_edt(np.pad(mask[y0:y1, x0:x1], 1))
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(y - 1 + y0), int(x - 1 + x0), float(depth[y, x])


def first_click(truth: BoolArray) -> Point:
    """Return a click in the middle of the object (H, W)."""
    y, x, _ = innermost(truth)
    return Point(y, x)


def next_click(truth: BoolArray, mask: BoolArray) -> Point | None:
    """Return a click in the middle of the largest error of a mask (H, W); None without an error."""
    missed_y, missed_x, missed = innermost(truth & ~mask)
    spilled_y, spilled_x, spilled = innermost(mask & ~truth)
    if missed == spilled == 0:
        return None
    if missed >= spilled:
        return Point(missed_y, missed_x)
    return Point(spilled_y, spilled_x, positive=False)


def drawn_box(truth: BoolArray, rng: np.random.Generator) -> Box:
    """Draw a box around the object (H, W), a little carelessly."""
    corners = np.array(mask_bbox(truth), float)
    slack = BOX_SLACK * np.tile(corners[2:] - corners[:2], 2)
    corners += rng.uniform(-1, 1, 4) * slack
    limit = np.array([*truth.shape, *truth.shape], float)
    y0, x0, y1, x1 = np.clip(corners, 0, limit)
    return Box(y0, x0, max(y1, y0 + 2), max(x1, x0 + 2))


def iou(mask: BoolArray, truth: BoolArray) -> float:
    """Compute the intersection over union of two masks (H, W); 1 where both are empty."""
    union = int((mask | truth).sum())
    return float((mask & truth).sum() / union) if union else 1.0
