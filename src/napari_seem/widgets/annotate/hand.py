"""The tool in a person's hand: what a click on the canvas is for, and what the dock says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from ...viewer.drawing.prompt_layers import PromptLayers
from ...viewer.drawing.tools import MODES, drawing_tool, hindrance, take_tool
from ...viewer.shown import covering_image
from .._shared.events import Followed, later
from .annotator import Annotator
from .panel import Panel
from .proposals import Proposals

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer
    from napari.utils.events import Event

COVERED = "'{0.name}' lies above '{1.name}' here. Choose '{0.name}' as the image, or hide it."

IN_GRID = (
    "In napari's grid mode prompts and preview are shown beside the image, not on it; they count "
    "where you click all the same. Switch the grid off (Ctrl+G) to see them on the image."
)


class Hand(QObject):
    """Keeps the tool that the dock shows and what a click does in step.

    A layer that has no use for clicks itself, such as an image or labels that are only looked at,
    leaves them to the tool. While napari's own brush, or another tool of its, is on, none of ours
    is shown, and the dock says why.

    Parameters
    ----------
    annotator : Annotator
    panel : Panel
    proposals : Proposals
        What a word found, to be taken by clicks.
    say : callable
        Shows a message, and whether it is an error.

    Attributes
    ----------
    tool : str
    covered : str
        Which image hides the chosen one where the person clicked last; "" for none.
    """

    def __init__(
        self, annotator: Annotator, panel: Panel, proposals: Proposals,
        say: Callable[[str, bool], None],
    ) -> None:  # fmt: skip
        super().__init__(annotator)
        self._annotator, self._panel, self._proposals = annotator, panel, proposals
        self._viewer: ViewerModel = annotator.viewer
        self._say = say
        self.tool, self.covered, self._hindered = "point", "", ""
        self._soon = later(self, 0, self._show)
        self._watched: Layer | None = None

    def follow(self, events: Followed) -> None:
        """Act on clicks, and on other layers being selected, from now on."""
        self._viewer.mouse_drag_callbacks.append(self._on_press)
        grid = self._viewer.canvas.grid.events.enabled
        events.follow(self.look, self._viewer.layers.selection.events.active, grid)

    def close(self) -> None:
        """Let go of the viewer."""
        self._viewer.mouse_drag_callbacks.remove(self._on_press)
        self._soon.stop()
        self._watch(None)

    def use(self, tool: str) -> None:
        """Take a tool: its layer becomes the selected one, in its mode."""
        self.tool = tool
        layers = self._annotator.prompt_layers
        if layers is not None:
            take_tool(self._viewer, layers, tool)
            layers.set_positive(self._annotator.positive)
        self._soon.stop()
        self._show()

    def look(self, _: object = None) -> None:
        """Show the tool that a click is for, once napari is done with what it is doing."""
        self._watch(self._viewer.layers.selection.active)
        self._soon.start()

    def _watch(self, layer: Layer | None) -> None:
        """Notice another mode of the selected layer."""
        if self._watched is not None:
            self._watched.events.mode.disconnect(self._on_mode)
        self._watched = layer
        if layer is not None:
            layer.events.mode.connect(self._on_mode)

    def _on_mode(self, _: object) -> None:
        self._soon.start()

    def _show(self) -> None:
        """Show the tool that a click is for; where it is for another layer, say so."""
        layers, message, reason = self._annotator.prompt_layers, self._panel.message, ""
        if layers is not None:
            self.tool = drawing_tool(self._viewer, layers) or self.tool
            reason = hindrance(self._viewer, layers, self.tool)
        self._panel.show_tool("" if reason else self.tool)
        key = self._panel.key_of(f"use_{self.tool}")
        said = f"{reason} Press {key} to go on with {self.tool.capitalize()}." if reason else ""
        if layers is not None and not said and self._viewer.canvas.grid.enabled:
            said = IN_GRID
        if said or message.text() == self._hindered:
            message.say(said)
        self._hindered = said

    def _on_press(self, viewer: ViewerModel, event: Event) -> Iterator[None]:
        """Runs before the selected layer's own mouse handling."""
        annotator, layers = self._annotator, self._annotator.prompt_layers
        if layers is None:
            return
        hindered = hindrance(self._viewer, layers, self.tool)
        if not hindered and event.button in (1, 2) and "Alt" not in event.modifiers:
            self._begin(layers, event.position)
        if self._viewer.layers.selection.active in layers.layers:
            negative = event.button == 2 or "Control" in event.modifiers
            wanted = annotator.positive and not negative
            if layers.positive != wanted:
                layers.set_positive(wanted)
        if hindered or event.button != 1 or self.tool not in ("pick", "word"):
            return
        yield
        if event.type == "mouse_move":  # a drag moves the picture
            return
        if self.tool == "pick":
            annotator.objects.pick(event.position)
        elif self._proposals.active:
            self._proposals.take_at(event.position)

    def _begin(self, layers: PromptLayers, world: Sequence[float]) -> None:
        """The click is the tool's, whichever layer is selected; say what hides its image."""
        if self.tool in MODES and self._viewer.dims.ndisplay == 2:
            take_tool(self._viewer, layers, self.tool)
        image = self._annotator.image
        above = None if image is None else covering_image(self._viewer, image, world)
        self.covered = "" if above is None or image is None else COVERED.format(above, image)
        if self.covered:
            self._say(self.covered, False)
