"""Labels layers: undoable writes of objects, and the preview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..edits import Edit, ObjectRecord, check_labels, check_writable, now
from ..errors import InvalidLabels
from ..labels.plans import counted
from ..models.base import mask_bbox
from ..planes import Plane
from ..sources import is_big
from .coordinates import (
    affine_matrix,
    full_data,
    placement,
    resampled,
    spatial_shape,
    unwrap,
)
from .files import GRID
from .history import history_of
from .on_disk import belongs_on_disk, new_labels_on_disk
from .roles import PREVIEW, adopt, release, slide_under_prompts, spare_layer
from .rows import set_table, table_of
from .window import window_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.layers import Image, Labels

BoolArray = npt.NDArray[np.bool_]
STRIP = 1 << 24
"""Label pixels that are looked through at a time."""
PREVIEW_OPACITY = 0.5
PREVIEW_COLOUR = "#29b6f6"
"""Told apart from the signs' green and red, and from napari's first label colours."""


@dataclass(frozen=True, eq=False)
class NewObject:
    """An object to be written: its mask within `corner` (y, x) of a plane, its id and record."""

    mask: BoolArray
    corner: tuple[int, int]
    label_id: int
    record: ObjectRecord


def new_labels(
    viewer: ViewerModel, image: Image, name: str | None = None, home: Path | None = None
) -> Labels:
    """Add an empty Labels layer that lies exactly on an image.

    16-bit: napari draws and undoes it several times faster than 32-bit ones, and 65,535 objects
    are enough for most; choose a wider layer of your own where they are not. Those of big images
    lie in a folder in `home`; see `on_disk`.
    """
    if belongs_on_disk(spatial_shape(image)):
        return new_labels_on_disk(viewer, image, name or f"{image.name} labels", home)
    data = np.zeros(spatial_shape(image), np.uint16)
    active = viewer.layers.selection.active
    origin = {key: image.metadata[key] for key in (GRID,) if key in image.metadata}
    layer = viewer.add_labels(
        data, name=name or f"{image.name} labels", metadata=origin, **placement(image)
    )
    slide_under_prompts(viewer, layer, image)
    viewer.layers.selection.active = active
    return layer


def check_target(labels: Labels, image: Image, label_id: int) -> None:
    """Raise `InvalidLabels` where objects of `image` can't be written into `labels`."""
    if labels.multiscale and window_of(labels) is None:
        raise InvalidLabels(
            f"'{labels.name}' has several resolutions, which napari can only show; choose a plain "
            "labels layer, or let a new one be made"
        )
    data = full_data(labels)
    if tuple(data.shape) != spatial_shape(image):
        raise InvalidLabels(
            f"'{labels.name}' has shape {tuple(data.shape)} but '{image.name}' has "
            f"{spatial_shape(image)}; choose a labels layer of the image's own size"
        )
    check_labels(data, label_id)
    check_writable(data)
    if not labels.editable and window_of(labels) is None:
        raise InvalidLabels(
            f"'{labels.name}' is not editable; set its `editable` to True, or choose another layer"
        )


def write_objects(
    labels: Labels, plane: Plane, objects: Sequence[NewObject], *, overwrite: bool,
    replaces: bool = False,
) -> list[tuple[NewObject, Edit]]:  # fmt: skip
    """Write objects of one plane as a single step of the layer's own undo, or of its window's.

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
    list of (NewObject, Edit)
        Those that got at least one pixel, and what changed.

    Raises
    ------
    InvalidLabels
        Before anything is written: where the layer can't take an id, or where every pixel of
        every object belongs to another one.
    """
    layer = unwrap(labels)
    for new in objects:
        check_labels(full_data(layer), new.label_id)
    check_writable(full_data(layer))
    if not any(_room(layer, plane, new, overwrite).any() for new in objects):
        raise InvalidLabels(
            "every pixel of the object already belongs to another one; tick 'overwrite other "
            "objects' to take them"
        )
    written = []
    with history_of(layer).step(_title(objects)) as step:
        for new in objects:
            if _room(layer, plane, new, overwrite).any():
                edit = _edit(layer, plane, new, overwrite, replaces)
                step.write(edit)
                written.append((new, edit))
        table = table_of(layer)
        for new, _ in written:
            table[new.label_id] = replace(new.record, time=new.record.time or now())
        set_table(layer, table)
    return written


def _title(objects: Sequence[NewObject]) -> str:
    return f"object {objects[0].label_id}" if len(objects) == 1 else counted(len(objects))


def _room(layer: Any, plane: Plane, new: NewObject, overwrite: bool) -> BoolArray:
    """Pixels of the mask that the object may have."""
    if overwrite:
        return new.mask
    offset, block = plane.place(np.ones(new.mask.shape, bool), new.corner)
    area = tuple(slice(o, o + s) for o, s in zip(offset, block.shape, strict=True))
    part = np.asarray(full_data(layer)[area])
    there = part.reshape(new.mask.T.shape).T if plane.transposed else part.reshape(new.mask.shape)
    return new.mask & ((there == 0) | (there == new.label_id))


def _edit(layer: Any, plane: Plane, new: NewObject, overwrite: bool, replaces: bool) -> Edit:
    mask, corner = new.mask, new.corner
    if replaces:  # old pixels may lie anywhere on the plane
        y, x = corner
        box = y, x, y + mask.shape[0], x + mask.shape[1]
        old = _box_of(full_data(layer), plane, new.label_id) or box
        y0, x0 = min(y, old[0]), min(x, old[1])
        whole = np.zeros((max(box[2], old[2]) - y0, max(box[3], old[3]) - x0), bool)
        whole[y - y0 :, x - x0 :][: mask.shape[0], : mask.shape[1]] = mask
        mask, corner = whole, (y0, x0)
    offset, block = plane.place(mask, corner)
    return Edit.from_mask(
        full_data(layer), block, new.label_id, offset, overwrite=overwrite, replace=replaces
    )


