"""All objects of a plane as a person sorts them: filtered, clicked away, merged, then written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from ..edits import ObjectRecord
from ..errors import NapariSeemError
from ..layers.coordinates import (
    full_data,
    resolutions,
    shown_area,
    shown_plane,
    spatial_shape,
    world_to_data,
)
from ..layers.ledger import Ledger
from ..layers.writing import NewObject, Preview, check_target, new_labels
from ..models.filters import Wanted, united
from ..tiling import PlanePixels, TiledModel, is_big
from .runner import Job, LatestRunner, report_crash
from .shelf import Shelf

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from ..models.base import Instance, Segmentation
    from ..planes import Plane

COLOURS, AWAY = 253, 255
"""The preview numbers its objects in 8 bits; those clicked away share the last value."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where objects were looked for, and by which model."""

    image: Image
    plane: Plane
    model: str


@dataclass(frozen=True, eq=False)
class Sorting:
    """One state of a person's sorting: the objects by number, and the numbers clicked away."""

    objects: dict[int, Instance] = field(default_factory=dict)
    away: frozenset[int] = frozenset()


class Harvest(QObject):
    """Finds everything on a plane and keeps it in a preview until it is accepted.

    Parameters
    ----------
    viewer : ViewerModel
    shelf : Shelf
        Gives models and embeddings.
    parent : QObject

    Attributes
    ----------
    updated : Signal()
        Other objects are offered.
    said : Signal(str, bool)
        A message for the person, and whether it is an error.
    written : Signal(object)
        Objects were written into this layer.
    """

    updated = Signal()
    written = Signal(object)
    said = Signal(str, bool)

    def __init__(self, viewer: ViewerModel, shelf: Shelf, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.runner = LatestRunner(self)
        self.preview = Preview(viewer, "SEEM everything", many=True)
        self.wanted = Wanted()
        self.place: Place | None = None
        self._shelf = shelf
        self._states: list[Sorting] = []
        self._ledgers: dict[int, Ledger] = {}

    @property
    def total(self) -> int:
        """How many objects there are, wanted or not."""
        return len(self._states[-1].objects) if self._states else 0

    @property
    def can_step_back(self) -> bool:
        """Whether something was clicked away, back or merged."""
        return len(self._states) > 1

    @property
    def names(self) -> dict[str, int]:
        """How many objects have each name, most frequent first; '' for those without."""
        objects = self._states[-1].objects.values() if self._states else ()
        return dict(Counter(instance.label or "" for instance in objects).most_common())

    def find(self, image: Image, model: str, words: Sequence[str] = ()) -> None:
        """Look for all objects on the shown plane of an image, or for those that words name."""
        self.clear()
        try:
            place = Place(image, shown_plane(image, self.viewer.dims), model)
        except NapariSeemError as error:
            self.said.emit(str(error), True)
            return
        names, area = list(words) or None, shown_area(image, place.plane)
        if is_big(place.plane.shape(spatial_shape(image))):
            pixels = PlanePixels([resolutions(image)], place.plane)
            source = self._shelf.tiled(model, lambda: pixels)
        else:
            source = self._shelf.encoded(model, lambda: place.plane.read(full_data(image)), [])

        def look() -> Segmentation:
            loaded, embedding = source()
            if isinstance(loaded, TiledModel):  # what is seen of a big plane
                return loaded.segment(embedding, names, area)
            return loaded.segment(embedding, names)

        self.said.emit("looking ...", False)
        self.runner.submit(
            Job(look, partial(self._on_found, place), self._on_failure,
                f"Segmenting everything in {image.name}",
                lambda: self.said.emit("cancelled", False), lane="everything")
        )  # fmt: skip

    def want(self, wanted: Wanted) -> None:
        """Offer only objects within these bounds."""
        self.wanted = wanted
        self._show()

    def offered(self) -> dict[int, Instance]:
        """The objects that would be written, by number."""
        if not self._states:
            return {}
        state = self._states[-1]
        return {
            number: instance
            for number, instance in state.objects.items()
            if number not in state.away and self.wanted.holds(instance)
        }

    def toggle_at(self, world: Any) -> int | None:
        """Click an object away, or back again; gives its number, or None where there is none."""
        number = self._number_at(world)
        if number is not None:
            state = self._states[-1]
            self._go_to(replace(state, away=state.away ^ {number}))
        return number

    def merge_along(self, worlds: Sequence[Any]) -> list[int]:
        """Make one object of all offered ones that a stroke touches; gives their numbers."""
        offered = self.offered()
        touched = [self._number_at(world) for world in worlds]
        numbers = [number for number in dict.fromkeys(touched) if number in offered]
        if len(numbers) < 2:
            self.said.emit("a stroke over two or more objects makes them one", False)
            return []
        state = self._states[-1]
        parts = [offered[number] for number in numbers if number is not None]
        objects = {k: v for k, v in state.objects.items() if k not in numbers}
        objects[max(state.objects) + 1] = united(parts)
        self._go_to(Sorting(objects, state.away))
        self.said.emit(f"{len(parts)} objects made one", False)
        return [number for number in numbers if number is not None]

    def step_back(self) -> None:
        """Take the last click or merge back."""
        if self.can_step_back:
            self._states.pop()
            self._show()

    def accept(self, labels: Labels | None, overwrite: bool = False) -> list[int]:
        """Write everything that is offered in one undoable step; gives the ids.

        Parameters
        ----------
        labels : Labels, optional
            By default a new layer.
        overwrite : bool
            Take pixels that belong to other objects; otherwise they stay theirs.
        """
        place, chosen = self.place, list(self.offered().values())
        if place is None or not chosen:
            return []
        try:
            ids = self._write(place, chosen, labels, overwrite)
        except NapariSeemError as error:
            self.said.emit(str(error), True)
            return []
        left = len(chosen) - len(ids)
        hidden = f"; {left} lie wholly under others" if left else ""
        self.clear()
        self.said.emit(f"{len(ids)} objects written{hidden}", False)
        return ids

    def clear(self) -> None:
        """Offer nothing any more."""
        self.runner.drop_waiting("everything")
        self.place, self._states = None, []
        self.preview.clear()
        self.updated.emit()

    def forget(self, layer: Any) -> None:
        """A layer was removed from the viewer."""
        ledger = self._ledgers.pop(id(layer), None)
        if ledger is not None:
            ledger.close()
        if self.place is not None and self.place.image is layer:
            self.clear()

    def close(self) -> None:
        """Let go of the viewer."""
        self.runner.close()
        self.place, self._states = None, []
        self.preview.close()
        for ledger in self._ledgers.values():
            ledger.close()
        self._ledgers.clear()

    def _write(
        self, place: Place, chosen: Sequence[Instance], labels: Labels | None, overwrite: bool
    ) -> list[int]:
        made = labels is None
        target = labels if labels is not None else new_labels(self.viewer, place.image)
        ledger = self._ledgers.setdefault(id(target), Ledger(target, empty=made))
        first = ledger.next_id(place.plane)
        check_target(target, place.image, first + len(chosen) - 1)
        objects = [
            NewObject(
                instance.mask, instance.bbox[:2], first + number,
                ObjectRecord(instance.label or "", round(instance.score, 3), place.model, 0),
            )
            for number, instance in enumerate(chosen)
        ]  # fmt: skip
        ids = ledger.write(place.plane, objects, overwrite=overwrite)
        self.written.emit(target)
        return ids

    def _number_at(self, world: Any) -> int | None:
        """The object, offered or clicked away, under a world position; the smallest of several."""
        if self.place is None or not self._states:
            return None
        point = world_to_data(self.place.image, world, self.viewer.dims)
        if not self.place.plane.holds(point):
            return None
        y, x = (round(c) for c in self.place.plane.to_plane(point))
        under = []
        for number, instance in self._states[-1].objects.items():
            y0, x0, y1, x1 = instance.bbox
            there = y0 <= y < y1 and x0 <= x < x1 and instance.mask[y - y0, x - x0]
            if there and self.wanted.holds(instance):
                under.append((instance.area, number))
        return min(under)[1] if under else None

    def _go_to(self, state: Sorting) -> None:
        self._states.append(state)
        self._show()

    def _on_found(self, place: Place, found: Segmentation) -> None:
        if place.image not in self.viewer.layers:
            return
        self.place = place
        self._states = [Sorting(dict(enumerate(found.instances, start=1)))]
        message = f"{self.total} objects found" if self.total else "nothing was found here"
        self.said.emit(message, False)
        self._show()
        self.viewer.layers.selection.active = self.preview.layer  # clicks are for the preview

    def _on_failure(self, error: Exception) -> None:
        self.said.emit(str(error) or type(error).__name__, True)
        if not isinstance(error, NapariSeemError):
            report_crash(error)

    def _span(self) -> tuple[int, int, int, int]:
        """Half-open (y0, x0, y1, x1) to show: a whole plane, or what was found on a big one."""
        assert self.place is not None
        shape = self.place.plane.shape(spatial_shape(self.place.image))
        if not is_big(shape):
            return 0, 0, *shape
        boxes = [i.bbox for i in self._states[-1].objects.values()] or [(0, 0, 1, 1)]
        y0, x0, y1, x1 = zip(*boxes, strict=True)
        return min(y0), min(x0), max(y1), max(x1)

    def _show(self) -> None:
        if self.place is not None and self._states:
            state = self._states[-1]
            top, left, bottom, right = self._span()
            values = np.zeros((bottom - top, right - left), np.uint8)
            for number, instance in reversed(state.objects.items()):
                if self.wanted.holds(instance):
                    y0, x0, y1, x1 = instance.bbox
                    value = AWAY if number in state.away else (number - 1) % COLOURS + 1
                    values[y0 - top : y1 - top, x0 - left : x1 - left][instance.mask] = value
            self.preview.show(self.place.image, self.place.plane, values, (top, left))
            _mark_away(self.preview.layer)
        self.updated.emit()


def _mark_away(layer: Any) -> None:
    """Colours for objects, and darkness for those clicked away; no gray, as images are gray."""
    from napari.utils.colormaps import DirectLabelColormap, label_colormap

    if isinstance(layer.colormap, DirectLabelColormap):
        return
    cycle = label_colormap(2 * COLOURS)
    every = [cycle.map(number) for number in range(1, 2 * COLOURS)]
    bright = [c for c in every if max(c[:3]) > 0.6 and max(c[:3]) - min(c[:3]) > 0.3]
    colours: dict[int | None, Any] = {n: bright[n % len(bright)] for n in range(1, COLOURS + 1)}
    colours |= {None: "#00000000", 0: "#00000000", AWAY: "#000000d0"}
    layer.colormap = DirectLabelColormap(color_dict=colours)
