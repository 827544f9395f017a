"""What a person sees: which image, what lies above it, and which place of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet, ref

import numpy as np
import numpy.typing as npt

from ..planes import Plane
from .coordinates import (
    affine_matrix,
    data_to_world,
    lay_onto,
    layers_on,
    lie_alike,
    lie_within,
    on_placing,
    spatial_shape,
    world_to_data,
)
from .label_layers.window import window_of
from .private import unwrap
from .roles import is_ours, is_strokes

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer


COVERING = ("translucent", "translucent_no_depth", "opaque")
"""Blendings that hide what lies below; the others add to it."""
MOST_TRANSPARENT = 0.5
"""Images of less opacity let those below be seen."""
SMALLEST, LARGEST, USUAL = 1 / 12, 2 / 3, 1 / 4
"""Share of the canvas that an object may take as it is, and that it is given where it does not."""
_MAPS: WeakSet[Labels] = WeakSet()
"""Labels of every pixel that lie beside those of the objects."""


class _MadeFor:
    """Keeps labels on the image that they were made for, until a person lays them elsewhere."""

    def __init__(self, labels: Labels, image: Image) -> None:
        self._labels, self.image = ref(labels), ref(image)
        self._former = affine_matrix(image), tuple(image.units)
        on_placing(image, self.follow)

    def follow(self, _: object = None) -> None:
        """The image was placed elsewhere."""
        labels, image = self._labels(), self.image()
        if labels is None or image is None:
            return
        (matrix, units), self._former = self._former, (affine_matrix(image), tuple(image.units))
        known = labels.ndim == image.ndim and tuple(labels.units) == units
        if known and lie_within(affine_matrix(labels), matrix, spatial_shape(labels)):
            lay_onto(labels, image)


_MADE_FOR: WeakKeyDictionary[Labels, _MadeFor] = WeakKeyDictionary()


def image_layers(viewer: ViewerModel, least_ndim: int = 0) -> list[Image]:
    """The images of a viewer, but for our own and those of fewer axes; the lowest first."""
    from napari.layers import Image

    layers = (unwrap(layer) for layer in viewer.layers)
    return [x for x in layers if isinstance(x, Image) and not is_ours(x) and x.ndim >= least_ndim]


def image_meant(viewer: ViewerModel, least_ndim: int = 0) -> Image | None:
    """The image that a person means: the selected one, or else the topmost visible one.

    Parameters
    ----------
    viewer : ViewerModel
    least_ndim : int
        Images of fewer axes are left out.

    Returns
    -------
    Image or None
        Where no image is visible, the topmost; None where there is none.
    """
    images = image_layers(viewer, least_ndim)
    active = unwrap(viewer.layers.selection.active)
    visible = [image for image in images if image.visible]
    chosen = [image for image in visible if image is active]
    return next(reversed(chosen or visible or images), None)


def covering_image(viewer: ViewerModel, image: Image, world: npt.ArrayLike) -> Image | None:
    """The topmost visible image that hides `image` at a world position (D,), or None."""
    if viewer.canvas.grid.enabled:
        return None
    covers = (other for other in _above(viewer, image) if _holds(viewer, other, world))
    return next(covers, None)


def covers(viewer: ViewerModel, image: Image, other: Image) -> bool:
    """Whether an image lies above another and hides at least a part of it in the shown plane."""
    if viewer.canvas.grid.enabled or not any(one is image for one in _above(viewer, other)):
        return False
    (low, high), (other_low, other_high) = _extents(viewer, image, other)
    return bool((low < other_high).all() and (other_low < high).all())


def is_seen(viewer: ViewerModel, image: Image) -> bool:
    """Whether an image is visible, and no other image hides a part of it."""
    return image.visible and not _covering(viewer, image)


def show_image(viewer: ViewerModel, image: Image) -> None:
    """Bring an image before a person's eyes: select it, and hide the images that hide it.

    Its own labels are shown again; those of images that are not seen any more are hidden.
    """
    image.visible = True
    above = _covering(viewer, image)
    below = [x for x in image_layers(viewer) if covers(viewer, image, x)]
    unseen = [*above, *(x for x in below if _lies_within(viewer, x, image))]
    for layer in list(viewer.layers):
        owner = owner_of(layer)
        if owner is not None and same_picture(owner, image):
            layer.visible = True
        elif any(owner is one for one in unseen) or any(layer is one for one in above):
            layer.visible = False
    viewer.layers.selection.active = image


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


def go_to(viewer: ViewerModel, layer: Layer, point: npt.ArrayLike) -> None:
    """Show the plane of a point (N,) in a layer's pixels, and centre the camera on it."""
    world = data_to_world(layer, point, viewer.dims)
    first = viewer.dims.ndim - layer.ndim
    shown = viewer.dims.displayed
    others = [axis for axis in range(layer.ndim) if axis + first not in shown]
    viewer.dims.set_point([axis + first for axis in others], [world[axis] for axis in others])
    centre = [world[axis - first] if axis >= first else 0.0 for axis in shown]
    viewer.scene.camera.center = tuple(centre) if len(centre) == 3 else (0.0, *centre)


