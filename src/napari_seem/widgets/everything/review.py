"""All objects of a plane as a person sorts them: filtered, clicked away, merged, then written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Signal

from ...commands.segment import without_unwanted
from ...errors import NapariSeemError
from ...labels.plans import counted
from ...models.base import Segmentation
from ...models.filters import Wanted, united
from ...viewer.coordinates import world_to_data
from ...viewer.model_input import check_pixels
from ...viewer.preview import AWAY, COLOURS, Preview
from ...viewer.timeline import timeline_of
from .._shared.background.steps import Steps
from .._shared.events import Followed
from .._shared.models.cache import ModelCache
from .._shared.search import Search, ShownPlane, search, shown_place
from .results import ResultWriter

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer

    from ...models.base import Instance

MOST_SHOWN = 1 << 24
"""Pixels of the preview; of larger areas it shows every second, fourth, ... pixel."""
Area = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class SegmentRequest:
    """What is looked for.

    Attributes
    ----------
    image : Image
    model : str
    words : sequence of str
        Empty for everything.
    together : bool
        Show the model all channels of the image.
    whole : bool
        Work through all of a plane that is too big for one pass, not what is shown only.
    """

    image: Image
    model: str
    words: Sequence[str] = ()
    together: bool = False
    whole: bool = False


@dataclass(frozen=True, eq=False)
class ReviewState:
    """One state of a person's sorting: the objects by number, and the numbers clicked away."""

    objects: dict[int, Instance] = field(default_factory=dict)
    away: frozenset[int] = frozenset()


