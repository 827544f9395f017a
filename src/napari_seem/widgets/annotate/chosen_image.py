"""What happens to the chosen image while a person works on it: it is moved, or has other pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from ...viewer.coordinates import on_placing
from .._shared.events import later

if TYPE_CHECKING:
    from napari.layers import Image

    from .annotator import Annotator


class ChosenImage(QObject):
    """Keeps prompts and answers with the chosen image.

    Parameters
    ----------
    annotator : Annotator

    Attributes
    ----------
    moved : Signal()
        It lies elsewhere, or has another array of the same shape: another plane may be shown.
    reshaped : Signal()
        It has an array of another shape.
    """

    moved = Signal()
    reshaped = Signal()

    def __init__(self, annotator: Annotator) -> None:
        super().__init__(annotator)
        self._annotator = annotator
        self._image: Image | None = None
        self._soon = later(self, 0, self._look_again)

    def follow(self, image: Image | None) -> None:
        """Follow this image from now on, or none."""
        if self._image is not None:
            self._connect(self._image, follow=False)
        self._image = image
        if image is not None:
            self._connect(image, follow=True)

    def answer_again(self) -> None:
        """Read the image anew, and answer the prompts on it."""
        if self._image is not None:
            self._annotator.sessions.forget_pixels(self._image)
        self._annotator.turns.compute()

    def _connect(self, image: Image, *, follow: bool) -> None:
        on_placing(image, self._on_placed, follow=follow)
        pairs = ((image.events.data, self._on_data), (image.events.set_data, self._on_drawn))
        for event, slot in pairs:
            if follow:
                event.connect(slot)
            else:
                event.disconnect(slot)

    def _on_placed(self, _: object = None) -> None:
        self.moved.emit()

    def _on_data(self, _: object = None) -> None:
        layers = self._annotator.prompt_layers
        if layers is not None:
            (self.moved if layers.fits else self.reshaped).emit()

    def _on_drawn(self, _: object = None) -> None:
        self._soon.start()

    def _look_again(self) -> None:
        """The image was drawn anew: its pixels may have been changed in place."""
        image, plane = self._image, self._annotator.plane
        if image is None or plane is None:
            return
        if self._annotator.sessions.has_changed(image, plane):
            self.answer_again()
