"""An image layer as a stack of the planes that are shown, and whole planes of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidImage
from ..labels.objects import read_plane
from ..planes import Plane
from ..sources.stack import StackSource
from .coordinates import full_data, shown_plane, spatial_shape
from .model_input import model_input_of
from .private import unwrap

if TYPE_CHECKING:
    import numpy.typing as npt
    from napari.components import Dims
    from napari.layers import Image, Labels, Layer


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


def read_labels(labels: Labels, plane: Plane) -> npt.NDArray[np.int32]:
    """A whole plane of labels, int32 (H, W)."""
    return read_plane(full_data(unwrap(labels)), plane)
