"""The expected place and shape of an object between or beyond labelled planes.

Signed distances are interpolated (Raya and Udupa, "Shape-based interpolation of multidimensional
objects", 1990) after both outlines were moved to where the object's centre would be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
Box2D = tuple[int, int, int, int]

SOFTNESS = 0.1
"""Uncertainty of a border from one plane to the next, as a share of the object's side."""
LEAST_SOFTNESS = 2.0
AROUND = 0.4
"""Reach of the background to learn from around objects, as a share of their usual side."""
REACH = 3.0
"""Reach of the search around an object, in softnesses."""
MANY = 8
"""Least number of objects that are taken to be of one kind."""


@dataclass(frozen=True, eq=False)
class Shape:
    """The expected shape of one object in one plane.

    Attributes
    ----------
    box : (y0, x0, y1, x1)
        The part of the plane that may hold it.
    distance : float32 (y1 - y0, x1 - x0)
        Signed distance to its expected border in pixels, positive inside.
    softness : float
        Pixels by which the border may well be off.
    """

    box: Box2D
    distance: FloatArray = field(repr=False)
    softness: float

    @property
    def mask(self) -> BoolArray:
        """The expected object inside the box: bool (y1 - y0, x1 - x0)."""
        return self.distance > 0


def outlines(labels: IntArray) -> dict[int, Box2D]:
    """Return the bounding box (y0, x0, y1, x1) of every id of `labels` (H, W)."""
    ids: npt.NDArray[np.integer] | None = None
    if labels.max(initial=0) > labels.size:  # sparse ids: a box for each number takes the memory
        ids, numbered = np.unique(labels, return_inverse=True)
        labels = numbered.reshape(labels.shape).astype(np.int32)
        if ids[0]:
            ids, labels = np.concatenate([[0], ids]), labels + 1
    return {
        number if ids is None else int(ids[number]): (
            found[0].start, found[1].start, found[0].stop, found[1].stop
        )
        for number, found in enumerate(ndimage.find_objects(labels), 1)
        if found is not None
    }  # fmt: skip


def expected(
    below: IntArray | None, above: IntArray | None, share: float = 0.5,
    moved: Mapping[int, tuple[float, float]] | None = None,
) -> dict[int, Shape]:  # fmt: skip
    """Interpolate the objects of two planes, or extrapolate those of one.

    Parameters
    ----------
    below, above : int32 (H, W), optional
        Labels of the nearest known planes on both sides; beyond the last known plane only one.
    share : float
        Of the way from `below` to `above`.
    moved : mapping of int to (dy, dx), optional
        By how much objects moved since the only known plane.

    Returns
    -------
    dict of int to Shape
        An object that one of two planes lacks shrinks towards it.
    """
    known = [plane for plane in (below, above) if plane is not None]
    if len(known) == 1:
        return {
            number: _alone(known[0], number, box, (moved or {}).get(number, (0.0, 0.0)))
            for number, box in outlines(known[0]).items()
        }
    assert below is not None
    assert above is not None
    first, second = outlines(below), outlines(above)
    shapes = {}
    for number in sorted(first.keys() | second.keys()):
        ends = [(below, first.get(number), 1 - share), (above, second.get(number), share)]
        shapes[number] = _between(number, ends)
    return shapes


def paint(shapes: Mapping[int, Shape], shape: tuple[int, int]) -> IntArray:
    """Give every pixel to the object that it lies deepest in: int32 (H, W)."""
    labels, depth = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    for number, one in shapes.items():
        y0, x0, y1, x1 = one.box
        deeper = one.distance > depth[y0:y1, x0:x1]
        labels[y0:y1, x0:x1][deeper] = number
        depth[y0:y1, x0:x1][deeper] = one.distance[deeper]
    return labels


def signed_distance(mask: BoolArray) -> FloatArray:
    """Compute the distance of pixels (H, W) to the border in pixels, positive inside.

    The border lies between pixels.
    """
    distance = np.asarray(0.5 - ndimage.distance_transform_edt(~mask), np.float32)
    # inside, the border is never further than the object's box
    for found in ndimage.find_objects(mask.view(np.uint8)):
        around = tuple(slice(max(one.start - 1, 0), one.stop + 1) for one in found)
        part = mask[around]
        distance[around][part] = ndimage.distance_transform_edt(part)[part] - 0.5
    return distance


def joint_box(boxes: Iterable[Box2D]) -> Box2D:
    """Return the box around all boxes."""
    corners = np.array(list(boxes))
    y0, x0 = corners[:, :2].min(0).tolist()
    y1, x1 = corners[:, 2:].max(0).tolist()
    return y0, x0, y1, x1


