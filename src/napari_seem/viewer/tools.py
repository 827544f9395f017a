"""The tools of the Annotate dock on the canvas: where each draws, and what is in its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .prompt_layers import PromptLayers
from .roles import PREVIEW, ROLE

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

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
