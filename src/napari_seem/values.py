"""Values that hold arrays: read-only, equal where they hold the same, short to print; and JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Item = TypeVar("Item", bound=np.generic)
JsonObject = dict[str, Any]
"""An object of JSON, whose values are checked where they are used."""
LISTED = 8
"""Largest number of ids or names that a text lists."""


class ArrayValue:
    """Equality and hash of a frozen dataclass some of whose fields are arrays.

    Fields with `compare=False` are left out. The dataclass is made with `eq=False`.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self is other or all(map(_same, _of(self), _of(other)))

    def __setstate__(self, state: Mapping[str, object]) -> None:
        for name, value in state.items():  # of copies and pickles
            if isinstance(value, np.ndarray):
                locked(value)
            object.__setattr__(self, name, value)

    def __hash__(self) -> int:
        return hash((type(self), *(_plain(value) for value in _of(self))))


def read_only(array: npt.NDArray[Item]) -> npt.NDArray[Item]:
    """Return an array of any shape that nobody can write to: itself, or else a copy."""
    base: object = array
    while isinstance(base, np.ndarray) and not base.flags.writeable:
        base = base.base
    if base is None:
        return array
    return locked(array.copy())


def locked(array: npt.NDArray[Item]) -> npt.NDArray[Item]:
    """Return a fresh array of any shape, made read-only."""
    array.flags.writeable = False
    return array


def listed(things: Collection[object]) -> str:
    """Return the first of some ids or names, and how many there are if that is more."""
    shown = ", ".join(str(thing) for thing in list(things)[:LISTED])
    return f"[{shown}]" if len(things) <= LISTED else f"[{shown}, ... {len(things)} in all]"


def _of(value: Any) -> list[object]:
    return [getattr(value, field.name) for field in fields(value) if field.compare]


def _same(one: object, other: object) -> bool:
    if one is other:
        return True
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(_same, one, other))
    if type(one) is type(other) and callable(getattr(one, "equal", None)):  # tensors
        return bool(one.equal(other))  # type: ignore[attr-defined]
    if hasattr(one, "shape") and hasattr(other, "shape"):
        first, second = np.asarray(one), np.asarray(other)
        return np.array_equal(first, second, equal_nan=first.dtype.kind == "f")
    if isinstance(one, float) and one != one:  # NaN says "unknown"
        return isinstance(other, float) and other != other
    return bool(one == other)


def _plain(value: object) -> object:
    """Return what of a field goes into the hash: of arrays their shape."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return tuple(getattr(value, "shape"))  # noqa: B009
    if isinstance(value, Mapping):
        return tuple(value)
    return tuple(map(_plain, value)) if isinstance(value, (tuple, list)) else value
