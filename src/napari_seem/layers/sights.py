"""Planes of image layers as what can be searched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..look import Look, looked
from ..planes import Plane
from ..query import Place, Sight
from ..tiling import PlanePixels, is_big
from .coordinates import full_data, resolutions, shown_plane, spatial_shape
from .seen import look_of
from .stacks import shown_stack, stack_axes

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image


def sights_of_stack(
    sources: Sequence[Image], dims: Dims, axis: int | None = None,
    within: tuple[int, int] | None = None,
) -> list[Sight]:  # fmt: skip
    """The planes that the shown one belongs to, the nearest to it first.

    Parameters
    ----------
    sources : sequence of Image
        The image, and layers that show further channels of it.
    dims : Dims
    axis : int, optional
        Of the image's array; by default the one moved along last.
    within : (first, last), optional
        Half-open range of planes.

    Raises
    ------
    InvalidPrompt
        The image is not shown as planes of its pixels.
    """
    image = sources[0]
    if not stack_axes(image, dims):
        return [_sight(sources, shown_plane(image, dims), image.name)]
    stack = shown_stack(image, dims, axis)
    first, last = within or (0, stack.shape[0])
    numbers = range(max(0, first), min(last, stack.shape[0]))
    nearest = sorted(numbers, key=lambda k: (abs(k - stack.position), k))
    return [_sight(sources, stack.at(k), f"plane {k}") for k in nearest]


def sight_of_image(image: Image) -> Sight:
    """A layer of two axes, however it is shown."""
    shape = spatial_shape(image)
    return _sight((image,), Plane((None, None), (0, 1), bool(image.rgb)), image.name, shape)


def _sight(
    sources: Sequence[Image], plane: Plane, title: str, shape: Sequence[int] | None = None
) -> Sight:
    image = sources[0]
    look = look_of(image).settled(full_data(image), bool(image.rgb))
    big = is_big(plane.shape(shape or spatial_shape(image)))
    read = _frames(sources, plane, look) if big else _pixels(sources, plane, look)
    return Sight(Place(title, id(image), plane), read)


def _pixels(sources: Sequence[Image], plane: Plane, look: Look) -> Callable[[], Any]:
    """Reads a plane of one layer as it looks, or of several as the channels of one image."""
    arrays = [full_data(image) for image in sources]
    if len(arrays) == 1:
        return lambda: look.apply(plane.read(arrays[0]))
    return lambda: np.stack([plane.read(array) for array in arrays], axis=-1)


def _frames(sources: Sequence[Image], plane: Plane, look: Look) -> Callable[[], Any]:
    shown = look if len(sources) == 1 else Look()
    levels = [[looked(one, shown, plane.channels) for one in resolutions(x)] for x in sources]
    return lambda: PlanePixels(levels, plane)
