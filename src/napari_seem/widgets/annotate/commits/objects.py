"""The Labels layer that objects are written to, and objects of it picked up again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ....commands.commit import PickUp
from ....commands.segment import WriteObjects
from ....commands.workspace import Workspace
from ....viewer.coordinates import full_data, world_to_data
from ....viewer.documents import document_of
from ....viewer.label_layers.targets import check_target, new_labels
from ....viewer.model_input import note_model_input
from ....viewer.timeline import document_in
from ..._shared.preferences import label_home
from ..sessions.prompt_steps import clear_prompts

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from ....models.base import Instance
    from ..annotator import Annotator
    from ..sessions.planes import PlaneSession


class ObjectWriter:
    """Writes what models found into the Labels layer that the person chose; picks objects up."""

    def __init__(self, annotator: Annotator) -> None:
        self._annotator = annotator

    def accept(self, work: PlaneSession, chosen: Sequence[Instance], **query: Any) -> list[int]:
        """Write objects that a model found on a plane, in one transaction; gives their ids.

        Parameters
        ----------
        work : PlaneSession
            Of the plane.
        chosen : sequence of Instance
        **query
            What was looked for: fields of `WriteObjects`.

        Raises
        ------
        InvalidLabels
            Where the layer can't take them; nothing is written then.
        """
        labels = self.target()
        workspace = self.workspace(labels, work.image, len(chosen))
        fields = workspace.fields(work.question.model, work.known)
        command = WriteObjects(**fields, **query, overwrite=self._annotator.overwrite)
        ids = command.apply(workspace, chosen)
        self.written(labels, work)
        return ids

    def workspace(self, labels: Labels, image: Image, highest: int) -> Workspace:
        """The document of a Labels layer, checked to take objects of an image up to an id."""
        check_target(labels, image, highest)
        document = document_in(self._annotator.viewer, labels)
        return Workspace(document, self._annotator.model_cache)

    def written(self, labels: Labels, work: PlaneSession) -> None:
        """Objects of a plane were written: keep with the labels what the model was given."""
        note_model_input(labels, work.question.input)
        self._annotator.changed.emit()

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
            clear_prompts(annotator)
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
