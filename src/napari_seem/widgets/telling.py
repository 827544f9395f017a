"""What docks do, in the words of the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from weakref import WeakSet

from ..embeddings import content_key
from ..layers.coordinates import unwrap
from ..layers.record import LayerRecord, What, noted, record_of
from ..layers.seen import Showing
from ..planes import Plane
from ..record import tell_model, tell_plane, tell_prompts
from ..record.patches import pack_ids
from .labeller import Shown
from .shelf import Shelf

if TYPE_CHECKING:
    from napari.layers import Labels

    from .works import Work


def committed(shelf: Shelf, work: Work) -> What:
    """An object made of prompts: all of them, and the turns that led to its mask."""
    details = {
        **_seen_by(shelf, work.reading.model, work.content),
        "prompts": tell_prompts(work.session.prompts), "turns": list(work.session.turns),
    }  # fmt: skip
    return What("committed", details, work.reading.shown)


def found(
    shelf: Shelf, model: str, shown: Showing, content: Sequence[str], numbers: Sequence[int],
    **asked: Any,
) -> What:  # fmt: skip
    """Objects that a model found by itself.

    Parameters
    ----------
    shelf : Shelf
    model : str
    shown : Showing
    content : sequence of str
        Name of the plane's content, if known.
    numbers : sequence of int
        Which of the objects found are taken, from 1.
    **asked
        `words`, `area` of a big plane, and whatever else led to the choice.
    """
    details = {**_seen_by(shelf, model, content), "numbers": list(numbers), **asked}
    return What("found", details, shown)


class Learning:
    """A run of labelling by example: told once in the record of each layer it writes to.

    Parameters
    ----------
    shelf : Shelf
    model : str
    kind : str
    examples : sequence of Shown
        As they are when the run begins.
    taught : str
        What the model was taught by, where that was not the examples.
    """

    def __init__(
        self, shelf: Shelf, model: str, kind: str, examples: Sequence[Shown], taught: str = ""
    ) -> None:
        self._shelf, self._model, self._kind = shelf, model, kind
        self._examples, self._taught = list(examples), taught
        self._run = uuid4().hex[:8]
        self._told: WeakSet[Any] = WeakSet()

    def labelled(self, labels: Labels, shown: Showing, plane: Plane, score: float) -> What:
        """What is done to a plane of a layer."""
        self._tell(unwrap(labels))
        details = {"run": self._run, "model": told_model(self._shelf, self._model), "score": score}
        return What("labelled_like", details, shown)

    def _tell(self, labels: Any) -> None:
        record = record_of(labels)
        if record is None or labels in self._told:
            return
        self._told.add(labels)
        details: dict[str, Any] = {
            "run": self._run, "model": told_model(self._shelf, self._model), "kind": self._kind
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
            **record.seen(shown), "plane": tell_plane(plane),
            "content": content_key(example.image), "labels": pack_ids(example.labels),
        }  # fmt: skip


def told_model(shelf: Shelf, name: str) -> dict[str, Any]:
    """Name and weights of a model."""
    return tell_model(name, shelf.loaded(name) or shelf.model(name))


def _seen_by(shelf: Shelf, name: str, content: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"model": told_model(shelf, name)}
    if content:
        told["content"] = content[0]
    if getattr(shelf.loaded(name), "is_adapted", False):
        told["stored"] = "the model had been fitted to objects of this image"
    return told
