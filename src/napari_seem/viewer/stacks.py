"""An image layer as a stack of the planes that are shown; its labels as planes and as tracks."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log10
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidImage, InvalidLabels
from ..labels.lineage import FloatArray, graph_of
from ..labels.objects import read_plane
from ..planes import Plane
from ..sources.source import PlaneSource
from ..sources.stack import StackSource
from .coordinates import data_to_world, full_data, placement, shown_plane, spatial_shape
from .label_layers.features import table_of
from .metadata import short_unit
from .model_input import model_input_of
from .private import unwrap

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari.components import Dims, ViewerModel
    from napari.layers import Image, Labels, Layer, Tracks


TRACKS_OF = "napari-seem tracks of"
"""Key of a Tracks layer's metadata: the name of the labels that it was made of."""


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


def is_time(image: Image, axis: int) -> bool:
    """Whether an axis of an image is named as time, or measured in a unit of time."""
    unit = image.units[axis]
    return str(image.axis_labels[axis]).lower() in ("t", "time") or unit.is_compatible_with("s")


def slider_numbers(layer: Layer, dims: Dims, axis: int) -> list[int]:
    """Return the number that napari's slider shows for every plane of a layer along an axis.

    The slider counts the steps of all layers together: with layers that begin at different places
    or have other spacings, and with a negative scale, it is not the index in the array.
    """
    first, second = (_position(layer, dims, axis, index) for index in (0, 1))
    count = full_data(layer).shape[axis]
    return [_step(dims, layer, axis, first + k * (second - first)) for k in range(count)]


def plane_text(layer: Layer, dims: Dims, plane: Plane, axis: int | None = None) -> str:
    """Name a plane by its slider's number, and its position and unit: "plane 12 (24.0 um)".

    Parameters
    ----------
    layer : Layer
    dims : Dims
        The viewer's.
    plane : Plane
        Of the layer's array.
    axis : int, optional
        Along which it is named; by default along all that are not shown. A single plane has no
        number, and an empty name.
    """
    shape = spatial_shape(layer)
    axes = [i for i, at in enumerate(plane.index) if at is not None and shape[i] > 1]
    numbers, places = [], []
    for one in axes if axis is None else [axis]:
        position = _position(layer, dims, one, plane.index[one] or 0)
        number = _step(dims, layer, one, position)
        numbers.append(str(number))
        step = float(dims.range[one + dims.ndim - layer.ndim].step) or 1.0
        unit = _unit(layer, dims, one)
        if unit or not np.isclose(position, number):
            places.append(f"{position:.{max(1, 1 + ceil(-log10(step)))}f} {unit}".strip())
    if not numbers:
        return ""
    return f"plane {', '.join(numbers)}" + (f" ({', '.join(places)})" if places else "")


def shown_stack(
    layer: Image, dims: Dims, axis: int | None = None, layers: Sequence[Layer] = ()
) -> StackSource:
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
    given = model_input_of(layer, layers, together=False)
    return StackSource(given.source(shown_plane(layer, dims), layer.name), axes[0])


def plane_name(layer: Layer, dims: Dims, stack: StackSource, number: int) -> str:
    """Name a plane of a stack, as `plane_text`."""
    return plane_text(layer, dims, stack.at(number), stack.axis)


def read_labels(labels: Labels, plane: Plane) -> npt.NDArray[np.int32]:
    """A whole plane of labels, int32 (H, W)."""
    return read_plane(full_data(unwrap(labels)), plane)


def check_time(labels: Labels, axis: int) -> None:
    """Raise `InvalidLabels` where an axis can't be the time of a Tracks layer."""
    if axis != 0:
        raise InvalidLabels(
            f"tracks run along the first axis, and '{labels.name}' was carried along axis {axis}; "
            "put time first (in numpy: numpy.moveaxis), then show the tracks"
        )


def show_tracks(viewer: ViewerModel, labels: Labels, points: FloatArray) -> Tracks:
    """Show the objects of a layer as tracks, in the layer that shows them already or a new one.

    Parameters
    ----------
    viewer : ViewerModel
    labels : Labels
    points : float (n, 1 + D)
        For labels of D axes (t, ..., y, x), ordered by id and time; see `track_points`.

    Raises
    ------
    InvalidLabels
        There is no point.
    """
    from napari.layers import Tracks

    labels = unwrap(labels)
    if not len(points):
        raise InvalidLabels(f"nothing is labelled in '{labels.name}'; label an object first")
    parents = {i: row.parent for i, row in table_of(labels).items() if row.parent}
    graph = graph_of(points, parents)
    for layer in viewer.layers:
        if isinstance(layer, Tracks) and layer.metadata.get(TRACKS_OF) == labels.name:
            layer.graph = {}
            layer.data = points
            layer.graph = graph
            return layer
    active = viewer.layers.selection.active
    made = Tracks(
        points, graph=graph, name=f"tracks of {labels.name}", metadata={TRACKS_OF: labels.name},
        tail_width=3, **placement(labels),
    )  # fmt: skip
    viewer.add_layer(made)
    viewer.layers.selection.active = active  # the person goes on with the labels
    return made


def plane_sources_of_stack(
    image: Image, dims: Dims, layers: Sequence[Layer], *, axis: int | None = None,
    within: tuple[int, int] | None = None, together: bool = False,
) -> list[PlaneSource]:  # fmt: skip
    """The planes that the shown one belongs to, the nearest to it first.

    Parameters
    ----------
    image : Image
    dims : Dims
    layers : sequence of Layer
        The viewer's.
    axis : int, optional
        Of the image's array; by default the one moved along last.
    within : (first, last), optional
        Half-open range of planes.
    together : bool
        Show the model all layers that show channels of the image.

    Raises
    ------
    InvalidPrompt
        The image is not shown as planes of its pixels.
    """
    given = model_input_of(image, layers, together)
    if not stack_axes(image, dims):
        return [given.source(shown_plane(image, dims), image.name)]
    stack = shown_stack(image, dims, axis, layers)
    first, last = within or (0, stack.shape[0])
    numbers = range(max(0, first), min(last, stack.shape[0]))
    nearest = sorted(numbers, key=lambda k: (abs(k - stack.position), k))
    one = given.source(stack.plane)
    return [one.at(stack.at(k), plane_text(image, dims, stack.at(k), stack.axis)) for k in nearest]


def plane_source_of_image(image: Image, layers: Sequence[Layer]) -> PlaneSource:
    """A layer of two axes, however it is displayed."""
    given = model_input_of(image, layers, together=False)
    return given.source(Plane((None, None), (0, 1), bool(image.rgb)), image.name)


def _position(layer: Layer, dims: Dims, axis: int, index: int) -> float:
    """Return where a plane lies along an axis, in the viewer's unit."""
    point = np.zeros(layer.ndim)
    point[axis] = index
    return float(data_to_world(layer, point, dims)[axis])


def _step(dims: Dims, layer: Layer, axis: int, position: float) -> int:
    """Return the slider's number of a position along an axis of a layer."""
    start, _, step = dims.range[axis + dims.ndim - layer.ndim]
    return round((position - start) / (step or 1))


def _unit(layer: Layer, dims: Dims, axis: int) -> str:
    """Return the unit of positions along an axis; "" for pixels."""
    units = getattr(dims, "units", None)
    unit = units[axis - layer.ndim] if units else layer.units[axis]
    return "" if str(unit) == "pixel" else short_unit(unit)
