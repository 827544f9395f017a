"""napari-seem: point at it, draw it, name it; see the mask at once, and keep it.

From a script:

Models      load_model, model_names, MODELS, download_model, available_devices, Model, Capability
Images      Embedding (what `model.encode` gives), EmbeddingCache, Plane
Prompts     Point, Box, Polygon, Scribble, Mask, Text, Reference
One object  Session (turn by turn; its `commit` gives an Edit), Context (what was accepted before)
Many        segment_objects, Objects
Everything  model.segment(model.encode(image)); Wanted and filtered choose among what it finds
Stacks      propagate, Propagation
By example  label_like, iter_label_like, Example, Labelled, teach, save_lesson, load_lesson
Training    finetune, FineTuning, install_model, remove_model
Pixels      PixelClassifier (from strokes), PixelClasses, PixelFeatures, objects_of
Words       find, Finding, plane_sources_of_array, plane_sources_of_files, teach_word, Shown,
            Concept, ConceptLibrary
Big planes  the same calls; segment_tiled, TiledModel and PlaneRun write into arrays on disk
Folders     plan_batch, run_batch, Report
Files       open_image, read_labels, write_labels, check_tracks, ObjectTable, ObjectRecord
Measures    measure
Answers     Prediction, Segmentation, Instance, Panoptic, Segment
Errors      NapariSeemError, and its kinds: ConceptTrouble, FileTrouble, InvalidArgument,
            InvalidImage, InvalidLabels, InvalidName, InvalidPrompt, LogTrouble, MissingPackage,
            UnknownDevice, UnknownModel, UnknownWord, UnsupportedPrompt, WeightsError

    >>> import napari_seem as ns
    >>> from skimage.data import coins
    >>> model = ns.load_model("compact")
    >>> embedding = model.encode(coins())
    >>> ns.Session(model, embedding).add(ns.Point(130, 120)).shape
    (303, 384)

Each name has its own help, such as `help(napari_seem.Session)`. The names are imported when first
used, so that importing the package costs neither torch nor Qt. Coordinates are (row, column) in
pixels. Errors say what is wrong and what to do; all are subclasses of NapariSeemError.
"""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# threads that spin for long while they wait for each other starve beside a busy program, and those
# that sleep at once are slow on an idle machine; GNU's OpenMP reads this when torch is imported
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
# what torch has no code for on graphics of a Mac runs on the processor; read by torch as well
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")

if TYPE_CHECKING:
    from .batch import Report
    from .batch import plan as plan_batch
    from .batch.run import run as run_batch
    from .concepts import Concept, ConceptLibrary, Shown, teach_word
    from .edits import Edit, ObjectRecord, ObjectTable
    from .embeddings import EmbeddingCache
    from .errors import (
        ConceptTrouble,
        FileTrouble,
        InvalidArgument,
        InvalidImage,
        InvalidLabels,
        InvalidName,
        InvalidPrompt,
        LogTrouble,
        MissingPackage,
        NapariSeemError,
        UnknownDevice,
        UnknownModel,
        UnknownWord,
        UnsupportedPrompt,
        WeightsError,
    )
    from .finetuning import FineTuning, finetune
    from .in_context import iter_label_like, label_like, load_lesson, save_lesson, teach
    from .io.files import open_image, read_labels, write_labels
    from .io.tracks import check_tracks
    from .labels.measure import measure
    from .models.base import Capability, Embedding, Instance, Model, Prediction, Segmentation
    from .models.context import Context
    from .models.filters import Wanted, filtered
    from .models.in_context import Example, Labelled
    from .models.panoptic import Panoptic, Segment
    from .models.registry import (
        MODELS,
        available_devices,
        download_model,
        install_model,
        load_model,
        model_names,
        remove_model,
    )
    from .objects import Objects, segment_objects
    from .pixel_classes import PixelClasses, PixelClassifier, PixelFeatures, objects_of
    from .planes import Plane
    from .prompts import Box, Mask, Point, Polygon, Reference, Scribble, Text
    from .propagation import Propagation, propagate
    from .query import Finding, find, plane_sources_of_array, plane_sources_of_files
    from .session import Session
    from .sources import PlaneRun, TiledModel, segment_tiled

