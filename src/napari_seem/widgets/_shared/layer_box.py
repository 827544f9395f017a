"""Choices of an image and of labels that keep up with what a person sees and makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from napari.layers import Image, Labels, Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox

from ...errors import InvalidLabels
from ...viewer.coordinates import PLACING
from ...viewer.label_layers.targets import check_target
from ...viewer.private import unwrap
from ...viewer.roles import is_ours, is_strokes
from ...viewer.shown import belongs_to, covers, image_meant, is_map, labels_for, show_image
from .events import Followed, later, layers_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.utils.events import Event

OWN = object()
"""Stands for what a box shows already."""


class LayerBox(QComboBox):
    """A choice of layers of a kind, held as layers.

    Parameters
    ----------
    none : str
        Title of a first entry that stands for no layer; without one there is no such entry.
    least_ndim : int
        Layers of fewer axes are not offered.

    Attributes
    ----------
    chosen : Signal(object)
        Another layer is chosen, or None.
    """

    chosen = Signal(object)
    kind: ClassVar[type[Layer]]

    def __init__(self, none: str = "", least_ndim: int = 0) -> None:
        super().__init__()
        self._none, self._least = none, least_ndim
        self._layers: list[Layer] = []
        self._viewer: Any = None
        self._events: Any = None
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.currentIndexChanged.connect(lambda _: self._on_index())

    @property
    def layer(self) -> Layer | None:
        """The chosen layer, or None."""
        index = self.currentIndex() - bool(self._none)
        return self._layers[index] if 0 <= index < len(self._layers) else None

    @property
    def layers(self) -> list[Layer]:
        """The layers that are offered, the lowest first."""
        return list(self._layers)

    def follow(self, viewer: ViewerModel, events: Followed) -> None:
        """Offer a viewer's layers, and choose by what a person sees and makes from now on."""
        self.offer(viewer)
        self._events, layers = events, self._viewer.layers
        events.follow(self._on_layers, *layers_of(self._viewer))
        events.follow(self._on_active, layers.selection.events.active)
        for layer in layers:
            self._watch(layer)
        self._on_active()

    def offer(self, viewer: ViewerModel, present: object = OWN) -> None:
        """Offer a viewer's layers but for our own; the present choice stays where it is there."""
        first, self._viewer = self._viewer is None, unwrap(viewer)
        present = self.layer if present is OWN else present
        layers = [unwrap(layer) for layer in viewer.layers if not is_ours(layer)]
        fit = [x for x in layers if x.ndim >= self._least and self._fits(x)]
        self.blockSignals(True)
        self.clear()
        self._layers = fit
        self.addItems([self._none] * bool(self._none) + [layer.name for layer in fit])
        self.blockSignals(False)
        by_hand = present is None and self._none and not first
        self.select(present if by_hand or self._offers(present) else self._usual())
        if self.layer is not present:
            self.chosen.emit(self.layer)

    def select(self, layer: Layer | None) -> None:
        """Show a layer as chosen without announcing it."""
        self.blockSignals(True)
        index = next((i for i, known in enumerate(self._layers) if known is layer), -1)
        self.setCurrentIndex(index + bool(self._none))
        self.blockSignals(False)

    def _fits(self, layer: Layer) -> bool:
        """Whether a layer is of the kind that is offered."""
        return isinstance(layer, self.kind)

    def _offers(self, layer: object) -> bool:
        return any(known is layer for known in self._layers)

    def _take(self, layer: Layer | None) -> None:
        """Choose a layer for a person, if it is offered."""
        if layer is not self.layer and self._offers(layer):
            self.select(layer)
            self.chosen.emit(layer)

    def _on_layers(self, event: Event) -> None:
        self.offer(self._viewer)
        if event.type == "inserted":
            self._watch(event.value)
            self._on_added(event.value)

    def _watch(self, layer: Layer) -> None:
        """Notice when a layer is renamed, shown or hidden."""
        self._events.follow(self._on_visible, layer.events.visible)
        self._events.follow(self._on_name, layer.events.name)

    def _on_name(self, _: object) -> None:
        self.offer(self._viewer)

    def _usual(self) -> Layer | None:
        """What is chosen where nobody chose."""
        raise NotImplementedError

    def _on_index(self) -> None:
        """A person chose here, or a program for them."""
        raise NotImplementedError

    def _on_active(self, _: object = None) -> None:
        """Another layer of the viewer is the selected one."""
        raise NotImplementedError

    def _on_added(self, layer: Layer) -> None:
        """A layer came."""
        raise NotImplementedError

    def _on_visible(self, event: Event) -> None:
        """A layer was shown or hidden."""


