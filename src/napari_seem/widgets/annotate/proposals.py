"""Every match of a word in the plane, to be taken all at once or one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from ...errors import NapariSeemError, UnknownWord
from ...labels.plans import counted
from ...models.base import Segmentation
from ...sources import is_big
from ...viewer.coordinates import world_to_data
from ...viewer.model_input import check_pixels
from ...viewer.preview import COLOURS, Preview
from .._shared.background.runner import Job, report_crash
from .._shared.search import ShownPlane, search

if TYPE_CHECKING:
    from ...models.base import Instance
    from .annotator import Annotator
    from .sessions.planes import PlaneSession

DEFAULT_THRESHOLD = 0.45


class Proposals(QObject):
    """Finds, filters and takes the objects that a word names.

    Attributes
    ----------
    updated : Signal()
        The proposals or the threshold changed.
    unknown : Signal(str, object)
        The model does not know the word; carries the message and the nearest words.
    """

    updated = Signal()
    unknown = Signal(str, object)

    def __init__(self, annotator: Annotator) -> None:
        super().__init__(annotator)
        self.annotator = annotator
        self.preview = Preview(annotator.viewer, "SEEM proposals", many=True)
        self.threshold = DEFAULT_THRESHOLD
        self._found: Segmentation | None = None
        self._taken: set[int] = set()
        self._query: dict[str, Any] = {}
        self._work: PlaneSession | None = None
        self._place: ShownPlane | None = None
        annotator.place_changed.connect(self._on_place)

    @property
    def active(self) -> bool:
        """Whether there are proposals to choose from."""
        return self._found is not None

    @property
    def total(self) -> int:
        """How many objects were found, whatever their score."""
        return 0 if self._found is None else len(self._found.instances)

    def offered(self) -> list[tuple[int, Instance]]:
        """Number and object of each proposal that is above the threshold and not taken yet."""
        if self._found is None:
            return []
        return [
            (number, instance)
            for number, instance in enumerate(self._found.instances, start=1)
            if instance.score >= self.threshold and number not in self._taken
        ]

    def find(self, word: str) -> None:
        """Look for everything that `word` names on the shown plane; empty finds all objects."""
        annotator = self.annotator
        work = annotator.ensure_work()
        if work is None:
            return
        names = [word.strip()] if word.strip() else None
        self.clear()
        place = ShownPlane(
            work.image, work.plane, work.question.model, work.question.input, work.known
        )
        run = search(annotator.model_cache, place, names, whole=False).run
        title = f"Looking for {word.strip() or 'objects'}"
        done = partial(self._on_found, word, work, place)
        annotator.runner.submit(
            Job(lambda: last(run()), done, self._on_failure, title, lane="word")
        )

    def set_threshold(self, threshold: float) -> None:
        """Offer only what scores at least this much."""
        self.threshold = threshold
        self._show()

    def take_all(self) -> list[int]:
        """Write everything that is offered as objects of their own, in one undoable step."""
        ids = self._take(self.offered())
        if ids:
            self.clear()
        return ids

    def take_at(self, world: Sequence[float]) -> int | None:
        """Write the proposal under a world position; gives its id, or None where none is."""
        if self._work is None or self._found is None:
            return None
        point = world_to_data(self._work.image, world, self.annotator.viewer.dims)
        y, x = (round(c) for c in self._work.plane.to_plane(point))
        for number, instance in self.offered():
            y0, x0, y1, x1 = instance.bbox
            if y0 <= y < y1 and x0 <= x < x1 and instance.mask[y - y0, x - x0]:
                ids = self._take([(number, instance)])
                self._show()
                return ids[0] if ids else None
        return None

    def clear(self) -> None:
        """Offer nothing any more."""
        self._found, self._work, self._taken = None, None, set()
        self.preview.clear()
        self.updated.emit()

    def close(self) -> None:
        """Let go of the viewer."""
        self._found, self._work, self._taken = None, None, set()
        self.preview.close()

    def _take(self, chosen: list[tuple[int, Instance]]) -> list[int]:
        place = self._place
        if not chosen or self._work is None or place is None:
            return []
        numbers = [number for number, _ in chosen]
        try:
            check_pixels(place.input.layers, place.known.source.input)
            ids = self.annotator.objects.accept(
                self._work, [one for _, one in chosen], numbers=numbers, **self._query
            )
        except NapariSeemError as error:
            self.annotator.said.emit(str(error), True)
            return []
        self._taken.update(numbers)
        self.annotator.said.emit(f"{counted(len(ids))} written", False)
        return ids

    def _on_found(
        self, word: str, work: PlaneSession, place: ShownPlane, found: Segmentation
    ) -> None:
        if not self._is_shown(work, place):
            return
        self._found, self._work, self._taken, self._place = found, work, set(), place
        self._query = dict(place.query)
        if not found.instances:
            self.annotator.said.emit(f"nothing here looks like '{word}'", False)
        self._show()

    def _is_shown(self, work: PlaneSession, place: ShownPlane) -> bool:
        """Whether the plane is shown, with the pixels that it was searched with."""
        image, plane = self.annotator.image, self.annotator.plane
        same = self.annotator.sessions.known(place.plane, place.input) is place.known
        return (
            same and image is work.image and plane is not None and plane.key() == work.plane.key()
        )

    def _on_failure(self, error: Exception) -> None:
        if isinstance(error, UnknownWord):
            self.unknown.emit(str(error), error.nearest)
        elif isinstance(error, NapariSeemError):
            self.annotator.said.emit(str(error), True)
        else:
            report_crash(error)

    def _on_place(self) -> None:
        """Proposals belong to the plane they were found on."""
        work, place = self._work, self._place
        if work is not None and place is not None and not self._is_shown(work, place):
            self.clear()

    def _show(self) -> None:
        if self._work is None or self._found is None:
            return
        top, left, bottom, right = _span(self._found)
        values = np.zeros((bottom - top, right - left), np.uint8)
        for number, instance in reversed(self.offered()):
            y0, x0, y1, x1 = instance.bbox
            area = values[y0 - top : y1 - top, x0 - left : x1 - left]
            area[instance.mask] = (number - 1) % COLOURS + 1
        self.preview.show(self._work.image, self._work.plane, values, (top, left))
        self.updated.emit()


def last(steps: Iterator[int | Segmentation]) -> Segmentation:
    """What a search gives in the end."""
    *_, found = steps
    assert isinstance(found, Segmentation)
    return found


def _span(found: Segmentation) -> tuple[int, int, int, int]:
    """Half-open (y0, x0, y1, x1) that is shown: a whole plane, or what was found on a big one."""
    if not is_big(found.shape):
        return 0, 0, *found.shape
    if not found.instances:
        return 0, 0, 1, 1
    boxes = np.array([instance.bbox for instance in found.instances])
    low, high = boxes.min(0), boxes.max(0)
    return int(low[0]), int(low[1]), int(high[2]), int(high[3])
