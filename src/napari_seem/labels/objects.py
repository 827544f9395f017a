"""Objects on a plane of a label array: found again, and made into edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..edits import Edit, ObjectRecord
from ..models.base import mask_bbox
from ..planes import Plane
from ..sources import is_big
from .undo import Block

if TYPE_CHECKING:
    from ..images import ArraySource

BoolArray = npt.NDArray[np.bool_]
STRIP = 1 << 24
"""Label pixels that are looked through at a time."""
TABLE = 1 << 22
"""Ids below it are looked up in a table."""


@dataclass(frozen=True, eq=False)
class NewObject:
    """An object to be written on a plane.

    Attributes
    ----------
    mask : bool array (h, w)
    corner : (int, int)
        Row and column of the mask's first pixel in the plane.
    label_id : int
    record : ObjectRecord
    """

    mask: BoolArray = field(repr=False)
    corner: tuple[int, int]
    label_id: int
    record: ObjectRecord


def object_edit(
    data: ArraySource, plane: Plane, new: NewObject, *, overwrite: bool, replaces: bool
) -> Edit:
    """The edit that writes an object.

    Parameters
    ----------
    data : integer array-like of any shape that `plane` lies in
    plane : Plane
    new : NewObject
    overwrite : bool
        Take pixels from other objects; otherwise they keep theirs.
    replaces : bool
        The object was there before: its old pixels on this plane go.
    """
    mask, corner = new.mask, new.corner
    if replaces:  # old pixels may lie anywhere on the plane
        y, x = corner
        box = y, x, y + mask.shape[0], x + mask.shape[1]
        old = object_box(data, plane, new.label_id) or box
        y0, x0 = min(y, old[0]), min(x, old[1])
        whole = np.zeros((max(box[2], old[2]) - y0, max(box[3], old[3]) - x0), bool)
        whole[y - y0 :, x - x0 :][: mask.shape[0], : mask.shape[1]] = mask
        mask, corner = whole, (y0, x0)
    offset, block = plane.place(mask, corner)
    return Edit.from_mask(data, block, new.label_id, offset, overwrite=overwrite, replace=replaces)


def free_pixels(data: ArraySource, plane: Plane, new: NewObject, *, overwrite: bool) -> BoolArray:
    """Pixels of an object's mask, bool (h, w), that it may have."""
    if overwrite:
        return new.mask
    y, x = new.corner
    present = plane.read(data, (y, x, y + new.mask.shape[0], x + new.mask.shape[1]))
    return new.mask & ((present == 0) | (present == new.label_id))


def objects_block(plane: Plane, shape: Sequence[int], objects: Sequence[NewObject]) -> Block:
    """The block of a label array that holds the masks of some objects."""
    corners = np.array([new.corner for new in objects])
    ends = corners + [new.mask.shape for new in objects]
    (y0, x0), (y1, x1) = corners.min(0), ends.max(0)
    return plane_block(plane, shape, (int(y0), int(x0), int(y1), int(x1)))


def read_plane(data: ArraySource, plane: Plane) -> npt.NDArray[np.int32]:
    """A plane of a label array of any shape, int32 (H, W); int64 where its ids need that."""
    values = replace(plane, channels=False).read(data)
    if values.dtype.itemsize >= 4 and values.max(initial=0) > np.iinfo(np.int32).max:
        return values.astype(np.int64)  # type: ignore[return-value]  # refused where it can't be
    return values.astype(np.int32)


def plane_block(
    plane: Plane, shape: Sequence[int], box: tuple[int, int, int, int] | None = None
) -> Block:
    """A plane of a label array, or a half-open part (y0, x0, y1, x1) of it, as a block."""
    return plane.block(box or (0, 0, *plane.shape(shape)))


def object_mask(
    data: ArraySource, plane: Plane, label_id: int
) -> tuple[BoolArray, tuple[int, int] | None]:
    """Pixels of an object on a plane, bool, and the (row, column) of their corner.

    The mask is the plane's own, (H, W), and the corner None, but for big planes.
    """
    height, width = plane.shape(data.shape)
    if not is_big((height, width)):
        return plane.read(data) == label_id, None
    y0, x0, y1, x1 = object_box(data, plane, label_id) or (0, 0, 1, 1)
    return plane.read(data, (y0, x0, y1, x1)) == label_id, (y0, x0)


def object_box(data: ArraySource, plane: Plane, label_id: int) -> tuple[int, int, int, int] | None:
    """Return half-open (y0, x0, y1, x1) around an object of a plane of labels; or None.

    Labels, of any shape, are read strip by strip.
    """
    height, width = plane.shape(data.shape)
    boxes = []
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        strip = plane.read(data, (top, 0, min(height, top + rows), width)) == label_id
        found = mask_bbox(strip)
        if found is not None:
            boxes.append((found[0] + top, found[1], found[2] + top, found[3]))
    if not boxes:
        return None
    low, high = np.min(boxes, axis=0), np.max(boxes, axis=0)
    return int(low[0]), int(low[1]), int(high[2]), int(high[3])


def relabelled(data: ArraySource, block: Block, ids: Mapping[int, int]) -> Edit:
    """Return the edit that gives ids in a block of labels, of any shape, others; 0 removes them."""
    old = np.asarray(data[block])
    lowest, highest = int(old.min(initial=0)), int(old.max(initial=0))
    if lowest == 0 and highest < TABLE:
        table = np.arange(highest + 1, dtype=old.dtype)
        known = [source for source in ids if source <= highest]
        table[known] = [ids[source] for source in known]
        return Edit.between(tuple(part.start for part in block), old, table[old])
    new = old.copy()
    for target in sorted(set(ids.values())):
        sources = [i for i, wanted in ids.items() if wanted == target]
        new[np.isin(old, sources)] = target
    return Edit.between(tuple(part.start for part in block), old, new)


def highest_id(data: ArraySource, strip: int = 1024) -> int:
    """Return the highest id of labels of any shape, read part by part where they lie on disk."""
    if isinstance(data, np.ndarray) or len(data.shape) < 2:
        return int(np.max(np.asarray(data), initial=0))
    if len(data.shape) == 2:
        parts = (data[top : top + strip] for top in range(0, data.shape[0], strip))
        return max((int(np.max(np.asarray(part), initial=0)) for part in parts), default=0)
    return max((highest_id(data[index], strip) for index in range(data.shape[0])), default=0)
