"""Fine-tuned models that a person keeps: weights files in a folder, each under its own name."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

from ...checks import said
from ...errors import FileTrouble, InvalidName, WeightsError
from ...io.writing.disk import reason_of, remedy_of, retrying
from ...io.writing.disk import remove as remove_file
from ...io.writing.whole import make_folder, replacing
from ...values import JsonObject
from . import places
from .tensor_files import METADATA, header_of

PREFIX = "compact: "
"""Their names in `load_model` begin with this."""
SUFFIX = ".safetensors"
LONGEST = 60
"""Characters of a name at most."""
_NAME = re.compile(r"\w([\w .-]*\w)?")


def checked_name(name: object) -> str:
    """Return the name of a fine-tuned model, with or without `PREFIX`, as that of its file.

    Raises
    ------
    InvalidName
        It is empty or too long, or holds more than letters, digits, blanks, dots, - and _.
    """
    text = str(name).strip().removeprefix(PREFIX) if isinstance(name, str) else ""
    if len(text) <= LONGEST and _NAME.fullmatch(text):
        return text
    raise InvalidName(
        f"a model can't be called {said(name)}; give at most {LONGEST} letters, digits, blanks, "
        "dots, - and _, such as 'my-cells'"
    )


def path_of(name: str) -> Path:
    """Return where the weights of a name are kept, or would be."""
    return places.own_folder() / f"{checked_name(name)}{SUFFIX}"


def files() -> dict[str, Path]:
    """Return the weights files that are kept, by the names that `load_model` takes."""
    try:
        found = sorted(places.own_folder().glob(f"*{SUFFIX}"))
    except OSError:
        return {}
    return {PREFIX + p.stem: p for p in found if _NAME.fullmatch(p.stem) and p.is_file()}


def provenance(path: Path) -> JsonObject:
    """Return what a weights file says of its fine-tuning; nothing where it says nothing."""
    try:
        return _provenance(path, path.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=64)
def _provenance(path: Path, _: int) -> JsonObject:
    try:
        found = json.loads(header_of(path).get(METADATA, {}).get("provenance", "{}"))
    except (WeightsError, ValueError, AttributeError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def described(path: Path) -> str:
    """Say in a line what a weights file was fine-tuned on, and what came of it."""
    facts = provenance(path)
    try:
        before, after = (facts[key]["iou_at_1"] for key in ("before", "after"))
        return (
            f"Fine-tuned on {facts['objects']:d} objects of {facts['images']:d} images: held-out "
            f"IoU after one click {before:.2f} -> {after:.2f}."
        )
    except (KeyError, TypeError, ValueError):
        return "Fine-tuned."


def install(content: bytes, name: str, *, replace: bool = False) -> str:
    """Keep the weights of a fine-tuned model under a name.

    Returns the name that `load_model` takes.

    Raises
    ------
    InvalidName
        It is taken and not to be replaced, or can't be that of a file.
    FileTrouble
        The file can't be written.
    """
    path = path_of(name)
    check_free(name, replace=replace)
    make_folder(path.parent)
    with replacing(path) as (part,):
        part.write_bytes(content)
    return PREFIX + path.stem


def check_free(name: str, *, replace: bool = False) -> None:
    """Raise `InvalidName` for a name that is taken and not to be replaced."""
    if not replace and path_of(name).exists():
        raise InvalidName(
            f"there is a model '{PREFIX}{checked_name(name)}' already; choose another name, or "
            "allow it to be replaced"
        )


def free_name(name: str) -> str:
    """Return a name for a model that none has, with a number where it is taken."""
    names = (f"{name} {number}" if number > 1 else name for number in range(1, 10_000))
    return next(one for one in names if not path_of(one).exists())


def rename(name: str, new: str) -> str:
    """Keep the weights of a name under a new one; return the name that `load_model` takes.

    Raises
    ------
    InvalidName
        There are none, or the new name is taken or can't be that of a file.
    FileTrouble
        The file can't be renamed.
    """
    path, target = _present(name), path_of(new)
    check_free(new)
    try:
        retrying(lambda: path.rename(target))
    except OSError as error:
        raise FileTrouble(
            f"'{path}' can't be renamed to '{target.name}' ({reason_of(error)}); {remedy_of(error)}"
        ) from error
    return PREFIX + target.stem


def remove(name: str) -> None:
    """Delete the weights that are kept under a name; `InvalidName` where there are none."""
    path = _present(name)
    try:
        remove_file(path)
    except OSError as error:
        raise FileTrouble(
            f"'{path}' can't be removed ({reason_of(error)}); {remedy_of(error)}"
        ) from error


def _present(name: str) -> Path:
    path = path_of(name)
    if not path.is_file():
        raise InvalidName(f"there is no model '{PREFIX}{checked_name(name)}' of your own")
    return path
