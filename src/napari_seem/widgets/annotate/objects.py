"""From an answer to an object in the Labels layer, and back to an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...commands.commit import Commit, PickUp
from ...commands.segment import Segment
from ...commands.workspace import Workspace
from ...errors import InvalidPrompt
from ...labels.changes import Change
from ...viewer.coordinates import full_data, world_to_data
from ...viewer.documents import document_of
from ...viewer.model_input import note_model_input
from ...viewer.targets import check_target, new_labels
from ...viewer.timeline import document_in
from .._shared.preferences import label_home

if TYPE_CHECKING:
    from napari.layers import Labels

    from ...models.base import Instance
    from .annotator import Annotator
    from .plane_sessions import PlaneSession


class Objects:
    """Writes objects into the Labels layer that the person chose, and picks them up again."""

    def __init__(self, annotator: Annotator) -> None:
        self._annotator = annotator

    def commit(self, name: str = "", label_id: int | None = None) -> int | None:
        """Write the object into the Labels layer; gives its id, or None where nothing was written.

        Parameters
        ----------
        name : str
            The object's name; where it is empty, the word that was asked for. What a model
            guesses is only shown: a wrong name in a table is worse than none.
        label_id : int, optional
            Its id; by default that of the object picked up again, else the next free one.
        """
        annotator = self._annotator
        with annotator.reporting():
            work = annotator.work
            if work is None:
                raise InvalidPrompt("there is no object yet; add a prompt on it first")
            prediction = work.session.prediction
            if prediction is None and annotator.runner.busy:
                raise InvalidPrompt("the mask is still being computed; commit again in a moment")
            if prediction is None or prediction.bbox is None:
                raise InvalidPrompt("there is no object yet; add a prompt on it first")
            wanted = label_id or work.label_id
            workspace = self._workspace(work, wanted or 1)
            session = work.session
            command = Commit(
                **workspace.fields(work.question.model, work.known),
                **Commit.of_prompts(session.prompts), name=name or work.name,
                label_id=wanted, replaces=work.label_id is not None,
                overwrite=annotator.overwrite,
            )  # fmt: skip
            made: list[Change] = []
            with workspace.document.listening(made.append):
                chosen = command.apply(workspace, prediction)
            for change in made:
                annotator.committed(change, work)
            self._written(work)
            annotator.clear()
            annotator.say(f"object {chosen[0]} written to '{workspace.document.name}'")
            return chosen[0]
        return None

    def accept(self, work: PlaneSession, chosen: Sequence[Instance], **query: Any) -> list[int]:
        """Write objects that a model found on a plane, in one transaction; gives their ids.

        Parameters
        ----------
        work : PlaneSession
            Of the plane.
        chosen : sequence of Instance
        **query
            What was looked for: fields of `Segment`.

        Raises
        ------
        InvalidLabels
            Where the layer can't take them; nothing is written then.
        """
        workspace = self._workspace(work, len(chosen))
        fields = workspace.fields(work.question.model, work.known)
        command = Segment(**fields, **query, overwrite=self._annotator.overwrite)
        ids = command.apply(workspace, chosen)
        self._written(work)
        return ids

    def target(self) -> Labels:
        """The chosen Labels layer, or a new one; raises as `new_labels`."""
        annotator = self._annotator
        if annotator.labels is None or annotator.labels not in annotator.viewer.layers:
            assert annotator.image is not None
            image = annotator.image
            made = new_labels(annotator.viewer, image, home=label_home(image))
            document_in(annotator.viewer, made, empty=True)
            annotator.choose_labels(made)
        assert annotator.labels is not None
        return annotator.labels

    def pick(self, world: Sequence[float]) -> int | None:
        """Pick an object of the Labels layer up again as a mask prompt; gives its id."""
        annotator = self._annotator
        if annotator.labels is None or annotator.image is None or annotator.plane is None:
            annotator.say("choose the labels layer that holds the object first", error=True)
            return None
        with annotator.reporting():
            label_id = self._id_at(annotator.labels, world)
            if not label_id:
                return None
            check_target(annotator.labels, annotator.image, label_id)
            document = document_of(annotator.labels)
            command = PickUp(label_id=label_id, plane=annotator.plane.to_dict())
            prompt = command.run(document)
            annotator.clear()
            work = annotator.ensure_work()
            if work is None:
                return None
            work.label_id = label_id
            work.name = document.table[label_id].name
            annotator.add_prompt(prompt)
            return label_id
        return None

    def _id_at(self, labels: Labels, world: Sequence[float]) -> int:
        """The id under a world position; 0 outside the labels and, with a word, beside objects."""
        annotator = self._annotator
        point = np.round(world_to_data(labels, world, annotator.viewer.dims)).astype(int)
        data = full_data(labels)
        if (point < 0).any() or (point >= data.shape).any():
            return 0
        label_id = int(np.asarray(data[tuple(point)]))
        if not label_id:
            annotator.say("there is no object here; click on a labelled one", error=False)
        return label_id

    def _workspace(self, work: PlaneSession, highest: int) -> Workspace:
        """The document that is written to, checked to take objects of the image."""
        labels = self.target()
        check_target(labels, work.image, highest)
        document = document_in(self._annotator.viewer, labels)
        return Workspace(document, self._annotator.model_cache)

    def _written(self, work: PlaneSession) -> None:
        labels = self._annotator.labels
        if labels is not None:
            note_model_input(labels, work.question.input)
        self._annotator.changed.emit()
