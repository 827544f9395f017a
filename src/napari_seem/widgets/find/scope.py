"""Where the Find dock looks: planes of a stack, images of the viewer, or files of a folder."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from napari.layers import Image
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog

from ...errors import InvalidImage
from ...io.images import images_in
from ...query import PlaneRef, PlaneSource, Unreadable, plane_sources_of_files
from ...viewer.model_input import image_source, model_input_of
from ...viewer.shown import channel_layers, image_layers
from ...viewer.stacks import plane_source_of_image, plane_sources_of_stack, slider_numbers
from .._shared.events import Followed, axes_of, layers_of
from .panel import FOLDER, IMAGES, STACK, FindPanel

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

Home: TypeAlias = Image | Path
"""What is searched: the image of a layer, or a file."""


class Scope(QObject):
    """Keeps the panel's choices in step with the viewer, and says what there is to look at.

    Parameters
    ----------
    viewer : ViewerModel
    panel : FindPanel
    parent : QObject

    Attributes
    ----------
    changed : Signal()
        Another image is chosen, or layers came or went.
    outdated : Signal()
        The pixels of an image that was searched are others now.
    """

    changed = Signal()
    outdated = Signal()

    def __init__(self, viewer: ViewerModel, panel: FindPanel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._panel = viewer, panel
        self._images: dict[Hashable, Image] = {}
        self._order: dict[Hashable, int] = {}
        panel.choose.clicked.connect(lambda _: self._choose_folder())
        panel.scope.currentTextChanged.connect(lambda _: self._refresh_axes())
        panel.along.currentIndexChanged.connect(lambda _: self._refresh_range())
        panel.image.chosen.connect(lambda _: self._refresh_axes())
        self._events = Followed()
        self._events.follow(self.refresh, *layers_of(viewer), *axes_of(viewer))
        for box in (panel.image, panel.labels):
            box.follow(viewer, self._events)
        self.refresh()

    @property
    def several(self) -> bool:
        """Whether several layers are shown to the model as channels of one image."""
        return self._panel.channels.isChecked() and not self._panel.channels.isHidden()

    def sources(self) -> tuple[Iterable[PlaneSource | Unreadable], int, list[Home]]:
        """What to look at, about how many planes that is, and the images or files they are of.

        Raises
        ------
        InvalidImage, InvalidPrompt
            There is nothing to look at.
        """
        panel, scope = self._panel, self._panel.scope.currentText()
        if scope == FOLDER:
            paths = images_in(self._folder())
            return plane_sources_of_files(paths), len(paths), list(paths)
        images = [panel.image.layer] if scope == STACK else self._flat_images()
        if not images or images[0] is None:
            raise InvalidImage("there is no image to search; open one first")
        layers = self._viewer.layers
        if scope == IMAGES:
            sources = [plane_source_of_image(image, layers) for image in images]
        else:
            sources = plane_sources_of_stack(
                images[0], self._viewer.dims, layers, axis=panel.along.axis,
                within=panel.planes.within, together=self.several,
            )  # fmt: skip
        return sources, len(sources), images

    def remember(self, homes: list[Home]) -> None:
        """Know images again, and in which order they and files come."""
        for home in homes:
            if not isinstance(home, Path):
                home.events.data.disconnect(self._on_data)
                home.events.data.connect(self._on_data)
                source = image_source(home)
                self._images[source] = home
                home = source
            self._order.setdefault(home, len(self._order))

    def forget(self) -> None:
        """Know no image any more."""
        for image in self._images.values():
            image.events.data.disconnect(self._on_data)
        self._images.clear()
        self._order.clear()

    def identity(self, homes: list[Home]) -> tuple[object, ...]:
        """What tells this from looking elsewhere, or at the same as it is shown otherwise."""
        if homes and isinstance(homes[0], Path):
            return (homes[0].parent,)
        return tuple(model_input_of(one, self._viewer.layers, self.several) for one in homes)

    def knows(self, layer: Layer) -> bool:
        """Whether a layer is one of the images looked at."""
        return any(image is layer for image in self._images.values())

    def image_of(self, source: Hashable) -> Image | None:
        """The layer that a place's `source` stands for; None where it has gone."""
        image = self._images.get(source)
        return image if image is not None and image in self._viewer.layers else None

    def order_of(self, place: PlaneRef) -> tuple[int, ...]:
        """Where a place comes in the order of places."""
        return self._order.get(place.source, 0), *(at or 0 for at in place.plane.index)

    def refresh(self, _: object = None) -> None:
        """Offer the layers that are there."""
        self._refresh_axes()

    def close(self) -> None:
        """Look at the viewer no longer."""
        self.forget()
        self._events.close()

    def _on_data(self, _: object) -> None:
        self.outdated.emit()

    def _flat_images(self) -> list[Image]:
        return [image for image in image_layers(self._viewer) if image.ndim == 2]

    def _folder(self) -> Path:
        if not self._panel.folder.text().strip():
            self._choose_folder()
        text = self._panel.folder.text().strip()
        if not text:
            raise InvalidImage("no folder was chosen")
        folder = Path(text).expanduser()
        if not folder.is_dir():
            raise InvalidImage(f"there is no folder '{folder}'; choose another one")
        return folder

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self._panel, "Folder of images to search")
        if folder:
            self._panel.folder.setText(folder)

    def _refresh_axes(self) -> None:
        self._panel.along.offer(self._panel.image.layer, self._viewer.dims)
        self._refresh_range()
        self.changed.emit()

    def _refresh_range(self) -> None:
        image, axis = self._panel.image.layer, self._panel.along.axis
        dims = self._viewer.dims
        numbers = [0] if image is None or axis is None else slider_numbers(image, dims, axis)
        self._panel.show_scope(numbers, len(self._panel.along.axes))
        channels = 0 if image is None else len(channel_layers(image, self._viewer.layers))
        self._panel.show_channels(channels)
