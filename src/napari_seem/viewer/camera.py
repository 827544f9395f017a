"""Bringing a place of an image before a person's eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..planes import Plane
from .coordinates import data_to_world

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

SMALLEST, LARGEST, USUAL = 1 / 12, 2 / 3, 1 / 4
"""Share of the canvas that an object may take as it is, and that it is given where it does not."""


def show_place(
    viewer: ViewerModel, image: Image, plane: Plane, bbox: tuple[int, int, int, int]
) -> None:
    """Show a plane of an image, with a part of it in the middle, neither tiny nor overflowing.

    Parameters
    ----------
    viewer : ViewerModel
    image : Image
    plane : Plane
        Of the image's array.
    bbox : half-open (y0, x0, y1, x1) in the plane
    """
    show_plane(viewer, image, plane)
    _aim(viewer, image, plane, bbox)


def show_plane(viewer: ViewerModel, image: Image, plane: Plane) -> None:
    """Show a plane of an image's array."""
    dims = viewer.dims
    offset = dims.ndim - image.ndim
    if dims.ndisplay != 2:
        dims.ndisplay = 2
    shown = tuple(axis + offset for axis in plane.axes)
    if tuple(dims.displayed) != shown:
        dims.order = (*(axis for axis in range(dims.ndim) if axis not in shown), *shown)
    world = data_to_world(image, [0 if at is None else at for at in plane.index], dims)
    for axis, at in enumerate(plane.index):
        if at is not None:
            dims.set_point(axis + offset, float(world[axis]))


def _aim(viewer: ViewerModel, image: Image, plane: Plane, bbox: tuple[int, int, int, int]) -> None:
    y0, x0, y1, x1 = bbox
    corners = [plane.to_array(y, x) for y in (y0 - 0.5, y1 - 0.5) for x in (x0 - 0.5, x1 - 0.5)]
    world = np.array([data_to_world(image, c, viewer.dims)[list(plane.axes)] for c in corners])
    low, high = world.min(0), world.max(0)
    middle = (low + high) / 2
    camera = viewer.scene.camera
    camera.center = (0.0, float(middle[0]), float(middle[1]))
    share = float(((high - low) * camera.zoom / np.maximum(viewer.canvas.size, 1)).max())
    if share > 0 and not SMALLEST <= share <= LARGEST:
        camera.zoom = camera.zoom * USUAL / share
