"""What each kind of task can be asked for, checked and as plain values."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from ..checks import (
    as_names,
    as_path,
    check_choice,
    check_flag,
    check_options,
    check_type,
    whole_number,
)
from ..concepts import ConceptLibrary
from ..errors import InvalidArgument
from ..intensity import IntensityWindow
from ..models.filters import Wanted
from ..models.in_context import KINDS as LESSON_KINDS
from ..models.registry import model_spec
from ..pixel_classes.files import read
from ..propagation import METHODS
from ..values import JsonObject

Kind = Literal["embed", "segment", "propagate", "label-like", "pixels"]
KINDS: tuple[Kind, ...] = get_args(Kind)
COMMON = ("model", "device", "shown")
OPTIONS: Mapping[Kind, tuple[str, ...]] = {
    "embed": (*COMMON, "axis", "megabytes"),
    "segment": (*COMMON, "names", "wanted", "library"),
    "propagate": (*COMMON, "axis", "method", "find_new", "divide"),
    "label-like": (*COMMON, "examples", "kind"),
    "pixels": (*COMMON, "classifier", "objects", "smallest", "split", "probabilities"),
}
BOUNDS = ("min_area", "max_area", "min_score", "names")


def plain_options(kind: Kind, options: Mapping[str, object]) -> JsonObject:
    """Check the options of a task, and return them as plain values; see `plan`.

    Raises
    ------
    InvalidArgument
        An option that the kind has not, or a value that it can't have.
    UnknownModel
        There is no such model.
    """
    check_type(options, Mapping, "options", "a mapping such as {'model': 'compact'}")
    check_options(options, OPTIONS[kind], f"the task '{kind}'")
    if kind == "label-like" and not options.get("examples"):
        raise InvalidArgument(
            "label-like needs examples; give options={'examples': [(image, labels), ...]}"
        )
    if kind == "pixels" and not options.get("classifier"):
        raise InvalidArgument(
            "pixels needs a classifier; give options={'classifier': FILE}, as PixelClassifier.save "
            "wrote it"
        )
    given = {key: value for key, value in options.items() if value is not None}
    return {key: _PLAIN[key](value) for key, value in given.items()}


def _model(name: Any) -> str:
    check_type(name, str, "model", "the name of a model, such as 'compact'")
    return model_spec(name).name


def _text(value: object) -> str:
    check_type(value, str, "device", "'auto', 'cpu' or another device")
    return str(value)


def _shown(window: Any) -> dict[str, object]:
    if isinstance(window, IntensityWindow):
        return dict(window.to_dict())
    check_type(window, Mapping, "shown", "an IntensityWindow, or its to_dict()")
    try:
        IntensityWindow.from_dict(window)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InvalidArgument(
            f"shown is {window!r}, which is no intensity window ({error}); give "
            "IntensityWindow(...).to_dict()"
        ) from error
    return dict(window)


def _wanted(bounds: Any) -> dict[str, object]:
    if not isinstance(bounds, Wanted):
        check_type(bounds, Mapping, "wanted", "a Wanted, or its values such as {'min_area': 20}")
        check_options(bounds, BOUNDS, "wanted")
        bounds = Wanted(**bounds)
    plain = {key: getattr(bounds, key) for key in BOUNDS}
    return {**plain, "names": None if bounds.names is None else list(bounds.names)}


def _library(value: object) -> list[str]:
    """Say where a library is, and what it holds: a word taught again makes other results."""
    if isinstance(value, list) and len(value) == 2:  # as this gave it before
        return [str(one) for one in value]
    path = as_path(value, "library")
    ConceptLibrary.load(path)  # refused before anything is begun
    return _with_digest(path)


def _classifier(value: object) -> list[str]:
    """Say where a classifier of pixels is, and what it holds."""
    if isinstance(value, list) and len(value) == 2:
        return [str(one) for one in value]
    path = as_path(value, "classifier")
    read(path)  # refused before anything is begun
    return _with_digest(path)


def _with_digest(path: Path) -> list[str]:
    return [str(path.resolve()), hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest()]


def _objects(value: Any) -> list[int | str]:
    """Return classes by id or name; one may stand alone."""
    return [value] if isinstance(value, (int, str)) else list(value)


def _method(name: object) -> str:
    check_choice(name, METHODS, "method")
    return str(name)


def _kind(name: object) -> str:
    check_choice(name, LESSON_KINDS, "kind of labels")
    return str(name)


def _examples(pairs: Any) -> list[list[str]]:
    """Return pairs of paths; one pair may stand alone."""
    check_type(pairs, (list, tuple), "examples", "pairs of paths: [(image, labels), ...]")
    if len(pairs) == 2 and not any(isinstance(one, (list, tuple)) for one in pairs):
        pairs = [pairs]
    found = []
    for number, pair in enumerate(pairs, 1):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise InvalidArgument(
                f"example {number} is {pair!r}; give the pair of an image's and its labels' path"
            )
        found.append([str(as_path(one, f"a path of example {number}")) for one in pair])
    return found


_PLAIN: Mapping[str, Callable[[Any], object]] = {
    "model": _model, "device": _text, "shown": _shown, "wanted": _wanted, "library": _library,
    "method": _method, "kind": _kind, "examples": _examples,
    "classifier": _classifier, "objects": _objects,
    "smallest": lambda size: whole_number(size, "smallest", 1),
    "split": lambda flag: check_flag(flag, "split"),
    "probabilities": lambda flag: check_flag(flag, "probabilities"),
    "names": lambda names: list(as_names(names, "names")),
    "axis": lambda axis: whole_number(axis, "axis"),
    "megabytes": lambda size: whole_number(size, "megabytes", 1),
    "find_new": lambda flag: check_flag(flag, "find_new"),
    "divide": lambda flag: check_flag(flag, "divide"),
}  # fmt: skip
