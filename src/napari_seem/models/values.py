"""What values that hold arrays have in common: equality by content, and short texts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

LISTED = 8
"""Largest number of ids or names that a text lists."""


class Value(Protocol):
    """A dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


def equal(one: Value, other: object) -> bool:
    """Return whether two values are of one type and hold the same, arrays by their content."""
    if type(one) is not type(other):
        return False
    compared = [field.name for field in fields(one) if field.compare]
    return all(_same(getattr(one, name), getattr(other, name)) for name in compared)


def read_only(array: npt.ArrayLike, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return a read-only view of an array of any shape, which is converted where necessary."""
    view = np.asarray(array, dtype).view()
    view.flags.writeable = False
    return view


def listed(things: Collection[object]) -> str:
    """Return the first of some ids or names, and how many there are if that is more."""
    shown = ", ".join(str(thing) for thing in list(things)[:LISTED])
    return f"[{shown}]" if len(things) <= LISTED else f"[{shown}, ... {len(things)} in all]"


def _same(one: object, other: object) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(_same, one, other))
    if hasattr(one, "shape") or hasattr(other, "shape"):
        if one is None or other is None:
            return False
        return np.array_equal(np.asarray(one), np.asarray(other))
    return bool(one == other)
