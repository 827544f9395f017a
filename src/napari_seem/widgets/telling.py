"""What docks do, in the words of the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..embeddings import identity_of
from ..layers.record import What
from ..look import Look
from ..record import tell_prompts
from .shelf import Shelf

if TYPE_CHECKING:
    from napari.layers import Image

    from .works import Work


def committed(shelf: Shelf, work: Work) -> What:
    """An object made of prompts: all of them, and the turns that led to its mask."""
    details = {
        **_seen_by(shelf, work.reading.model, work.content),
        "prompts": tell_prompts(work.session.prompts), "turns": list(work.session.turns),
    }  # fmt: skip
    return What("committed", details, work.reading.sources, _plain(work.reading.sources))


def found(
    shelf: Shelf, model: str, sources: Sequence[Image], content: Sequence[str],
    numbers: Sequence[int], **asked: Any,
) -> What:  # fmt: skip
    """Objects that a model found by itself.

    Parameters
    ----------
    shelf : Shelf
    model : str
    sources : sequence of Image
    content : sequence of str
        Name of the plane's content, if known.
    numbers : sequence of int
        Which of the objects found are taken, from 1.
    **asked
        `words`, `area` of a big plane, and whatever else led to the choice.
    """
    details = {**_seen_by(shelf, model, content), "numbers": list(numbers), **asked}
    return What("found", details, tuple(sources), _plain(sources))


def told_model(shelf: Shelf, name: str) -> dict[str, Any]:
    """Name and weights of a model."""
    model: Any = shelf.model(name)
    return {"name": name, "identity": identity_of(model)}


def _seen_by(shelf: Shelf, name: str, content: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"model": told_model(shelf, name)}
    if content:
        told["content"] = content[0]
    if getattr(shelf.loaded(name), "first_decoder", None) is not None:
        told["stored"] = "the model had been fitted to objects of this image"
    return told


def _plain(sources: Sequence[Image]) -> tuple[Look, ...]:
    return tuple(Look() for _ in sources)
