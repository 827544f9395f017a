"""The Everything dock: find all objects, sort them in a preview, write those that are left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import napari
import numpy as np
import numpy.typing as npt

from ...errors import InvalidPrompt
from ...sources import is_big
from ...viewer.coordinates import shown_plane, spatial_shape
from ...viewer.private import unwrap
from ...viewer.shown import channel_layers
from .._shared.dock import Dock
from .._shared.events import axes_of, layers_of
from .._shared.forms import on_click
from .._shared.intensity_box import show_as
from .._shared.models.cache import ModelCache, model_cache_of
from .panel import EverythingPanel
from .review import InstanceReview, SegmentRequest

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.utils.events import Event

    from ...intensity import IntensityWindow


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
        super().__init__(napari_viewer)
        self.panel = EverythingPanel()
        self.review = InstanceReview(self.viewer, model_cache or model_cache_of(self.viewer), self)
        self.place(self.panel, self.review.steps.progress)
        self._names: list[str] = []
        self._connect()
        self._refresh_layers()

    def look(self) -> None:
        """Look for everything on the shown plane."""
        image = self.panel.image.layer
        if image is None:
            self.tell("choose an image layer first", True)
            return
        panel = self.panel
        panel.words.clearFocus()  # keys and clicks go to the picture again
        self.review.find(
            SegmentRequest(
                image, panel.model.currentText(), panel.words_typed,
                panel.channels.isChecked(), panel.whole.isChecked(),
            )
        )  # fmt: skip
        panel.look.setEnabled(not self.review.steps.running)

    def accept(self) -> list[int]:
        """Write what is offered; gives the ids."""
        panel = self.panel
        return self.review.accept(panel.labels.layer, panel.overwrite.isChecked(), panel.map_kind)

    def choose_window(self, look: IntensityWindow | str) -> None:
        """Show the chosen image by a look from now on, in every dock."""
        image = self.panel.image.layer
        if image is None:
            return
        with self.reporting():
            show_as(self.viewer, image, look, self.panel.channels.isChecked())
        self.panel.look_box.show_of(image)

    def _let_go(self) -> None:
        self.review.close()
        self.viewer.mouse_drag_callbacks.remove(self._on_press)

    def _connect(self) -> None:
        panel, review = self.panel, self.review
        on_click((
            (panel.look, self.look), (panel.accept, self.accept), (panel.discard, review.clear),
            (panel.back, review.step_back),
        ))  # fmt: skip
        panel.words.returnPressed.connect(self.look)
        panel.image.chosen.connect(self._on_image)
        panel.look_box.chosen.connect(self.choose_window)
        panel.filtered.connect(lambda: review.want(panel.wanted()))
        review.updated.connect(self._on_updated)
        review.said.connect(self.tell)
        review.written.connect(panel.labels.select)
        review.steps.ended.connect(lambda _: panel.look.setEnabled(True))
        self.viewer.mouse_drag_callbacks.append(self._on_press)
        self.events.follow(self._refresh_layers, *layers_of(self.viewer))
        self.events.follow(self._on_removed, self.viewer.layers.events.removed)
        self.events.follow(self._on_image, *axes_of(self.viewer))
        for box in (panel.image, panel.labels):
            box.follow(self.viewer, self.events)

    def _on_press(self, viewer: ViewerModel, event: Event) -> Iterator[None]:
        """A click sorts an object out or in; a stroke with Shift makes one of several."""
        preview = self.review.preview.layer
        active = self.viewer.layers.selection.active
        if event.button != 1 or self.review.place is None or active is not preview:
            return
        stroke, merging = [event.position], "Shift" in event.modifiers
        camera = self.viewer.scene.camera
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

    def _on_removed(self, event: Event) -> None:
        self.review.forget(unwrap(event.value))

    def _on_image(self, _: object = None) -> None:
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

    def _refresh_layers(self, _: object = None) -> None:
        self._on_image()


def _filled(stroke: list[npt.ArrayLike]) -> list[npt.NDArray[np.float64]]:
    """A stroke with points (D,) between those that the mouse gave, so that none is jumped over."""
    points = [np.asarray(point, float) for point in stroke]
    out = [points[0]]
    for start, end in pairwise(points):
        out.extend(start + (end - start) * step / 8 for step in range(1, 9))
    return out
