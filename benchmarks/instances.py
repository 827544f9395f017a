"""How well a label image tells objects apart: average precision, panoptic quality, splits, merges.

All figures come from one table: the pixels that each found object shares with each true one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""Intersections over union at which objects are matched: 0.5, 0.55, ..., 0.95."""
IGNORED_SHARE = 0.5
"""A found object that lies on ignored pixels with more than this share is left out."""

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Overlaps:
    """What found objects (rows) and true objects (columns) of one image have in common.

    Attributes
    ----------
    shared : float64 (F, T)
        Pixels in both.
    found, true : float64 (F,) and (T,)
        Pixels of each.
    scores : float64 (F,)
        How sure the model is of each found object.
    """

    shared: FloatArray = field(repr=False)
    found: FloatArray = field(repr=False)
    true: FloatArray = field(repr=False)
    scores: FloatArray = field(repr=False)

    @property
    def iou(self) -> FloatArray:
        """Intersection over union of every pair, (F, T)."""
        return self.shared / (self.found[:, None] + self.true[None] - self.shared)


def overlaps(
    found: npt.NDArray[np.integer], true: npt.NDArray[np.integer],
    ignored: npt.NDArray[np.bool_] | None = None, scores: Sequence[float] | None = None,
) -> Overlaps:  # fmt: skip
    """Count the pixels that found and true objects share.

    Parameters
    ----------
    found, true : integer (H, W)
        Object ids, 0 is background.
    ignored : bool (H, W), optional
        Pixels of which nobody says what they are. Found objects that lie mostly on them are left
        out, and the others lose the pixels that lie there.
    scores : sequence of float, optional
        Of the found ids 1, 2, ...; by default all 1.
    """
    f_ids, f_index = np.unique(found, return_inverse=True)
    t_ids, t_index = np.unique(true, return_inverse=True)
    f_index, t_index = f_index.reshape(-1), t_index.reshape(-1)
    seen = np.ones(f_index.size, bool) if ignored is None else ~ignored.reshape(-1)
    table = np.bincount(
        f_index[seen] * t_ids.size + t_index[seen], minlength=f_ids.size * t_ids.size
    ).reshape(f_ids.size, t_ids.size).astype(float)  # fmt: skip
    whole = np.bincount(f_index, minlength=f_ids.size)
    judged = (f_ids > 0) & (table.sum(1) > (1 - IGNORED_SHARE) * whole)
    real = (t_ids > 0) & (table.sum(0) > 0)
    sure = np.ones(f_ids.size)
    if scores is not None:
        sure = np.array([scores[i - 1] if i > 0 else 0.0 for i in f_ids])
    return Overlaps(
        table[judged][:, real], table[judged].sum(1), table[:, real].sum(0), sure[judged]
    )


def matches(iou: FloatArray, threshold: float) -> list[tuple[int, int]]:
    """Pairs (found, true) of an IoU above `threshold`, each object in one pair at most.

    At 0.5 and above there is no choice where objects do not overlap (Kirillov et al. 2019).
    """
    pairs = np.argwhere(iou > threshold)
    order = np.argsort(-iou[iou > threshold], kind="stable")
    taken_found, taken_true, kept = set(), set(), []
    for f, t in pairs[order]:
        if f not in taken_found and t not in taken_true:
            kept.append((int(f), int(t)))
            taken_found.add(f)
            taken_true.add(t)
    return kept


def average_precision(iou: FloatArray, threshold: float) -> float:
    """TP / (TP + FP + FN), as in the 2018 Data Science Bowl (Caicedo et al. 2019) and StarDist.

    No scores are needed, so that tools without any can be compared. NaN where there is nothing to
    find and nothing was found.
    """
    total = sum(iou.shape)
    hits = len(matches(iou, threshold))
    return hits / (total - hits) if total else float("nan")


def f1(iou: FloatArray, threshold: float) -> float:
    """Harmonic mean of precision and recall of the objects; NaN where there is nothing at all."""
    total = sum(iou.shape)
    return 2 * len(matches(iou, threshold)) / total if total else float("nan")


def panoptic_quality(iou: FloatArray) -> float:
    """Sum of the matched IoUs over TP + FP / 2 + FN / 2 (Kirillov et al. 2019), one class."""
    total = sum(iou.shape)
    kept = matches(iou, 0.5)
    return 2 * sum(float(iou[pair]) for pair in kept) / total if total else float("nan")


def over_segmentation(table: Overlaps) -> float:
    """Share of the true objects that were taken apart.

    As Hoover et al. (1996) with a tolerance of one half: two or more found objects lie, each by
    more than half, in the true one, and cover more than half of it together; no one of them
    matches it at an IoU above 0.5. A tool that finds nothing has none.
    """
    if not table.true.size:
        return float("nan")
    inside = table.shared > 0.5 * table.found[:, None]
    covered = (table.shared * inside).sum(0) > 0.5 * table.true
    whole = (table.iou > 0.5).any(0) if table.found.size else np.zeros(table.true.size, bool)
    return float((covered & (inside.sum(0) >= 2) & ~whole).mean())


def under_segmentation(table: Overlaps) -> float:
    """Share of the true objects that were run together.

    The mirror of `over_segmentation`: a found object holds more than half of each of two or more
    true ones, and more than half of it is made of them. An object that the found one matches at an
    IoU above 0.5 does not count, its swallowed neighbours do.
    """
    if not table.true.size:
        return float("nan")
    inside = table.shared > 0.5 * table.true[None]
    filled = (table.shared * inside).sum(1) > 0.5 * table.found
    merged = inside & (filled & (inside.sum(1) >= 2))[:, None] & ~(table.iou > 0.5)
    return float(merged.any(0).mean())


def ranked_precision(tables: Sequence[Overlaps], threshold: float) -> float:
    """Area under precision over recall, found objects of all images by their scores (COCO).

    With 101 points of recall, as in Lin et al. (2014). Objects without scores keep the order in
    which they came.
    """
    total = sum(table.true.size for table in tables)
    if not total:
        return float("nan")
    hits, scores = [], []
    for table in tables:
        kept = {f for f, _ in matches(table.iou, threshold)}
        hits += [row in kept for row in range(table.found.size)]
        scores += list(table.scores)
    right = np.cumsum(np.array(hits, float)[np.argsort(-np.array(scores), kind="stable")])
    precision = right / np.arange(1, right.size + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(right / total, np.linspace(0, 1, 101))
    return (
        float(np.where(at < right.size, best[np.minimum(at, right.size - 1)], 0).mean())
        if (right.size)
        else 0.0
    )
