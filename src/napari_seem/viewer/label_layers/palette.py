"""A Labels layer in the colours of its classes, or each object in one of its own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
import numpy.typing as npt

from ...edits import ObjectTable
from ...labels.plans import classes_of
from ...palette import NEUTRAL, Palette, rgb
from ..coordinates import full_data
from ..metadata import ABOUT
from ..private import unwrap
from .features import table_of
from .window import window_of

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.utils.colormaps import Colormap, CyclicLabelColormap, DirectLabelColormap

CLASSES = "napari-seem classes"
"""Key of a Labels layer's metadata: its palette, as plain values."""
CYCLE = 49
"""Colours of napari's own cycle."""
Rgba = npt.NDArray[np.float32]
CLEAR = np.zeros(4, np.float32)


def palette_of(labels: Labels) -> Palette:
    """The palette kept with a layer, or with the file it came from."""
    metadata = unwrap(labels).metadata
    return Palette.from_dict(metadata.get(CLASSES, metadata.get(ABOUT)))


def keep_palette(labels: Labels, palette: Palette) -> None:
    """Keep a palette with a layer; nothing is drawn anew."""
    layer = unwrap(labels)
    if layer.metadata.get(CLASSES) != palette.to_dict():
        layer.metadata = {**layer.metadata, CLASSES: palette.to_dict()}


class Colouring:
    """Gives a layer the colours it is to have, by class or object by object.

    Colours that a person chooses in napari's own controls stay until the next choice made here.
    """

    def __init__(self, layer: Labels) -> None:
        self._ref = ref(layer)
        self._only: frozenset[int] | None = None
        self._drawing = False
        self._own = label_colours() if palette_of(layer).by_class else layer.colormap
        layer.events.features.connect(self._on_features)
        layer.events.colormap.connect(self._on_colormap)

    @property
    def palette(self) -> Palette:
        """The layer's palette, with a colour for every class of its table."""
        layer = self._ref()
        palette = palette_of(layer).with_classes(r.class_name for _, r in table_of(layer).items())
        keep_palette(layer, palette)
        return palette

    def by_class(self, wanted: bool) -> None:
        """Colour objects by class, or each on its own."""
        keep_palette(self._ref(), replace(self.palette, by_class=wanted))
        self.draw()

    def only(self, ids: Collection[int] | None) -> None:
        """Show these objects and no others; None for all."""
        self._only = None if ids is None else frozenset(ids)
        self.draw()

    def draw(self) -> None:
        """Draw what changed in another colour."""
        layer: Any = self._ref()
        if palette_of(layer).by_class:
            wanted = class_colours(table_of(layer), self.palette, self._only, **_selected(layer))
        elif self._only is not None:
            wanted = _by_object(layer, self._own, self._only)
        else:
            wanted = self._own
        if _same(wanted, layer.colormap):
            return
        self._drawing = True
        try:
            layer.colormap = wanted
        finally:
            self._drawing = False
        self._colour_window()

    def _colour_window(self) -> None:
        """The part that is painted on looks like the whole."""
        layer: Any = self._ref()
        window = window_of(layer)
        if window is not None and window.layer is not None:
            window.layer.colormap = layer.colormap

    def _on_features(self, _: object) -> None:
        """New objects of a class get its colour at once."""
        layer = self._ref()
        if layer is not None and palette_of(layer).by_class:
            self.draw()

    def _on_colormap(self, _: object) -> None:
        layer = self._ref()
        if layer is None or self._drawing:
            return
        self._own, self._only = layer.colormap, None
        self._colour_window()
        keep_palette(layer, replace(palette_of(layer), by_class=False))


def label_colours() -> CyclicLabelColormap:
    """napari's own cycle of colours."""
    from napari.utils.colormaps import label_colormap

    return label_colormap(CYCLE)


def rgba(colour: str) -> Rgba:
    """The four parts of "#rrggbb", 0 to 1."""
    return np.array([*(part / 255 for part in rgb(colour)), 1.0], np.float32)


def class_colours(
    table: ObjectTable, palette: Palette, only: Collection[int] | None = None, **options: object
) -> DirectLabelColormap:
    """A colormap in which objects have the colour of their class.

    Parameters
    ----------
    table : ObjectTable
    palette : Palette
    only : collection of int, optional
        Ids to show; by default all, and pixels of no known object.
    **options
        As for `DirectLabelColormap`.
    """
    from napari.utils.colormaps import DirectLabelColormap

    colours: dict[int | None, Rgba] = {None: rgba(NEUTRAL) if only is None else CLEAR, 0: CLEAR}
    for name, ids in classes_of(table, only or ()).items():
        colour = rgba(palette.of(name))
        colours |= {i: colour for i in ids if only is None or i in only}
    return DirectLabelColormap(color_dict=colours, **options)


def _by_object(layer: Labels, own: Colormap, only: Collection[int]) -> DirectLabelColormap:
    """A colormap in which some objects have the colours of another, and the rest none."""
    from napari.utils.colormaps import DirectLabelColormap

    ids = np.array(sorted(only), np.dtype(full_data(layer).dtype))
    colours: dict[int | None, Rgba] = {None: CLEAR, 0: CLEAR}
    if ids.size:
        mapped = np.asarray(own.map(ids), np.float32)
        colours |= dict(zip(ids.tolist(), mapped, strict=True))
    return DirectLabelColormap(color_dict=colours, **_selected(layer))


def _selected(layer: Labels) -> dict[str, object]:
    """Whether a colormap shows one object only, and which, as the layer has it."""
    return {"use_selection": layer.show_selected_label, "selection": layer.selected_label}


def _same(one: object, other: object) -> bool:
    if one is other:
        return True
    mine, theirs = (getattr(c, "color_dict", None) for c in (one, other))
    if mine is None or theirs is None or mine.keys() != theirs.keys():
        return False
    return all(np.array_equal(colour, theirs[key]) for key, colour in mine.items())