def with_room(boxes: Iterable[Box2D], shape: tuple[int, ...]) -> Box2D:
    """Return the box around boxes and twice their longest side, within a plane (H, W)."""
    corners = np.array(list(boxes))
    room = 2 * (corners[:, 2:] - corners[:, :2]).max()
    low = np.maximum(corners[:, :2].min(0) - room, 0).tolist()
    high = np.minimum(corners[:, 2:].max(0) + room, shape).tolist()
    return low[0], low[1], high[0], high[1]


def surroundings(labels: IntArray) -> Box2D:
    """Return the part of `labels` (H, W) that shows its objects and enough background."""
    boxes = list(outlines(labels).values())
    side = float(np.median([((b[2] - b[0]) * (b[3] - b[1])) ** 0.5 for b in boxes]))
    return _grown(joint_box(boxes), max(8.0, AROUND * side) / REACH, labels.shape)


def _alone(labels: IntArray, number: int, box: Box2D, moved: tuple[float, float]) -> Shape:
    """Expect an object of `labels` (H, W) at its moved place."""
    softness = _softness(box)
    around = _grown(_shifted(box, moved), softness, labels.shape)
    return Shape(around, _distance_at(labels, number, box, around, moved), softness)


def _between(number: int, ends: list[tuple[IntArray, Box2D | None, float]]) -> Shape:
    """Interpolate one object that at least one of two planes has.

    `ends` holds for each plane its labels (H, W), the object's box, if any, and a weight.
    """
    present = [(plane, box, weight) for plane, box, weight in ends if box is not None]
    if len(present) == 1:  # it ends, or begins, before the other plane
        plane, box, weight = present[0]
        alone = _alone(plane, number, box, (0.0, 0.0))
        less = (1 - weight) * float(alone.distance.max(initial=0.0))
        return Shape(alone.box, alone.distance - np.float32(less), alone.softness)
    centres = [_centre(plane, number, box) for plane, box, _ in present]
    goal = sum(w * c for (_, _, w), c in zip(present, centres, strict=True))
    moves = [(float((goal - c)[0]), float((goal - c)[1])) for c in centres]
    softness = max(_softness(box) for _, box, _ in present)
    boxes = [_shifted(box, m) for (_, box, _), m in zip(present, moves, strict=True)]
    around = _grown(joint_box(boxes), softness, present[0][0].shape)
    total = np.zeros((around[2] - around[0], around[3] - around[1]), np.float32)
    for (plane, box, weight), move in zip(present, moves, strict=True):
        total += np.float32(weight) * _distance_at(plane, number, box, around, move)
    return Shape(around, total, softness)


def _distance_at(
    labels: IntArray, number: int, box: Box2D, around: Box2D, moved: tuple[float, float]
) -> FloatArray:
    """Compute the signed distance of a moved object of `labels` (H, W) over the box `around`."""
    dy, dx = round(moved[0]), round(moved[1])
    mask = np.zeros((around[2] - around[0], around[3] - around[1]), bool)
    y0, x0 = max(box[0] + dy, around[0]), max(box[1] + dx, around[1])
    y1, x1 = min(box[2] + dy, around[2]), min(box[3] + dx, around[3])
    if y1 > y0 and x1 > x0:
        source = labels[y0 - dy : y1 - dy, x0 - dx : x1 - dx] == number
        mask[y0 - around[0] : y1 - around[0], x0 - around[1] : x1 - around[1]] = source
    if not mask.any():
        return np.full(mask.shape, -np.float32(max(mask.shape)), np.float32)
    return signed_distance(mask)


def _softness(box: Box2D) -> float:
    side = ((box[2] - box[0]) * (box[3] - box[1])) ** 0.5
    return max(LEAST_SOFTNESS, SOFTNESS * side)


def _centre(labels: IntArray, number: int, box: Box2D) -> npt.NDArray[np.float64]:
    """Return the centroid (2,) of an object of `labels` (H, W)."""
    y0, x0, y1, x1 = box
    rows, columns = np.nonzero(labels[y0:y1, x0:x1] == number)
    return np.array([y0 + rows.mean(), x0 + columns.mean()])


def _shifted(box: Box2D, moved: tuple[float, float]) -> Box2D:
    dy, dx = round(moved[0]), round(moved[1])
    return box[0] + dy, box[1] + dx, box[2] + dy, box[3] + dx


def _grown(box: Box2D, softness: float, shape: tuple[int, ...]) -> Box2D:
    """Enlarge a box by what the object may grow, to at least one pixel of the plane."""
    room = int(np.ceil(REACH * softness))
    y0 = min(max(box[0] - room, 0), shape[0] - 1)
    x0 = min(max(box[1] - room, 0), shape[1] - 1)
    return (
        y0,
        x0,
        max(min(box[2] + room, shape[0]), y0 + 1),
        max(min(box[3] + room, shape[1]), x0 + 1),
    )