class ImageBox(LayerBox):
    """A choice of the image that a person sees: one that they add, select, uncover or choose here.

    Choosing one here shows it.
    """

    kind = Image

    def _usual(self) -> Image | None:
        return image_meant(self._viewer, self._least)

    def _on_index(self) -> None:
        if self.layer is not None:
            show_image(self._viewer, self.layer)
        self.chosen.emit(self.layer)

    def _on_active(self, _: object = None) -> None:
        layer = unwrap(self._viewer.layers.selection.active)
        if isinstance(layer, Image) and layer.visible:
            self._take(layer)

    def _on_added(self, layer: Layer) -> None:
        if isinstance(layer, Image) and layer.visible:
            self._take(layer)

    def _on_visible(self, event: Event) -> None:
        present, layer = self.layer, event.source
        if present is not None and layer is present and not layer.visible:
            self._take(self._usual())
        elif self._offers(layer) and layer.visible and covers(self._viewer, layer, present):
            self._take(layer)


class LabelsBox(LayerBox):
    """A choice of the labels to write to: those that a person or a dock made or selected last.

    Parameters
    ----------
    beside : ImageBox, optional
        Holds the image that they have to lie on; labels that are another image's are not taken.
    none, least_ndim
        As of `LayerBox`.

    Attributes
    ----------
    unfit : Signal(str)
        The chosen labels can't take objects of the image; why.
    """

    unfit = Signal(str)
    kind = Labels

    def __init__(self, beside: ImageBox | None = None, none: str = "", least_ndim: int = 0) -> None:
        super().__init__(none, least_ndim)
        self._beside = beside
        self._added: list[Labels] = []
        self._soon = later(self, 0, self._take_added)
        self._placed = later(self, 0, self._check)

    def follow(self, viewer: ViewerModel, events: Followed) -> None:
        """Offer a viewer's layers, and choose by what a person sees and makes from now on."""
        super().follow(viewer, events)
        if self._beside is not None:
            self._beside.chosen.connect(self._on_image)

    def _fits(self, layer: Layer) -> bool:
        return isinstance(layer, Labels) and not is_strokes(layer)

    def _usual(self) -> Labels | None:
        image = None if self._beside is None else self._beside.layer
        made = labels_for(self._viewer, image)
        if made is not None or self._none:
            return made
        fit = [layer for layer in self._layers if belongs_to(layer, image)]
        return next(iter(fit or self._layers), None)

    def _on_index(self) -> None:
        if self.layer is not None:
            self.layer.visible = True
        self.chosen.emit(self.layer)
        self._check()

    def _watch(self, layer: Layer) -> None:
        """Notice, too, when it is laid elsewhere, or has other pixels."""
        super()._watch(layer)
        if isinstance(layer, (Image, Labels)):
            placed = (getattr(layer.events, name) for name in PLACING)
            self._events.follow(self._on_placed, layer.events.data, *placed)

    def _on_placed(self, event: Event) -> None:
        beside = None if self._beside is None else self._beside.layer
        if any(event.source is one for one in (self.layer, beside)):
            self._placed.start()

    def _check(self) -> None:
        """Say at once what writing would say."""
        image = None if self._beside is None else self._beside.layer
        if self.layer is not None and image is not None:
            try:
                check_target(self.layer, image, 1)
            except InvalidLabels as error:
                self.unfit.emit(str(error))

    def _on_image(self, image: Image | None) -> None:
        """Another image is chosen: labels of the former one are not meant any more."""
        if self.layer is None or not belongs_to(self.layer, image):
            usual = self._usual()
            if usual is not self.layer:
                self.select(usual)
                self.chosen.emit(usual)

    def _on_active(self, _: object = None) -> None:
        layer = unwrap(self._viewer.layers.selection.active)
        if layer not in self._added:
            self._take_fitting(layer)

    def _on_added(self, layer: Layer) -> None:
        """Note labels, to be taken once whoever makes them is done with them."""
        if isinstance(layer, Labels) and not is_ours(layer):
            self._added.append(layer)
            self._soon.start()

    def _take_added(self) -> None:
        added, self._added = self._added, []
        for layer in added:
            if not is_map(layer):
                self._take_fitting(layer)

    def _take_fitting(self, layer: Layer | None) -> None:
        beside = self._beside
        if self._offers(layer) and (beside is None or belongs_to(layer, beside.layer)):
            self._take(layer)


def image_and_labels(none: str = "", least_ndim: int = 0) -> tuple[ImageBox, LabelsBox]:
    """The choices of an image and of labels that lie on it; the rest as of `LayerBox`."""
    image = ImageBox(least_ndim=least_ndim)
    return image, LabelsBox(image, none, least_ndim)
