"""What is wanted of an image: the prompts of each object, from arrays, prompts or tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import NoneType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from ..checks import check_type, said
from ..errors import InvalidArgument
from ..prompts import PROMPT_TYPES, Box, Point, Prompt
from .prompted import Prompted
from .tables import objects_of_rows, read_rows, rows_of_frame

if TYPE_CHECKING:
    import pandas as pd

    PromptsLike: TypeAlias = (
        npt.ArrayLike | Prompt | Sequence[Prompt | Sequence[Prompt]] | Sequence[Prompted]
        | pd.DataFrame | str | os.PathLike[str]
    )  # fmt: skip
CHOICES = (
    "give an array (N, 2) of coordinates (row, column), an array (N, 4) of boxes "
    "(y0, x0, y1, x1), prompts such as Point(y, x) or Text('nucleus'), a table, or the path of a "
    "CSV file"
)


def prompted_objects(
    prompts: PromptsLike, names: Sequence[str | None] | None = None
) -> list[Prompted]:
    """Read the prompts of many objects.

    Parameters
    ----------
    prompts : array-like (N, 2) or (N, 4), prompts, DataFrame, str or PathLike
        As for `segment_objects`.
    names : sequence of str, optional
        A name for each object, instead of those of a table.

    Raises
    ------
    InvalidArgument
        It can't be meant, or there is another number of names.
    FileTrouble
        The CSV file can't be read.
    """
    found = _found(prompts)
    if names is None:
        return found
    check_type(names, (list, tuple, np.ndarray), "names", "a list with one for each object")
    if isinstance(names, str) or len(names) != len(found):
        raise InvalidArgument(
            f"names are {len(names)} for {len(found)} objects; give one for each, None for no name"
        )
    for name in names:
        check_type(name, (str, NoneType), "a name", "a text, or None for no name")
    return [replace(one, name=name or one.name) for one, name in zip(found, names, strict=True)]


def _found(prompts: PromptsLike) -> list[Prompted]:
    if isinstance(prompts, (str, os.PathLike)):
        return objects_of_rows(read_rows(prompts))
    if hasattr(prompts, "columns") and hasattr(prompts, "to_dict"):
        return objects_of_rows(rows_of_frame(prompts))
    if isinstance(prompts, PROMPT_TYPES):
        return [_of_item(0, prompts)]
    if isinstance(prompts, (list, tuple)) and any(map(_holds_prompts, prompts)):
        return [_of_item(number, item) for number, item in enumerate(prompts)]
    return _of_numbers(prompts)


def _holds_prompts(item: object) -> bool:
    if isinstance(item, (list, tuple)):
        return any(map(_holds_prompts, item))
    return isinstance(item, (*PROMPT_TYPES, Prompted))


def _of_item(number: int, item: object) -> Prompted:
    if isinstance(item, Prompted):
        return item
    given = tuple(item) if isinstance(item, (list, tuple)) else (item,)
    wrong = [each for each in given if not isinstance(each, PROMPT_TYPES)]
    if wrong or not given:
        what = f"{said(wrong[0])} is not a prompt" if wrong else "there is no prompt"
        error = InvalidArgument(f"{what}; give prompts such as Point(y, x)")
        return Prompted(f"object {number}", ()).failed(error)
    return Prompted(f"object {number}", given)


def _of_numbers(values: object) -> list[Prompted]:
    """Read an array (N, 2) of coordinates or (N, 4) of boxes, or a single one."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise InvalidArgument(f"the prompts are rows of several lengths; {CHOICES}") from None
    if np.ma.is_masked(values):
        raise InvalidArgument("some coordinates are masked; leave these rows out, or fill them")
    if not array.size and array.ndim in (1, 2):
        return []
    if array.dtype.kind not in "iuf":
        what = "None" if values is None else f"an array of {array.dtype}"
        raise InvalidArgument(f"the prompts are {what}; {CHOICES}")
    rows = np.atleast_2d(array)
    make: Callable[..., Prompt] | None = {2: Point, 4: Box}.get(rows.shape[-1])
    if rows.ndim != 2 or make is None:
        raise InvalidArgument(f"the prompts have shape {array.shape}; {CHOICES}")
    return [
        Prompted(f"row {number}", (make(*(float(value) for value in row)),))
        for number, row in enumerate(rows)
    ]
