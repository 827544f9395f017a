"""From the viewer's world to a plane's pixels and back, whatever the layer's transform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidPrompt
from ..planes import Plane

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image, Layer

    from ..images import ArraySource, WritableArray

FloatArray = npt.NDArray[np.float64]
OBLIQUE = 1e-4


def full_data(layer: Layer) -> WritableArray:
    """The layer's array, at full resolution where it has several."""
    return layer.data[0] if getattr(layer, "multiscale", False) else layer.data


def resolutions(layer: Layer) -> list[ArraySource]:
    """The layer's arrays, finest first."""
    return list(layer.data) if getattr(layer, "multiscale", False) else [layer.data]


def spatial_shape(layer: Layer) -> tuple[int, ...]:
    """The image's shape without its colour axis."""
    return tuple(int(n) for n in full_data(layer).shape[: layer.ndim])


def placement(layer: Layer) -> dict[str, Any]:
    """Keyword arguments that put a new layer exactly onto `layer`."""
    return {
        "scale": layer.scale, "translate": layer.translate, "rotate": layer.rotate,
        "shear": layer.shear, "affine": layer.affine, "units": layer.units,
        "axis_labels": layer.axis_labels,
    }  # fmt: skip


def channel_layers(image: Image, layers: Sequence[Layer]) -> tuple[Image, ...]:
    """The layers that show channels of the same image: `image`, and visible ones exactly on it.

    napari opens an image of several channels as one gray layer each.
    """
    from napari.layers import Image

    if image.rgb:
        return (image,)
    return tuple(
        layer
        for layer in layers
        if isinstance(layer, Image)
        and (layer is image or (layer.visible and not layer.rgb))
        and lie_alike(layer, image)
    )


def lie_alike(one: Layer, other: Layer) -> bool:
    """Whether the pixels of two layers, images or labels, lie on each other one by one."""
    if one.ndim != other.ndim or spatial_shape(one) != spatial_shape(other):
        return False
    return bool(np.allclose(affine_matrix(one), affine_matrix(other)))


def world_to_data(layer: Layer, world: npt.ArrayLike, dims: Dims) -> FloatArray:
    """Return the array coordinates in `layer`, pixels (N,), of a world point, shape (D,).

    napari leaves the factor between compatible units (um and nm) out; it is put back here.
    """
    point = np.asarray(world, float)
    missing = layer.ndim - len(point)
    point = np.concatenate([np.zeros(max(0, missing)), point])[-layer.ndim :]
    return np.asarray(layer.world_to_data(point / _unit_factors(layer, dims)), float)


def data_to_world(layer: Layer, point: npt.ArrayLike, dims: Dims) -> FloatArray:
    """Return the world coordinates, along a layer's own axes, of a point (N,) in its pixels."""
    return np.asarray(layer.data_to_world(point), float) * _unit_factors(layer, dims)


def between(source: Layer, target: Layer, point: npt.ArrayLike, dims: Dims) -> FloatArray:
    """Return the array coordinates (N,) in `target` of a point (M,) in pixels of `source`."""
    return world_to_data(target, data_to_world(source, point, dims), dims)


def affine_matrix(layer: Layer) -> FloatArray:
    """The layer's whole transform from array to world coordinates, (n + 1, n + 1)."""
    n = layer.ndim
    origin = np.asarray(layer.data_to_world(np.zeros(n)), float)
    matrix = np.eye(n + 1)
    for axis in range(n):
        matrix[:n, axis] = np.asarray(layer.data_to_world(np.eye(n)[axis]), float) - origin
    matrix[:n, n] = origin
    return matrix


def resampled(matrix: FloatArray, grain: npt.ArrayLike, first: npt.ArrayLike) -> FloatArray:
    """Return the transform of an array with one pixel for `grain` of another's along each axis.

    Parameters
    ----------
    matrix : float (N + 1, N + 1)
        The transform of the other array, from its pixels to the world.
    grain, first : (N,)
        Pixels of the other array along each axis for one of this, and where in the other the
        middle of the first pixel lies.
    """
    out = matrix.copy()
    out[:-1, -1] += matrix[:-1, :-1] @ np.asarray(first, float)
    out[:-1, :-1] *= np.asarray(grain, float)
    return out


def shown_area(layer: Image, plane: Plane) -> tuple[int, int, int, int]:
    """The part of a plane that the viewer shows now, half-open (y0, x0, y1, x1)."""
    level = layer.data_level if layer.multiscale else 0
    factors = np.asarray(layer.downsample_factors[level] if layer.multiscale else 1)
    low, high = (np.asarray(c)[: layer.ndim] * factors for c in layer.corner_pixels)
    shape = plane.shape(spatial_shape(layer))
    start = [int(np.clip(low[a], 0, n - 1)) for a, n in zip(plane.axes, shape, strict=True)]
    stop = [
        int(np.clip(np.ceil(high[a]) + 1, s + 1, n))
        for a, s, n in zip(plane.axes, start, shape, strict=True)
    ]
    return start[0], start[1], stop[0], stop[1]


def shown_plane(layer: Image, dims: Dims) -> Plane:
    """The plane of an image that the viewer shows.

    Raises
    ------
    InvalidPrompt
        In 3-D display, where the image has fewer than two shown axes, or where its transform
        tilts it out of the shown plane.
    """
    if dims.ndisplay != 2:
        raise InvalidPrompt("prompts are drawn on planes; switch the viewer to 2-D display")
    offset = dims.ndim - layer.ndim
    axes = tuple(axis - offset for axis in dims.displayed if axis >= offset)
    if len(axes) != 2:
        raise InvalidPrompt(
            f"'{layer.name}' has {layer.ndim} axes and is not shown as a plane now; show its rows "
            "and columns (Ctrl+E rolls the axes)"
        )
    matrix = affine_matrix(layer)[:-1, :-1]
    others = [axis for axis in range(layer.ndim) if axis not in axes]
    size = np.abs(matrix).max()
    tilted = np.abs(matrix[np.ix_(others, axes)]).max(initial=0) > OBLIQUE * size
    if tilted or np.abs(matrix[np.ix_(axes, others)]).max(initial=0) > OBLIQUE * size:
        raise InvalidPrompt(
            f"'{layer.name}' is tilted out of the shown plane by its transform, so that "
            "no plane of its pixels is shown; show another pair of axes, or resample it first"
        )
    position = np.round(world_to_data(layer, dims.point, dims)).astype(int)
    shape = spatial_shape(layer)
    index = tuple(
        None if axis in axes else int(np.clip(position[axis], 0, shape[axis] - 1))
        for axis in range(layer.ndim)
    )
    spacing = tuple(float(np.linalg.norm(matrix[:, axis])) for axis in axes)
    return Plane(index, (axes[0], axes[1]), bool(layer.rgb), (spacing[0], spacing[1]))


def _unit_factors(layer: Layer, dims: Dims) -> FloatArray:
    """How many of the viewer's units one of the layer's units is, per axis."""
    units = getattr(dims, "units", None)
    if not units:
        return np.ones(layer.ndim)
    pairs = zip(layer.units, units[-layer.ndim :], strict=True)
    return np.array([float((1 * own).to(shown).magnitude) for own, shown in pairs])
