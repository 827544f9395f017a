"""Lessons as small files, to be kept and shared."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from ...errors import InvalidLabels
from ...io.guard import check_file, reading
from ...io.writing.whole import replacing
from ...values import JsonObject
from ..in_context import Lesson

FORMAT = "napari-seem lesson 1"
LESSON_BYTES = 1 << 30
"""Largest lesson that is read."""
Kept = TypeVar("Kept", bound=Lesson)


def save(path: Path, lesson: Lesson, identity: str, name: str = "") -> None:
    """Write a lesson as safetensors; whole or not at all.

    Parameters
    ----------
    path : Path
    lesson : Lesson
        A dataclass; its tensors, lists of tensors, and plain values are kept.
    identity : str
        Of the model that learned it.
    name : str
        A name for people.

    Raises
    ------
    FileTrouble
        The file can't be written; a file that was there is unchanged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {}
    plain: JsonObject = {}
    for field in fields(lesson):
        value = getattr(lesson, field.name)
        if isinstance(value, Tensor):
            tensors[field.name] = value.detach().cpu().contiguous()
        elif isinstance(value, list):
            for number, tensor in enumerate(value):
                tensors[f"{field.name}.{number}"] = tensor.detach().cpu().contiguous()
        else:
            plain[field.name] = value
    about = {
        "format": FORMAT, "model": identity, "name": name, "lesson": json.dumps(plain),
    }  # fmt: skip
    with replacing(path) as (part,):
        try:
            save_file(tensors, part, metadata=about)
        except SafetensorError as error:
            raise OSError(str(error)) from error


def load(path: Path, kind: type[Kept], identity: str) -> Kept:
    """Read a lesson of a model.

    Parameters
    ----------
    path : Path
    kind : type
        Of the lesson.
    identity : str
        Of the model.

    Raises
    ------
    InvalidLabels
        The file is no lesson, is damaged, or was made by another model.
    """
    from safetensors import safe_open

    if not path.exists():
        raise InvalidLabels(f"there is no lesson file '{path}'; check its path")
    check_file(path, LESSON_BYTES)
    with reading(path, "as a lesson", InvalidLabels), safe_open(path, framework="pt") as stream:
        about = stream.metadata() or {}
        # copies: those of the stream keep the file mapped, and Windows replaces no such file
        tensors = {key: stream.get_tensor(key).clone() for key in stream.keys()}  # noqa: SIM118
    if about.get("format") != FORMAT:
        raise InvalidLabels(f"'{path}' is not a lesson file; save one with Save taught ... first")
    if about.get("model") != identity:
        raise InvalidLabels(
            f"'{path}' was taught to '{about.get('model')}', not to '{identity}'; teach this model "
            "from the examples again"
        )
    with reading(path, "as a lesson", InvalidLabels):
        values = {"model": identity, **json.loads(about["lesson"])}
        values = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        for name in (field.name for field in fields(kind) if field.name not in values):
            series = sorted(key for key in tensors if key.startswith(f"{name}."))
            several = [tensors[f"{name}.{i}"] for i in range(len(series))]
            values[name] = several or tensors[name]
        return kind(**values)
