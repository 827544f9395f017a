"""Things and stuff in one map, as in Kirillov et al. 2019, "Panoptic Segmentation"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..images import AnyArray
from ..values import ArrayValue, listed, read_only

if TYPE_CHECKING:
    from .base import Segmentation


@dataclass(frozen=True)
class Segment:
    """A region of a panoptic map.

    Attributes
    ----------
    label_id : int
        Its value in the map.
    name : str or None
    score : float or None
        The model's score, 0..1; None where it gave none.
    thing : bool
        Whether it can be counted; all stuff of a name is one region.
    area : int
        Pixels.

    Examples
    --------
    >>> import napari_seem as ns
    >>> ns.Segment(1, "sky", None, thing=False, area=400).thing
    False
    """

    label_id: int
    name: str | None
    score: float | None
    thing: bool
    area: int


@dataclass(frozen=True, eq=False, repr=False)
class Panoptic(ArrayValue):
    """Every pixel in at most one region.

    Attributes
    ----------
    labels : int32 array of shape (H, W)
        Things as in `Segmentation.labels`, stuff with the ids after them; 0 where nothing was
        found.
    segments : tuple of Segment
        In the order of their ids.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> cell = ns.Instance(np.ones((2, 2), bool), (0, 0, 2, 2), 0.9, "cell")
    >>> sky = np.ones((4, 4), np.int32)
    >>> found = ns.Segmentation((4, 4), (cell,), sky, ("sky",), stuff=("sky",))
    >>> [(segment.name, segment.area) for segment in found.panoptic.segments]
    [('cell', 4), ('sky', 12)]
    """

    labels: npt.NDArray[np.int32]
    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", read_only(self.labels))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> AnyArray:
        return np.array(self.labels, dtype, copy=copy)

    def __repr__(self) -> str:
        height, width = self.labels.shape
        names = listed([segment.name for segment in self.segments])
        return f"Panoptic({height} x {width}, {len(self.segments)} regions: {names})"


def panoptic_of(found: Segmentation) -> Panoptic:
    """Put the instances of an answer onto its stuff; instances win.

    Instances that are no things (`Instance.thing`) count as stuff of their name. Of the semantic
    map only the names in `Segmentation.stuff` are taken: pixels of a thing that is no instance stay
    0.
    """
    labels = found.labels.copy()
    rows: dict[int, tuple[str | None, float | None, bool]] = {}
    regions: dict[str | None, int] = {}
    for label_id, instance in enumerate(found.instances, start=1):
        kept = label_id
        if not instance.thing:
            kept = regions.setdefault(instance.label, label_id)
            labels[found.labels == label_id] = kept
        rows.setdefault(kept, (instance.label, instance.score, instance.thing))
    last = len(found.instances)
    free = labels == 0
    for name in found.stuff if found.semantic is not None else ():
        there = free & (found.semantic == found.names.index(name) + 1)
        if not there.any():
            continue
        last += name not in regions
        label_id = regions.setdefault(name, last)
        labels[there] = label_id
        rows.setdefault(label_id, (name, None, False))
    areas = np.bincount(labels.ravel(), minlength=last + 1)
    segments = (Segment(i, *rows[i], int(areas[i])) for i in sorted(rows) if areas[i])
    return Panoptic(labels, tuple(segments))