_HOMES = {
    "batch": ("Report", "plan_batch", "run_batch"),
    "concepts": ("Concept", "ConceptLibrary", "Shown", "teach_word"),
    "edits": ("Edit", "ObjectRecord", "ObjectTable"),
    "embeddings": ("EmbeddingCache",),
    "errors": (
        "ConceptTrouble", "FileTrouble", "InvalidArgument", "InvalidImage", "InvalidLabels",
        "InvalidName", "InvalidPrompt", "LogTrouble", "MissingPackage", "NapariSeemError",
        "UnknownDevice", "UnknownModel", "UnknownWord", "UnsupportedPrompt", "WeightsError",
    ),
    "finetuning": ("FineTuning", "finetune"),
    "in_context": ("iter_label_like", "label_like", "load_lesson", "save_lesson", "teach"),
    "io.files": ("open_image", "read_labels", "write_labels"),
    "io.tracks": ("check_tracks",),
    "labels.measure": ("measure",),
    "models.base": ("Capability", "Embedding", "Instance", "Model", "Prediction", "Segmentation"),
    "models.context": ("Context",),
    "models.filters": ("Wanted", "filtered"),
    "models.in_context": ("Example", "Labelled"),
    "models.panoptic": ("Panoptic", "Segment"),
    "models.registry": (
        "MODELS", "available_devices", "download_model", "install_model", "load_model",
        "model_names", "remove_model",
    ),
    "objects": ("Objects", "segment_objects"),
    "pixel_classes": ("PixelClasses", "PixelClassifier", "PixelFeatures", "objects_of"),
    "planes": ("Plane",),
    "prompts": ("Box", "Mask", "Point", "Polygon", "Reference", "Scribble", "Text"),
    "propagation": ("Propagation", "propagate"),
    "query": ("Finding", "find", "plane_sources_of_array", "plane_sources_of_files"),
    "session": ("Session",),
    "sources": ("PlaneRun", "TiledModel", "segment_tiled"),
}  # fmt: skip
_THERE = {"plan_batch": "plan", "run_batch": "run"}
"""Names that are others in the module that they come from."""
_FORMERLY = {
    "sights_of_array": "plane_sources_of_array", "sights_of_files": "plane_sources_of_files",
}  # fmt: skip
"""Public names of before, which still work."""
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022  (in the order of the documentation)
    "load_model", "model_names", "MODELS", "download_model", "available_devices", "Model",
    "Point", "Box", "Polygon", "Scribble", "Mask", "Text", "Reference",
    "Session", "Context", "Edit", "segment_objects", "Objects",
    "propagate", "Propagation", "label_like", "iter_label_like", "Example", "Labelled",
    "find", "Finding", "plane_sources_of_array", "plane_sources_of_files",
    "teach", "save_lesson", "load_lesson", "finetune", "FineTuning", "install_model",
    "remove_model",
    "teach_word", "Shown", "Concept", "ConceptLibrary",
    "PixelClassifier", "PixelClasses", "PixelFeatures", "objects_of",
    "TiledModel", "segment_tiled", "PlaneRun",
    "plan_batch", "run_batch", "Report",
    "open_image", "read_labels", "write_labels", "check_tracks", "measure", "ObjectTable",
    "ObjectRecord",
    "Capability", "Embedding", "EmbeddingCache", "Plane", "Prediction", "Instance",
    "Segmentation", "Panoptic", "Segment", "Wanted", "filtered",
    "NapariSeemError", "ConceptTrouble", "FileTrouble", "InvalidArgument", "InvalidImage",
    "InvalidLabels", "InvalidName", "InvalidPrompt", "LogTrouble", "MissingPackage",
    "UnknownDevice", "UnknownModel", "UnknownWord", "UnsupportedPrompt", "WeightsError",
    "__version__",
]  # fmt: skip


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name in _FORMERLY:
            warnings.warn(
                f"napari_seem.{name} is {_FORMERLY[name]} now", DeprecationWarning, stacklevel=2
            )
            name = _FORMERLY[name]
        if name not in _HOME_OF:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        home = import_module(f".{_HOME_OF[name]}", __name__)
        return getattr(home, _THERE.get(name, name))


def __dir__() -> list[str]:
    return sorted(__all__)
