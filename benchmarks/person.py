"""A simulated person: where they click first, where next, and how they draw."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_seem.finetuning.person import (
    BoolArray,
    drawn_box,
    first_click,
    innermost,
    iou,
    next_click,
)
from napari_seem.prompts import Polygon, Scribble

__all__ = [
    "BoolArray", "drawn_box", "drawn_lasso", "drawn_scribble", "first_click", "innermost", "iou",
    "next_click",
]  # fmt: skip


def drawn_scribble(truth: BoolArray) -> Scribble:
    """A stroke along the middle of the object."""
    from skimage.morphology import skeletonize

    depth = ndimage.distance_transform_edt(truth)
    core = truth & (depth >= 0.4 * depth.max())
    parts, count = ndimage.label(core, np.ones((3, 3)))
    if count > 1:
        core = parts == np.bincount(parts.ravel())[1:].argmax() + 1
    line = skeletonize(core)
    return Scribble(line if line.any() else core)


def drawn_lasso(truth: BoolArray) -> Polygon:
    """A rough outline that runs a little outside the object."""
    from skimage.measure import approximate_polygon, find_contours

    _, _, radius = innermost(truth)
    reach = max(1.0, 0.2 * radius)
    room = int(4 * reach) + 1
    soft = ndimage.gaussian_filter(np.pad(truth, room).astype(float), reach)
    around = max(find_contours(soft, min(0.3, soft.max() / 2)), key=len) - room
    outline = approximate_polygon(around, reach / 2)
    corners = outline if len(outline) >= 4 else around
    return Polygon(np.clip(corners[:-1], 0, np.array(truth.shape) - 1))
