"""Checks of plain arguments; each names the argument and what it may be."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Collection, Iterable

from .errors import InvalidArgument


def check_choice(value: object, choices: Collection[str], what: str) -> None:
    """Raise `InvalidArgument` unless `value` is one of `choices`; the nearest is suggested."""
    if isinstance(value, str) and value in choices:
        return
    near = difflib.get_close_matches(str(value), choices, n=1, cutoff=0.6)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise InvalidArgument(f"there is no {what} {value!r}; {hint}choose one of: {_listed(choices)}")


def check_options(given: Iterable[str], known: Collection[str], what: str) -> None:
    """Raise `InvalidArgument` for the first name that is no option of `what`."""
    for name in given:
        if name in known:
            continue
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise InvalidArgument(
            f"{what} has no option {name!r}; {hint}"
            + (f"its options: {_listed(known)}" if known else "it takes none")
        )


def whole_number(value: object, what: str, least: int | None = None) -> int:
    """Return a whole number, of any type that holds one.

    Raises
    ------
    InvalidArgument
        For anything else, and for numbers below `least`.
    """
    number = value.item() if hasattr(value, "item") and getattr(value, "size", 0) == 1 else value
    whole = isinstance(number, numbers.Real) and not isinstance(number, bool)
    if not whole or not math.isfinite(number) or number != int(number):  # type: ignore[arg-type, call-overload]
        raise InvalidArgument(f"{what} is {value!r}; give a whole number")
    if least is not None and number < least:  # type: ignore[operator]
        raise InvalidArgument(f"{what} is {value!r}; give {least} or more")
    return int(number)  # type: ignore[call-overload, no-any-return]


def number_within(value: object, what: str, least: float, most: float) -> float:
    """Return a number from `least` to `most`, of any type that holds one.

    Raises
    ------
    InvalidArgument
        For anything else, NaN included.
    """
    number = value.item() if hasattr(value, "item") and getattr(value, "size", 0) == 1 else value
    real = isinstance(number, numbers.Real) and not isinstance(number, bool)
    if not real or not least <= number <= most:  # type: ignore[operator]
        raise InvalidArgument(f"{what} is {value!r}; give a number from {least:g} to {most:g}")
    return float(number)  # type: ignore[arg-type]


def _listed(choices: Iterable[str]) -> str:
    return ", ".join(str(choice) for choice in choices)
