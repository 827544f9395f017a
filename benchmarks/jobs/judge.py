"""How well a result agrees with the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

IntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]


def dice(mask: BoolArray, truth: BoolArray) -> float:
    """Twice the common pixels over all pixels of both masks; 1 where both are empty."""
    total = int(mask.sum() + truth.sum())
    return 2 * int((mask & truth).sum()) / total if total else 1.0


def matches(labels: IntArray, truth: IntArray, least: float = 0.5) -> dict[int, tuple[int, float]]:
    """Match the objects of two label arrays of one shape.

    Returns
    -------
    dict of int to (int, float)
        By true id: the id of the object whose IoU with it is the largest, and that IoU, where it
        is `least` or more.
    """
    sizes, found = np.bincount(labels.ravel()), {}
    for number, place in enumerate(ndimage.find_objects(truth), 1):
        if place is None:
            continue
        inside = truth[place] == number
        counts = np.bincount(labels[place][inside], minlength=1)
        counts[0] = 0
        best = int(counts.argmax())
        if not counts[best]:
            continue
        common = int(counts[best])
        iou = common / (int(inside.sum()) + int(sizes[best]) - common)
        if iou >= least:
            found[number] = (best, iou)
    return found


def agreement(labels: IntArray, truth: IntArray) -> str:
    """Say how many true objects were found, how well, and how many are none."""
    found = matches(labels, truth)
    true = len(np.unique(truth[truth > 0]))
    objects = len(np.unique(labels[labels > 0]))
    mean = np.mean([iou for _, iou in found.values()]) if found else 0.0
    false = objects - len({number for number, _ in found.values()})
    return f"{len(found)} of {true} objects at IoU {mean:.2f}, {false} others"


def links(labels: IntArray, truth: IntArray) -> tuple[int, int]:
    """Count the links of tracks that were kept, and all of them; both arrays are (T, H, W)."""
    kept = total = 0
    found = [matches(np.asarray(a), np.asarray(b)) for a, b in zip(labels, truth, strict=True)]
    for one, other, before, after in zip(found, found[1:], truth, truth[1:], strict=False):
        for number in set(np.unique(before)) & set(np.unique(after)) - {0}:
            total += 1
            kept += number in one and number in other and one[number][0] == other[number][0]
    return kept, total


def divisions(truth: IntArray) -> list[tuple[int, int, list[int]]]:
    """Find the divisions of tracks: (frame of the daughters, mother, daughters).

    A mother ends where two or more tracks begin within some pixels of her last place.
    """
    found = []
    for frame in range(1, len(truth)):
        before, after = truth[frame - 1], truth[frame]
        new = set(np.unique(after)) - set(np.unique(before))
        for mother in set(np.unique(before)) - set(np.unique(after)) - {0}:
            near = ndimage.binary_dilation(before == mother, iterations=6)
            daughters = sorted(int(n) for n in set(np.unique(after[near])) & new)
            if len(daughters) > 1:
                found.append((frame, int(mother), daughters))
    return found


def names_of(layer: Any) -> set[str]:
    """The names and classes of a Labels layer's objects, by its table of features."""
    columns = [column for column in ("name", "class") if column in layer.features]
    return {str(value) for column in columns for value in layer.features[column] if value}
