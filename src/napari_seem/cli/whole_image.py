"""Everything on an image: objects, and the semantic and panoptic maps beside them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..edits import ObjectTable
    from ..models.base import Model, Segmentation
    from ..models.filters import Wanted

Written = tuple[Any, "ObjectTable"]


@dataclass(frozen=True)
class Question:
    """What is looked for on an image.

    Attributes
    ----------
    names : list of str or None
        Words; None for everything.
    wanted : Wanted
        Bounds on objects.
    maps : tuple of str
        Which of "semantic" and "panoptic" are wanted besides.
    """

    names: list[str] | None
    wanted: Wanted
    maps: tuple[str, ...] = field(default=())


def find_all(model: Model, image: Any, asked: Question) -> dict[str, Written]:
    """Label arrays and their tables: "objects", and the maps that were asked for."""
    from ..models.filters import filtered
    from ..tiling import is_big

    if is_big(image.shape):
        return _find_tiled(model, image, asked)
    found = filtered(model.segment(model.encode(image), asked.names), asked.wanted)
    return {"objects": (found.labels, _objects(found, model.name))} | _maps(found, asked, model)


def _find_tiled(model: Model, image: Any, asked: Question) -> dict[str, Written]:
    """Work through an image too big for one pass, with a line of progress."""
    from ..models.base import Segmentation
    from ..tiling import instances_of, segment_tiled

    def show(done: int, total: int) -> None:
        print(f"\r{100 * done // total} %", end="", file=sys.stderr)

    semantic = np.zeros(image.shape[:2], np.int32) if asked.maps else None
    found = segment_tiled(model, image, asked.names, semantic=semantic, progress=show)
    print(file=sys.stderr)
    wanted = {one.label_id for one in found.objects
              if asked.wanted.admits(one.area, one.score, one.name)}  # fmt: skip
    labels = found.labels
    if len(wanted) < len(found.objects):
        labels = np.where(np.isin(labels, list(wanted)), labels, 0)
    kept = [one for one in found.objects if one.label_id in wanted]
    rows = {one.label_id: (one.name, one.score) for one in kept}
    written = {"objects": (labels, _table(rows, model.name))}
    if asked.maps:
        chosen = tuple(i for i in instances_of(found) if asked.wanted.holds(i))
        whole = Segmentation(image.shape[:2], chosen, semantic, found.names, found.stuff)
        written |= _maps(whole, asked, model)
    return written


def _maps(found: Segmentation, asked: Question, model: Model) -> dict[str, Written]:
    maps: dict[str, Written] = {}
    if "semantic" in asked.maps and found.semantic is not None:
        present = [int(i) for i in np.unique(found.semantic) if i]
        rows = {i: (found.names[i - 1], float("nan")) for i in present}
        maps["semantic"] = found.semantic, _table(rows, model.name)
    if "panoptic" in asked.maps:
        told = found.panoptic
        nan = float("nan")
        table = {s.label_id: (s.name, nan if s.score is None else s.score) for s in told.segments}
        maps["panoptic"] = told.labels, _table(table, model.name)
    return maps


def _objects(found: Segmentation, model: str) -> ObjectTable:
    rows = {number: (i.label, i.score) for number, i in enumerate(found.instances, start=1)}
    return _table(rows, model)


def _table(rows: Mapping[int, tuple[str | None, float]], model: str) -> ObjectTable:
    from ..edits import ObjectRecord, ObjectTable

    return ObjectTable({
        label_id: ObjectRecord(name or "", round(score, 3), model)
        for label_id, (name, score) in rows.items()
    })  # fmt: skip
