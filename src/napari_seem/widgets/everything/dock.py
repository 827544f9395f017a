"""The Everything dock: find all objects, sort them in a preview, write those that are left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import napari
import numpy as np
from napari.layers import Image, Labels
from napari.utils.notifications import show_warning

from ...errors import InvalidPrompt, NapariSeemError
from ...models.base import Capability
from ...models.registry import able_models
from ...sources import is_big
from ...viewer.coordinates import channel_layers, shown_plane, spatial_shape
from ...viewer.model_input import VEGETATION, choose_window
from ...viewer.private import unwrap
from ...viewer.roles import is_ours
from .._shared.dock import Dock
from .._shared.model_cache import ModelCache, model_cache_of
from .panel import EverythingPanel
from .review import Asked, InstanceReview


class EverythingWidget(Dock):
    """Segment everything on a plane, with a preview before anything is written.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Filled in by napari.
    model_cache : ModelCache, optional
        Models and encoded images; by default those of the viewer's docks.

    Attributes
    ----------
    review : InstanceReview
        The work itself; usable without looking at the dock.
    """

    def __init__(
        self, napari_viewer: napari.viewer.Viewer, model_cache: ModelCache | None = None
    ) -> None:
        super().__init__()
        self.viewer = unwrap(napari_viewer)
        self.panel = EverythingPanel(self, able_models(Capability.EVERYTHING))
        self.review = InstanceReview(self.viewer, model_cache or model_cache_of(self.viewer), self)
        self._closed = False
        self._names: list[str] = []
        self._connect()
        self._refresh_layers()

    def look(self) -> None:
        """Look for everything on the shown plane."""
        image = self.panel.image.layer
        if image is None:
            self._say("choose an image layer first", True)
            return
        panel = self.panel
        panel.words.clearFocus()  # keys and clicks go to the picture again
        self.review.find(
            Asked(
                image, panel.model.currentText(), panel.words_typed,
                panel.channels.isChecked(), panel.whole.isChecked(),
            )
        )  # fmt: skip
        panel.show_running(self.review.steps.running)

    def look_or_stop(self) -> None:
        """Look for everything; what runs already is stopped instead."""
        if self.review.steps.running:
            self.review.steps.stop()
            self._say("stopping ...", False)
        else:
            self.look()

    def accept(self) -> list[int]:
        """Write what is offered; gives the ids."""
        panel = self.panel
        return self.review.accept(panel.labels.layer, panel.overwrite.isChecked(), panel.map_kind)

    def choose_window(self, look: Any) -> None:
        """Show the chosen image by a look from now on, in every dock."""
        image = self.panel.image.layer
        if image is None:
            return
        bands = channel_layers(image, self.viewer.layers)
        several = self.panel.channels.isChecked() and look != VEGETATION
        try:
            for layer in bands if several else (image,):
                choose_window(layer, look, bands)
        except NapariSeemError as error:
            self._say(str(error), True)
        self.panel.look_box.show_of(image)

    def release(self) -> None:
        """Let go of the viewer; what is written stays."""
        if self._closed:
            return
        self._closed = True
        self.review.close()
        self.viewer.mouse_drag_callbacks.remove(self._on_press)
        layers = self.viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.disconnect(self._refresh_layers)
        layers.removed.disconnect(self._on_removed)
        for event in (self.viewer.dims.events.order, self.viewer.dims.events.ndisplay):
            event.disconnect(self._on_image)

    def _connect(self) -> None:
        panel, review = self.panel, self.review
        panel.look.clicked.connect(lambda: self.look_or_stop())
        panel.words.returnPressed.connect(self.look)
        panel.image.chosen.connect(self._on_image)
        panel.look_box.chosen.connect(self.choose_window)
        panel.accept.clicked.connect(lambda: self.accept())
        panel.discard.clicked.connect(lambda: review.clear())
        panel.back.clicked.connect(lambda: review.step_back())
        panel.filtered.connect(lambda: review.want(panel.wanted()))
        review.updated.connect(self._on_updated)
        review.said.connect(self._say)
        review.written.connect(panel.labels.select)
        review.steps.ended.connect(lambda _: panel.show_running(False))
        self.viewer.mouse_drag_callbacks.append(self._on_press)
        layers = self.viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.connect(self._refresh_layers)
        layers.removed.connect(self._on_removed)
        for event in (self.viewer.dims.events.order, self.viewer.dims.events.ndisplay):
            event.connect(self._on_image)

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        """A click sorts an object out or in; a stroke with Shift makes one of several."""
        preview = self.review.preview.layer
        active = self.viewer.layers.selection.active
        if event.button != 1 or self.review.place is None or active is not preview:
            return
        stroke, merging = [event.position], "Shift" in event.modifiers
        camera = getattr(self.viewer, "scene", self.viewer).camera  # napari >= 0.9 has a scene
        panned, camera.mouse_pan = camera.mouse_pan, not merging
        dragged = False
        yield
        while event.type == "mouse_move":
            dragged = True
            stroke.append(event.position)
            yield
        camera.mouse_pan = panned
        if merging:
            self.review.merge_along(_filled(stroke))
        elif not dragged:  # a drag moves the picture
            self.review.toggle_at(event.position)

    def _on_updated(self) -> None:
        names = list(self.review.names)
        if set(names) != set(self._names):
            self._names = names
            self.panel.show_names(self.review.names)
            self.review.want(self.panel.wanted())
            return
        self.panel.show_offer(
            len(self.review.offered()), self.review.total,
            can_step_back=self.review.can_step_back, has_map=self.review.has_map,
        )  # fmt: skip

    def _say(self, text: str, error: bool) -> None:
        self.panel.message.say(text, problem=error)
        if error:
            show_warning(text)

    def _on_removed(self, event: Any) -> None:
        self.review.forget(unwrap(event.value))

    def _on_image(self, _: Any = None) -> None:
        """Offer what goes with the chosen image: its look, its channels, a whole big plane."""
        image = self.panel.image.layer
        self.panel.look_box.show_of(image)
        channels, big = 0, False
        if image is not None:
            channels = len(channel_layers(image, self.viewer.layers))
            with suppress(InvalidPrompt):  # not shown as planes now; told when it is looked at
                plane = shown_plane(image, self.viewer.dims)
                big = is_big(plane.shape(spatial_shape(image)))
        self.panel.show_choices(channels, big)

    def _refresh_layers(self, _: Any = None) -> None:
        layers = [unwrap(layer) for layer in self.viewer.layers if not is_ours(layer)]
        panel = self.panel
        panel.image.offer([x for x in layers if isinstance(x, Image)], panel.image.layer)
        panel.labels.offer([x for x in layers if isinstance(x, Labels)], panel.labels.layer)
        self._on_image()


def _filled(stroke: list[Any]) -> list[Any]:
    """A stroke with points between those that the mouse gave, so that none is jumped over."""
    points = [np.asarray(point, float) for point in stroke]
    out = [points[0]]
    for start, end in pairwise(points):
        out.extend(start + (end - start) * step / 8 for step in range(1, 9))
    return out
