"""Objects carried to a plane by a model that learns from accepted planes as examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from ...embeddings import EmbeddingCache
from ...images import AnyArray, Window
from ...models.in_context import InContextModel, Kind
from .. import lineage, newcomers, shapes
from ..events import events_of
from ..known import KnownPlanes
from ..results import PlaneResult
from ..shapes import Shape
from . import carry
from .carry import ClassShares
from .lessons import Lessons


class ByExample:
    """Labels planes by expectation, and by what a model learned from accepted ones.

    Parameters
    ----------
    model : InContextModel
    known : KnownPlanes
    kind : str
        'semantic' or 'instance'.
    window : Window or None
        Intensities that all planes are shown with.
    find_new, divide : bool
        As of `Propagation`.
    cache : EmbeddingCache, optional
    """

    gap_by_gap = False

    def __init__(
        self, model: InContextModel, known: KnownPlanes, kind: Kind, window: Window | None,
        find_new: bool, divide: bool, cache: EmbeddingCache | None,
    ) -> None:  # fmt: skip
        self._known, self._kind = known, kind
        self._find_new, self._divide = find_new, divide
        self._lessons = Lessons(model, known.stack, kind, window, find_new, cache)

    def label(
        self, index: int, expected: Mapping[int, Shape], beside: Sequence[int]
    ) -> PlaneResult:
        """Label a plane by expectation and model; see `Carrier`."""
        known, shape = self._known, self._known.stack.plane_shape
        if not expected and not self._find_new:
            return PlaneResult(index, np.zeros(shape, np.int32), {})
        lesson = self._lessons.learn(index, known.seeds)
        around = [one.box for one in expected.values()]
        box = (0, 0, *shape) if self._find_new else shapes.joint_box(around)
        where = None if self._find_new else carry.decisive(expected, box)
        seen = self._lessons.shares(lesson, index, box, where)
        ids = lesson.ids if self._kind == "semantic" else ()
        source = ClassShares(box, seen, tuple(ids))
        labels, scores = carry.assign_labels(expected, source, shape)
        near = [known.results[k] for k in beside]
        scores = {i: score * carry.inherited(near, i) for i, score in scores.items()}
        result = PlaneResult(index, labels, scores, events_of(index, labels, expected))
        if self._divide and index > min(known.areas):
            before = known.results[beside[0]]
            look = partial(self._lessons.shares, lesson)
            result = lineage.divided(result, before, expected, look, known.next_id)
        if not self._find_new:
            return result
        return newcomers.add(result, seen, known.usual_area, known.next_id)

    def encode(self, image: AnyArray) -> None:
        """Encode a plane (H, W) or (H, W, C) into the cache."""
        self._lessons.encode(image)

    def forget(self, index: int | None = None) -> None:
        """Learn anew what was learned from a plane, or from any."""
        self._lessons.forget(index)
