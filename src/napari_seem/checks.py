"""Checks of plain arguments; each names the argument and what it may be."""

from __future__ import annotations

import difflib
import math
import numbers
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InvalidArgument, InvalidLabels

HIGHEST_ID = int(np.iinfo(np.int32).max)
"""Largest id of a label array that is computed with; files may hold larger ones."""
PICTURE_IDS, PICTURE_SHARE = 16, 0.5
"""Labels of more ids than the first, of which neighbouring pixels differ more often than the second
share, are no labels but the pixels of a picture."""


def check_choice(value: object, choices: Collection[str], what: str) -> None:
    """Raise `InvalidArgument` unless `value` is one of `choices`; the nearest is suggested."""
    if isinstance(value, str) and value in choices:
        return
    hint = _nearest(value, choices)
    raise InvalidArgument(
        f"there is no {what} {said(value)}; {hint}choose one of: {_listed(choices)}"
    )


def check_options(given: Iterable[str], known: Collection[str], what: str) -> None:
    """Raise `InvalidArgument` for the first name that is no option of `what`."""
    for name in given:
        if name in known:
            continue
        raise InvalidArgument(
            f"{what} has no option {name!r}; {_nearest(name, known)}"
            + (f"its options: {_listed(known)}" if known else "it takes none")
        )


def said(value: object) -> str:
    """Return a value as errors name it: in at most a line, and of arrays their shape."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        kind = "an array" if isinstance(value, np.ndarray) else type(value).__name__
        return f"{kind} of shape {shape}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def whole_number(value: object, what: str, least: int | None = None) -> int:
    """Return a whole number, of any type that holds one.

    Raises
    ------
    InvalidArgument
        For anything else, and for numbers below `least`.
    """
    number = _number(value)
    if number is None or number != int(number):
        raise InvalidArgument(f"{what} is {said(value)}; give a whole number")
    if least is not None and number < least:
        raise InvalidArgument(f"{what} is {said(value)}; give {least} or more")
    return int(number)


def real_number(
    value: object, what: str, least: float = -math.inf, most: float = math.inf
) -> float:
    """Return a finite number, of any type that holds one.

    Raises
    ------
    InvalidArgument
        For anything else, and for numbers outside of `least` to `most`.
    """
    number = _number(value)
    if number is None:
        raise InvalidArgument(f"{what} is {said(value)}; give a finite number")
    if not least <= number <= most:
        raise InvalidArgument(f"{what} is {said(value)}; give a number from {least:g} to {most:g}")
    return float(number)


def check_type(value: object, kind: type | tuple[type, ...], what: str, give: str) -> None:
    """Raise `InvalidArgument` for a value of another type; `give` says what to give instead."""
    if not isinstance(value, kind):
        raise InvalidArgument(f"{what} is {said(value)}; give {give}")


def check_flag(value: object, what: str) -> bool:
    """Return True or False; raise `InvalidArgument` for anything else, such as the text 'no'."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidArgument(f"{what} is {said(value)}; give True or False")
    return bool(value)


def as_path(value: object, what: str = "the path") -> Path:
    """Return a path that was given as text or as any path; `InvalidArgument` for anything else."""
    if isinstance(value, (str, os.PathLike)) and str(value):
        path = os.fspath(value)
        if isinstance(path, str):
            return Path(path)
    raise InvalidArgument(f"{what} is {said(value)}; give the name of a file as text or a Path")


def as_paths(values: object, what: str = "the path") -> list[Path]:
    """Return one path or several as a list; `InvalidArgument` for anything else."""
    if isinstance(values, (str, os.PathLike)) or not isinstance(values, Iterable):
        return [as_path(values, what)]
    return [as_path(value, what) for value in values]


def as_names(values: object, what: str) -> tuple[str, ...]:
    """Return one text or several as a tuple; `InvalidArgument` for anything else."""
    if isinstance(values, str):
        return (values,)
    given = tuple(values) if isinstance(values, Iterable) else (values,)
    wrong = [value for value in given if not isinstance(value, str)]
    if wrong:
        raise InvalidArgument(f"{what} holds {said(wrong[0])}; give one text, or a list of them")
    return given


def checked_labels(
    labels: object, shape: tuple[int, ...], what: str, image: str = "the image"
) -> npt.NDArray[np.int32]:
    """Return labels of an image as int32, without a copy where they are that already.

    Parameters
    ----------
    labels : integer or bool array (H, W)
    shape : (H, W)
        Of the image.
    what, image : str
        Names of both in errors.

    Raises
    ------
    InvalidLabels
        The labels are no whole numbers from 0 to `HIGHEST_ID`, have another shape than the image,
        or are the pixels of a picture.
    """
    try:
        array = np.asarray(labels)
    except ValueError as error:
        raise InvalidLabels(f"{what} are no array ({error}); give integers (H, W)") from error
    if array.dtype.kind not in "bui":
        found = type(labels).__name__ if array.dtype.kind == "O" else array.dtype
        raise InvalidLabels(
            f"{what} are {found}, not integers; give whole numbers, 0 for background (of a mask of "
            "probabilities, those above a threshold)"
        )
    if array.shape != tuple(shape):
        raise InvalidLabels(
            f"{what} have shape {array.shape}, {image} {tuple(shape)}; give labels on the image's "
            "own grid"
        )
    if array.dtype.kind == "i" and array.min(initial=0) < 0:
        raise InvalidLabels(f"{what} hold negative numbers; use 0 for background")
    if array.max(initial=0) > HIGHEST_ID:
        raise InvalidLabels(
            f"{what} hold the id {array.max()}; number the objects up to {HIGHEST_ID}"
        )
    if _is_picture(array):
        raise InvalidLabels(
            f"{what} look like the pixels of an image; give one id for each object or class"
        )
    return array.astype(np.int32, copy=False)


def _is_picture(array: npt.NDArray[np.integer]) -> bool:
    """Return whether an integer array (H, W) holds grey values, not objects."""
    if array.dtype == bool or array.max(initial=0) <= PICTURE_IDS:
        return False
    one, other = array[:, :-1], array[:, 1:]
    both = (one > 0) & (other > 0)
    differ = np.count_nonzero(both & (one != other))
    if differ <= PICTURE_SHARE * np.count_nonzero(both):
        return False
    return len(np.unique(array)) > PICTURE_IDS


def _number(value: object) -> int | float | None:
    """Return a finite number, of any type that holds one; None for anything else."""
    given: Any = (
        value.item() if isinstance(value, (np.ndarray, np.generic)) and value.size == 1 else value
    )
    if not isinstance(given, numbers.Real) or isinstance(given, bool) or not math.isfinite(given):
        return None
    return given if isinstance(given, (int, float)) else float(given)


def _nearest(value: object, known: Collection[str]) -> str:
    """Return a question that suggests what may have been meant; "" where nothing is near."""
    near = difflib.get_close_matches(str(value), known, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'? " if near else ""


def _listed(choices: Iterable[str]) -> str:
    return ", ".join(str(choice) for choice in choices)
