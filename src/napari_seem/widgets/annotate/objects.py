"""From an answer to an object in the Labels layer, and back to an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...edits import ObjectRecord
from ...errors import InvalidPrompt
from ...prompts import Mask, Text
from ...viewer.coordinates import full_data, world_to_data
from ...viewer.ledger import Ledger
from ...viewer.model_input import note_model_input
from ...viewer.record import What
from ...viewer.rows import table_of
from ...viewer.writing import NewObject, check_target, new_labels, object_mask
from .._shared.preferences import label_home
from .._shared.provenance import committed

if TYPE_CHECKING:
    from napari.layers import Labels

    from .annotator import Annotator


class Objects:
    """Writes objects into the Labels layer that the person chose, and takes them up again."""

    def __init__(self, annotator: Annotator) -> None:
        self._annotator = annotator
        self._ledgers: dict[int, Ledger] = {}

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
        work, plane = annotator.work, annotator.plane
        if work is None or plane is None or annotator.image is None:
            annotator.say("there is no object yet; add a prompt on it first", error=True)
            return None
        with annotator.reporting():
            prediction = work.session.prediction
            if prediction is None and annotator.runner.busy:
                raise InvalidPrompt("the mask is still being computed; commit again in a moment")
            if prediction is None or prediction.bbox is None:
                raise InvalidPrompt("there is no object yet; add a prompt on it first")
            mask, corner = prediction.cut_out()
            prompts = work.session.prompts
            words = [p.text for p in prompts if isinstance(p, Text) and p.positive]
            former = self._former(work.label_id)
            word = (prediction.label or words[0]) if words else former.concept
            made = ObjectRecord.made(word, prediction.score, annotator.model_name, len(prompts))
            record = replace(made, name=name or work.name or made.name)
            chosen = self.write(
                [mask], [corner], [record], label_id or work.label_id,
                replaces=work.label_id is not None, what=committed(annotator.model_cache, work),
            )  # fmt: skip
            annotator.clear()
            target = annotator.labels.name if annotator.labels else ""
            annotator.say(f"object {chosen[0]} written to '{target}'")
            return chosen[0]
        return None

    def _former(self, label_id: int | None) -> ObjectRecord:
        """What was known of an object that is drawn anew."""
        labels = self._annotator.labels
        return ObjectRecord() if labels is None or label_id is None else table_of(labels)[label_id]

    def write(
        self, masks: list[Any], corners: list[tuple[int, int]], records: list[ObjectRecord],
        label_id: int | None = None, replaces: bool = False, what: What | None = None,
    ) -> list[int]:  # fmt: skip
        """Write objects of the shown plane in one undoable step; gives their ids.

        `what` is done is kept in the labels' record.

        Raises
        ------
        InvalidLabels
            Where the layer can't take them; nothing is written then.
        """
        annotator = self._annotator
        if annotator.image is None or annotator.plane is None:
            raise InvalidPrompt("choose an image first")
        labels = self.target()
        if id(labels) not in self._ledgers:
            self._ledgers[id(labels)] = Ledger(labels)
        ledger = self._ledgers[id(labels)]
        first = label_id or ledger.next_id(annotator.plane)
        objects = [
            NewObject(mask, corner, first + number, record)
            for number, (mask, corner, record) in enumerate(
                zip(masks, corners, records, strict=True)
            )
        ]
        check_target(labels, annotator.image, objects[-1].label_id)
        ids = ledger.write(
            annotator.plane, objects, overwrite=annotator.overwrite, replaces=replaces, what=what
        )
        note_model_input(labels, annotator.reading(annotator.image).shown)
        annotator.changed.emit()
        return ids

    def target(self) -> Labels:
        """The chosen Labels layer, or a new one; raises as `new_labels`."""
        annotator = self._annotator
        if annotator.labels is None or annotator.labels not in annotator.viewer.layers:
            assert annotator.image is not None
            image = annotator.image
            made = new_labels(annotator.viewer, image, home=label_home(image))
            self._ledgers[id(made)] = Ledger(made, empty=True)
            annotator.choose_labels(made)
        assert annotator.labels is not None
        return annotator.labels

    def forget(self, layer: Any) -> None:
        """Close the books of a layer that is gone."""
        ledger = self._ledgers.pop(id(layer), None)
        if ledger is not None:
            ledger.close()

    def close(self) -> None:
        """Close all books."""
        for ledger in self._ledgers.values():
            ledger.close()
        self._ledgers.clear()

    def pick(self, world: Any) -> int | None:
        """Take an object of the Labels layer up again as a mask prompt; gives its id."""
        annotator = self._annotator
        if annotator.labels is None or annotator.image is None or annotator.plane is None:
            annotator.say("choose the labels layer that holds the object first", error=True)
            return None
        with annotator.reporting():
            point = np.round(world_to_data(annotator.labels, world, annotator.viewer.dims)).astype(
                int
            )
            data = full_data(annotator.labels)
            if (point < 0).any() or (point >= data.shape).any():
                return None
            label_id = int(np.asarray(data[tuple(point)]))
            if not label_id:
                annotator.say("there is no object here; click on a labelled one", error=False)
                return None
            check_target(annotator.labels, annotator.image, label_id)
            mask, corner = object_mask(annotator.labels, annotator.plane, label_id)
            annotator.clear()
            work = annotator.ensure_work()
            if work is None:
                return None
            work.label_id = label_id
            work.name = table_of(annotator.labels)[label_id].name
            annotator.add_prompt(Mask(mask, corner=corner))
            return label_id
        return None
