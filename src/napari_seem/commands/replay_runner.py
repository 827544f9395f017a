"""Commands of a log done again, by the handlers that did them first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt

from ..embeddings import EmbeddingCache
from ..errors import (
    InvalidImage,
    InvalidLabels,
    InvalidPrompt,
    LogTrouble,
    UnknownWord,
    UnsupportedPrompt,
)
from ..labels.document import LabelDocument
from ..labels.log import Event
from ..models.base import Segmentation
from ..pixel_classes import PixelClassifier
from ..planes import Plane
from ..propagation import PlaneResult
from ..sources.source import ImageSource
from ..sources.stack import StackSource
from ..values import JsonObject
from .carried import EndObjects, stack_key
from .commit import Commit, NotReplayable
from .in_context import LabelLike, Learn
from .models import ModelCache
from .pixel_classes import ClassifyPixels, LearnPixels
from .propagation import AcceptPlane, Propagate, PropagatePlane, PropagationRun
from .segment import WriteObjects
from .taught_words import TaughtWords
from .workspace import Workspace

IntArray = npt.NDArray[Any]
Loader = Callable[[str], Any]
Pictures = Callable[[JsonObject], Any]
REFUSALS = (InvalidImage, InvalidLabels, InvalidPrompt, UnknownWord, UnsupportedPrompt)


class ReplayRunner:
    """Does commands again that models had a part in, on a document in the state before them.

    Parameters
    ----------
    document : LabelDocument
    loader : callable
        Gives a model by name.
    pictures : callable or None
        Gives the array of an image, given the log's line that tells of it.
    """

    def __init__(self, document: LabelDocument, loader: Loader, pictures: Pictures | None) -> None:
        self._document, self._pictures = document, pictures
        models = ModelCache(loader, EmbeddingCache(), words=TaughtWords.none())
        find = None if pictures is None else self._image
        self._workspace = Workspace(document, models, find)
        self._runs: dict[str, PropagationRun] = {}
        self._results: dict[str, dict[int, PlaneResult]] = {}
        self._learned: dict[str, tuple[Any, Any]] = {}
        self._classifiers: dict[str, PixelClassifier] = {}
        self._handlers: dict[str, Callable[[Event], Plane]] = {
            "commit": self._commit, "segment": self._segment,
            "propagate_plane": self._propagate_plane, "label_like": self._label_like,
            "classify_pixels": self._classify_pixels,
        }  # fmt: skip

    def prepare(self, line: Event) -> None:
        """Take up what a line says of images, runs and examples."""
        kind = line["event"]
        if kind == "image":
            self._workspace.lines[int(line["id"])] = line
        elif kind == "propagate" and "stored" not in line:
            self._propagate(Propagate.from_line(line))
        elif kind == "end_objects":
            self._end(EndObjects.from_line(line))
        elif kind == "accept_plane" and line["run"] in self._runs:
            self._accept(AcceptPlane.from_line(line))
        elif kind == "learn" and "stored" not in line:
            command = Learn.from_line(line)
            self._learned[command.run] = command.run_again(self._workspace)
        elif kind == "learn_pixels" and "stored" not in line:
            strokes = LearnPixels.from_line(line)
            self._classifiers[strokes.run] = strokes.run_again(self._workspace)

    def plane(self, line: Event) -> tuple[IntArray | None, str]:
        """The plane that a command changed, (H, W), as it comes out now; the document stays.

        Returns
        -------
        labels : integer array (H, W) or None
            None where the stored pixels are to be taken.
        reason : str
            Why, where a model had a part in the command.

        Raises
        ------
        LogTrouble
            The image or the weights are others, or the line says too little.
        """
        handler = self._handlers.get(line["event"])
        if handler is None:
            return None, ""
        if "stored" in line:
            return None, str(line["stored"])
        document = self._document
        steps = len(document.host.undo.done)
        try:
            place = handler(line)
        except NotReplayable as reason:
            return None, str(reason)
        except LogTrouble as error:
            if str(error).startswith("event "):
                raise
            raise LogTrouble(f"event {line['n']} ({line['event']}): {error}") from None
        except REFUSALS as error:
            place = Plane.from_dict(line["plane"])
            return document.read_plane(place), f"refused now: {error}"
        made = document.read_plane(place)
        if len(document.host.undo.done) > steps:
            document.undo()
        return made, ""

    def _commit(self, line: Event) -> Plane:
        command = Commit.from_line(line)
        command.apply(self._workspace, command.run(self._workspace))
        return command.place

    def _segment(self, line: Event) -> Plane:
        command = WriteObjects.from_line(line)
        *_, found = command.run(self._workspace)
        assert isinstance(found, Segmentation)
        command.accept(self._workspace, found)
        return command.place

    def _propagate_plane(self, line: Event) -> Plane:
        command = PropagatePlane.from_line(line)
        if command.run not in self._runs:
            raise NotReplayable("its run can't be done again")
        if command.model is not None:
            self._workspace.model(command.model)  # its weights are known only now
        run, results = self._runs[command.run], self._results[command.run]
        for result in run.run():
            results[result.index] = result
            if result.index == command.index:
                break
        if command.index not in results:
            raise NotReplayable("the plane is not done now; another one came first")
        run.apply(results[command.index])
        return run.stack.at(command.index)

    def _label_like(self, line: Event) -> Plane:
        command = LabelLike.from_line(line)
        if command.run not in self._learned:
            raise NotReplayable("what the model was taught is not in the record")
        found = command.run_again(self._workspace, self._learned[command.run])
        command.apply(self._workspace, found)
        return command.place

    def _classify_pixels(self, line: Event) -> Plane:
        command = ClassifyPixels.from_line(line)
        if command.run not in self._classifiers:
            raise NotReplayable("the strokes are not in the record")
        classifier = self._classifiers[command.run]
        labels = command.run_again(self._workspace, classifier)
        command.apply(self._workspace, labels, classifier)
        return command.place

    def _propagate(self, command: Propagate) -> None:
        if not command.resumes:
            stack = StackSource(self._workspace.source(command), command.axis)
            run = self._runs[command.run] = PropagationRun(self._workspace, stack, command)
            self._results[command.run] = {}
            run.begin()
        elif command.run in self._runs:
            within = command.within
            self._runs[command.run].resume(within, list(command.corrected or ()))

    def _end(self, command: EndObjects) -> None:
        ends = command.remember(self._document)
        for run in self._runs.values():
            if stack_key(run.stack.plane, run.stack.axis) == command.key:
                run.end(ends)

    def _accept(self, command: AcceptPlane) -> None:
        run = self._runs[command.run]
        if command.corrected:
            run.correct(command.index)
        elif command.index in run.results:
            run.accept(command.index)

    def _image(self, line: Mapping[str, object]) -> ImageSource:
        assert self._pictures is not None
        array = self._pictures(dict(line))
        return ImageSource([array], bool(line["colours"]), str(line.get("name", "")))
