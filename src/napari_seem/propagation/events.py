"""What happened to objects on a plane."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .results import Event
from .shapes import IntArray, Shape, outlines

PART = 0.15
"""Least share of an object's area of a separate piece that counts as a split."""


def events_of(index: int, labels: IntArray, expected: Mapping[int, Shape]) -> tuple[Event, ...]:
    """List the objects that ended or split in a plane of `labels` (H, W)."""
    boxes = outlines(labels)
    events = []
    for number, shape in expected.items():
        if number not in boxes:
            events.append(Event("ended", number, index))
            continue
        y0, x0, y1, x1 = boxes[number]
        if _pieces(labels[y0:y1, x0:x1] == number) > max(1, _pieces(shape.mask)):
            events.append(Event("split", number, index))
    return tuple(events)


def _pieces(mask: npt.NDArray[np.bool_]) -> int:
    """Count the pieces of a mask (h, w) that are large enough to count."""
    parts, count = ndimage.label(mask, np.ones((3, 3)))
    sizes = np.bincount(parts.ravel())[1:]
    return int((sizes > PART * sizes.sum()).sum()) if count else 0
