"""From the viewer's world to a plane's pixels and back, whatever the layer's transform."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import InvalidPrompt
from ..planes import Plane

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image, Layer
    from pint import Unit

    from ..images import ArraySource, WritableArray

FloatArray = npt.NDArray[np.float64]
OBLIQUE = 1e-4
SAME = 0.1
"""Pixels by which two layers may lie apart and still lie on each other: files round."""
PLACING = ("scale", "translate", "rotate", "shear", "affine", "units")
"""What places a layer in the world: its attributes, and the events that tell of another value."""


def full_data(layer: Layer) -> WritableArray:
    """The layer's array, at full resolution where it has several."""
    return layer.data[0] if getattr(layer, "multiscale", False) else layer.data


def resolutions(layer: Layer) -> list[ArraySource]:
    """The layer's arrays, finest first."""
    return list(layer.data) if getattr(layer, "multiscale", False) else [layer.data]


def spatial_shape(layer: Layer) -> tuple[int, ...]:
    """The image's shape without its colour axis."""
    return tuple(int(n) for n in full_data(layer).shape[: layer.ndim])


def placement(layer: Layer) -> dict[str, object]:
    """Keyword arguments that put a new layer exactly onto `layer`."""
    return {name: getattr(layer, name) for name in (*PLACING, "axis_labels")}


def lay_onto(layer: Layer, other: Layer) -> None:
    """Give a layer the place of another one of as many axes."""
    _put(layer, placement(other))


def lay_by(layer: Layer, matrix: FloatArray, units: Sequence[Unit]) -> None:
    """Place a layer by one transform (N + 1, N + 1) from its pixels to the world, and its units."""
    n = layer.ndim
    plain = {"scale": np.ones(n), "translate": np.zeros(n), "rotate": np.eye(n)}
    _put(layer, {**plain, "shear": np.zeros(n * (n - 1) // 2), "affine": matrix, "units": units})


def same_value(one: object, other: object) -> bool:
    """Whether two values of an attribute in `PLACING` are equal."""
    first, second = (np.asarray(getattr(value, "affine_matrix", value)) for value in (one, other))
    return np.array_equal(first, second, equal_nan=first.dtype.kind == second.dtype.kind == "f")


def on_placing(layer: Layer, slot: Callable[..., object], *, follow: bool = True) -> None:
    """Call a slot whenever a layer is placed elsewhere; without `follow`, no longer."""
    for name in PLACING:
        event = getattr(layer.events, name)
        if follow:
            event.connect(slot)
        else:
            event.disconnect(slot)


def layers_on(image: Image, layers: Sequence[Layer]) -> tuple[Image, ...]:
    """`image`, and the visible gray images that lie exactly on it: bands, or other pictures."""
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
    first, second = affine_matrix(one), affine_matrix(other)
    first[:-1] *= _factors(one, other)[:, None]
    return lie_within(first, second, spatial_shape(one))


def lie_within(one: FloatArray, other: FloatArray, shape: Sequence[int]) -> bool:
    """Whether two transforms put the pixels of an array onto the same places, within `SAME`.

    Parameters
    ----------
    one, other : float (N + 1, N + 1)
        From pixels to the world.
    shape : (N,)
        Of the array.
    """
    corners = np.array([(*corner, 1) for corner in product(*((0, n - 1) for n in shape))], float).T
    try:
        found = np.linalg.solve(other, one @ corners)
    except np.linalg.LinAlgError:
        return False
    return bool((np.abs(found - corners) <= SAME).all())


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
        In 3-D display, where the image has fewer than two shown axes, where its transform tilts
        it out of the shown plane, or where the slider stands beside it.
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
    if any(not 0 <= position[axis] < shape[axis] for axis in others):
        raise InvalidPrompt(
            f"the slider stands where '{layer.name}' has no plane; move it to where the image is "
            "shown, or choose another image"
        )
    index = tuple(None if axis in axes else int(position[axis]) for axis in range(layer.ndim))
    spacing = tuple(float(np.linalg.norm(matrix[:, axis])) for axis in axes)
    return Plane(index, (axes[0], axes[1]), bool(layer.rgb), (spacing[0], spacing[1]))


def _put(layer: Layer, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        if not same_value(getattr(layer, name), value):  # napari slices anew even where it is equal
            setattr(layer, name, value)


def _unit_factors(layer: Layer, dims: Dims) -> FloatArray:
    """How many of the viewer's units one of the layer's units is, per axis."""
    units = getattr(dims, "units", None)
    return _ratios(layer.units, units[-layer.ndim :]) if units else np.ones(layer.ndim)


def _factors(one: Layer, other: Layer) -> FloatArray:
    """How many units of another layer one unit of a layer is, per axis; 1 where napari drops them.

    It does where those of an axis can't be compared, such as pixels and micrometres.
    """
    pairs = zip(one.units, other.units, strict=True)
    same = all(own.is_compatible_with(theirs) for own, theirs in pairs)
    return _ratios(one.units, other.units) if same else np.ones(one.ndim)


def _ratios(units: Sequence[Unit], others: Sequence[Unit]) -> FloatArray:
    pairs = zip(units, others, strict=True)
    return np.array([1.0 if a == b else float((1 * a).to(b).magnitude) for a, b in pairs])