def show_one_of(viewer: ViewerModel, layer: Layer, planes: Collection[tuple[int, ...]]) -> None:
    """Show the nearest of some planes of a layer, unless one of them is shown.

    Parameters
    ----------
    viewer : ViewerModel
    layer : Layer
    planes : collection of tuple of int
        Positions along all axes but the last two; none leaves the viewer as it is.
    """
    dims, first = viewer.dims, viewer.dims.ndim - layer.ndim
    hidden = [axis for axis in range(layer.ndim - 2) if axis + first not in dims.displayed]
    if not planes or not hidden:
        return
    now = np.round(world_to_data(layer, dims.point, dims))
    nearest = min(planes, key=lambda at: float(np.abs(np.subtract(at, now[:-2]))[hidden].sum()))
    point = np.where(np.isin(np.arange(layer.ndim), hidden), np.append(nearest, (0, 0)), now)
    if (point != now).any():
        world = data_to_world(layer, point, dims)
        dims.set_point([axis + first for axis in hidden], [world[axis] for axis in hidden])


def same_picture(one: Image, other: Image) -> bool:
    """Whether two layers show the same image, as channels of it that add up."""
    channels = sum(layer.blending not in COVERING for layer in (one, other))
    return one is other or (channels > 0 and lie_alike(one, other))


def channel_layers(image: Image, layers: Sequence[Layer]) -> tuple[Image, ...]:
    """The layers that show channels of the same picture: `image`, and visible ones exactly on it.

    napari opens an image of several channels as one gray layer each, blended additively.
    """
    return tuple(layer for layer in layers_on(image, layers) if same_picture(layer, image))


def note_owner(labels: Labels, image: Image) -> None:
    """Remember that labels were made for an image; they go where it goes."""
    _MADE_FOR[unwrap(labels)] = _MadeFor(unwrap(labels), unwrap(image))


def note_map(labels: Labels) -> None:
    """Remember that objects are written elsewhere, unless a person wants them here."""
    _MAPS.add(unwrap(labels))


def is_map(layer: Layer) -> bool:
    """Whether a layer says what every pixel is, beside the labels of the objects."""
    return unwrap(layer) in _MAPS


def owner_of(layer: Layer) -> Image | None:
    """The image that labels were made for, where that is known and still exists."""
    found = _MADE_FOR.get(unwrap(layer))
    return None if found is None else found.image()


def belongs_to(labels: Labels, image: Image | None, *, strokes: bool = False) -> bool:
    """Whether objects of an image can be written into labels that are not another image's.

    With `strokes`, whether they can hold strokes on it, into which no objects are written.
    """
    if image is None or is_ours(labels) or not lie_alike(labels, image):
        return False
    if is_strokes(labels) and not strokes:
        return False
    if labels.multiscale and window_of(labels) is None:
        return False
    owner = owner_of(labels)
    return owner is None or same_picture(owner, image)


def labels_for(viewer: ViewerModel, image: Image | None) -> Labels | None:
    """The topmost visible labels that were made for an image, or None."""
    layers = (unwrap(layer) for layer in reversed(viewer.layers))
    made = (x for x in layers if x.visible and owner_of(x) is not None and not is_map(x))
    return next((layer for layer in made if belongs_to(layer, image)), None)


def _above(viewer: ViewerModel, image: Image) -> Iterable[Image]:
    """The visible images that hide what is below them and lie above one, the topmost first."""
    for layer in reversed(image_layers(viewer)):
        if layer is image:
            return
        opaque = layer.blending in COVERING and layer.opacity > MOST_TRANSPARENT
        if layer.visible and opaque:
            yield layer


def _covering(viewer: ViewerModel, image: Image) -> list[Image]:
    """The images that hide at least a part of one in the shown plane, the topmost first."""
    return [other for other in _above(viewer, image) if covers(viewer, other, image)]


def _extents(viewer: ViewerModel, *images: Image) -> list[npt.NDArray[np.float64]]:
    """Return the lowest and the highest corner of each image, (2, K) along the shown axes."""
    least = min(image.ndim for image in images)
    axes = [axis - viewer.dims.ndim for axis in viewer.dims.displayed]
    return [np.asarray(x.extent.world)[:, [a for a in axes if -a <= least]] for x in images]


def _lies_within(viewer: ViewerModel, image: Image, other: Image) -> bool:
    (low, high), (other_low, other_high) = _extents(viewer, image, other)
    return bool((low >= other_low).all() and (high <= other_high).all())


def _holds(viewer: ViewerModel, image: Image, world: npt.ArrayLike) -> bool:
    """Whether a world position (D,) lies on an image."""
    point = np.round(world_to_data(image, world, viewer.dims))
    return bool(((point >= 0) & (point < spatial_shape(image))).all())


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
