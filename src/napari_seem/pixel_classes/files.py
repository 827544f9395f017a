"""Classifiers of pixels as small files, to be kept, shared and taught more."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..errors import InvalidLabels
from ..io.guard import check_file, reading
from ..io.writing.whole import replacing
from ..values import JsonObject
from .scribbles import Samples

FORMAT = "napari-seem pixel classes 2"
FORMER = "napari-seem pixel classes 1"
"""Files with other plain filters."""
MOST_BYTES = 1 << 30
"""Largest file that is read."""


def write(path: Path, samples: Samples, facts: JsonObject) -> None:
    """Write the pixels of strokes, and plain facts, as safetensors; whole or not at all.

    Raises
    ------
    FileTrouble
        The file can't be written; a file that was there is unchanged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays = {"features": samples.features, "classes": samples.classes}
    about = {"format": FORMAT, "facts": json.dumps(facts)}
    with replacing(path) as (part,):
        try:
            save_file({key: np.ascontiguousarray(one) for key, one in arrays.items()}, part, about)
        except SafetensorError as error:
            raise OSError(str(error)) from error


def read(path: Path) -> tuple[Samples, JsonObject]:
    """Read the pixels of strokes and the facts of a file that `write` wrote.

    Raises
    ------
    InvalidLabels
        There is no such file, it is damaged, of an earlier version, or something else.
    """
    from safetensors import safe_open

    if not path.exists():
        raise InvalidLabels(f"there is no file of pixel classes '{path}'; check its path")
    check_file(path, MOST_BYTES)
    with reading(path, "as pixel classes", InvalidLabels):
        with safe_open(path, framework="numpy") as stream:
            about = stream.metadata() or {}
            arrays = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
        if about.get("format") == FORMER:
            raise InvalidLabels(
                f"'{path}' was made with plain filters of an earlier version, which are no longer "
                "computed; paint the strokes again"
            )
        if about.get("format") != FORMAT:
            raise InvalidLabels(
                f"'{path}' holds no pixel classes; give a file that PixelClassifier.save wrote"
            )
        features, classes = arrays["features"], arrays["classes"]
        fits = features.ndim == 2 and classes.shape == features.shape[:1]
        if not fits or features.dtype != np.float16 or classes.dtype != np.uint16:
            raise ValueError(f"features of shape {features.shape}, classes {classes.shape}")
        facts = json.loads(about["facts"])
        named = {
            key: {int(k): str(v) for k, v in facts[key].items()} for key in ("names", "colours")
        }
        return Samples(features, classes), {"model": str(facts["model"]), **named}
