"""Values that hold arrays: read-only, and equal where they say the same."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt


class ArrayValue:
    """Equality and hash of a frozen dataclass some of whose fields are arrays.

    Fields with `compare=False` are left out. The dataclass is made with `eq=False`.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        pairs = zip(_of(self), _of(other), strict=True)
        return self is other or all(_same(*pair) for pair in pairs)

    def __hash__(self) -> int:
        return hash((type(self), *(_plain(value) for value in _of(self))))


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return an array of any shape that nobody can write to: itself, or else a copy."""
    base: object = array
    while isinstance(base, np.ndarray) and not base.flags.writeable:
        base = base.base
    if base is None:
        return array
    out = array.copy()
    out.flags.writeable = False
    return out


def _of(value: Any) -> list[object]:
    return [getattr(value, field.name) for field in fields(value) if field.compare]


def _same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one is other or np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, float) and one != one:  # NaN says "unknown"
        return isinstance(other, float) and other != other
    return one is other or bool(one == other)


def _plain(value: object) -> object:
    """Return what of a field goes into the hash: of arrays their shape, of mappings their keys."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return tuple(getattr(value, "shape"))  # noqa: B009
    return tuple(value) if isinstance(value, dict) else value
