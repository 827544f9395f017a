"""The choices of the layers that hold the strokes on an image, and what is written of it."""

from __future__ import annotations

from napari.layers import Image, Labels, Layer

from ...viewer.pixels.strokes import strokes_on
from ...viewer.roles import is_strokes
from ...viewer.shown import belongs_to
from .._shared.layer_box import ImageBox, LabelsBox


class StrokesBox(LabelsBox):
    """A choice of strokes: those on the chosen image that were made or selected last.

    Parameters
    ----------
    beside : ImageBox
        Holds the image that they lie on.
    """

    def __init__(self, beside: ImageBox) -> None:
        super().__init__(beside, "new layer")

    def _fits(self, layer: Layer) -> bool:
        return isinstance(layer, Labels)

    def _usual(self) -> Labels | None:
        image = None if self._beside is None else self._beside.layer
        return None if image is None else strokes_on(self._viewer, image)

    def _on_image(self, image: Image | None) -> None:
        if self.layer is None or image is None or not belongs_to(self.layer, image, strokes=True):
            usual = self._usual()
            if usual is not self.layer:
                self.select(usual)
                self.chosen.emit(usual)

    def _take_fitting(self, layer: Layer | None) -> None:
        image = None if self._beside is None else self._beside.layer
        strokes = isinstance(layer, Labels) and is_strokes(layer)
        if strokes and self._offers(layer) and belongs_to(layer, image, strokes=True):
            self._take(layer)


class TargetBox(LabelsBox):
    """A choice of the labels to write to: a layer of their own, unless a person chooses here.

    Parameters
    ----------
    beside : ImageBox
        Holds the image that they lie on.
    """

    def __init__(self, beside: ImageBox) -> None:
        super().__init__(beside, "a layer of their own")

    def _usual(self) -> Labels | None:
        return None

    def _take_fitting(self, layer: Layer | None) -> None:
        """Other labels hold other objects, which classes would replace."""
