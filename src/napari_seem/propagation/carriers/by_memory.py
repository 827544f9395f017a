"""Objects carried to a plane by a model's own memory of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...embeddings import EmbeddingCache, encoded
from ...images import AnyArray, Window, to_rgb
from ...models.base import BoolArray, Embedding
from ...models.memory import NEIGHBOURS, MemoryModel, Recalled
from ...models.running.patience import report_progress
from ...sources import PlanePixels
from ...sources.frames import WHOLE, Frame, is_big
from .. import lineage
from ..events import events_of
from ..known import KnownPlanes
from ..results import PlaneResult
from ..shapes import Shape
from ..stack import has_contrast
from . import carry
from .memories import Memories, Sources


class ByMemory:
    """Labels planes by a model's memory of each object on labelled and on tracked planes.

    Parameters
    ----------
    model : MemoryModel
    known : KnownPlanes
    window : Window or None
        Intensities that all planes are shown with.
    divide : bool
        As of `Propagation`.
    cache : EmbeddingCache, optional
    """

    gap_by_gap = True

    def __init__(
        self, model: MemoryModel, known: KnownPlanes, window: Window | None, divide: bool,
        cache: EmbeddingCache | None,
    ) -> None:  # fmt: skip
        self._model, self._known = model, known
        self._window, self._divide, self._cache = window, divide, cache
        self.memories = Memories()
        self._recent: dict[int, Embedding] = {}

    def __getstate__(self) -> dict[str, object]:
        # what is remembered is remembered anew from the labels
        return {**self.__dict__, "_cache": None, "_recent": {}, "memories": Memories()}

    def label(
        self, index: int, expected: Mapping[int, Shape], beside: Sequence[int]
    ) -> PlaneResult:
        """Label a plane; see `Carrier`.

        Every pixel goes to the object of the highest logit above 0. An object's score is the
        model's own, or how far its mask and the expectation overlap, if that is lower.
        """
        known = self._known
        labels = np.zeros(known.stack.plane_shape, np.int32)
        best = np.zeros(labels.shape, np.float32)
        scores: dict[int, float] = {}
        sources = {number: self._sources(index, number) for number in expected}
        self._remember(sources)
        begun = time.perf_counter()
        for done, (number, own) in enumerate(sources.items()):
            if done:  # every object takes as long as the others, up to seconds
                share = done / len(sources)
                report_progress("carrying objects", share, (time.perf_counter() - begun) / share)
            recalled = list(self._recalled(index, number, own))
            found = self._model.track(self._embedding(index), recalled, known.stack.count)
            higher = found.logits > best
            labels[higher], best[higher] = number, found.logits[higher]
            scores[number] = found.score
            self.memories.keep((index, number), found.memory, given=False)
        self.memories.end_plane(index, (k for own in sources.values() for k in own.given))
        near = [known.results[k] for k in beside]
        for number, one in expected.items():
            score = min(scores[number], agreement(labels == number, one))
            scores[number] = score * carry.inherited(near, number)
        result = PlaneResult(index, labels, scores, events_of(index, labels, expected))
        if self._divide and index > min(known.areas):
            result = lineage.divided(result, near[0], expected, None, known.next_id)
        return result

    def encode(self, image: AnyArray) -> None:
        """Encode a plane (H, W) or (H, W, C) into the cache."""
        self._encoded(image)

    def forget(self, index: int | None = None) -> None:
        """Remember a plane's objects anew; nothing depends on which planes are accepted."""
        if index is not None:
            self.memories.forget(index)

    def _sources(self, index: int, number: int) -> Sources:
        """Choose the planes from which an object is carried to a plane.

        An object that nobody labelled, such as a daughter, is carried from where it appeared.
        """
        known = self._known
        labelled = [k for k in known.areas if number in known.results[k].scores]
        born = (k for k, result in known.results.items() if number in result.scores)
        return Sources.of(index, labelled or [min(born)], self._divide)

    def _recalled(self, index: int, number: int, sources: Sources) -> Iterator[Recalled]:
        """Yield the memories of an object that are looked back on from a plane."""
        for planes, given in ((sources.given, True), (sources.tracked, False)):
            for k in planes:
                found = self.memories.get((k, number), given=given)
                if found is not None and (given or self._has(k, number)):
                    yield Recalled(found, sources.behind(index, k), given)

    def _remember(self, sources: Mapping[int, Sources]) -> None:
        """Remember what objects look like on the planes that they are carried from, by labels.

        That of tracked planes is known, but where it was dropped, or was lost with the program
        that did the plane.
        """
        missing: dict[tuple[int, bool], list[int]] = {}
        for number, own in sources.items():
            wanted = [(k, True) for k in own.given]
            wanted += [(k, False) for k in own.tracked[:NEIGHBOURS] if self._has(k, number)]
            for k, given in wanted:
                if self.memories.lacks((k, number), given=given):
                    missing.setdefault((k, given), []).append(number)
        for (k, given), numbers in missing.items():
            labels = self._known.results[k].labels
            seen = given or has_contrast(self._known.stack.read(k))
            for number in numbers:
                mask = labels == number
                memory = None
                if seen and mask.any():
                    memory = self._model.remember(self._embedding(k), mask)
                self.memories.keep((k, number), memory, given=given)

    def _has(self, index: int, number: int) -> bool:
        """Return whether an object was carried to a plane."""
        result = self._known.results.get(index)
        return result is not None and not result.accepted and number in result.scores

    def _embedding(self, index: int) -> Embedding:
        """Return a plane, encoded; the two that were asked for last stay so."""
        found = self._recent.pop(index, None) or self._encoded(self._known.stack.read(index))
        self._recent = dict([*self._recent.items(), (index, found)][-2:])
        return found

    def _encoded(self, image: AnyArray) -> Embedding:
        """Encode a plane (H, W) or (H, W, C) as one, coarsely where it is a big one."""
        shape = (int(image.shape[0]), int(image.shape[1]))
        shown = image if self._window is None else to_rgb(image, self._window)
        if is_big(shape):
            factor = -(-max(shape) // WHOLE)
            shown = PlanePixels.of(shown).read(Frame(factor, 0, 0, *shape))
        return replace(encoded(self._model, shown, self._cache), shape=shape)


def agreement(mask: BoolArray, expected: Shape) -> float:
    """Measure how far a mask (H, W) and the expectation overlap, 0..1, as `carry.agreement` does.

    The root of their intersection over union.
    """
    y0, x0, y1, x1 = expected.box
    shared = int((mask[y0:y1, x0:x1] & expected.mask).sum())
    union = int(mask.sum()) + int(expected.mask.sum()) - shared
    return float((shared / max(1, union)) ** 0.5)
