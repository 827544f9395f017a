"""Write the classes of pixels, or objects of them, into labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ..edits import ObjectRecord, now
from ..labels.census import only_on
from ..labels.document import LabelDocument
from ..labels.patches import unpack_ids
from ..models.pixel_features import PixelFeatureModel
from ..pixel_classes import PixelClassifier
from ..pixel_classes.objects import objects_in
from ..pixel_classes.scribbles import Picture
from ..planes import Plane
from ..sources.source import PlaneSource
from ..values import JsonObject
from .base import Command, ModelRef, OnPlane
from .commit import NotReplayable
from .in_context import LabelledExample, Learn
from .workspace import Workspace

ClassArray = npt.NDArray[np.uint16]


class LearnPixels(Command):
    """Strokes that a classifier of pixels was fitted to.

    Attributes
    ----------
    run : str
        Names what was learned; `ClassifyPixels` tells of it.
    model : ModelRef or None
        None for plain filters alone.
    names, colours : dict of str to str
        Of the classes, by their ids.
    strokes : list of dict
        Images, planes and strokes.
    """

    event: Literal["learn_pixels"] = "learn_pixels"
    run: str
    model: ModelRef | None = None
    names: dict[str, str] = Field(default_factory=dict)
    colours: dict[str, str] = Field(default_factory=dict)
    strokes: list[JsonObject] | None = None

    def run_again(self, workspace: Workspace) -> PixelClassifier:
        """Fit the classifier again; in any thread.

        Raises
        ------
        NotReplayable
            The strokes are not in the log.
        """
        if self.strokes is None:
            raise NotReplayable("the strokes are not in the log")
        model = None if self.model is None else workspace.model(self.model)
        pairs = []
        for one in self.strokes:
            values = {key: value for key, value in one.items() if key not in ("labels", "event")}
            seen = OnPlane(event="strokes", **values)
            pixels = workspace.pixels(seen, workspace.source(seen))
            pairs.append((pixels, unpack_ids(one["labels"])))
        names, colours = (
            {int(key): value for key, value in given.items()}
            for given in (self.names, self.colours)
        )
        return PixelClassifier.fit(model, pairs, names=names, colours=colours)


class ClassifyPixels(OnPlane):
    """The classes of a plane's pixels, or objects of them, written into labels.

    Attributes
    ----------
    run : str
        Names what was learned.
    classes : list of int or None
        The classes that are written; None for all.
    instances : bool
        Write objects, numbered, instead of the classes' ids.
    smallest : int
        Objects of fewer pixels are left out.
    split : bool
        Split objects at narrow places.
    """

    event: Literal["classify_pixels"] = "classify_pixels"
    run: str
    classes: list[int] | None = None
    instances: bool = False
    smallest: int = 1
    split: bool = False

    def compute(self, classifier: PixelClassifier, image: Picture) -> Iterator[int | ClassArray]:
        """Classify a plane, in any thread.

        Yields
        ------
        int, then a uint16 array (H, W)
            How many parts of the plane are done; at last the ids of the classes.
        """
        features = classifier.features(image)
        labels = np.zeros(features.shape, np.uint16)
        for done, ((y0, x0, y1, x1), found) in enumerate(classifier.predict_parts(features), 1):
            labels[y0:y1, x0:x1] = found.labels
            yield done
        yield labels

    def run_again(self, workspace: Workspace, classifier: PixelClassifier) -> ClassArray:
        """Classify the plane of the log again; in any thread."""
        *_, labels = self.compute(classifier, workspace.pixels(self, workspace.source(self)))
        assert not isinstance(labels, int)
        return labels

    def apply(
        self, workspace: Workspace, labels: ClassArray, classifier: PixelClassifier
    ) -> list[int]:
        """Replace the labels of the plane in one transaction.

        Parameters
        ----------
        workspace : Workspace
        labels : uint16 array (H, W)
            Ids of the classes.
        classifier : PixelClassifier
            Knows the classes' names and colours.

        Returns
        -------
        list of int
            The ids that are written.

        Raises
        ------
        InvalidLabels
            An id does not fit; nothing is written then.
        """
        document, plane = workspace.document, self.place
        chosen = list(classifier.ids) if self.classes is None else self.classes
        whole = len(document.data.shape) == 2
        if self.instances:
            first = 1 if whole else document.next_id(plane)
            values, class_of = objects_in(labels, chosen, self.smallest, self.split, first)
        else:
            values = np.where(np.isin(labels, chosen), labels, 0).astype(np.int32)
            class_of = {int(one): int(one) for one in np.unique(values) if one}
        rows: dict[int, ObjectRecord | None] = dict.fromkeys(_former(document, plane))
        rows.update({one: self._record(classifier.names.get(of)) for one, of in class_of.items()})
        title = "objects of pixel classes" if self.instances else "pixel classes"
        with document.transaction(title, self.to_dict()) as transaction:
            transaction.set_colours(_new_colours(document.palette.colours, classifier))
            document.write_plane(plane, values, rows=rows)
        return list(class_of)

    def _record(self, name: str | None) -> ObjectRecord:
        model = "" if self.model is None else self.model.name
        return ObjectRecord(name or "", model=model, concept=name or "", time=now())


class PixelRun:
    """A classifier at work: its strokes are logged once in each document that it writes to.

    Parameters
    ----------
    classifier : PixelClassifier
    model : str
        The name by which its model is loaded.
    strokes : sequence of LabelledExample
        Images with the strokes it was fitted to, as they were then.
    taught : str
        Where it comes from, if not from these strokes alone.
    """

    def __init__(
        self, classifier: PixelClassifier, model: str, strokes: Sequence[LabelledExample],
        taught: str = "",
    ) -> None:  # fmt: skip
        from .propagation import PropagationRun

        self.name, self.classifier = PropagationRun.new_name(), classifier
        self._model = model if isinstance(classifier.model, PixelFeatureModel) else ""
        self._strokes, self._taught = list(strokes), taught
        self._logged: list[Any] = []

    def command(
        self, workspace: Workspace, source: PlaneSource, plane: Plane, **options: object
    ) -> ClassifyPixels:
        """The command that classifies a plane of the labels; `options` are its fields."""
        values = workspace.shown(source) | {"plane": plane.to_dict()}
        values |= options
        values |= self._ref(workspace)
        return ClassifyPixels(event="classify_pixels", run=self.name, **values)

    def write(self, workspace: Workspace, command: ClassifyPixels, labels: ClassArray) -> list[int]:
        """Write classes, uint16 (H, W), by a command; see `ClassifyPixels.apply`."""
        if not any(one is workspace.document for one in self._logged):
            self._logged.append(workspace.document)
            workspace.document.note(self._learned(workspace).to_dict())
        return command.apply(workspace, labels, self.classifier)

    def _ref(self, workspace: Workspace) -> JsonObject:
        return {"model": ModelRef(**workspace.model_ref(self._model))} if self._model else {}

    def _learned(self, workspace: Workspace) -> LearnPixels:
        values: JsonObject = {"run": self.name, **self._ref(workspace)}
        for key, given in (("names", self.classifier.names), ("colours", self.classifier.colours)):
            values[key] = {str(one): text for one, text in given.items()}
        if self._taught:
            values["stored"] = f"the classifier was {self._taught}"
        elif any(one.source is None for one in self._strokes):
            values["stored"] = "the strokes are on a separate file"
        else:
            values["strokes"] = [Learn.example(workspace, one) for one in self._strokes]
        return LearnPixels(event="learn_pixels", **values)


def _former(document: LabelDocument, plane: Plane) -> set[int]:
    """Return the rows of the objects of a plane, which go when it is replaced."""
    if len(document.data.shape) == 2:
        return set(document.table)
    there = {*np.unique(document.read_plane(plane)).tolist()} & {*document.table}
    return only_on(document.data, plane, there)


def _new_colours(known: Mapping[str, str], classifier: PixelClassifier) -> dict[str, str]:
    """Return the colours of the classes that labels have none for, by the classes' names."""
    return {
        classifier.names[one]: colour
        for one, colour in classifier.colours.items()
        if one in classifier.names and classifier.names[one] not in known
    }
