"""napari-seem: point at it, draw it, name it; see the mask at once, and keep it.

The names below are the stable interface; they are imported when first used, so that importing the
package costs neither torch nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .concepts import Concept, ConceptLibrary, Shown, teach_word
    from .edits import Edit, ObjectRecord, ObjectTable
    from .embeddings import EmbeddingCache
    from .in_context import iter_label_like, label_like, load_lesson, save_lesson, teach
    from .models.base import Capability, Embedding, Instance, Prediction, Segmentation
    from .models.filters import Wanted, filtered
    from .models.in_context import Example, Labelled
    from .models.panoptic import Panoptic, Segment
    from .models.registry import MODELS, load_model, model_names
    from .objects import Objects, segment_objects
    from .planes import Plane
    from .prompts import Box, Mask, Point, Polygon, Reference, Scribble, Text
    from .propagation import Propagation, propagate
    from .query import Finding, find, plane_sources_of_array, plane_sources_of_files
    from .session import Session
    from .sources import PlaneRun, TiledModel, segment_tiled

_HOMES = {
    "concepts": ("Concept", "ConceptLibrary", "Shown", "teach_word"),
    "edits": ("Edit", "ObjectRecord", "ObjectTable"),
    "embeddings": ("EmbeddingCache",),
    "in_context": ("iter_label_like", "label_like", "load_lesson", "save_lesson", "teach"),
    "models.base": ("Capability", "Embedding", "Instance", "Prediction", "Segmentation"),
    "models.filters": ("Wanted", "filtered"),
    "models.in_context": ("Example", "Labelled"),
    "models.panoptic": ("Panoptic", "Segment"),
    "models.registry": ("MODELS", "load_model", "model_names"),
    "objects": ("Objects", "segment_objects"),
    "planes": ("Plane",),
    "propagation": ("Propagation", "propagate"),
    "query": ("Finding", "find", "plane_sources_of_array", "plane_sources_of_files"),
    "prompts": ("Box", "Mask", "Point", "Polygon", "Reference", "Scribble", "Text"),
    "session": ("Session",),
    "sources": ("PlaneRun", "TiledModel", "segment_tiled"),
}
_FORMERLY = {
    "sights_of_array": "plane_sources_of_array", "sights_of_files": "plane_sources_of_files",
}  # fmt: skip
"""Public names of before, which still work."""
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022  (in the order of the documentation)
    "load_model", "model_names", "MODELS",
    "Point", "Box", "Polygon", "Scribble", "Mask", "Text", "Reference",
    "segment_objects", "Objects",
    "propagate", "Propagation", "label_like", "iter_label_like", "Example", "Labelled",
    "find", "Finding", "plane_sources_of_array", "plane_sources_of_files",
    "teach", "save_lesson", "load_lesson",
    "teach_word", "Shown", "Concept", "ConceptLibrary",
    "TiledModel", "segment_tiled", "PlaneRun",
    "Session", "Edit", "ObjectTable", "ObjectRecord", "Plane", "EmbeddingCache",
    "Capability", "Embedding", "Prediction", "Instance", "Segmentation",
    "Panoptic", "Segment", "Wanted", "filtered",
    "__version__",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    name = _FORMERLY.get(name, name)
    if name not in _HOME_OF:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
