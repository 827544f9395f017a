"""An image layer as a stack of the planes that are shown, and whole planes of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InvalidImage, InvalidLabels
from ..labels.provenance import plane_to_dict
from ..planes import Plane
from .coordinates import full_data, shown_plane, spatial_shape, unwrap
from .history import history_of
from .model_input import ModelInput, model_input_of
from .on_disk import store_of
from .record import What, area_of, recorded

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari.components import Dims
    from napari.layers import Image, Labels, Layer


@dataclass(frozen=True, eq=False)
class LayerStack:
    """The planes of an image along one axis, as they are shown; other axes stay where they are.

    It can be read as `stack[k, :, :]` by what carries labels through arrays.

    Attributes
    ----------
    layer : Image
    plane : Plane
        One of its planes.
    axis : int
        The array axis along which the planes follow each other.
    shown : ModelInput
        What is read of its planes; settled.
    """

    layer: Image
    plane: Plane
    axis: int
    shown: ModelInput

    @property
    def shape(self) -> tuple[int, ...]:
        """Planes, height, width and, for colour, channels."""
        data = full_data(self.layer)
        height, width = self.plane.shape(data.shape)
        channels = self.shown.images()[0][0].shape[self.layer.ndim :]
        return int(data.shape[self.axis]), height, width, *(int(n) for n in channels)

    @property
    def position(self) -> int:
        """The plane that was shown when the stack was made."""
        at = self.plane.index[self.axis]
        assert at is not None
        return at

    def at(self, number: int) -> Plane:
        """A plane of the stack, in the layer's array."""
        index = tuple(number if i == self.axis else at for i, at in enumerate(self.plane.index))
        return replace(self.plane, index=index)

    def __getitem__(self, where: Any) -> npt.NDArray[Any]:
        return self.shown.read(self.at(int(where[0])))


def stack_axes(layer: Image, dims: Dims) -> list[int]:
    """Array axes of a layer along which its shown plane has neighbours; last moved first.

    Raises `InvalidPrompt` where the layer is not shown as planes of its pixels.
    """
    plane, shape = shown_plane(layer, dims), spatial_shape(layer)
    axes = [i for i, at in enumerate(plane.index) if at is not None and shape[i] > 1]
    last = dims.last_used - (dims.ndim - layer.ndim) if dims.last_used is not None else -1
    return sorted(axes, key=lambda axis: (axis != last, axis))


def axis_name(image: Image, axis: int) -> str:
    """An axis by its number and, where a person or a file gave it one, its name."""
    label = str(image.axis_labels[axis])
    return f"axis {axis}" if label.lstrip("-").isdigit() else f"axis {axis}: {label}"


def shown_stack(
    layer: Image, dims: Dims, axis: int | None = None, layers: Sequence[Layer] = ()
) -> LayerStack:
    """The stack that the shown plane of a layer belongs to.

    Parameters
    ----------
    axis : int, optional
        Of the layer's array; by default the one moved along last.
    layers : sequence of Layer
        The viewer's, for an index of two of them.

    Raises
    ------
    InvalidImage
        The layer has one plane only.
    """
    axes = stack_axes(layer, dims)
    if axis is not None and axis in axes:
        axes = [axis]
    if not axes:
        raise InvalidImage(f"'{layer.name}' has one plane only; choose a stack or a video")
    shown = model_input_of(layer, layers, together=False)
    return LayerStack(layer, shown_plane(layer, dims), axes[0], shown.resolved)


def read_labels(labels: Labels, plane: Plane) -> npt.NDArray[np.int32]:
    """A whole plane of labels, int32 (H, W)."""
    return replace(plane, channels=False).read(full_data(unwrap(labels))).astype(np.int32)


def labelled_planes(labels: Labels, stack: LayerStack) -> list[int]:
    """Planes of a stack in which anything is labelled."""
    return [k for k in range(stack.shape[0]) if read_labels(labels, stack.at(k)).any()]


def write_labels(
    labels: Labels, plane: Plane, values: npt.NDArray[np.integer[Any]],
    only: int | None = None, what: What | None = None,
) -> None:  # fmt: skip
    """Give a whole plane other labels, as a step of the layer's own undo.

    Of labels in a folder it is no step: many whole planes would fill the memory.

    Parameters
    ----------
    labels : Labels
    plane : Plane
    values : integer (H, W)
    only : int, optional
        Of all that is there only pixels of this id, and empty ones, are changed.
    what : What, optional
        For the record.

    Raises
    ------
    InvalidLabels
        Before anything is written: an id is too large for the layer.
    """
    layer = unwrap(labels)
    present = read_labels(labels, plane)
    wanted = np.asarray(values)
    if only is not None:
        free = (present == 0) | (present == only)
        wanted = np.where(free, np.where(wanted == only, only, 0), present)
    changed = wanted != present
    if not changed.any():
        return
    dtype = full_data(layer).dtype
    largest = np.iinfo(dtype).max if dtype.kind in "ui" else 1
    if wanted.max() > largest:
        raise InvalidLabels(
            f"'{layer.name}' of type {dtype} can't hold the id {int(wanted.max())}; "
            "convert it to a wider type (right click, Convert data type)"
        )
    with recorded(labels, what or What(), area_of(plane, full_data(layer).shape)) as event:
        event["plane"] = plane_to_dict(plane)
        _put(layer, plane, wanted, changed)


def _put(
    layer: Any, plane: Plane, wanted: npt.NDArray[np.integer[Any]], changed: npt.NDArray[np.bool_]
) -> None:
    """Write a plane: through the folder it lies in, or as a step of napari's undo."""
    store, (offset, block) = store_of(layer), plane.place(changed)
    ordered = (wanted.T if plane.transposed else wanted).reshape(block.shape)
    if store is not None:
        area = plane.block((0, 0, *wanted.shape))
        store.write(area, ordered)
        history_of(layer).tell_written(area)
        layer.refresh(extent=False, thumbnail=False, highlight=False)
        return
    where = np.nonzero(block)
    indices = tuple(w + o for w, o in zip(where, offset, strict=True))
    layer.data_setitem(indices, ordered[where].astype(layer.data.dtype))
