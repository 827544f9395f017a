"""Prompt layers made for an image, or taken over from one that has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .coordinates import placement
from .roles import POINTS, SCRIBBLES, SHAPES, adopt, put_on_top, put_onto, spare_layer
from .strokes import Grain

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Points, Shapes

COLOURS = {True: "#2dd36f", False: "#ff4961"}
SYMBOLS = {True: "cross", False: "hbar"}
SIGNS = {True: "positive", False: "negative"}
"""Value of the points layer's 'sign' feature."""
UID = "uid"
"""Feature of points and shapes: the identifier of the row's prompt."""
POSITIVE, NEGATIVE = 1, 2
"""Values of a scribble layer."""
SCRIBBLE_COLOURS = {None: "#00000000", 0: "#00000000", 1: COLOURS[True], 2: COLOURS[False]}
CLEAR = "#00000000"


def points_layer(viewer: ViewerModel, image: Image, size: float) -> Points:
    """The layer that points are clicked in, empty."""
    layer, name = _spare(viewer, image, POINTS)
    if layer is None:
        layer = viewer.add_points(
            ndim=image.ndim, name=name, border_width=0.05, face_color=COLOURS[True],
            symbol=SYMBOLS[True], features={k: np.array([], object) for k in ("sign", UID)},
            feature_defaults={"sign": SIGNS[True], UID: ""}, **placement(image),
        )  # fmt: skip
    layer.selected_data = set()
    layer.data = np.zeros((0, image.ndim))
    layer.current_size = size
    adopt(layer, POINTS)
    return layer


def shapes_layer(viewer: ViewerModel, image: Image) -> Shapes:
    """The layer that boxes and lassos are drawn in, empty."""
    layer, name = _spare(viewer, image, SHAPES)
    if layer is None:
        layer = viewer.add_shapes(
            ndim=image.ndim, name=name, edge_color=COLOURS[True], face_color=CLEAR,
            opacity=0.9, features={UID: np.array([], object)}, feature_defaults={UID: ""},
            **placement(image),
        )  # fmt: skip
    layer.selected_data = set()
    layer.data = []
    adopt(layer, SHAPES)
    return layer


def scribbles_layer(viewer: ViewerModel, image: Image, grain: Grain) -> Labels:
    """The layer that scribbles are painted in, empty."""
    layer, name = _spare(viewer, image, SCRIBBLES)
    empty = np.zeros(grain.shape, np.uint8)
    if layer is None:
        layer = viewer.add_labels(
            empty, name=name, opacity=0.8, colormap=SCRIBBLE_COLOURS, **placement(image)
        )
    else:
        layer.data = empty
        layer.editable = False  # makes napari forget the strokes on the image before
        layer.editable = True
    grain.put(layer)
    adopt(layer, SCRIBBLES)
    return layer


def _spare(viewer: ViewerModel, image: Image, role: str) -> tuple[Any, str]:
    """A layer to use again, put onto the image, or None; and its name."""
    layer, name = spare_layer(viewer, role, image.ndim), f"{image.name} {role}"
    if layer is not None:
        layer.name, layer.visible = name, True
        put_onto(viewer, layer, image)
        put_on_top(viewer, layer)
    return layer, name
