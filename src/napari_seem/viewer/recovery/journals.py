"""Journals of what is done in a viewer: where they lie, and what they know of a layer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from ...labels.journal import FOLDER_VARIABLE, Journal, clean_up, logs_folder
from ...labels.log import SUFFIX
from ...labels.recorder import Recorder
from ..coordinates import spatial_shape
from ..label_layers.palette import palette_of
from ..label_layers.targets import store_of
from ..metadata import SAVED, placed_values, source_path
from ..shown import owner_of

if TYPE_CHECKING:
    from napari.layers import Image, Labels

SERIES = "napari-seem series"
"""Key of a Labels layer's metadata: the folder of the series that it belongs to."""
_LIES_ON: WeakKeyDictionary[Labels, ref[Image]] = WeakKeyDictionary()
"""The image of labels that were not made for one."""
_MISSING: WeakKeyDictionary[Labels, dict[str, object]] = WeakKeyDictionary()
"""Name and file of the image of labels that were brought back without it."""


def journal_for(session: str) -> Journal | None:
    """A file for the log of a session, unless the person wants none."""
    from napari.settings import get_plugin_settings

    try:
        wanted = bool(get_plugin_settings("napari-seem").annotate.keep_log)
    except (KeyError, ValueError, AttributeError):  # not installed as a plugin
        wanted = True
    if not wanted:
        return None
    folder = logs_folder()
    clean_up(folder)
    return Journal(folder / f"{time.strftime('%Y-%m-%d-%H%M%S')}-{session}{SUFFIX}", _warn)


def draft_log(image: Image) -> Recorder:
    """A log for prompts on an image that has no labels yet; it is as of empty ones."""
    nothing: Any = np.broadcast_to(np.uint16(0), spatial_shape(image))
    name = f"{image.name} labels"
    draft = Recorder(nothing, name, journal=journal_for, empty=True)
    draft.describe({"labels": name, "image": _image_values(image), "grid": placed_values(image)})
    return draft


def note_image(labels: Labels, image: Image) -> None:
    """Remember which image labels lie on that were not made for one."""
    _LIES_ON[labels] = ref(image)


def note_missing_image(labels: Labels, name: str, source: str) -> None:
    """Remember the name and the file of the image of labels that are open without it."""
    _MISSING[labels] = {"name": name, "source": source}


def layer_values(layer: Labels) -> dict[str, object]:
    """What recovery needs of a Labels layer, besides pixels and objects, as plain values."""
    store, known = store_of(layer), _LIES_ON.get(layer)
    image = owner_of(layer) or (None if known is None else known())
    return {
        "labels": layer.name, "grid": placed_values(layer), "palette": palette_of(layer).to_dict(),
        "saved": str(layer.metadata.get(SAVED, "")),
        "series": str(layer.metadata.get(SERIES, "")),
        "folder": "" if store is None else str(store.path.absolute()),
        "image": _MISSING.get(layer, {}) if image is None else _image_values(image),
    }  # fmt: skip


def _image_values(image: Image) -> dict[str, object]:
    source = source_path(image)
    return {"name": image.name, "source": "" if source is None else str(source.absolute())}


def _warn(trouble: str) -> None:
    from napari.utils.notifications import show_warning

    show_warning(
        f"{trouble}, so a crash loses what you have not saved; save often, free disk space, or "
        f"choose another folder by the environment variable {FOLDER_VARIABLE}"
    )
