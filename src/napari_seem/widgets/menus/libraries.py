"""Menu commands: libraries of taught words opened, saved and merged."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from napari.viewer import Viewer
from qtpy.QtWidgets import QFileDialog

from ...concepts import ConceptLibrary
from ...errors import NapariSeemError, SameName
from ...viewer.private import unwrap
from .._shared.message import notify
from .._shared.models.cache import ModelCache, model_cache_of
from ..annotate.teach_box import SameNameChoice, ask_same_name

FILES = "Taught words (*.zip)"


def open_library(viewer: Viewer) -> None:
    """Ask for a library and use its words in this viewer from now on."""
    path, _ = QFileDialog.getOpenFileName(None, "Open taught words", "", FILES)
    if path:
        _report(lambda: use_library(model_cache_of(unwrap(viewer)), Path(path)))


def save_library(viewer: Viewer) -> None:
    """Ask for a file and write a copy of the words that are known now."""
    model_cache = model_cache_of(unwrap(viewer))
    if not len(model_cache.words.library):
        notify("No word has been taught yet; teach one in the Annotate dock first.", problem=True)
        return
    path, _ = QFileDialog.getSaveFileName(None, "Save taught words", "words.zip", FILES)
    if path:
        _report(lambda: save_to(model_cache, Path(path)))


def merge_library(viewer: Viewer) -> None:
    """Ask for a library and add its words to those that are known."""
    path, _ = QFileDialog.getOpenFileName(None, "Merge taught words", "", FILES)
    if path:
        _report(lambda: merge_from(model_cache_of(unwrap(viewer)), Path(path)))


def use_library(model_cache: ModelCache, path: Path) -> str:
    """Use the words of a file; what is taught from now on goes there. Tells what was done."""
    model_cache.open_words(path)
    return f"{_count(len(model_cache.words.library))} of '{path.name}' in use" + _why(model_cache)


def save_to(model_cache: ModelCache, path: Path) -> str:
    """Write a copy of the known words."""
    model_cache.words.library.save(path)
    return f"{_count(len(model_cache.words.library))} written to '{path}'"


def merge_from(
    model_cache: ModelCache, path: Path,
    ask: Callable[[str], SameNameChoice | None] = lambda name: ask_same_name(None, name),
) -> str:  # fmt: skip
    """Add the words of a file; where one of the same name is known, `ask` says what to do.

    Answered None, that word is left out.
    """
    other = ConceptLibrary.load(path)
    before = len(model_cache.words.library)
    for concept in other:
        lone = ConceptLibrary((concept,))
        choice: SameNameChoice | None = "ask"
        try:
            model_cache.words.library.merged(lone)
        except SameName:
            choice = ask(concept.name)
        if choice is None:
            continue
        model: Any = model_cache.model("compact") if choice == "join" else None
        model_cache.change_words(
            partial(ConceptLibrary.merged, other=lone, same_name=choice, model=model)
        )
    return f"{_count(len(model_cache.words.library) - before)} added from '{path.name}'" + _why(
        model_cache
    )


def _why(model_cache: ModelCache) -> str:
    return "".join(f"\n{complaint}" for complaint in model_cache.words.complaints)


def _count(number: int) -> str:
    return f"{number} word{'s' * (number != 1)}"


def _report(work: Callable[[], str]) -> None:
    """Tell what was done, or what was wrong."""
    try:
        notify(work())
    except NapariSeemError as error:
        notify(str(error), problem=True)
