"""Labels layers: undoable writes, the preview, and the table of objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..edits import ObjectRecord, ObjectTable, check_labels, check_writable
from ..errors import InvalidLabels
from ..planes import Plane
from .coordinates import affine_matrix, full_data, placement, spatial_shape, unwrap

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

BoolArray = npt.NDArray[np.bool_]
PREVIEW_OPACITY = 0.55


@dataclass(frozen=True, eq=False)
class NewObject:
    """An object to be written: its mask within `corner` (y, x) of a plane, its id and record."""

    mask: BoolArray
    corner: tuple[int, int]
    label_id: int
    record: ObjectRecord


def new_labels(viewer: ViewerModel, image: Image, name: str | None = None) -> Labels:
    """Add an empty Labels layer that lies exactly on an image.

    16-bit: napari draws and undoes it several times faster than 32-bit ones, and 65,535 objects
    are enough for most; choose a wider layer of your own where they are not.
    """
    data = np.zeros(spatial_shape(image), np.uint16)
    return viewer.add_labels(data, name=name or f"{image.name} labels", **placement(image))


def check_target(labels: Labels, image: Image, label_id: int) -> None:
    """Raise `InvalidLabels` where objects of `image` can't be written into `labels`."""
    if labels.multiscale:
        raise InvalidLabels(
            f"'{labels.name}' has several resolutions, which napari can only show; choose a plain "
            "labels layer, or let a new one be made"
        )
    if tuple(labels.data.shape) != spatial_shape(image):
        raise InvalidLabels(
            f"'{labels.name}' has shape {tuple(labels.data.shape)} but '{image.name}' has "
            f"{spatial_shape(image)}; choose a labels layer of the image's own size"
        )
    check_labels(labels.data, label_id)
    check_writable(labels.data)
    if not labels.editable:
        raise InvalidLabels(
            f"'{labels.name}' is locked against editing; unlock it in the layer list"
        )


def free_label(labels: Labels) -> int:
    """The lowest id above all that are in the layer or in its table."""
    table = ObjectTable.from_features(labels.features)
    highest = int(np.max(labels.data)) if labels.data.size else 0
    return max([highest, *(label_id for label_id, _ in table.items())]) + 1


def write_objects(
    labels: Labels, plane: Plane, objects: Sequence[NewObject], *, overwrite: bool,
    replaces: bool = False,
) -> int:  # fmt: skip
    """Write objects of one plane as a single step of the layer's own undo.

    Parameters
    ----------
    labels : Labels
    plane : Plane
        Of the labels' array.
    objects : sequence of NewObject
    overwrite : bool
        Take pixels from other objects; otherwise theirs stay theirs.
    replaces : bool
        The objects were there before: their old pixels of this plane go.

    Returns
    -------
    int
        Number of pixels that the objects have now.

    Raises
    ------
    InvalidLabels
        Before anything is written.
    """
    layer = unwrap(labels)
    for new in objects:
        check_labels(layer.data, new.label_id)
    check_writable(layer.data)
    written = 0
    with layer.block_history():
        for new in objects:
            if replaces:
                present = plane.read(layer.data) == new.label_id
                y, x = new.corner
                height, width = new.mask.shape
                present[y : y + height, x : x + width] &= ~new.mask
                _write(layer, *plane.place(present), 0)
            mask = new.mask
            if not overwrite:
                y, x = new.corner
                there = plane.read(layer.data)[y : y + mask.shape[0], x : x + mask.shape[1]]
                mask = mask & ((there == 0) | (there == new.label_id))
            written += _write(layer, *plane.place(mask, new.corner), new.label_id)
    table = ObjectTable.from_features(layer.features)
    for new in objects:
        table[new.label_id] = new.record
    set_table(layer, table)
    return written


def set_table(labels: Labels, table: ObjectTable) -> None:
    """Show an object table as the layer's features."""
    import pandas as pd

    unwrap(labels).features = pd.DataFrame(table.to_features())


