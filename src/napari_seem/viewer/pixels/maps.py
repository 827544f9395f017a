"""What a plane was classified as, shown on it: classes in their colours, and maps of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from ..label_layers.palette import CLEAR, Rgba, rgba
from ..preview import Preview, Values, lock_against_painting
from ..roles import CLASS_MAP, PROBABILITY, UNCERTAINTY

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer
    from napari.utils.colormaps import DirectLabelColormap
    from napari.utils.events import Event

SEEN_THROUGH, MAP_OPACITY = 0.4, 0.8
"""Opacity of the map of classes, and of those of numbers."""
COLOURMAPS = {PROBABILITY: "viridis", UNCERTAINTY: "magma"}


class PlaneMap(Preview):
    """A layer of a single plane's size that shows a value for every pixel, below the strokes.

    Parameters
    ----------
    viewer : ViewerModel
    name : str

    Attributes
    ----------
    below : Layer or None
        The layer that it is drawn below.
    hidden : Signal()
        A person took the layer out of sight.
    """

    hidden = Signal()

    def __init__(self, viewer: ViewerModel, name: str) -> None:
        super().__init__(viewer, name)
        self.below: Layer | None = None
        self._quiet = False

    def hide(self) -> None:
        """Show nothing, and take the layers out of sight."""
        self._quiet = True
        self.clear()
        for layer in self.layers:
            if layer.visible:
                layer.visible = False
        self._quiet = False

    def close(self) -> None:
        """As of `Preview`."""
        self._quiet = True
        super().close()

    def _dress(self, layer: Layer) -> None:
        layer.events.visible.connect(self._on_visible)

    def _on_visible(self, event: Event) -> None:
        shown = self._shown
        if not self._quiet and shown is not None and event.source is shown and not shown.visible:
            self.hidden.emit()

    def _drawn(self, values: Values, side: int) -> Values:
        """The values (h, w) as they are."""
        return values

    def _arrange(self) -> None:
        move_between(self._viewer, self._shown, self._image, self.below)


class ClassMap(PlaneMap):
    """Classes in their colours, as a Labels layer.

    Parameters
    ----------
    viewer : ViewerModel
    """

    role = CLASS_MAP

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer, "SEEM pixel classes")
        self._colours: dict[int, str] = {}

    def colour(self, colours: Mapping[int, str]) -> None:
        """Show the numbers of classes in these colours, "#rrggbb", from now on."""
        if dict(colours) != self._colours:
            self._colours = dict(colours)
            for layer in self.layers:
                layer.colormap = self._colormap()

    def _dress(self, layer: Layer) -> None:
        super()._dress(layer)
        layer.opacity, layer.colormap = SEEN_THROUGH, self._colormap()
        lock_against_painting(layer)

    def _colormap(self) -> DirectLabelColormap:
        from napari.utils.colormaps import DirectLabelColormap

        named: dict[int | None, Rgba] = {None: CLEAR, 0: CLEAR}
        named |= {number: rgba(colour) for number, colour in self._colours.items()}
        return DirectLabelColormap(color_dict=named)


class NumberMap(PlaneMap):
    """Numbers from 0 to 1, as an Image layer.

    Parameters
    ----------
    viewer : ViewerModel
    role : str
        `PROBABILITY` or `UNCERTAINTY`.
    """

    dtype = np.float32

    def __init__(self, viewer: ViewerModel, role: str) -> None:
        super().__init__(viewer, f"SEEM {role}")
        self.role = role

    def name(self, name: str) -> None:
        """Call the layer so from now on."""
        self._name = name
        for layer in self.layers:
            if layer.name != name:
                layer.name = name

    def _new(self, data: Values, **options: object) -> Layer:
        """Make an Image layer; the array is (..., H, W)."""
        from napari.layers import Image

        return Image(data, contrast_limits=(0, 1), **options)

    def _dress(self, layer: Layer) -> None:
        super()._dress(layer)
        layer.colormap, layer.contrast_limits = COLOURMAPS[self.role], (0, 1)
        layer.opacity, layer.blending = MAP_OPACITY, "translucent"


def move_between(
    viewer: ViewerModel, layer: Layer | None, lower: Layer | None, upper: Layer | None
) -> None:
    """Move a layer to just below `upper`, unless it lies above `lower` and below that already."""
    layers = viewer.layers
    if layer not in layers or upper not in layers:
        return
    now, there = layers.index(layer), layers.index(upper)
    under = lower in layers and now < layers.index(lower)
    if now > there or under:
        layers.move(now, there)
