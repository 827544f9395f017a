"""The shown plane classified after each stroke, in a thread; of requests that wait the newest."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Signal

from ...commands.models import ModelCache
from ...pixel_classes import PixelClasses, PixelClassifier
from ...pixel_classes.incremental import IncrementalClassifier, TaughtPlane
from .._shared.background.runner import Job, LatestRunner, explained

if TYPE_CHECKING:
    from napari.layers import Image

    from ...models.base import Model
    from ...planes import Plane
    from ...sources.frames import Area
    from ...sources.source import PlaneSource
    from ...viewer.model_input import ModelInput


@dataclass(frozen=True, eq=False)
class PixelLesson:
    """What is learned: strokes as they are now, and a lesson that was opened.

    Attributes
    ----------
    model : str or None
        Whose features are used; None for plain filters alone.
    planes : sequence of TaughtPlane
    names, colours : mapping of int to str
        Of the classes by their numbers.
    also : PixelClassifier or None
        The opened lesson.
    """

    model: str | None
    planes: Sequence[TaughtPlane] = field(repr=False)
    names: Mapping[int, str]
    colours: Mapping[int, str]
    also: PixelClassifier | None = None

    @property
    def taught(self) -> set[int]:
        """The numbers of the classes that something is known of."""
        strokes = {int(i) for one in self.planes for i in set(one.classes.tolist())}
        return strokes if self.also is None else strokes | set(self.also.ids)


@dataclass(frozen=True, eq=False)
class PixelQuestion:
    """A plane to be classified.

    Attributes
    ----------
    lesson : PixelLesson
    image : Image
    plane : Plane
    input : ModelInput
        What is shown to the classifier of the image.
    source : PlaneSource
    area : (y0, x0, y1, x1) or None
        Of a big plane: the part that is shown.
    unsure : bool
        The uncertainty is to be shown.
    """

    lesson: PixelLesson
    image: Image
    plane: Plane
    input: ModelInput
    source: PlaneSource
    area: Area | None = None
    unsure: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """The same for questions with the same answer, as long as no pixel changes in place."""
        lesson, source = self.lesson, self.source
        taught = [(one.source.input, *one.source.plane.key(), one.digest) for one in lesson.planes]
        return (
            lesson.model, lesson.also, *lesson.names.items(), *lesson.colours.items(), *taught,
            source.input, *source.plane.key(), self.area,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class PixelAnswer:
    """The classes of a plane, or of a part of it.

    Attributes
    ----------
    question : PixelQuestion
    classifier : PixelClassifier
    area : (y0, x0, y1, x1)
    classes : PixelClasses
        Of the area.
    shares : float array (K,)
        How much of the area each class takes.
    """

    question: PixelQuestion
    classifier: PixelClassifier
    area: Area
    classes: PixelClasses
    shares: npt.NDArray[np.float64]

    @property
    def summary(self) -> str:
        """The classes, the largest first, with their shares."""
        order = np.argsort(-self.shares, kind="stable")
        named = [self.classes.names.get(one, f"class {one}") for one in self.classes.ids]
        return ", ".join(f"{named[k]} {100 * self.shares[k]:.3g} %" for k in order)


class LiveClassification(QObject):
    """Fits and classifies in a worker thread; a request that waits is replaced by a newer one.

    Parameters
    ----------
    models : ModelCache
    parent : QObject

    Attributes
    ----------
    answered : Signal(object)
        A `PixelAnswer`.
    opened : Signal(object, str)
        A lesson that was read, and its name.
    saved : Signal(object)
        The path that a lesson was written to.
    failed : Signal(str)
        What went wrong.
    runner : LatestRunner
    """

    answered = Signal(object)
    opened = Signal(object, str)
    saved = Signal(object)
    failed = Signal(str)

    def __init__(self, models: ModelCache, parent: QObject) -> None:
        super().__init__(parent)
        self._models = models
        self._engine = IncrementalClassifier(models.cache)
        self._lock = threading.Lock()
        models.forgotten.connect(self._on_forgotten)
        self._seen: set[Any] = set()
        self.runner = LatestRunner(self, models.gate)

    def prepare(self, model: str | None, source: PlaneSource, area: Area | None) -> None:
        """Compute the features of a plane while a person paints."""
        place = source.input, source.plane.key(), model
        if place in self._seen:
            return
        self._seen = {place}
        job = Job(
            partial(self._prepare, model, source, area), lambda _: None, self._on_failure,
            "Reading the image", lane="ready",
        )  # fmt: skip
        self.runner.submit(job)

    def ask(self, question: PixelQuestion) -> None:
        """Classify a plane, as soon as the present one is done."""
        self.runner.drop_waiting("ready")
        place = question.source.input, question.source.plane.key(), question.lesson.model
        title = "" if place in self._seen else "Reading the image"
        self._seen = {place}
        job = Job(
            partial(self._answer, question), self.answered.emit, self._on_failure, title,
            partial(self.failed.emit, "cancelled; the strokes are kept"),
        )  # fmt: skip
        self.runner.submit(job)

    def fit(self, lesson: PixelLesson) -> PixelClassifier:
        """Fit to a lesson, in any thread."""
        model = self._loaded(lesson.model)
        with self._lock:
            return self._engine.fit(model, lesson.planes, lesson.names, lesson.colours, lesson.also)

    def save(self, lesson: PixelLesson, path: Path) -> None:
        """Write what is learned into a file."""
        job = Job(
            lambda: self.fit(lesson).save(path), lambda _: self.saved.emit(path), self._on_failure,
            lane="save",
        )  # fmt: skip
        self.runner.submit(job)

    def open(self, model: str | None, path: Path) -> None:
        """Read a lesson of a model; None for one of plain filters."""
        job = Job(
            lambda: PixelClassifier.load(path, self._loaded(model)),
            lambda lesson: self.opened.emit(lesson, path.stem), self._on_failure, lane="open",
        )  # fmt: skip
        self.runner.submit(job)

    def close(self) -> None:
        """Deliver nothing any more."""
        self.runner.close()
        self._models.forgotten.disconnect(self._on_forgotten)

    def _answer(self, question: PixelQuestion) -> PixelAnswer:
        classifier = self.fit(question.lesson)
        with self._lock:
            area, classes = self._engine.predict(classifier, question.source, question.area)
        found = np.searchsorted(classes.ids, classes.labels).ravel()
        shares = np.bincount(found, minlength=len(classes.ids))
        if question.unsure:
            classes.uncertainty  # noqa: B018  (kept; it takes too long for the main thread)
        return PixelAnswer(question, classifier, area, classes, shares / shares.sum())

    def _prepare(self, model: str | None, source: PlaneSource, area: Area | None) -> None:
        loaded = self._loaded(model)
        with self._lock:
            self._engine.prepare(loaded, source, area)

    def _loaded(self, name: str | None) -> Model | None:
        return None if name is None else self._models.model(name)

    def _on_forgotten(self) -> None:
        self._engine, self._seen = IncrementalClassifier(self._models.cache), set()

    def _on_failure(self, error: Exception) -> None:
        self.failed.emit(explained(error))
