"""What happens to the chosen image while a person works on it: it is moved, or has other pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

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
    moved : callable
        Called without arguments where it lies elsewhere, or has another array of the same shape:
        another plane may be shown.
    reshaped : callable
        Called without arguments where it has an array of another shape.
    outdated : callable
        Called without arguments where its pixels are to be read anew.
    """

    def __init__(
        self, annotator: Annotator, moved: Callable[[], None], reshaped: Callable[[], None],
        outdated: Callable[[], None],
    ) -> None:  # fmt: skip
        super().__init__(annotator)
        self._annotator, self._outdated = annotator, outdated
        self._moved, self._reshaped = moved, reshaped
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
        self._outdated()

    def _connect(self, image: Image, *, follow: bool) -> None:
        on_placing(image, self._on_placed, follow=follow)
        pairs = ((image.events.data, self._on_data), (image.events.set_data, self._on_drawn))
        for event, slot in pairs:
            if follow:
                event.connect(slot)
            else:
                event.disconnect(slot)

    def _on_placed(self, _: object = None) -> None:
        self._moved()

    def _on_data(self, _: object = None) -> None:
        layers = self._annotator.prompt_layers
        if layers is not None:
            (self._moved if layers.fits else self._reshaped)()

    def _on_drawn(self, _: object = None) -> None:
        self._soon.start()

    def _look_again(self) -> None:
        """The image was drawn anew: its pixels may have been changed in place."""
        image, plane = self._image, self._annotator.plane
        if image is None or plane is None:
            return
        if self._annotator.sessions.has_changed(image, plane):
            self.answer_again()
