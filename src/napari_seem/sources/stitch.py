"""Joining objects of overlapping frames that lie on each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .frames import Area

SAME_AT = 0.5
"""Least intersection over union, where two frames overlap, of one object found in both."""
Ids = npt.NDArray[np.unsignedinteger]
Part = tuple[int, int]
"""An object of a frame: the frame's number in reading order, and the object's own in it."""


@dataclass(frozen=True, eq=False)
class FrameObjects:
    """The objects of one frame.

    Attributes
    ----------
    number : int
        Of the frame, in reading order.
    core, area : (y0, x0, y1, x1)
        The part of the plane that is the frame's own, and all that it covers; half-open.
    labels : unsigned integer array (h, w)
        Over `area`; 0 where nothing was found.
    """

    number: int
    core: Area
    area: Area
    labels: Ids = field(repr=False)

    def within(self, area: Area) -> Ids:
        """Return the labels (h, w) of an area inside of what the frame covers."""
        y0, x0 = self.area[:2]
        return self.labels[area[0] - y0 : area[2] - y0, area[1] - x0 : area[3] - x0]


@dataclass(frozen=True, eq=False)
class Spill:
    """An object of one frame that reaches into the part of another, which did not find it there."""

    part: Part
    into: int
    corner: tuple[int, int]
    mask: npt.NDArray[np.bool_] = field(repr=False)


class Groups:
    """A union-find of the parts that are one object."""

    def __init__(self) -> None:
        self._parent: dict[Part, Part] = {}

    def find(self, part: Part) -> Part:
        """Return the first part, in reading order, of the object that a part belongs to."""
        root = part
        while self._parent.get(root, root) != root:
            root = self._parent[root]
        while self._parent.get(part, part) != root:
            self._parent[part], part = root, self._parent[part]
        return root

    def join(self, one: Part, other: Part) -> None:
        """Make two parts one object."""
        first, second = sorted((self.find(one), self.find(other)))
        self._parent[second] = first


def common(one: Area, other: Area) -> Area | None:
    """Return where two areas overlap, or None."""
    y0, x0 = max(one[0], other[0]), max(one[1], other[1])
    y1, x1 = min(one[2], other[2]), min(one[3], other[3])
    return (y0, x0, y1, x1) if y0 < y1 and x0 < x1 else None


def compare(one: FrameObjects, other: FrameObjects, groups: Groups) -> Iterable[Spill]:
    """Join the objects that two neighbouring frames both found; yield those that only one found."""
    shared = common(one.area, other.area)
    if shared is None:
        return
    same = _same(one.within(shared), other.within(shared))
    for a, b in same:
        groups.join((one.number, a), (other.number, b))
    yield from _spills(one, other, {a for a, _ in same})
    yield from _spills(other, one, {b for _, b in same})


def _same(first: Ids, second: Ids) -> list[tuple[int, int]]:
    """Return pairs of labels of two label arrays (h, w) that cover the same pixels."""
    if not first.any() or not second.any():
        return []
    width = int(second.max()) + 1
    joint = np.bincount((first.astype(np.int64) * width + second).ravel())
    joint = np.pad(joint, (0, -len(joint) % width)).reshape(-1, width)
    sizes = joint.sum(1)[:, None] + joint.sum(0)[None, :] - joint
    rows, cols = np.nonzero(joint[1:, 1:] >= SAME_AT * np.maximum(sizes[1:, 1:], 1))
    return [(int(a) + 1, int(b) + 1) for a, b in zip(rows, cols, strict=True)]


def _spills(one: FrameObjects, other: FrameObjects, matched: set[int]) -> Iterable[Spill]:
    """Yield objects of the core of `one` that go on in that of `other`, which has no match."""
    reach = common(one.area, other.core)
    if reach is None:
        return
    beyond = one.within(reach)
    own = np.unique(one.within(one.core))
    for label in np.intersect1d(own, beyond):
        if label and int(label) not in matched:
            yield Spill((one.number, int(label)), other.number, reach[:2], beyond == label)
