"""The tools of the Annotate dock on the canvas: the layers they draw in, and what is in their way.

The layers are those that another image had, or else new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..coordinates import placement
from ..roles import POINTS, PREVIEW, ROLE, SCRIBBLES, SHAPES, adopt, in_use, put_onto, spare_layer
from .shapes import Drawn, Grain

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer, Points, Shapes

    from .prompt_layers import PromptLayers


COLOURS = {True: "#0072b2", False: "#e69f00"}
"""Blue and orange of Okabe and Ito's palette, which nearly everybody can distinguish."""
SYMBOLS = {True: "cross", False: "hbar"}
SIGNS = {True: "positive", False: "negative"}
"""Value of the points layer's 'sign' feature."""
UID = "uid"
"""Feature of points and shapes: the identifier of the row's prompt."""
POSITIVE, NEGATIVE = 1, 2
"""Values of a scribble layer."""
SCRIBBLE_COLOURS = {None: "#00000000", 0: "#00000000", 1: COLOURS[True], 2: COLOURS[False]}
FACES = {True: "#00000000", False: f"{COLOURS[False]}40"}
"""Inside of a shape: nothing, or a veil over what does not belong to the object."""
RIM = "#ffffff"
"""Around points, so that they are seen on what has their own colour."""
MODES = {
    "point": (0, "add"), "box": (1, "add_rectangle"), "lasso": (1, "add_polygon_lasso"),
    "scribble": (2, "paint"),
}  # fmt: skip
"""For tools that draw: the number of the prompt layer, and its mode."""
IDLE = "pan_zoom"
"""Mode in which a layer leaves clicks to others."""


def layer_of(layers: PromptLayers, tool: str) -> tuple[Layer, str]:
    """Return the layer that a tool draws in, and the mode that the layer has to be in."""
    number, mode = MODES.get(tool, (0, IDLE))
    return layers.layers[number], mode


def take_tool(viewer: ViewerModel, layers: PromptLayers, tool: str) -> None:
    """Select the layer of a tool, in its mode, over all other layers."""
    layers.restore()
    layer, mode = layer_of(layers, tool)
    if not layer.visible:
        layer.visible = True
    if viewer.layers.selection.active is not layer:
        viewer.layers.selection.active = layer
    if str(layer.mode) != mode:
        layer.mode = mode


def drawing_tool(viewer: ViewerModel, layers: PromptLayers) -> str:
    """The tool that the selected layer is ready for, such as by napari's own buttons; or ""."""
    active = viewer.layers.selection.active
    for tool in MODES:
        layer, mode = layer_of(layers, tool)
        if layer is active and str(layer.mode) == mode:
            return tool
    return ""


def hindrance(viewer: ViewerModel, layers: PromptLayers, tool: str) -> str:
    """Why a click on the canvas would not be for a tool: a sentence, or "" where it would.

    Layers of the person leave clicks to the tool, unless one of napari's own tools is on in them.
    """
    active = viewer.layers.selection.active
    if active is None:
        return ""
    mode = str(getattr(active, "mode", IDLE))
    if active.metadata.get(ROLE) == PREVIEW:
        return f"'{active.name}' is selected, and clicks are for what it shows."
    if active in layers.layers:
        layer, wanted = layer_of(layers, tool)
        if (active, mode) == (layer, wanted):
            return ""
    elif mode == IDLE:
        return ""
    return f"napari's own tool '{mode}' is on in '{active.name}', and clicks are for it."


def points_layer(viewer: ViewerModel, image: Image, size: float) -> Points:
    """The layer that points are clicked in, empty."""
    layer = _spare(viewer, image, POINTS)
    if layer is None:
        layer = viewer.add_points(
            ndim=image.ndim, border_width=0.08, border_color=RIM, face_color=COLOURS[True],
            symbol=SYMBOLS[True], features={k: np.array([], object) for k in ("sign", UID)},
            feature_defaults={"sign": SIGNS[True], UID: ""}, **_about(image, POINTS),
        )  # fmt: skip
    else:
        layer.selected_data = set()
        layer.data = np.zeros((0, image.ndim))
    layer.current_size = size
    adopt(layer, POINTS)
    return layer