class InstanceReview(QObject):
    """Finds everything on a plane and keeps it in a preview until it is accepted.

    Parameters
    ----------
    viewer : ViewerModel
    model_cache : ModelCache
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

    def __init__(self, viewer: ViewerModel, model_cache: ModelCache, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.steps = Steps(self)
        self.preview = Preview(viewer, "SEEM everything", many=True)
        self.wanted = Wanted()
        self.place: ShownPlane | None = None
        self._model_cache = model_cache
        self._results = ResultWriter(viewer, model_cache)
        self._states: list[ReviewState] = []
        self._undone: list[ReviewState] = []
        self._timeline = timeline_of(viewer)
        self._events = Followed()
        self._search: Search | None = None
        self._found: Segmentation | None = None
        self.steps.stepped.connect(self._on_step)
        self.steps.ended.connect(self._on_end)

    @property
    def total(self) -> int:
        """How many objects there are, wanted or not."""
        return len(self._states[-1].objects) if self._states else 0

    @property
    def has_map(self) -> bool:
        """Whether the names of all pixels are known, too."""
        return self._found is not None and self._found.semantic is not None

    @property
    def can_step_back(self) -> bool:
        """Whether something was clicked away, back or merged."""
        return len(self._states) > 1

    @property
    def undo_title(self) -> str:
        """What undo would take back; "" for nothing."""
        return "click or merge" if self.can_step_back else ""

    @property
    def redo_title(self) -> str:
        """What redo would bring back; "" for nothing."""
        return "click or merge" if self._undone else ""

    @property
    def names(self) -> dict[str, int]:
        """How many objects have each name, most frequent first; '' for those without."""
        objects = self._states[-1].objects.values() if self._states else ()
        return dict(Counter(instance.label or "" for instance in objects).most_common())

    def find(self, request: SegmentRequest) -> None:
        """Look for all objects on the shown plane of an image, or for those that words name."""
        if self.steps.running:
            return
        self.clear()
        try:
            place = shown_place(self.viewer, request.image, request.model, request.together)
        except NapariSeemError as error:
            self.said.emit(str(error), True)
            return
        may_go_on = partial(self.steps.may_go_on, self._model_cache.gate)
        self._search = search(self._model_cache, place, request.words, request.whole, may_go_on)
        if not self._search.behind:
            self._model_cache.gate.shut(self)
        self.said.emit("searching ...", False)
        title = f"Segmenting everything in {request.image.name}"
        run = self.steps.leaving(self._search.run, self._model_cache.cache)
        self.steps.start(title, self._search.total, run)

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

    def toggle_at(self, world: Sequence[float]) -> int | None:
        """Click an object away, or back again; gives its number, or None where there is none."""
        number = self._number_at(world)
        if number is not None:
            state = self._states[-1]
            self._go_to(replace(state, away=state.away ^ {number}))
        return number

    def merge_along(self, worlds: Sequence[npt.ArrayLike]) -> list[int]:
        """Make one object of all offered ones that a stroke of points (D,) touches, by number."""
        offered = self.offered()
        touched = [self._number_at(world) for world in worlds]
        numbers = [number for number in dict.fromkeys(touched) if number in offered]
        if len(numbers) < 2:
            self.said.emit("draw a stroke over two or more objects to merge them", False)
            return []
        state = self._states[-1]
        parts = [offered[number] for number in numbers if number is not None]
        objects = {k: v for k, v in state.objects.items() if k not in numbers}
        objects[max(state.objects) + 1] = united(parts)
        self._go_to(ReviewState(objects, state.away))
        self.said.emit(f"{len(parts)} objects merged", False)
        return [number for number in numbers if number is not None]

    def step_back(self) -> None:
        """Undo what was done last in the viewer: a click, a merge, or anything after it."""
        self._timeline.undo()

    def undo(self) -> None:
        """Take the last click or merge back."""
        if self.can_step_back:
            self._undone.append(self._states.pop())
            self._show()

    def redo(self) -> None:
        """Bring the click or merge back that was undone last."""
        if self._undone:
            self._states.append(self._undone.pop())
            self._show()

    def accept(
        self, labels: Labels | None, overwrite: bool = False, kind: str | None = None
    ) -> list[int]:
        """Write everything that is offered in one undoable step; gives the ids.

        Parameters
        ----------
        labels : Labels, optional
            By default a new layer.
        overwrite : bool
            Take pixels that belong to other objects; otherwise they stay theirs.
        kind : str, optional
            `SEMANTIC` or `PANOPTIC` of `napari_seem.commands.segment`: write such a map, too.
        """
        place, offered = self.place, self.offered()
        chosen = list(offered.values())
        if place is None or not chosen:
            return []
        try:
            query = self._query(place, list(offered))
            target, ids = self._results.write(place, chosen, labels, overwrite, query)
            parts = [f"{counted(len(ids))} written to '{target.name}'"]
            if kind is not None and self._found is not None and self.has_map:
                shown = without_unwanted(self._found, chosen)
                beside = self._results.write_map(place, shown, kind)
                self._results.lay_under(beside, target)
                parts.append(f"all pixels to '{beside.name}'")
        except NapariSeemError as error:
            self.said.emit(str(error), True)
            return []
        if len(ids) < len(chosen):
            parts.append(f"{len(chosen) - len(ids)} lie wholly under others")
        self.clear()
        self.viewer.layers.selection.active = target  # Ctrl+Z is for what was written
        self.written.emit(target)
        self.said.emit("; ".join(parts), False)
        return ids

    def clear(self) -> None:
        """Offer nothing any more."""
        self._events.close()
        self.place, self._states, self._found = None, [], None
        self._undone.clear()
        self.preview.clear()
        self.updated.emit()

    def forget(self, layer: Layer) -> None:
        """A layer was removed from the viewer."""
        self._results.forget(layer)
        if self._search is not None and layer in self._search.place.input.layers:
            self.steps.stop()
        if self.place is not None and layer in self.place.input.layers:
            self.clear()

    def close(self) -> None:
        """Let go of the viewer."""
        self.steps.close()
        self._events.close()
        self._model_cache.gate.open(self)
        self.place, self._states, self._found = None, [], None
        self._undone.clear()
        self.preview.close()

    def _query(self, place: ShownPlane, numbers: list[int]) -> dict[str, object]:
        """What was looked for and what of it is accepted, as `Segment` has it."""
        query = {**place.query, "filters": asdict(self.wanted), "numbers": numbers}
        if any(number not in self._states[0].objects for number in numbers):
            query["stored"] = "objects were merged by hand"
        return query

    def _number_at(self, world: npt.ArrayLike) -> int | None:
        """The smallest object, offered or clicked away, under a world position (D,)."""
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

    def _go_to(self, state: ReviewState) -> None:
        self._states.append(state)
        self._undone.clear()
        self._timeline.record(self)
        self._show()

    def _on_step(self, outcome: int | Segmentation) -> None:
        if isinstance(outcome, Segmentation) and not self.steps.stopping:
            self._found = outcome
        elif self._search is not None and isinstance(outcome, int):
            self.said.emit(f"searching ... {100 * outcome // self._search.total} %", False)

    def _on_end(self, outcome: str) -> None:
        self._model_cache.gate.open(self)
        done, self._search = self._search, None
        if outcome:
            self.said.emit("cancelled" if outcome == "stopped" else outcome, outcome != "stopped")
        elif done is not None and self._found is not None:
            self._offer(done.place, self._found)

    def _offer(self, place: ShownPlane, found: Segmentation) -> None:
        if place.image not in self.viewer.layers:
            return
        try:
            check_pixels(place.input.layers, place.known.source.input)
        except NapariSeemError as error:
            self.said.emit(str(error), True)
            return
        self.place = place
        self._events.follow(self._on_data, *(layer.events.data for layer in place.input.layers))
        self._states = [ReviewState(dict(enumerate(found.instances, start=1)))]
        message = f"{counted(self.total)} found" if self.total else "nothing was found here"
        self.said.emit(message, False)
        self._show()
        self.viewer.layers.selection.active = self.preview.layer  # clicks are for the preview

    def _on_data(self, _: object) -> None:
        """What was found is of the pixels before."""
        self.clear()
        self.said.emit("the image has other pixels; look for objects again", False)

    def _span(self, place: ShownPlane) -> Area:
        """What to show: a whole plane, or what was found on a big one."""
        if not place.is_big:
            return 0, 0, *place.shape
        boxes = [i.bbox for i in self._states[-1].objects.values()] or [(0, 0, 1, 1)]
        y0, x0, y1, x1 = zip(*boxes, strict=True)
        return min(y0), min(x0), max(y1), max(x1)

    def _show(self) -> None:
        if self.place is not None and self._states:
            span = self._span(self.place)
            factor = _coarseness(span)
            values = self._painted(span, factor)
            self.preview.show(self.place.image, self.place.plane, values, span[:2], factor)
        self.updated.emit()

    def _painted(self, span: Area, factor: int) -> npt.NDArray[np.uint8]:
        """Every wanted object in a colour, (h, w); of `factor` pixels the middle one is shown."""
        state = self._states[-1]
        sides = (-(-(span[2] - span[0]) // factor), -(-(span[3] - span[1]) // factor))
        values = np.zeros(sides, np.uint8)
        for number, instance in reversed(state.objects.items()):
            if self.wanted.holds(instance):
                rows, cols = (
                    _sampled(instance.bbox[a], instance.bbox[a + 2], span[a], factor)
                    for a in (0, 1)
                )
                value = AWAY if number in state.away else (number - 1) % COLOURS + 1
                y0, x0 = instance.bbox[:2]
                there = instance.mask[
                    rows.start * factor + factor // 2 + span[0] - y0 :: factor,
                    cols.start * factor + factor // 2 + span[1] - x0 :: factor,
                ]
                values[rows, cols][there] = value
        return values


def _coarseness(span: Area) -> int:
    """How many pixels of a plane one of the preview is, along rows and columns."""
    factor = 1
    while (span[2] - span[0]) * (span[3] - span[1]) > MOST_SHOWN * factor**2:
        factor *= 2
    return factor


def _sampled(start: int, stop: int, origin: int, factor: int) -> slice:
    """Preview pixels whose middle lies in [start, stop) of the plane."""
    middle = origin + factor // 2
    return slice(-(-(start - middle) // factor), -(-(stop - middle) // factor))
