"""Models that know the words of a library file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..models.teachable import check_teachable
from .library import ConceptLibrary


def with_library(model: Any, path: Path | None) -> Any:
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
    check_teachable(model)
    return model.with_words(ConceptLibrary.load(path))
