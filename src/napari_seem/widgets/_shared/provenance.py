"""What docks do, in the words of the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from weakref import WeakSet

from ...embeddings import content_key
from ...labels.patches import pack_ids
from ...labels.provenance import model_to_dict, plane_to_dict, prompts_to_dict
from ...planes import Plane
from ...viewer.coordinates import unwrap
from ...viewer.model_input import ModelInput
from ...viewer.record import LayerRecord, What, noted, record_of
from ..examples.labeller import Shown
from .model_cache import ModelCache

if TYPE_CHECKING:
    from napari.layers import Labels

    from ..annotate.plane_sessions import Work


def committed(model_cache: ModelCache, work: Work) -> What:
    """An object made of prompts: all of them, and the turns that led to its mask."""
    details = {
        **_seen_by(model_cache, work.reading.model, work.content),
        "prompts": prompts_to_dict(work.session.prompts), "turns": list(work.session.turns),
    }  # fmt: skip
    return What("committed", details, work.reading.shown)


def found(
    model_cache: ModelCache, model: str, shown: ModelInput, content: Sequence[str],
    numbers: Sequence[int],
    **asked: Any,
) -> What:  # fmt: skip
    """Objects that a model found by itself.

    Parameters
    ----------
    model_cache : ModelCache
    model : str
    shown : ModelInput
    content : sequence of str
        Name of the plane's content, if known.
    numbers : sequence of int
        Which of the objects found are taken, from 1.
    **asked
        `words`, `area` of a big plane, and whatever else led to the choice.
    """
    details = {**_seen_by(model_cache, model, content), "numbers": list(numbers), **asked}
    return What("found", details, shown)


class Learning:
    """A run of labelling by example: told once in the record of each layer it writes to.

    Parameters
    ----------
    model_cache : ModelCache
    model : str
    kind : str
    examples : sequence of Shown
        As they are when the run begins.
    taught : str
        What the model was taught by, where that was not the examples.
    """

    def __init__(
        self,
        model_cache: ModelCache,
        model: str,
        kind: str,
        examples: Sequence[Shown],
        taught: str = "",
    ) -> None:
        self._model_cache, self._model, self._kind = model_cache, model, kind
        self._examples, self._taught = list(examples), taught
        self._run = uuid4().hex[:8]
        self._told: WeakSet[Any] = WeakSet()

    def labelled(self, labels: Labels, shown: ModelInput, plane: Plane, score: float) -> What:
        """What is done to a plane of a layer."""
        self._tell(unwrap(labels))
        details = {
            "run": self._run,
            "model": told_model(self._model_cache, self._model),
            "score": score,
        }
        return What("labelled_like", details, shown)

    def _tell(self, labels: Any) -> None:
        record = record_of(labels)
        if record is None or labels in self._told:
            return
        self._told.add(labels)
        details: dict[str, Any] = {
            "run": self._run, "model": told_model(self._model_cache, self._model),
            "kind": self._kind,
        }  # fmt: skip
        if self._taught:
            details["stored"] = f"the model was {self._taught}"
        elif any(one.place is None for one in self._examples):
            details["stored"] = "an example is a file of its own"
        else:
            details["examples"] = [self._example(record, one) for one in self._examples]
        noted(labels, What("learning", details))

    def _example(self, record: LayerRecord, example: Shown) -> dict[str, Any]:
        assert example.place is not None
        shown, plane = example.place
        return {
            **record.seen(shown), "plane": plane_to_dict(plane),
            "content": content_key(example.image), "labels": pack_ids(example.labels),
        }  # fmt: skip


def told_model(model_cache: ModelCache, name: str) -> dict[str, Any]:
    """Name and weights of a model."""
    return model_to_dict(name, model_cache.loaded(name) or model_cache.model(name))


def _seen_by(model_cache: ModelCache, name: str, content: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"model": told_model(model_cache, name)}
    if content:
        told["content"] = content[0]
    if getattr(model_cache.loaded(name), "is_adapted", False):
        told["stored"] = "the model had been fitted to objects of this image"
    return told
