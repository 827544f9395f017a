"""The choice of how an image is shown to models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QComboBox

from ...images import WINDOWS
from ...intensity import PERCENTILES, IntensityWindow
from ...viewer.coordinates import full_data, layers_on
from ...viewer.model_input import CONTRAST, LOOK, VEGETATION, choose_window
from ...viewer.shown import channel_layers
from .events import later

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from ..annotate.annotator import Annotator

SETTLE_MS = 300
"""So long after the last change of a contrast limit a mask is computed anew."""

CHOICES: dict[str, IntensityWindow | str] = {
    "as it is": IntensityWindow(),
    "contrast limits": CONTRAST,
    "whole volume": IntensityWindow(percentiles=PERCENTILES, name="volume"),
    **{f"CT {name}": IntensityWindow(window=window, name=name) for name, window in WINDOWS.items()},
    "vegetation index": VEGETATION,
}
TIPS = (
    "8-bit as it is, else the 1st to 99th percentile of each plane",
    "What you see: the layer's own contrast limits",
    "One window for all planes: the 1st to 99th percentile of the volume without air (MR)",
    *(f"{low:g} to {high:g} Hounsfield units" for low, high in WINDOWS.values()),
    "(NIR - red) / (NIR + red) of the layers whose names end in nir and red",
)


class WindowBox(QComboBox):
    """Offers the looks of an image layer.

    Attributes
    ----------
    chosen : Signal(object)
        A `IntensityWindow`, or one of the words of `layers.seen`; only when a person chose.
    """

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        for number, (title, tip) in enumerate(zip(CHOICES, TIPS, strict=True)):
            self.addItem(title)
            self.setItemData(number, tip, Qt.ItemDataRole.ToolTipRole)
        self.setToolTip("How intensities are shown to you and to the model; belongs to the image")
        self.activated.connect(self._on_activated)

    def show_of(self, layer: Image | None) -> None:
        """Show what a layer has."""
        present: Any = (
            IntensityWindow() if layer is None else layer.metadata.get(LOOK, IntensityWindow())
        )
        values = list(CHOICES.values())
        self.setCurrentIndex(values.index(present) if present in values else 0)
        self.setEnabled(layer is not None)

    def _on_activated(self, number: int) -> None:
        self.chosen.emit(list(CHOICES.values())[number])


def show_as(
    viewer: ViewerModel, image: Image, window: IntensityWindow | str, together: bool
) -> None:
    """Show an image, or with `together` all of its channels, by an intensity window from now on.

    The person sees it by the window, too; a window of percentiles only where that needs no reading
    from disk.
    """
    channels = channel_layers(image, viewer.layers)
    for layer in channels if together and window != VEGETATION else (image,):
        choose_window(layer, window, layers_on(image, viewer.layers))
        limits = _limits(layer, window)
        if limits is not None:
            layer.contrast_limits = limits


def _limits(layer: Image, window: IntensityWindow | str) -> tuple[float, float] | None:
    """The contrast limits that show a layer by an intensity window; None where they stay."""
    if isinstance(window, str) or layer.rgb:
        return None
    data = full_data(layer)
    in_memory = type(data) is np.ndarray
    return window.resolved(data).window if window.window or in_memory else None


class WindowChoice(QObject):
    """Keeps the choice, the chosen image and the present answer in step.

    Parameters
    ----------
    annotator : Annotator
    box : WindowBox
    """

    def __init__(self, annotator: Annotator, box: WindowBox) -> None:
        super().__init__(annotator)
        self._annotator, self._box = annotator, box
        self._image: Image | None = None
        self._later = later(self, SETTLE_MS, annotator.turns.compute)
        box.chosen.connect(self.choose)
        annotator.place_changed.connect(self._follow)
        box.show_of(None)

    def choose(self, look: IntensityWindow | str) -> None:
        """Show the chosen image by a look from now on; all of its channels where all are shown."""
        annotator, image = self._annotator, self._annotator.image
        if image is None:
            return
        with annotator.reporting():
            show_as(annotator.viewer, image, look, annotator.all_channels)
            annotator.turns.compute()
        self._box.show_of(image)

    def close(self) -> None:
        """Let go of the image."""
        self._later.stop()
        self._watch(None)

    def _follow(self) -> None:
        if self._annotator.image is not self._image:
            self._watch(self._annotator.image)
            self._box.show_of(self._image)

    def _watch(self, image: Image | None) -> None:
        if self._image is not None:
            self._image.events.contrast_limits.disconnect(self._on_contrast)
        self._image = image
        if image is not None:
            image.events.contrast_limits.connect(self._on_contrast)

    def _on_contrast(self, _: object = None) -> None:
        if self._image is not None and self._image.metadata.get(LOOK) == CONTRAST:
            self._later.start()