class Preview:
    """One Labels layer of a single plane's size, or a part's, that shows what would be written.

    It is made once for a number of axes and then only filled, moved and hidden: making and
    removing layers again and again is slow in napari, and not safe.

    Parameters
    ----------
    viewer : ViewerModel
    name : str
        Of the layer.
    many : bool
        Show each value in a colour of its own, instead of everything in one.
    """

    def __init__(self, viewer: ViewerModel, name: str, *, many: bool = False) -> None:
        self._viewer = viewer
        self._name = name
        self._many = many
        self._layers: dict[int, Labels] = {}
        self._shown: Labels | None = None
        self._plane: Plane | None = None

    @property
    def layer(self) -> Labels | None:
        """The layer shown now, or None."""
        return self._shown

    def show(
        self, image: Image, plane: Plane, values: npt.NDArray[Any],
        corner: tuple[int, int] = (0, 0), factor: int = 1,
    ) -> None:  # fmt: skip
        """Show an array of small integers on a plane of an image; 0 is transparent.

        Parameters
        ----------
        image : Image
        plane : Plane
        values : (h, w) array
            Of the plane, or of a part of it.
        corner : (y, x)
            Where its first pixel lies in the plane.
        factor : int
            How many pixels of the plane one of its is, along rows and along columns.
        """
        if not values.size:
            self.clear()
            return
        _, block = plane.place(np.asarray(values, np.uint8))
        layer = self._layer_for(image, plane, block.shape, corner, factor)
        if layer.data.shape != block.shape:
            layer.data = np.zeros(block.shape, np.uint8)
        layer.data[...] = block
        if not layer.visible:  # napari draws everything anew even where nothing changes
            layer.visible = True
        layer.refresh(extent=False, thumbnail=False, highlight=False)

    def clear(self) -> None:
        """Show nothing."""
        for layer in self._layers.values():
            if layer in self._viewer.layers and layer.data.any():
                layer.data[...] = 0
                layer.refresh(extent=False, thumbnail=False, highlight=False)

    def values(self) -> npt.NDArray[np.uint8] | None:
        """What is shown, as an array of the plane (or of the part that was given), or None."""
        if self._shown is None or self._plane is None:
            return None
        lead = tuple(None if position is None else 0 for position in self._plane.index)
        return Plane(lead, self._plane.axes).read(self._shown.data)

    def close(self) -> None:
        """Show nothing any more and leave the layers, hidden, to another preview."""
        self.clear()
        for layer in self._layers.values():
            release(layer)

    def _layer_for(
        self, image: Image, plane: Plane, shape: tuple[int, ...], corner: tuple[int, int],
        factor: int,
    ) -> Labels:  # fmt: skip
        grain = np.ones(image.ndim)
        grain[list(plane.axes)] = factor
        first = plane.to_array(*(c + (factor - 1) / 2 for c in corner))
        matrix = resampled(affine_matrix(image), grain, first)
        layer = self._layers.get(image.ndim)
        if layer is None or layer not in self._viewer.layers:
            layer = self._layers[image.ndim] = self._made(image, shape, matrix)
        if not np.allclose(layer.affine.affine_matrix, matrix):
            layer.affine = matrix
        if tuple(layer.units) != tuple(image.units):
            layer.units = image.units
        if self._shown is not None and self._shown is not layer:
            self._shown.visible = False
        slide_under_prompts(self._viewer, layer, image)
        self._shown, self._plane = layer, plane
        return layer

    def _made(self, image: Image, shape: tuple[int, ...], matrix: npt.NDArray[np.float64]) -> Any:
        from napari.utils.colormaps import label_colormap

        layer = spare_layer(self._viewer, PREVIEW, image.ndim)
        if layer is None:
            active = self._viewer.layers.selection.active
            layer = self._viewer.add_labels(
                np.zeros(shape, np.uint8), opacity=PREVIEW_OPACITY, affine=matrix,
                units=image.units, axis_labels=image.axis_labels,
            )  # fmt: skip
            self._viewer.layers.selection.active = active
        layer.name, layer.editable = self._name, False
        layer.colormap = label_colormap(49) if self._many else _one_colour()
        adopt(layer, PREVIEW)
        return layer


def _one_colour() -> Any:
    from napari.utils.colormaps import DirectLabelColormap

    return DirectLabelColormap(color_dict={None: PREVIEW_COLOUR, 0: "#00000000"})


def object_mask(
    labels: Labels, plane: Plane, label_id: int
) -> tuple[BoolArray, tuple[int, int] | None]:
    """Pixels of an object on a plane of a Labels layer, and where (y, x) their corner lies.

    The mask is the plane's own, and the corner None, but for big planes.
    """
    data = full_data(labels)
    height, width = plane.shape(data.shape)
    if not is_big((height, width)):
        return plane.read(data) == label_id, None
    y0, x0, y1, x1 = _box_of(data, plane, label_id) or (0, 0, 1, 1)
    return plane.read(data, (y0, x0, y1, x1)) == label_id, (y0, x0)


def _box_of(data: Any, plane: Plane, label_id: int) -> tuple[int, int, int, int] | None:
    """Half-open (y0, x0, y1, x1) around an object of a plane, read strip by strip; or None."""
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
