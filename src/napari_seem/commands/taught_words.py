"""The taught words of a viewer: a library file, and what the loaded models make of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..concepts import ConceptLibrary, default_library
from ..errors import NapariSeemError
from ..models.base import Capability


class TaughtWords:
    """A library that stays in step with its file.

    Parameters
    ----------
    path : Path, optional
        By default the docks' own library; it need not exist yet.

    Attributes
    ----------
    complaints : tuple of str
        Why words, or the whole file, can't be used; for the person.
    leaves_models : bool
        Models are used as they were loaded.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_library()
        self.complaints: tuple[str, ...] = ()
        self.leaves_models = False
        self._library: ConceptLibrary | None = None
        self._lock = threading.Lock()

    @classmethod
    def of(cls, library: ConceptLibrary) -> TaughtWords:
        """The words of a library that is open; changes of them are not written."""
        words = cls()
        words._library = library
        return words

    @classmethod
    def none(cls) -> TaughtWords:
        """No words but those that the models know by themselves, or were loaded with."""
        words = cls.of(ConceptLibrary())
        words.leaves_models = True
        return words

    @property
    def library(self) -> ConceptLibrary:
        """The words; read when first needed. Empty, with a complaint, where the file is damaged."""
        with self._lock:
            if self._library is None:
                try:
                    self._library = self._read()
                except NapariSeemError as error:
                    self._library, self.complaints = ConceptLibrary(), (str(error),)
            return self._library

    def open(self, path: Path) -> None:
        """Use the words of another file from now on; `FileTrouble` where it is no library."""
        library = ConceptLibrary.load(path)
        with self._lock:
            self.path, self._library, self.complaints = path, library, ()

    def change(self, change: Callable[[ConceptLibrary], ConceptLibrary]) -> None:
        """Change the words and write them; nothing is changed where that fails.

        The file is read anew first, and nobody else can change it meanwhile, so that what other
        programs teach stays.
        """
        with self._lock, ConceptLibrary.held(self.path):
            library = change(self._read())
            library.save(self.path)
            self._library = library

    def with_words(self, model: Any) -> Any:
        """A model that knows the words it can know; the model itself where it takes none."""
        if self.leaves_models or Capability.CONCEPTS not in model.capabilities:
            return model
        usable, reasons = self.library.usable_by(model)
        self.complaints = tuple(dict.fromkeys((*self.complaints, *reasons)))
        return model.with_words(usable)

    def _read(self) -> ConceptLibrary:
        return ConceptLibrary.load(self.path) if self.path.exists() else ConceptLibrary()
