"""Targets labelled as examples are, in a thread; what is done is remembered and not done again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from ...commands.in_context import LabelledExample
from ...commands.models import ModelCache
from ...errors import InvalidLabels, NapariSeemError
from ...in_context import (
    check_can_learn,
    label,
    learn,
    load_lesson,
    save_lesson,
    teach,
)
from ...io.images import read_image, write_scored
from ...models.in_context import Kind, Labelled, Tuned
from .._shared.background.steps import Steps

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Target:
    """Something to label.

    Attributes
    ----------
    title : str
    key : tuple
        What tells it from others; a target that is done is not done again.
    read : callable
        Gives the image; called in the thread.
    write : callable
        Takes the result, in the main thread.
    """

    title: str
    key: tuple[Any, ...]
    read: Callable[[], npt.NDArray[Any]]
    write: Callable[[Labelled], None]


@dataclass(frozen=True, eq=False)
class Answer:
    """What came of a target: a result, or a problem."""

    target: Target
    found: Labelled | None
    problem: str = ""


@dataclass(frozen=True, eq=False)
class TaughtModel:
    """What a model was taught, and from how many examples (0: from a file)."""

    model: str
    lesson: Any = field(repr=False)
    examples: int
    title: str


class Labeller(QObject):
    """Labels targets one after another.

    Parameters
    ----------
    model_cache : ModelCache
    parent : QObject

    Attributes
    ----------
    answered : Signal(object)
        An `Answer`.
    ended : Signal(str)
        As of `Steps`.
    """

    answered = Signal(object)
    ended = Signal(str)

    def __init__(self, model_cache: ModelCache, parent: QObject) -> None:
        super().__init__(parent)
        self.model_cache = model_cache
        self.steps = Steps(self)
        self.steps.stepped.connect(self._deliver)
        self.steps.ended.connect(self.ended)
        self.teaching = Steps(self)
        self.teaching.stepped.connect(self._taught)
        self.taught: TaughtModel | None = None
        self._lesson: list[Any] = []
        self._done: set[tuple[Any, ...]] = set()

    def start(
        self, model: str, kind: Kind, examples: Sequence[LabelledExample], targets: Sequence[Target]
    ) -> int:
        """Label the targets that are not done yet; how many there are.

        Other examples, another model or kind make everything to be done again.

        Raises
        ------
        InvalidLabels
            There is no example.
        """
        taught = self.taught if self.taught and self.taught.model == model else None
        if not examples and taught is None:
            raise InvalidLabels("there is no example; add one to five labelled planes")
        lesson = [model, kind, taught, *examples]
        if not _same(lesson, self._lesson):
            self._lesson, self._done = lesson, set()
        left = [target for target in targets if target.key not in self._done]
        title = f"Labelling {len(left)}"
        shown = list(examples)
        self.steps.start(title, len(left), lambda: self._run(model, kind, shown, left, taught))
        return len(left)

    def teach(self, model: str, kind: Kind, examples: Sequence[LabelledExample]) -> None:
        """Fit what the model is given to the examples; `taught` gets better from step to step.

        Raises
        ------
        InvalidLabels
            There is no example.
        """
        if not examples:
            raise InvalidLabels("there is no example; add one to five labelled planes")
        shown = list(examples)
        self.taught = None

        def work() -> Iterator[tuple[str, int, Tuned]]:
            learner: Any = self.model_cache.model(model)
            pairs = [(one.image, one.labels) for one in shown]
            for tuned in teach(learner, pairs, kind, cache=self.model_cache.cache):
                yield model, len(shown), tuned

        self.teaching.start(f"Teaching {model}", 0, work)

    def _taught(self, step: tuple[str, int, Tuned]) -> None:
        model, count, tuned = step
        self.taught = TaughtModel(model, tuned.lesson, count, f"taught from {count} examples")

    def save(self, path: Path) -> None:
        """Keep what was taught as a file."""
        if self.taught is None:
            raise InvalidLabels("nothing was taught yet; press Teach first")
        model: Any = self.model_cache.model(self.taught.model)
        save_lesson(path, model, self.taught.lesson, path.stem)

    def open(self, path: Path, name: str) -> None:
        """Use what a file holds; `InvalidLabels` where it is no lesson of the model."""
        model: Any = self.model_cache.model(name)
        check_can_learn(model)
        self.taught = TaughtModel(name, load_lesson(path, model), 0, f"as in {path.name}")

    def forget(self) -> None:
        """Do everything again next time."""
        self._done = set()

    def close(self) -> None:
        """Stop; what is written stays."""
        self.steps.close()
        self.teaching.close()

    def _run(
        self, name: str, kind: Kind, examples: Sequence[LabelledExample], targets: Sequence[Target],
        taught: TaughtModel | None,
    ) -> Iterator[Answer]:  # fmt: skip
        model: Any = self.model_cache.model(name)
        check_can_learn(model)
        cache = self.model_cache.cache
        if taught is not None:
            lesson = taught.lesson
        else:
            pairs = [(one.image, one.labels) for one in examples]
            lesson = learn(model, pairs, kind, cache)
        for target in targets:
            try:
                image = target.read()
                yield Answer(target, label(model, lesson, image, cache))
            except (NapariSeemError, OSError) as error:
                yield Answer(target, None, str(error))

    def _deliver(self, answer: Answer) -> None:
        if answer.found is not None:
            try:
                answer.target.write(answer.found)
                self._done.add(answer.target.key)
            except (NapariSeemError, OSError) as error:
                answer = Answer(answer.target, None, str(error))
        self.answered.emit(answer)


def file_target(path: Path, folder: Path) -> Target:
    """An image file, whose labels are written into a folder."""

    def write(found: Labelled) -> None:
        write_scored(folder, path, found.labels, found.scores)

    return Target(path.name, ("file", str(path)), lambda: read_image(path), write)


def _same(one: Sequence[object], other: Sequence[object]) -> bool:
    """Whether two sequences hold the same objects."""
    return len(one) == len(other) and all(
        a is b or (isinstance(a, str) and a == b) for a, b in zip(one, other, strict=True)
    )
