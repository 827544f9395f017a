"""A simulated person: where they click first, where next, and how they draw."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_seem.prompts import Box, Point, Polygon, Scribble

BoolArray = npt.NDArray[np.bool_]
BOX_SLACK = 0.05
"""Each side of a drawn box is off by up to this share of the object's size."""


def innermost(mask: BoolArray) -> tuple[int, int, float]:
    """The pixel of a mask that is farthest from its border, and that distance in pixels."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return 0, 0, 0.0
    y0, x0 = rows[0], cols[0]
    part = np.pad(mask[y0 : rows[-1] + 1, x0 : cols[-1] + 1], 1)
    depth = ndimage.distance_transform_edt(part)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(y - 1 + y0), int(x - 1 + x0), float(depth[y, x])


def first_click(truth: BoolArray) -> Point:
    """A click in the middle of the object."""
    y, x, _ = innermost(truth)
    return Point(y, x)


def next_click(truth: BoolArray, mask: BoolArray) -> Point | None:
    """A click in the middle of the largest error, or None where there is none left."""
    missed_y, missed_x, missed = innermost(truth & ~mask)
    spilled_y, spilled_x, spilled = innermost(mask & ~truth)
    if missed == spilled == 0:
        return None
    if missed >= spilled:
        return Point(missed_y, missed_x)
    return Point(spilled_y, spilled_x, positive=False)


def drawn_box(truth: BoolArray, rng: np.random.Generator) -> Box:
    """A box around the object, drawn a little carelessly."""
    rows, cols = np.flatnonzero(truth.any(1)), np.flatnonzero(truth.any(0))
    corners = np.array([rows[0], cols[0], rows[-1] + 1, cols[-1] + 1], float)
    slack = BOX_SLACK * np.array([np.ptp(rows) + 1, np.ptp(cols) + 1] * 2)
    corners += rng.uniform(-1, 1, 4) * slack
    limit = np.array([*truth.shape, *truth.shape], float)
    y0, x0, y1, x1 = np.clip(corners, 0, limit)
    return Box(y0, x0, max(y1, y0 + 2), max(x1, x0 + 2))


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


def iou(mask: BoolArray, truth: BoolArray) -> float:
    """Intersection over union; 1 where both are empty."""
    union = int((mask | truth).sum())
    return float((mask & truth).sum() / union) if union else 1.0
