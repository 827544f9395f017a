"""Every match of a word in the plane, to be taken all at once or one by one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from ...edits import ObjectRecord
from ...errors import NapariSeemError, UnknownWord
from ...sources import TiledModel, is_big
from ...viewer.coordinates import shown_area, spatial_shape, world_to_data
from ...viewer.record import What
from ...viewer.writing import Preview
from .._shared.provenance import found as told_found
from .._shared.runner import Job, report_crash

if TYPE_CHECKING:
    from napari.layers import Image

    from ...models.base import Instance, Segmentation
    from ...planes import Plane
    from .annotator import Annotator

DEFAULT_THRESHOLD = 0.45
LARGEST_COUNT = 255
"""The preview numbers its objects in 8 bits; colours repeat beyond that."""


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
        self._asked: dict[str, Any] = {}
        self._place: tuple[Image, Plane] | None = None
        annotator.changed.connect(self._on_changed)

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
        source = self.annotator.plane_source()
        image, plane = self.annotator.image, self.annotator.plane
        if source is None or image is None or plane is None:
            return
        names = [word.strip()] if word.strip() else None
        self.clear()
        area = shown_area(image, plane)
        big = is_big(plane.shape(spatial_shape(image)))
        self._asked = {"words": names, "area": area if big else None}

        def look() -> Segmentation:
            model, embedding = source()
            if isinstance(model, TiledModel):  # what is seen of a big plane
                return model.segment(embedding, names, area)
            return model.segment(embedding, names)

        self.annotator.runner.submit(
            Job(look, partial(self._on_found, word, (image, plane)), self._on_failure,
                f"Looking for {word.strip() or 'objects'}", lane="word")
        )  # fmt: skip

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

    def take_at(self, world: Any) -> int | None:
        """Write the proposal under a world position; gives its id, or None where none is."""
        if self._place is None or self._found is None:
            return None
        image, plane = self._place
        point = world_to_data(image, world, self.annotator.viewer.dims)
        y, x = (round(c) for c in plane.to_plane(point))
        for number, instance in self.offered():
            y0, x0, y1, x1 = instance.bbox
            if y0 <= y < y1 and x0 <= x < x1 and instance.mask[y - y0, x - x0]:
                ids = self._take([(number, instance)])
                self._taken.add(number)
                self._show()
                return ids[0] if ids else None
        return None

    def clear(self) -> None:
        """Offer nothing any more."""
        self._found, self._place, self._taken = None, None, set()
        self.preview.clear()
        self.updated.emit()

    def close(self) -> None:
        """Let go of the viewer."""
        self._found, self._place, self._taken = None, None, set()
        self.preview.close()

    def _take(self, chosen: list[tuple[int, Instance]]) -> list[int]:
        if not chosen:
            return []
        records = [
            ObjectRecord.made(i.label, i.score, self.annotator.model_name, 1) for _, i in chosen
        ]
        try:
            ids = self.annotator.objects.write(
                [i.mask for _, i in chosen],
                [(i.bbox[0], i.bbox[1]) for _, i in chosen],
                records,
                what=self._what([number for number, _ in chosen]),
            )
        except NapariSeemError as error:
            self.annotator.said.emit(str(error), True)
            return []
        self.annotator.said.emit(f"{len(ids)} objects written", False)
        return ids

    def _what(self, numbers: list[int]) -> What | None:
        """What is taken, for the record."""
        work, details = self.annotator.work, self._asked
        if work is None:
            return None
        reading = work.reading
        return told_found(
            self.annotator.model_cache,
            reading.model,
            reading.shown,
            work.content,
            numbers,
            **details,
        )

    def _on_found(self, word: str, place: tuple[Image, Plane], found: Segmentation) -> None:
        if self.annotator.image is not place[0] or self.annotator.plane is None:
            return
        if self.annotator.plane.key() != place[1].key():
            return
        self._found, self._place, self._taken = found, place, set()
        if not found.instances:
            self.annotator.said.emit(f"nothing here looks like '{word}'", False)
        self._show()

    def _on_failure(self, error: Exception) -> None:
        if isinstance(error, UnknownWord):
            self.unknown.emit(str(error), error.nearest)
        elif isinstance(error, NapariSeemError):
            self.annotator.said.emit(str(error), True)
        else:
            report_crash(error)

    def _on_changed(self) -> None:
        """Proposals belong to the plane they were found on."""
        if self._place is None:
            return
        image, plane = self._place
        now = self.annotator.plane
        if self.annotator.image is not image or now is None or now.key() != plane.key():
            self.clear()

    def _show(self) -> None:
        if self._place is None or self._found is None:
            return
        image, plane = self._place
        top, left, bottom, right = _span(self._found)
        values = np.zeros((bottom - top, right - left), np.uint8)
        for number, instance in reversed(self.offered()):
            y0, x0, y1, x1 = instance.bbox
            area = values[y0 - top : y1 - top, x0 - left : x1 - left]
            area[instance.mask] = (number - 1) % LARGEST_COUNT + 1
        self.preview.show(image, plane, values, (top, left))
        self.updated.emit()


def _span(found: Segmentation) -> tuple[int, int, int, int]:
    """Half-open (y0, x0, y1, x1) that is shown: a whole plane, or what was found on a big one."""
    if not is_big(found.shape):
        return 0, 0, *found.shape
    if not found.instances:
        return 0, 0, 1, 1
    boxes = np.array([instance.bbox for instance in found.instances])
    low, high = boxes.min(0), boxes.max(0)
    return int(low[0]), int(low[1]), int(high[2]), int(high[3])
