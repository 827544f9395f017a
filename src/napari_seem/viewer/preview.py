"""The preview: one Labels layer of a single plane's size that shows what would be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..planes import Plane
from .coordinates import affine_matrix, resampled
from .roles import PREVIEW, adopt, release, slide_under_prompts, spare_layer
from .timeline import bind_undo, timeline_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

PREVIEW_OPACITY = 0.5
PREVIEW_COLOUR = "#29b6f6"
"""Told apart from the signs' green and red, and from napari's first label colours."""


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
    """

    def __init__(self, viewer: ViewerModel, name: str, *, many: bool = False) -> None:
        self._viewer = viewer
        self._name = name
        self._many = many
        self._layers: dict[int, Labels] = {}
        self._shown: Labels | None = None
        self._plane: Plane | None = None

    @property
    def layer(self) -> Labels | None:
        """The layer shown now, or None."""
        return self._shown

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
        _, block = plane.place(np.asarray(values, np.uint8))
        layer = self._layer_for(image, plane, block.shape, corner, factor)
        if layer.data.shape != block.shape:
            layer.data = np.zeros(block.shape, np.uint8)
        layer.data[...] = block
        if not layer.visible:  # napari draws everything anew even where nothing changes
            layer.visible = True
        layer.refresh(extent=False, thumbnail=False, highlight=False)

    def clear(self) -> None:
        """Show nothing."""
        for layer in self._layers.values():
            if layer in self._viewer.layers and layer.data.any():
                layer.data[...] = 0
                layer.refresh(extent=False, thumbnail=False, highlight=False)

    def values(self) -> npt.NDArray[np.uint8] | None:
        """What is shown, as an array of the plane (or of the part that was given), or None."""
        if self._shown is None or self._plane is None:
            return None
        lead = tuple(None if position is None else 0 for position in self._plane.index)
        return Plane(lead, self._plane.axes).read(self._shown.data)

    def close(self) -> None:
        """Show nothing any more and leave the layers, hidden, to another preview."""
        self.clear()
        for layer in self._layers.values():
            release(layer)

    def _layer_for(
        self, image: Image, plane: Plane, shape: tuple[int, ...], corner: tuple[int, int],
        factor: int,
    ) -> Labels:  # fmt: skip
        grain = np.ones(image.ndim)
        grain[list(plane.axes)] = factor
        first = plane.to_array(*(c + (factor - 1) / 2 for c in corner))
        matrix = resampled(affine_matrix(image), grain, first)
        layer = self._layers.get(image.ndim)
        if layer is None or layer not in self._viewer.layers:
            layer = self._layers[image.ndim] = self._made(image, shape, matrix)
        if not np.allclose(layer.affine.affine_matrix, matrix):
            layer.affine = matrix
        if tuple(layer.units) != tuple(image.units):
            layer.units = image.units
        if self._shown is not None and self._shown is not layer:
            self._shown.visible = False
        slide_under_prompts(self._viewer, layer, image)
        self._shown, self._plane = layer, plane
        return layer

    def _made(
        self, image: Image, shape: tuple[int, ...], matrix: npt.NDArray[np.float64]
    ) -> Labels:
        """Return the preview layer; a new one has `shape` and the transform (N + 1, N + 1)."""
        from napari.utils.colormaps import label_colormap

        layer = spare_layer(self._viewer, PREVIEW, image.ndim)
        if layer is None:
            active = self._viewer.layers.selection.active
            layer = self._viewer.add_labels(
                np.zeros(shape, np.uint8), opacity=PREVIEW_OPACITY, affine=matrix,
                units=image.units, axis_labels=image.axis_labels,
            )  # fmt: skip
            self._viewer.layers.selection.active = active
        layer.name, layer.editable = self._name, False
        layer.colormap = label_colormap(49) if self._many else _one_colour()
        adopt(layer, PREVIEW)
        bind_undo(layer, timeline_of(self._viewer))
        return layer


def _one_colour() -> Any:
    from napari.utils.colormaps import DirectLabelColormap

    return DirectLabelColormap(color_dict={None: PREVIEW_COLOUR, 0: "#00000000"})
