"""The labelled planes of a viewer, to be given to a model as examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..labels.census import BATCH, count
from ..planes import Plane
from ..sources import is_big
from ..sources.frames import Area, Frame, cores
from ..sources.source import PlaneSource
from .coordinates import full_data, spatial_shape
from .model_input import model_input_of
from .private import unwrap
from .roles import is_ours
from .shown import belongs_to, image_layers, is_map, owner_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from ..images import ArraySource


@dataclass(frozen=True, eq=False)
class LabelledLayer:
    """A Labels layer, and the image that it lies on.

    Attributes
    ----------
    image : Image
    labels : Labels
    axes : (int, int)
        The array axes shown as rows and as columns.
    """

    image: Image
    labels: Labels
    axes: tuple[int, int]

    @property
    def title(self) -> str:
        """Names of both layers."""
        return f"{self.labels.name} on {self.image.name}"

    def planes(self) -> list[Plane]:
        """All planes along the shown axes."""
        shape = spatial_shape(self.image)
        along = [range(1) if i in self.axes else range(n) for i, n in enumerate(shape)]
        return [
            Plane(tuple(None if i in self.axes else at for i, at in enumerate(index)), self.axes)
            for index in product(*along)
        ]


@dataclass(frozen=True)
class CountedPlane:
    """A plane on which objects are labelled.

    Attributes
    ----------
    plane : Plane
        Of the label array.
    objects : int
    areas : tuple of (y0, x0, y1, x1)
        Half-open parts that hold all of them: the plane, or frames of one too big for one pass.
    """

    plane: Plane
    objects: int
    areas: tuple[Area, ...]

    @property
    def pixels(self) -> int:
        """Number of pixels of the parts."""
        return sum((y1 - y0) * (x1 - x0) for y0, x0, y1, x1 in self.areas)


@dataclass(frozen=True, eq=False)
class LabelledPart:
    """A part of a plane: its labels, and where its image is read from, in any thread.

    Attributes
    ----------
    source : PlaneSource
    area : (y0, x0, y1, x1)
        Half-open.
    labels : integer array (h, w)
        A copy.
    """

    source: PlaneSource
    area: Area
    labels: npt.NDArray[np.integer[Any]] = field(repr=False)

    def read(self) -> npt.NDArray[np.generic]:
        """The image of the part, (h, w) or (h, w, C), as a model is given it."""
        if not self.source.is_big:
            return self.source.read()
        pixels = self.source.pixels()
        return pixels.appearance.show(pixels.read(Frame(1, *self.area)))


def labelled_layers(viewer: ViewerModel) -> list[LabelledLayer]:
    """The Labels layers of a viewer that lie on an image, in the order of the layers."""
    from napari.layers import Labels

    found = []
    for layer in map(unwrap, viewer.layers):
        if isinstance(layer, Labels) and not is_ours(layer) and not is_map(layer):
            image = _image_of(viewer, layer)
            if image is not None:
                found.append(LabelledLayer(image, layer, _shown_axes(viewer, image)))
    return found


def count_labelled(data: ArraySource, planes: Sequence[Plane]) -> Iterator[list[CountedPlane]]:
    """Look which planes of a label array of any shape hold objects; yield some at a time."""
    found, read = [], 0
    for plane in planes:
        height, width = plane.shape(data.shape)
        whole = (0, 0, height, width)
        parts = [area for area, _ in cores(whole[2:])] if is_big(whole[2:]) else [whole]
        ids = {area: count(plane.read(data, area)).ids for area in parts}
        areas = tuple(area for area in parts if ids[area].size)
        if areas:
            objects = np.unique(np.concatenate([ids[area] for area in areas])).size
            found.append(CountedPlane(plane, int(objects), areas))
        read += height * width
        if read >= BATCH:
            yield found
            found, read = [], 0
    yield found


def within(planes: Sequence[CountedPlane], pixels: int) -> list[CountedPlane]:
    """Choose planes, evenly spaced, of not many more than so many pixels in all; one at least."""
    total = sum(one.pixels for one in planes)
    count = max(1, min(len(planes), len(planes) * pixels // max(1, total)))
    return [planes[k * len(planes) // count] for k in range(count)]


def parts_of(
    viewer: ViewerModel, layer: LabelledLayer, planes: Sequence[CountedPlane]
) -> list[LabelledPart]:
    """Copy the labels of planes as they are now, and note where their image is read from."""
    given = model_input_of(layer.image, viewer.layers, together=False)
    data, found = full_data(layer.labels), []
    for one in planes:
        plane = Plane(one.plane.index, one.plane.axes, bool(layer.image.rgb))
        source = given.source(plane, layer.image.name)
        found += [
            LabelledPart(source, area, np.array(one.plane.read(data, area))) for area in one.areas
        ]
    return found


def _image_of(viewer: ViewerModel, labels: Labels) -> Image | None:
    """The image that labels were made for, or else the topmost that they lie on."""
    owner, images = owner_of(labels), image_layers(viewer)
    if any(owner is image for image in images) and belongs_to(labels, owner):
        return owner
    fit = [image for image in reversed(images) if belongs_to(labels, image)]
    return next((image for image in fit if image.visible), fit[0] if fit else None)


def _shown_axes(viewer: ViewerModel, image: Image) -> tuple[int, int]:
    """The axes of an image that are shown; its last two where they are not exactly two."""
    offset = viewer.dims.ndim - image.ndim
    axes = [axis - offset for axis in viewer.dims.displayed if axis >= offset]
    return (axes[0], axes[1]) if len(axes) == 2 else (image.ndim - 2, image.ndim - 1)