def _write(layer: Any, offset: tuple[int, ...], mask: BoolArray, value: int) -> int:
    """Set `value` where a block's mask is True, as part of the layer's undo history."""
    hits = np.nonzero(mask)
    if not hits[0].size:
        return 0
    low = [int(axis.min()) for axis in hits]
    high = [int(axis.max()) + 1 for axis in hits]
    tight = mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    start = [o + a for o, a in zip(offset, low, strict=True)]
    kept, layer.preserve_labels = layer.preserve_labels, False
    try:
        paint = getattr(layer, "_paint_region_with_mask", None)
        if paint is not None:  # napari >= 0.8: much faster, and smaller in the undo history
            stop = [o + s for o, s in zip(start, tight.shape, strict=True)]
            key = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
            paint(key, tight, value, list(range(layer.ndim)))
        else:
            inside = np.nonzero(tight)
            layer.data_setitem(tuple(i + o for i, o in zip(inside, start, strict=True)), value)
    finally:
        layer.preserve_labels = kept
    return int(tight.sum())


class Preview:
    """One Labels layer of a single plane's size that shows what would be written.

    It is made once for a number of axes and then only filled, moved and hidden: making and
    removing layers again and again is slow in napari, and not safe.
    """

    def __init__(self, viewer: ViewerModel, name: str) -> None:
        self._viewer = viewer
        self._name = name
        self._layers: dict[int, Labels] = {}
        self._shown: Labels | None = None
        self._plane: Plane | None = None

    @property
    def layer(self) -> Labels | None:
        """The layer shown now, or None."""
        return self._shown

    def show(self, image: Image, plane: Plane, values: npt.NDArray[Any]) -> None:
        """Show an array (H, W) of small integers on a plane of an image; 0 is transparent."""
        _, block = plane.place(np.asarray(values, np.uint8))
        layer = self._layer_for(image, plane, block.shape)
        if layer.data.shape != block.shape:
            layer.data = np.zeros(block.shape, np.uint8)
        layer.data[...] = block
        layer.visible = True
        layer.refresh(extent=False, thumbnail=False, highlight=False)

    def clear(self) -> None:
        """Show nothing."""
        for layer in self._layers.values():
            if layer in self._viewer.layers and layer.visible:
                layer.data[...] = 0
                layer.refresh(extent=False, thumbnail=False, highlight=False)

    def values(self) -> npt.NDArray[np.uint8] | None:
        """What is shown, as an array (H, W) of the plane, or None."""
        if self._shown is None or self._plane is None:
            return None
        lead = tuple(None if position is None else 0 for position in self._plane.index)
        return Plane(lead, self._plane.axes).read(self._shown.data)

    def _layer_for(self, image: Image, plane: Plane, shape: tuple[int, ...]) -> Labels:
        layer = self._layers.get(image.ndim)
        matrix = affine_matrix(image)
        offset = [0 if position is None else position for position in plane.index]
        matrix[:-1, -1] += matrix[:-1, :-1] @ np.array(offset, float)
        if layer is None or layer not in self._viewer.layers:
            active = self._viewer.layers.selection.active
            layer = self._viewer.add_labels(
                np.zeros(shape, np.uint8), name=self._name, opacity=PREVIEW_OPACITY,
                affine=matrix, units=image.units, axis_labels=image.axis_labels,
            )  # fmt: skip
            layer.editable = False
            self._layers[image.ndim] = layer
            self._viewer.layers.selection.active = active
        elif not np.allclose(layer.affine.affine_matrix, matrix):
            layer.affine = matrix
        if self._shown is not None and self._shown is not layer:
            self._shown.visible = False
        self._shown, self._plane = layer, plane
        return layer


def object_mask(labels: Labels, plane: Plane, label_id: int) -> BoolArray:
    """Pixels (H, W) of an object on a plane of a Labels layer."""
    return plane.read(full_data(labels)) == label_id
