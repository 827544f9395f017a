"""The preview: one Labels layer of a single plane's size that shows what would be written."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..models.base import mask_bbox
from ..planes import Plane
from .coordinates import affine_matrix, lay_by, on_placing, resampled, spatial_shape
from .private import hide_painting_overlays, selection_kept
from .roles import PREVIEW, adopt, draw_last, in_use, release, spare_layer
from .timeline import bind_undo, timeline_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer
    from napari.utils.colormaps import DirectLabelColormap
    from napari.utils.events import Event

COLOURS, AWAY = 253, 255
"""Objects in a preview of many have the values 1 to `COLOURS`; `AWAY` is shown as left out."""
EDGE = 256
"""Added to the values along an outline; alone it is the dark line around all of them."""
SIDES, SPANS, WIDEST = 300, 16, 4
"""Pixels of an image's longer side, and of what is shown, for each pixel of a line's width; and
the widest line."""
CLEAR = "#00000000"
FILL, LINE, CASING, LEFT_OUT = "#ffffff48", "#ffffff", "#000000c0", "#000000d0"
"""No label colour is white with a dark rim, and the two are seen on bright and dark images."""
FILL_ALPHA = 0.35
DASHES, SHORTEST, GAP = 80, 2, 1
"""How many dashes an image is long; the pixels of the shortest; what is added between them."""
Values = npt.NDArray[np.generic]


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
    dashed : bool
        Show only a dashed outline, of what is not asked for yet.
    """

    role = PREVIEW
    dtype: npt.DTypeLike = np.uint16

    def __init__(
        self, viewer: ViewerModel, name: str, *, many: bool = False, dashed: bool = False
    ) -> None:
        self._viewer = viewer
        self._name = name
        self._many, self._dashed = many, dashed
        self._layers: dict[int, Labels] = {}
        self._shown: Labels | None = None
        self._plane: Plane | None = None
        self._image: Image | None = None
        self._where: tuple[tuple[int, int], int] = (0, 0), 1

    @property
    def layer(self) -> Labels | None:
        """The layer shown now, or None."""
        return self._shown

    @property
    def layers(self) -> list[Labels]:
        """All layers that were made, one for each number of axes."""
        return list(self._layers.values())

    def prepare(self, image: Image) -> None:
        """Make the layer for an image, so that the first click on it need not."""
        if self._layers.get(image.ndim) not in self._viewer.layers:
            matrix = affine_matrix(image)
            self._layers[image.ndim] = self._made(image, (1,) * image.ndim, matrix)
            self._arrange()
        elif not self._layers[image.ndim].data.any():
            self._layers[image.ndim].data = np.zeros((1,) * image.ndim, self.dtype)
            lay_by(self._layers[image.ndim], affine_matrix(image), image.units)

    def show(
        self, image: Image, plane: Plane, values: npt.NDArray[np.generic],
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
        shape = plane.shape(spatial_shape(image))
        values, corner = _with_rim(values, corner, factor, shape)
        _, block = plane.place(self._drawn(values, max(shape) // factor))
        self._follow(image)
        self._plane, self._where = plane, (corner, factor)
        layer = self._layer_for(image, block.shape)
        if layer.data.shape != block.shape:
            layer.data = np.zeros(block.shape, self.dtype)
        layer.data[...] = block
        if not layer.visible:  # napari draws everything anew even where nothing changes
            layer.visible = True
        layer.refresh(extent=False, thumbnail=False, highlight=False)

    def clear(self) -> None:
        """Show nothing."""
        layers = self._viewer.layers
        for layer in self._layers.values():
            if layer in layers and layer.data.any():
                layer.data[...] = 0
                layer.refresh(extent=False, thumbnail=False, highlight=False)
            if layer is layers.selection.active and self._image in layers:
                layers.selection.active = self._image  # clicks are for the preview no more

    def values(self) -> npt.NDArray[np.uint8] | None:
        """What is shown, as an array of the plane or of a part of it, or None."""
        if self._shown is None or self._plane is None:
            return None
        lead = tuple(None if position is None else 0 for position in self._plane.index)
        return (Plane(lead, self._plane.axes).read(self._shown.data) % EDGE).astype(np.uint8)

    def close(self) -> None:
        """Show nothing any more and leave the layers, hidden, to another preview."""
        self.clear()
        self._follow(None)
        for layer in self._layers.values():
            release(layer)

    def _layer_for(self, image: Image, shape: tuple[int, ...]) -> Labels:
        layer = self._layers.get(image.ndim)
        if layer is None or layer not in self._viewer.layers:
            layer = self._layers[image.ndim] = self._made(image, shape, self._matrix(image))
        if self._shown is not None and self._shown is not layer:
            self._shown.visible = False
        self._shown = layer
        self._place()
        self._arrange()
        return layer

    def _arrange(self) -> None:
        """Move the layer to where it is seen."""
        draw_last(self._viewer)

    def _drawn(self, values: Values, side: int) -> Values:
        """What the layer holds for values (h, w) of a plane whose longer side has so many."""
        shown = _outlined(values, side)
        return _in_dashes(shown, side) if self._dashed else shown

    def _follow(self, image: Image | None) -> None:
        """Go where this image goes from now on."""
        if image is not self._image:
            if self._image is not None:
                on_placing(self._image, self._place, follow=False)
            self._image = image
            if image is not None:
                on_placing(image, self._place)

    def _place(self, _: object = None) -> None:
        """Lay the layer onto the image's plane."""
        image, layer = self._image, self._shown
        if image is None or layer is None or layer.ndim != image.ndim:
            return
        lay_by(layer, self._matrix(image), image.units)

    def _matrix(self, image: Image) -> npt.NDArray[np.float64]:
        """The transform (N + 1, N + 1) of the layer."""
        if self._plane is None:
            return affine_matrix(image)
        (corner, factor), grain = self._where, np.ones(image.ndim)
        grain[list(self._plane.axes)] = factor
        first = self._plane.to_array(*(c + (factor - 1) / 2 for c in corner))
        return resampled(affine_matrix(image), grain, first)

    def _made(
        self, image: Image, shape: tuple[int, ...], matrix: npt.NDArray[np.float64]
    ) -> Labels:
        """Return the preview layer; a new one has `shape` and the transform (N + 1, N + 1)."""
        layer = spare_layer(self._viewer, self.role, image.ndim)
        if layer is None:
            layer = self._new(
                np.zeros(shape, self.dtype), affine=matrix, units=image.units,
                axis_labels=image.axis_labels, name=self._name, metadata=in_use(self.role),
            )  # fmt: skip
            with selection_kept(self._viewer):
                self._viewer.add_layer(layer)
        layer.name = self._name
        self._dress(layer)
        on_placing(layer, self._place)
        adopt(layer, self.role)
        bind_undo(layer, timeline_of(self._viewer))
        return layer

    def _new(self, data: Values, **options: object) -> Layer:
        """Make a layer of this kind; the array is (..., H, W)."""
        from napari.layers import Labels

        layer = Labels(data, opacity=1, **options)
        hide_painting_overlays(layer)
        return layer

    def _dress(self, layer: Layer) -> None:
        """Give a layer, new or used before, its looks."""
        lock_against_painting(layer)
        colours = _dashes() if self._dashed else _one_colour()
        layer.colormap = _many_colours() if self._many else colours


def lock_against_painting(layer: Labels) -> None:
    """Let nobody paint on a layer, whatever data it is given."""
    layer.editable = False
    layer.events.editable.connect(_lock)  # napari lets other data be edited again


def _lock(event: Event) -> None:
    """Take the brush away again."""
    if event.source.editable:
        event.source.editable = False


def _with_rim(
    values: Values, corner: tuple[int, int], factor: int, shape: tuple[int, int]
) -> tuple[Values, tuple[int, int]]:
    """Return values (h, w) with a line of zeros on every side that lies in a plane of `shape`.

    `corner` is where their first pixel lies in the plane; it is returned for the larger array.
    """
    before = [int(c >= factor) for c in corner]
    after = [
        int(c + (n + 1) * factor <= size)
        for c, n, size in zip(corner, values.shape, shape, strict=True)
    ]
    y, x = (c - b * factor for c, b in zip(corner, before, strict=True))
    return np.pad(values, list(zip(before, after, strict=True))), (y, x)


def _outlined(values: Values, side: int) -> npt.NDArray[np.uint16]:
    """Return values (h, w) of at most 8 bits with `EDGE` added near where two of them meet.

    `side` is the longer side of the plane that they lie in, in their pixels.
    """
    shown = np.asarray(values, np.uint8).astype(np.uint16)
    bbox = mask_bbox(shown > 0)
    if bbox is None:
        return shown
    y0, x0, y1, x1 = bbox
    width = min(max(round(min(side / SIDES, max(y1 - y0, x1 - x0) / SPANS)), 1), WIDEST)
    area = (slice(max(y0 - width, 0), y1 + width), slice(max(x0 - width, 0), x1 + width))
    part = shown[area].copy()
    edge = np.zeros(part.shape, bool)
    for one, other in ((part, edge), (part.T, edge.T)):
        for step in range(1, min(width, len(one) - 1) + 1):
            differs = one[step:] != one[:-step]
            other[step:] |= differs
            other[:-step] |= differs
    shown[area] += edge * np.uint16(EDGE)
    return shown


def _in_dashes(shown: npt.NDArray[np.uint16], side: int) -> npt.NDArray[np.uint16]:
    """Return values (h, w) with `GAP` added to every other piece of their line; see `_outlined`."""
    dash = max(round(side / DASHES), SHORTEST)
    rows, columns = np.nonzero(shown > EDGE)
    gaps = (rows // dash + columns // dash) % 2 > 0
    shown[rows[gaps], columns[gaps]] += GAP
    return shown


@cache  # napari maps all 65,536 values to colours, one by one, for each colormap that is new to it
def _one_colour() -> DirectLabelColormap:
    return _colormap({1: FILL, EDGE + 1: LINE})


@cache
def _dashes() -> DirectLabelColormap:
    return _colormap({1: CLEAR, EDGE: CLEAR, EDGE + 1: LINE, EDGE + 1 + GAP: CASING})


@cache
def _many_colours() -> DirectLabelColormap:
    """Bright colours, outlined and filled; no gray, as images are gray."""
    from napari.utils.colormaps import label_colormap

    cycle = label_colormap(2 * COLOURS)
    every = [np.asarray(cycle.map(number)) for number in range(1, 2 * COLOURS)]
    bright = [c for c in every if max(c[:3]) > 0.6 and max(c[:3]) - min(c[:3]) > 0.3]
    colours: dict[int | None, object] = {AWAY: LEFT_OUT, EDGE + AWAY: LEFT_OUT}
    for number in range(1, COLOURS + 1):
        line = bright[number % len(bright)]
        colours |= {number: (*line[:3], FILL_ALPHA), EDGE + number: line}
    return _colormap(colours)


def _colormap(colours: dict[int | None, object]) -> DirectLabelColormap:
    from napari.utils.colormaps import DirectLabelColormap

    clear = {None: CLEAR, 0: CLEAR, EDGE: CASING}
    return DirectLabelColormap(color_dict={**clear, **colours})
