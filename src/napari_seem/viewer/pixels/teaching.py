"""All strokes of a viewer: the classes they are of, and what they teach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from ...errors import InvalidName, NapariSeemError
from ...labels.plans import clean_name, quoted
from ...palette import Palette
from ...pixel_classes.incremental import TaughtPlane
from ...planes import Plane
from ..label_layers.targets import check_place
from ..model_input import ModelInput, model_input_of
from ..private import unwrap
from ..shown import image_layers
from .strokes import StrokeLayer, new_strokes, strokes_on

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from ...sources.source import ImageInput, PlaneSource

FIRST_CLASSES = ("object", "background")
"""The classes that are offered before there are others."""


@dataclass(frozen=True)
class TaughtClass:
    """A class of all strokes of a viewer: the number that it is learned as, name, and colour."""

    number: int
    name: str
    colour: str


class PixelTeaching:
    """The strokes on all images of a viewer, with one list of classes.

    Classes are one class where they are called the same.

    Parameters
    ----------
    viewer : ViewerModel

    Attributes
    ----------
    changed : Signal()
        Strokes or classes are others: `update` takes them up, a little later.
    together : bool
        Images are shown to models with all layers that show channels of them.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer, self.together = viewer, False
        self._layers: dict[Labels, StrokeLayer] = {}
        self._names: dict[Labels, dict[int, str]] = {}
        self._dirty: set[Labels] = set()
        self._inputs: dict[Image, tuple[ModelInput, ImageInput]] = {}
        self._classes: dict[str, TaughtClass] = {}
        self._learned: frozenset[str] = frozenset()
        for name in FIRST_CLASSES:
            self._note(name)
        self.look()

    @property
    def classes(self) -> list[TaughtClass]:
        """The classes by their numbers."""
        return sorted(self._classes.values(), key=lambda one: one.number)

    def update(self) -> None:
        """Take up what was painted, renamed or undone since."""
        dirty, self._dirty = self._dirty, set()
        for layer in [self._layers[one] for one in dirty if one in self._layers]:
            layer.name_new()
            self._follow_names(layer)
        self._dirty.clear()

    def look(self) -> None:
        """Take up the strokes on all images that are open, and let go of those that are gone."""
        images, layers = image_layers(self._viewer), self._viewer.layers
        for one in list(self._layers.values()):
            if one.layer not in layers or one.image not in images:
                self._leave(one)
        for image in [one for one in self._inputs if one not in images]:
            del self._inputs[image]
        for image in images:
            layer = strokes_on(self._viewer, image)
            if layer is not None and self.layer_on(image) is None:
                self.open(image, layer)

    def close(self) -> None:
        """Follow nothing any more."""
        for layer in self._layers.values():
            layer.close()
        self._layers.clear()

    def layer_on(self, image: Image) -> StrokeLayer | None:
        """The strokes on an image, or None."""
        return next((one for one in self._layers.values() if one.image is image), None)

    def leave(self, image: Image) -> None:
        """Learn from the strokes on an image no more."""
        for one in list(self._layers.values()):
            if one.image is image:
                self._leave(one)

    def open(self, image: Image, labels: Labels) -> StrokeLayer:
        """Learn from the strokes in a layer on an image from now on, and in no other on it.

        Raises
        ------
        InvalidLabels
            The layer does not lie on the image.
        """
        known = self._layers.get(unwrap(labels))
        if known is not None and known.image is image:
            return known
        check_place(labels, image)
        return self._take(image, labels, empty=False)

    def make(self, image: Image, home: Path | None = None) -> StrokeLayer:
        """Add a layer for strokes on an image, with the present classes."""
        colours = {one.name: one.colour for one in self.classes}
        labels = new_strokes(self._viewer, image, colours, home)
        return self._take(image, labels, empty=True)

    def add(self, name: str = "", colour: str = "") -> str:
        """Add a class; gives its name.

        Raises
        ------
        InvalidName
            There is a class of that name, or the name is too long.
        """
        numbers = (f"class {number}" for number in range(1, len(self._classes) + 2))
        wanted = clean_name(name) if name else next(n for n in numbers if n not in self._classes)
        self._check_free(wanted)
        self._note(wanted, colour)
        self.changed.emit()
        return wanted

    def rename(self, old: str, new: str) -> None:
        """Call a class something else, wherever there are strokes of it.

        Raises
        ------
        InvalidName
            The name is that of another class, empty or too long.
        """
        wanted = clean_name(new)
        if wanted == old:
            return
        self._check_free(wanted)
        self._classes[wanted] = replace(self._classes[old], name=wanted)
        for layer in self._layers.values():
            layer.rename(old, wanted)
        self._classes.pop(old, None)
        self.update()
        self.changed.emit()

    def recolour(self, name: str, colour: str) -> None:
        """Give a class another colour, "#rrggbb", wherever there are strokes of it."""
        self._classes[name] = replace(self._classes[name], colour=colour)
        for layer in self._layers.values():
            if any(one.name == name for one in layer.classes):
                layer.recolour(name, colour)
        self.update()
        self.changed.emit()

    def remove(self, name: str) -> None:
        """Take a class away with all of its strokes.

        Raises
        ------
        InvalidName
            The opened lesson knows it.
        """
        if name in self._learned:
            raise InvalidName(f"{quoted(name)} is a class of the opened lesson; close that first")
        self._classes.pop(name, None)
        for layer in self._layers.values():
            layer.remove(name)
        self.update()
        self.changed.emit()

    def begin_with(self, names: Mapping[int, str], colours: Mapping[int, str]) -> None:
        """Take up the classes of a lesson, by their ids there; none for no lesson.

        Classes of strokes stay, and are the lesson's where they are called the same.
        """
        painted = self._painted()
        known = [one for one in self.classes if one.name in painted]
        self._classes, self._learned = {}, frozenset(names.values())
        for number, name in sorted(names.items()):
            self._note(name, colours.get(number, ""), number)
        for one in known:
            self._note(one.name, one.colour)
        for name in () if self._classes else FIRST_CLASSES:
            self._note(name)
        self.changed.emit()

    def source(self, image: Image, plane: Plane, title: str = "") -> PlaneSource:
        """A plane as it is classified; what is found out of the whole image is kept."""
        given = model_input_of(image, self._viewer.layers, self.together)
        known = self._inputs.get(image)
        arrays = given.arrays()
        if known is None or known[0] != given or list(known[1].images) != list(arrays.images):
            known = self._inputs[image] = given, arrays
        return replace(given.source(plane, title), input=known[1])

    def input_of(self, image: Image) -> ModelInput:
        """What is shown to the classifier of an image."""
        return model_input_of(image, self._viewer.layers, self.together)

    def taught(self) -> tuple[list[TaughtPlane], list[str]]:
        """What all strokes teach, copied, and why some teach nothing."""
        planes: list[TaughtPlane] = []
        problems = []
        for layer in self._layers.values():
            try:
                check_place(layer.layer, layer.image)
            except NapariSeemError as error:
                problems.append(str(error))
                continue
            planes += self._taught_by(layer)
        return planes, problems

    def _taught_by(self, layer: StrokeLayer) -> list[TaughtPlane]:
        numbers, channels = self._numbers_in(layer), bool(layer.image.rgb)
        planes = []
        for one in layer.planes:
            source = self.source(layer.image, replace(one.plane, channels=channels))
            planes.append(TaughtPlane.of(source, one.places, one.ids, numbers))
        return planes

    def _numbers_in(self, layer: StrokeLayer) -> dict[int, int]:
        """Id in a layer -> the number of its class."""
        numbers = {name: one.number for name, one in self._classes.items()}
        return {i: numbers[one.name] for one in layer.classes for i in one.ids
                if one.name in numbers}  # fmt: skip

    def _take(self, image: Image, labels: Labels, *, empty: bool) -> StrokeLayer:
        own = unwrap(labels)
        for one in list(self._layers.values()):
            if one.layer is own or one.image is image:
                self._leave(one)
        layer = self._layers[own] = StrokeLayer(self._viewer, image, own, empty=empty)
        layer.changed.connect(lambda: self._on_changed(layer))
        self._follow_names(layer)
        self.changed.emit()
        return layer

    def _leave(self, layer: StrokeLayer) -> None:
        del self._layers[layer.layer]
        self._names.pop(layer.layer, None)
        layer.close()
        self.changed.emit()

    def _on_changed(self, layer: StrokeLayer) -> None:
        self._dirty.add(layer.layer)
        self.changed.emit()

    def _painted(self) -> set[str]:
        """The classes of all layers."""
        return {name for known in self._names.values() for name in known.values()}

    def _follow_names(self, layer: StrokeLayer) -> None:
        """Take up the classes of a layer, and let go of those that it had and nobody else has."""
        classes, first = layer.classes, not self._names
        before = self._names.get(layer.layer, {})
        after = {i: one.name for one in classes for i in one.ids}
        self._names[layer.layer] = after
        for old, new in {(before[i], after[i]) for i in before.keys() & after.keys()}:
            if old in self._classes and new not in self._classes:
                self._classes[new] = replace(self._classes[old], name=new)
        kept = self._painted() | self._learned
        gone = FIRST_CLASSES if first and after else before.values()
        for name in {*gone} - kept:
            self._classes.pop(name, None)
        for one in classes:
            self._note(one.name, one.colour)
            if len(self._layers) == 1:
                self._classes[one.name] = replace(self._classes[one.name], colour=one.colour)

    def _note(self, name: str, colour: str = "", number: int | None = None) -> None:
        if name in self._classes:
            return
        taken = {one.name: one.colour for one in self.classes}
        chosen = colour or Palette(colours=taken).with_classes([name]).colours[name]
        free = max((one.number for one in self._classes.values()), default=0) + 1
        self._classes[name] = TaughtClass(number or free, name, chosen)

    def _check_free(self, name: str) -> None:
        if name in self._classes:
            raise InvalidName(f"there is a class {quoted(name)} already; choose another name")
