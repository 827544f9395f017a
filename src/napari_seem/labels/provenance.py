"""Prompts and planes as plain values, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..embeddings import identity_of
from ..errors import InvalidPrompt, LogTrouble
from ..planes import Plane
from ..prompts import Box, Mask, Point, Polygon, Prompt, Scribble, Text
from .patches import pack_mask, unpack_mask


def prompts_to_dict(prompts: Sequence[Prompt]) -> list[dict[str, Any]]:
    """Prompts as plain values, in pixels of their plane.

    Of a prompt that lies in another image only the kind is told: it can't be replayed.
    """
    return [_tell(prompt) for prompt in prompts]


def prompts_from_dict(told: Sequence[dict[str, Any]]) -> list[Prompt] | None:
    """Read back what `prompts_to_dict` gave; None where one of them can't be replayed.

    Raises
    ------
    LogTrouble
        Where it is something else.
    """
    if not all(one.get("kind") in _KINDS for one in told):
        return None
    try:
        return [_KINDS[one["kind"]](one) for one in told]
    except (KeyError, TypeError, ValueError, InvalidPrompt) as error:
        raise LogTrouble(f"a prompt can't be read ({error!r}); the log is damaged") from None


def model_to_dict(name: str, model: Any) -> dict[str, Any]:
    """A model as plain values: the name that loads it, and its weights."""
    return {"name": name, "identity": identity_of(model)}


def plane_to_dict(plane: Plane) -> dict[str, Any]:
    """A plane as plain values: `at` has null along the axes shown as `rows` and `columns`."""
    at = [None if position is None else int(position) for position in plane.index]
    return {"at": at, "rows": int(plane.axes[0]), "columns": int(plane.axes[1])}


def plane_from_dict(told: dict[str, Any], channels: bool = False) -> Plane:
    """Read back what `plane_to_dict` gave; `LogTrouble` where it is something else."""
    try:
        index = tuple(None if at is None else int(at) for at in told["at"])
        return Plane(index, (int(told["rows"]), int(told["columns"])), channels)
    except (KeyError, TypeError, ValueError) as error:
        raise LogTrouble(f"a plane can't be read ({error!r}); the log is damaged") from None


def _tell(prompt: Prompt) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": type(prompt).__name__.lower(), "positive": prompt.positive}
    if isinstance(prompt, Point):
        told |= {"y": float(prompt.y), "x": float(prompt.x)}
    elif isinstance(prompt, Box):
        told |= {key: float(getattr(prompt, key)) for key in ("y0", "x0", "y1", "x1")}
    elif isinstance(prompt, Polygon):
        told["vertices"] = prompt.vertices.tolist()
    elif isinstance(prompt, (Scribble, Mask)):
        told |= pack_mask(prompt.mask)
        told["corner"] = None if prompt.corner is None else [int(n) for n in prompt.corner]
    elif isinstance(prompt, Text):
        told["text"] = prompt.text
    return told


def _corner(told: dict[str, Any]) -> tuple[int, int] | None:
    return None if told["corner"] is None else (int(told["corner"][0]), int(told["corner"][1]))


_KINDS: dict[str, Any] = {
    "point": lambda t: Point(t["y"], t["x"], t["positive"]),
    "box": lambda t: Box(t["y0"], t["x0"], t["y1"], t["x1"], t["positive"]),
    "polygon": lambda t: Polygon(np.asarray(t["vertices"], float), t["positive"]),
    "scribble": lambda t: Scribble(unpack_mask(t), t["positive"], _corner(t)),
    "mask": lambda t: Mask(unpack_mask(t), t["positive"], _corner(t)),
    "text": lambda t: Text(t["text"], t["positive"]),
}
