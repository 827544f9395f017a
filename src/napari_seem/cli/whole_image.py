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

STRIP = 1024
"""Rows of a label array that are looked at at a time."""
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

    def told(self, image: Any) -> dict[str, Any]:
        """The question in words of the record."""
        from dataclasses import asdict

        from ..sources import is_big

        return {
            "words": self.names, "filters": asdict(self.wanted), "numbers": None, "ids": None,
            "whole": is_big(image.shape),
        }  # fmt: skip


def find_all(model: Model, image: Any, asked: Question, out: Any = None) -> dict[str, Written]:
    """Label arrays and their tables: "objects", and the maps that were asked for.

    The objects of a big image are written into `out` where it is given.
    """
    from ..models.filters import filtered
    from ..sources import is_big

    if is_big(image.shape):
        return _find_tiled(model, image, asked, out)
    found = filtered(model.segment(model.encode(image), asked.names), asked.wanted)
    return {"objects": (found.labels, _objects(found, model.name))} | _maps(found, asked, model)


def _find_tiled(model: Model, image: Any, asked: Question, out: Any) -> dict[str, Written]:
    """Work through an image too big for one pass, with a line of progress."""
    from ..models.base import Segmentation
    from ..sources import instances_of, segment_tiled

    def show(done: int, total: int) -> None:
        print(f"\r{100 * done // total} %", end="", file=sys.stderr)

    semantic = np.zeros(image.shape[:2], np.int32) if asked.maps else None
    found = segment_tiled(model, image, asked.names, out=out, semantic=semantic, progress=show)
    print(file=sys.stderr)
    wanted = {one.label_id for one in found.objects
              if asked.wanted.admits(one.area, one.score, one.name)}  # fmt: skip
    labels = found.labels
    if len(wanted) < len(found.objects):
        for rows_of in _strips(labels):
            part = np.asarray(labels[rows_of])
            labels[rows_of] = np.where(np.isin(part, list(wanted)), part, 0).astype(part.dtype)
    kept = [one for one in found.objects if one.label_id in wanted]
    rows = {one.label_id: (one.name, one.score) for one in kept}
    written = {"objects": (labels, _table(rows, model.name))}
    if asked.maps:
        chosen = tuple(i for i in instances_of(found) if asked.wanted.holds(i))
        whole = Segmentation(image.shape[:2], chosen, semantic, found.names, found.stuff)
        written |= _maps(whole, asked, model)
    return written


def labelled_pixels(labels: Any) -> int:
    """How many pixels belong to anything; an array on disk is read strip by strip."""
    return sum(int(np.count_nonzero(np.asarray(labels[rows]))) for rows in _strips(labels))


def _strips(labels: Any) -> list[slice]:
    return [slice(top, top + STRIP) for top in range(0, labels.shape[0], STRIP)]


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
        label_id: ObjectRecord.made(name, score, model)
        for label_id, (name, score) in rows.items()
    })  # fmt: skip
