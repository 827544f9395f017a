"""Models that know the words of a library file."""

from __future__ import annotations

from os import PathLike

from ..models.base import Model
from ..models.teachable import check_teachable
from .library import ConceptLibrary


def with_library(model: Model, path: str | PathLike[str] | None) -> Model:
    """Return a model that knows the words of a file; the model itself without one.

    Raises
    ------
    FileTrouble
        The file is no library, or is damaged.
    ConceptTrouble
        A word was taught to another model, and its examples are not kept.
    UnsupportedPrompt
        The model can't be taught words.
    """
    if path is None:
        return model
    return check_teachable(model).with_words(ConceptLibrary.load(path))
