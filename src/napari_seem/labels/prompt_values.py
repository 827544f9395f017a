"""Prompts as plain values, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import LogTrouble
from ..prompts import Box, Mask, Point, Polygon, Prompt, Scribble, Text
from ..values import JsonObject
from .patches import pack_mask, unpack_mask


def prompts_to_dict(prompts: Sequence[Prompt]) -> list[dict[str, object]]:
    """Prompts as plain values, in pixels of their plane.

    Of a prompt that lies in another image only the kind is values: it can't be replayed.
    """
    return [_to_dict(prompt) for prompt in prompts]


def prompts_from_dict(values: Sequence[JsonObject]) -> list[Prompt] | None:
    """Read back what `prompts_to_dict` gave; None where one of them can't be replayed.

    Raises
    ------
    LogTrouble
        Where it is something else.
    """
    try:
        if not all(one.get("kind") in _KINDS for one in values):
            return None
        return [_KINDS[one["kind"]](one, **_uid(one)) for one in values]
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise LogTrouble(f"a prompt can't be read ({error!r}); the log is damaged") from None


def _to_dict(prompt: Prompt) -> dict[str, object]:
    values: JsonObject = {
        "kind": type(prompt).__name__.lower(), "positive": prompt.positive, "uid": prompt.uid,
    }  # fmt: skip
    if isinstance(prompt, Point):
        values |= {"y": float(prompt.y), "x": float(prompt.x)}
    elif isinstance(prompt, Box):
        values |= {key: float(getattr(prompt, key)) for key in ("y0", "x0", "y1", "x1")}
    elif isinstance(prompt, Polygon):
        values["vertices"] = prompt.vertices.tolist()
    elif isinstance(prompt, (Scribble, Mask)):
        values |= pack_mask(prompt.mask)
        values["corner"] = None if prompt.corner is None else [int(n) for n in prompt.corner]
    elif isinstance(prompt, Text):
        values["text"] = prompt.text
    return values


def _uid(values: dict[str, object]) -> dict[str, str]:
    """The identifier; prompts in logs of before have none, and get a new one."""
    return {"uid": str(values["uid"])} if "uid" in values else {}


def _corner(values: JsonObject) -> tuple[int, int] | None:
    return (
        None if values["corner"] is None else (int(values["corner"][0]), int(values["corner"][1]))
    )


_KINDS: dict[str, Callable[..., Prompt]] = {
    "point": lambda t, **uid: Point(t["y"], t["x"], t["positive"], **uid),
    "box": lambda t, **uid: Box(t["y0"], t["x0"], t["y1"], t["x1"], t["positive"], **uid),
    "polygon": lambda t, **uid: Polygon(np.asarray(t["vertices"], float), t["positive"], **uid),
    "scribble": lambda t, **uid: Scribble(unpack_mask(t), t["positive"], _corner(t), **uid),
    "mask": lambda t, **uid: Mask(unpack_mask(t), t["positive"], _corner(t), **uid),
    "text": lambda t, **uid: Text(t["text"], t["positive"], **uid),
}
