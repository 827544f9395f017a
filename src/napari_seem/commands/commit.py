"""Commit an object: what prompts led to becomes an object in the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from ..edits import ObjectRecord
from ..errors import InvalidPrompt, LogTrouble
from ..labels.document import LabelDocument
from ..labels.objects import NewObject, object_mask
from ..labels.prompt_values import prompts_from_dict, prompts_to_dict
from ..models.base import Prediction
from ..models.context import Context, in_context_of
from ..models.cropped import CroppedPrediction
from ..models.turns import choice_at, chosen_answer
from ..objects import Objects, Prompted
from ..objects.result import writing_order
from ..planes import Plane
from ..prompts import Mask, Prompt, Text
from ..values import JsonObject
from .base import Command, OnPlane
from .workspace import Workspace


class NotReplayable(Exception):
    """Why a command can't be done again."""


class Commit(OnPlane):
    """An object made of prompts.

    Attributes
    ----------
    prompts : list of dict
        All of them, in pixels of the plane.
    turns : list of int
        How many of the prompts each turn had that led to the mask, the first first.
    answers : list of int
        Which of the answers of each turn was chosen, 0 for the best; turns that are left out took
        the best.
    name : str
        The object's name; where it is empty, that of its class.
    concept : str
        Its class; where it is empty, the word that was asked for.
    colour : str
        "#rrggbb" of the class, where the labels have none for it.
    label_id : int or None
        Its id; None for a new one.
    replaces : bool
        The object was there before: its old pixels on the plane go.
    overwrite : bool
        Take pixels from other objects.
    context : dict
        What was accepted before and steered the model; see `Context.to_dict`. Empty for nothing.
    ids : list of int
        Its id, once it is written.
    """

    event: Literal["commit"] = "commit"
    prompts: list[JsonObject] = Field(default_factory=list)
    turns: list[int] = Field(default_factory=list)
    answers: list[int] = Field(default_factory=list)
    name: str = ""
    concept: str = ""
    colour: str = ""
    label_id: int | None = None
    replaces: bool = False
    overwrite: bool = False
    context: JsonObject = Field(default_factory=dict)
    ids: list[int] | None = None

    @staticmethod
    def of_prompts(prompts: Sequence[Prompt], choices: Sequence[int] = ()) -> JsonObject:
        """The fields that tell of prompts, each of which was answered in a turn of its own.

        `choices` are the numbers of the answers that counted in the turns; see `Session.choices`.
        """
        turns = list(range(1, len(prompts) + 1))
        fields = {"prompts": prompts_to_dict(prompts), "turns": turns}
        return fields | ({"answers": list(choices)} if choices else {})

    def run(self, workspace: Workspace) -> Prediction:
        """Answer the prompts again, turn by turn; in any thread.

        Raises
        ------
        NotReplayable
            A prompt lies in another image.
        LogTrouble
            Image or weights are others.
        """
        prompts = prompts_from_dict(self.prompts)
        if prompts is None:
            raise NotReplayable("a prompt lies in another image")
        plane = workspace.open(self)
        context = Context.from_dict(self.context) if self.context else None
        model = in_context_of(plane.model, context)
        memory, prediction = None, None
        for number, count in enumerate(self.turns, 1):
            best = model.predict(plane.embedding, prompts[:count], memory)
            prediction = chosen_answer(best, choice_at(self.answers, number))
            memory = prediction.memory
        if prediction is None:
            raise LogTrouble("no turn led to the object; the log is damaged")
        return prediction

    def apply(self, workspace: Workspace, prediction: Prediction) -> list[int]:
        """Write the object in one transaction; gives its id.

        Raises
        ------
        InvalidPrompt
            The mask is empty.
        InvalidLabels
            The labels can't take it; nothing is written then.
        """
        if prediction.bbox is None:
            raise InvalidPrompt("there is no object yet; add a prompt on it first")
        document, plane = workspace.document, self.place
        label_id = self.label_id
        if label_id is None:
            label_id = self.ids[0] if self.ids else document.next_id(plane)
        mask, corner = prediction.cut_out()
        new = NewObject(mask, corner, label_id, self._record(workspace, prediction, label_id))
        unknown = self.concept and self.concept not in document.palette.colours
        return document.write_objects(
            plane, [new], overwrite=self.overwrite, replaces=self.replaces, entry=self.to_dict(),
            colours={self.concept: self.colour} if self.colour and unknown else {},
        )  # fmt: skip

    def _record(self, workspace: Workspace, prediction: Prediction, label_id: int) -> ObjectRecord:
        """What is known of the object; a name that a model only guesses is none.

        An object that was there before keeps its parent, and its name and class unless it is
        given others.
        """
        prompts = prompts_from_dict(self.prompts) or []
        words = [p.text for p in prompts if isinstance(p, Text) and p.positive]
        former = ObjectRecord() if self.label_id is None else workspace.document.table[label_id]
        word = self.concept or ((prediction.label or words[0]) if words else former.concept)
        model = "" if self.model is None else self.model.name
        record = ObjectRecord.made(word, prediction.score, model, len(self.prompts))
        kept = "" if words and former.name == former.concept else former.name
        return replace(record, name=self.name or kept or record.name, parent=former.parent)


def commit_objects(
    workspace: Workspace, fields: JsonObject, asked: Sequence[Prompted], found: Objects,
    overlap: str,
) -> None:  # fmt: skip
    """Commit many objects of a plane, each with its number in `found` as its id.

    Parameters
    ----------
    workspace : Workspace
        Its document has no objects yet.
    fields : mapping
        What the commits say of image, plane and model; see `Workspace.fields`.
    asked : sequence of Prompted
        What the objects were segmented by.
    found : Objects
    overlap : str
        How overlaps were settled; see `segment_objects`.
    """
    for index in reversed(writing_order(found.instances, overlap)):  # others' pixels stay theirs
        instance, one = found.instances[index], asked[index]
        if not found.table["area"].iloc[index]:
            continue
        command = Commit(
            **fields, **Commit.of_prompts(one.prompts), name=one.name,
            label_id=index + 1,
        )  # fmt: skip
        values = np.where(instance.mask, np.float32(1), np.float32(-1))
        prediction = CroppedPrediction(
            values, instance.bbox[:2], 1, found.labels.shape, instance.score, instance.label
        )
        command.apply(workspace, prediction)


class PickUp(Command):
    """An object of the labels is picked up again, to be changed by more prompts.

    Attributes
    ----------
    label_id : int
    plane : dict
        See `Plane.to_dict`.
    """

    event: Literal["pick_up"] = "pick_up"
    label_id: int
    plane: JsonObject

    def run(self, document: LabelDocument) -> Mask:
        """The object on the plane as a prompt; raises `InvalidPrompt` where it has no pixel."""
        plane = Plane.from_dict(self.plane)
        mask, corner = object_mask(document.data, plane, self.label_id)
        if not mask.any():
            raise InvalidPrompt(f"object {self.label_id} has no pixel on this plane")
        return Mask(mask, corner=corner)
