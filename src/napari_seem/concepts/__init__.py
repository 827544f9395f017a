"""Words taught by marked objects, and libraries of them to keep, share and merge."""

from __future__ import annotations

from .concept import Concept, teach_word
from .examples import Crop, Shown
from .files import default_library
from .library import ConceptLibrary
from .vocabulary import with_library

__all__ = [
    "Concept", "ConceptLibrary", "Crop", "Shown", "default_library", "teach_word", "with_library",
]  # fmt: skip