def shapes_layer(viewer: ViewerModel, image: Image) -> Shapes:
    """The layer that boxes and lassos are drawn in, empty."""
    layer = _spare(viewer, image, SHAPES)
    if layer is None:
        layer = viewer.add_shapes(
            ndim=image.ndim, edge_color=COLOURS[True], face_color=FACES[True], opacity=0.9,
            features={UID: np.array([], object)}, feature_defaults={UID: ""},
            **_about(image, SHAPES),
        )  # fmt: skip
    else:
        layer.selected_data = set()
        layer.data = []
    adopt(layer, SHAPES)
    return layer


def scribbles_layer(viewer: ViewerModel, image: Image, grain: Grain) -> Labels:
    """The layer that scribbles are painted in, empty."""
    layer = _spare(viewer, image, SCRIBBLES)
    empty = np.zeros(grain.shape, np.uint8)
    if layer is None:
        layer = viewer.add_labels(
            empty, opacity=0.8, colormap=SCRIBBLE_COLOURS, **_about(image, SCRIBBLES)
        )
    else:
        layer.data = empty
        layer.editable = False  # makes napari forget the strokes on the image before
        layer.editable = True
    grain.put(layer)
    adopt(layer, SCRIBBLES)
    return layer


def draw_points(layer: Points, drawn: Sequence[Drawn]) -> None:
    """Show exactly these points in their layer."""
    if not drawn and not len(layer.data):
        return
    layer.selected_data = set()
    places = [d.vertices[0] for d in drawn if d.vertices is not None]
    data = np.array(places).reshape(-1, layer.ndim)
    signs, uids = [SIGNS[d.prompt.positive] for d in drawn], [d.prompt.uid for d in drawn]
    # such as where the last is undone
    kept = list(layer.features.get(UID, ()))[: len(drawn)] == uids
    if not (kept and np.array_equal(layer.data, data)):
        layer.data = data
    if not kept:
        events = layer.events  # at which napari draws, with NAPARI_ASYNC also points that are gone
        with events.face_color.blocker(), events.symbol.blocker(), events.highlight.blocker():
            layer.face_color = [COLOURS[d.prompt.positive] for d in drawn]
            layer.symbol = [SYMBOLS[d.prompt.positive] for d in drawn]
        layer.size = layer.current_size  # which draws all of it
        layer.features = {"sign": signs, UID: uids}


def draw_shapes(layer: Shapes, drawn: Sequence[Drawn], positive: bool, edge_width: float) -> None:
    """Show exactly these shapes in their layer; the next one that is drawn has the sign given."""
    if not drawn and not layer.nshapes:
        return
    layer.selected_data = set()
    layer.data = []
    if drawn:
        layer.add(
            [d.vertices for d in drawn], shape_type=[d.shape_type for d in drawn],
            edge_color=[COLOURS[d.prompt.positive] for d in drawn],
            face_color=[FACES[d.prompt.positive] for d in drawn], edge_width=edge_width,
        )  # fmt: skip
        layer.features = {UID: [d.prompt.uid for d in drawn]}
    layer.selected_data = set()
    layer.current_edge_color = COLOURS[positive]
    layer.current_face_color = FACES[positive]


def _spare(viewer: ViewerModel, image: Image, role: str) -> Layer | None:
    """A layer to use again, put onto the image, or None."""
    layer = spare_layer(viewer, role, image.ndim)
    if layer is not None:
        layer.visible = True
        put_onto(viewer, layer, image)
    return layer


def _about(image: Image, role: str) -> dict[str, object]:
    """Name, mark and place of a new layer."""
    return {"name": f"SEEM {role}", "metadata": in_use(role), **placement(image)}
