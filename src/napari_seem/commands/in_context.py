"""Label images as a few labelled examples are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..edits import ObjectRecord, ObjectTable
from ..embeddings import content_key
from ..in_context import check_can_learn, label, learn
from ..labels.patches import pack_ids, unpack_ids
from ..models.in_context import InContextModel, Kind, Labelled, Lesson
from ..planes import Plane
from ..sources.source import PlaneSource
from ..values import JsonObject
from .base import Command, ModelRef, OnPlane
from .commit import NotReplayable
from .workspace import Workspace


@dataclass(frozen=True, eq=False)
class LabelledExample:
    """An example: an image, and its labels.

    Attributes
    ----------
    title : str
    image : array (H, W) or (H, W, C)
    labels : integer array (H, W)
    key : tuple
        Tells it from others.
    source : PlaneSource or None
        Where the image was read from; None for a file of its own.
    """

    title: str
    image: npt.NDArray[Any] = field(repr=False)
    labels: npt.NDArray[Any] = field(repr=False)
    key: tuple[object, ...]
    source: PlaneSource | None = field(default=None, repr=False)


class Learn(Command):
    """Examples that images are labelled by.

    Attributes
    ----------
    run : str
        Names what was learned; `LabelLike` tells of it.
    model : ModelRef
    kind : "semantic" or "instance"
    examples : list of dict
        Images, planes and labels.
    options : dict
        Of the model's `learn`.
    """

    event: Literal["learn"] = "learn"
    run: str
    model: ModelRef
    kind: Kind = "semantic"
    examples: list[JsonObject] | None = None
    options: JsonObject | None = None

    @staticmethod
    def example(workspace: Workspace, one: LabelledExample) -> dict[str, object]:
        """An example as the log has it."""
        assert one.source is not None
        return {
            **workspace.shown(one.source), "content": content_key(one.image),
            "labels": pack_ids(np.asarray(one.labels)),
        }  # fmt: skip

    def run_again(self, workspace: Workspace) -> tuple[object, object]:
        """The model, and what it learns from the examples; in any thread.

        Raises
        ------
        NotReplayable
            The examples are not in the log.
        """
        if self.examples is None:
            raise NotReplayable("the examples are not in the log")
        model = workspace.model(self.model)
        check_can_learn(model)
        pairs = []
        for one in self.examples:
            values = {key: value for key, value in one.items() if key not in ("labels", "event")}
            seen = OnPlane(event="example", **values)
            pixels = workspace.pixels(seen, workspace.source(seen))
            pairs.append((pixels, unpack_ids(one["labels"])))
        cache, options = workspace.models.cache, self.options or {}
        return model, learn(model, pairs, self.kind, cache, **options)


class LabelLike(OnPlane):
    """A plane labelled as the examples are.

    Attributes
    ----------
    run : str
        Names what was learned.
    score : float
        How sure the model is of the labels, 0..1.
    """

    event: Literal["label_like"] = "label_like"
    run: str
    score: float | None = None

    def run_again(self, workspace: Workspace, learned: tuple[InContextModel, Lesson]) -> Labelled:
        """Label the plane; in any thread."""
        model, lesson = learned
        pixels = workspace.pixels(self, workspace.source(self))
        return label(model, lesson, pixels)

    def apply(self, workspace: Workspace, found: Labelled) -> None:
        """Replace the labels of the plane in one transaction.

        Raises
        ------
        InvalidLabels
            An id does not fit; nothing is written then.
        """
        document, model = workspace.document, "" if self.model is None else self.model.name
        rows = _rows(document.table, found, model)
        document.write_plane(
            self.place, found.labels, title="labels by example", entry=self.to_dict(), rows=rows
        )


class LearnedRun:
    """A run of labelling by example: logged once in each document that it writes to.

    Parameters
    ----------
    model : str
    kind : str
    examples : sequence of LabelledExample
        As they are when the run begins.
    taught : str
        What the model was taught by, where that was not the examples.
    """

    def __init__(
        self, model: str, kind: Kind, examples: Sequence[LabelledExample], taught: str = "",
        options: dict[str, object] | None = None,
    ) -> None:  # fmt: skip
        from .propagation import PropagationRun

        self.name = PropagationRun.new_name()
        self._model, self._kind = model, kind
        self._examples, self._taught = list(examples), taught
        self._options = options
        self._logged: list[Any] = []

    def label(
        self, workspace: Workspace, source: PlaneSource, plane: Plane, found: Labelled
    ) -> None:
        """Write the labels of a plane; raises as `LabelLike.apply`."""
        ref = ModelRef(**workspace.model_ref(self._model))
        self._log(workspace, ref)
        values = workspace.shown(source) | {"plane": plane.to_dict()}
        command = LabelLike(
            event="label_like", run=self.name, model=ref, score=found.score, **values
        )
        command.apply(workspace, found)

    def _log(self, workspace: Workspace, ref: ModelRef) -> None:
        document = workspace.document
        if any(one is document for one in self._logged):
            return
        self._logged.append(document)
        values: JsonObject = {"run": self.name, "model": ref, "kind": self._kind}
        if self._options:
            values["options"] = self._options
        if self._taught:
            values["stored"] = f"the model was {self._taught}"
        elif any(one.source is None for one in self._examples):
            values["stored"] = "an example is a separate file"
        else:
            values["examples"] = [Learn.example(workspace, one) for one in self._examples]
        document.note(Learn(event="learn", **values).to_dict())


def _rows(table: ObjectTable, found: Labelled, model: str) -> dict[int, ObjectRecord | None]:
    """Rows of the ids that are found; of several planes the lowest score counts."""
    rows: dict[int, ObjectRecord | None] = {}
    for label_id, score in found.scores.items():
        known = table[label_id]
        if label_id not in table:
            rows[label_id] = ObjectRecord.made(None, score, model)
        elif not known.class_name and known.model == model:
            rows[label_id] = replace(known, score=min(known.score, round(score, 3)))
    return rows
