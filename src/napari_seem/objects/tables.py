"""Tables of prompts: CSV files and data frames, one prompt a row."""

from __future__ import annotations

import csv
import logging
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FileTrouble, InvalidArgument, InvalidPrompt, NapariSeemError
from ..io.guard import check_file
from ..prompts import Box, Point, Prompt, Text
from .prompted import Prompted

if TYPE_CHECKING:
    import pandas as pd

LOG = logging.getLogger(__name__)
Row = tuple[str, Mapping[str, object]]
"""Where a row stands, for messages, and its cells by the columns' names."""
POINT, BOX = ("y", "x"), ("y0", "x0", "y1", "x1")
TABLE_BYTES = 1 << 28
"""Largest table of prompts that is read."""
COLUMNS = (*POINT, *BOX, "text", "object", "positive", "kind", "name", "image")
KINDS: dict[str, tuple[str, ...]] = {"point": POINT, "box": BOX, "text": ("text",)}
RENAMED = {"axis-0": "y", "axis-1": "x", "index": ""}
"""Columns of a napari Points layer saved as CSV, and what they are here."""
SIGNS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False, "": True}


def read_rows(path: str | os.PathLike[str]) -> list[Row]:
    """Read a CSV file of prompts; commas, semicolons or tabs lie between its cells.

    Raises
    ------
    FileTrouble
        The file can't be read as a table.
    InvalidArgument
        Its columns are not those of prompts.
    """
    file = Path(path)
    check_file(file, TABLE_BYTES)
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            head = stream.readline()
            stream.seek(0)
            reader = csv.DictReader(stream, delimiter=max(",;\t", key=head.count), restval="")
            names = _checked_columns(reader.fieldnames or (), f"'{file.name}'")
            found = [(f"line {reader.line_num} of '{file.name}'", cells) for cells in reader]
    except (UnicodeError, csv.Error) as error:
        raise FileTrouble(f"'{file}' is no CSV file ({error}); save it as text") from None
    except OSError as error:
        reason = error.strerror or error
        raise FileTrouble(f"'{file}' can't be read ({reason}); give a CSV file") from None
    for where, cells in found:
        if None in cells:
            raise FileTrouble(f"{where} has more cells than there are columns; mend the file")
    rows = [(where, _renamed(cells, names)) for where, cells in found]
    return [row for row in rows if any(_text(value) for value in row[1].values())]


def rows_of_frame(frame: pd.DataFrame) -> list[Row]:
    """Return the rows of a data frame of prompts; raises `InvalidArgument` as `read_rows` does."""
    names = _checked_columns([str(column) for column in frame.columns], "the table")
    plain = frame.set_axis(list(names), axis=1).to_dict("records")
    return [(f"row {number}", _renamed(cells, names)) for number, cells in enumerate(plain)]


def objects_of_rows(rows: Iterable[Row]) -> list[Prompted]:
    """Collect the prompts of each object: rows that are alike in the column `object`.

    Parameters
    ----------
    rows : iterable of Row
        Of one image; a row without an `object` is an object of its own.

    Raises
    ------
    InvalidArgument
        The rows are of several images.
    """
    found: dict[object, Prompted] = {}
    images: dict[str, None] = {}
    for number, (where, cells) in enumerate(rows):
        images[_text(cells.get("image"))] = None
        key: object = _text(cells.get("object")) or number
        found[key] = _joined(found.get(key), _of_row(where, cells))
    if len(images) > 1:
        raise InvalidArgument(
            f"the table has rows of {len(images)} images ({', '.join(map(repr, images))}); give "
            "those of one"
        )
    return list(found.values())


def _checked_columns(columns: Sequence[str], what: str) -> dict[str, str]:
    """Return what each column is called here; "" for one that is passed over."""
    napari = {"axis-0", "axis-1"} <= set(columns)
    names = {
        column: RENAMED[column] if napari and column in RENAMED else column.strip().lower()
        for column in columns
    }
    for column, name in names.items():
        near = get_close_matches(name, COLUMNS, n=1, cutoff=0.75)
        if name and name not in COLUMNS and near:
            raise InvalidArgument(
                f"{what} has the column {column!r}; is it '{near[0]}'? rename it, or leave it out"
            )
    passed = [column for column, name in names.items() if name and name not in COLUMNS]
    if passed:
        LOG.info("%s: passed over the columns %s", what, ", ".join(passed))
    names = {column: "" if column in passed else name for column, name in names.items()}
    known = [name for name in names.values() if name]
    if len(set(known)) < len(columns) - list(names.values()).count(""):
        raise InvalidArgument(f"{what} has a column twice; leave one of them out")
    if not any(set(needed) <= set(known) for needed in KINDS.values()):
        raise InvalidArgument(
            f"{what} has the columns {', '.join(columns) or 'of nothing'}; it needs y and x, or "
            f"y0, x0, y1 and x1, or text (it may also have: {', '.join(COLUMNS[7:])})"
        )
    return names


def _renamed(cells: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    return {names[str(column)]: value for column, value in cells.items() if names[str(column)]}


def _of_row(where: str, cells: Mapping[str, object]) -> Prompted:
    """Make the object that one row alone describes."""
    one = Prompted(where, (), _text(cells.get("name")))
    try:
        return replace(one, prompts=(_prompt(cells),))
    except NapariSeemError as error:
        return one.failed(error)


def _joined(one: Prompted | None, other: Prompted) -> Prompted:
    """Add a row to the object that it belongs to."""
    if one is None:
        return other
    error = one.error or other.error
    if one.name and other.name and one.name != other.name:
        clash = InvalidPrompt(f"its object is called both '{one.name}' and '{other.name}'; choose")
        error = error or other.failed(clash).error
    return Prompted(one.where, one.prompts + other.prompts, one.name or other.name, error)


def _prompt(cells: Mapping[str, object]) -> Prompt:
    """Make the prompt of a row; raises `InvalidPrompt` where it is none."""
    sign = _text(cells.get("positive")).lower()
    if sign not in SIGNS:
        raise InvalidPrompt(f"positive is '{sign}'; give 1 or 0")
    positive, kind = SIGNS[sign], _text(cells.get("kind")).lower()
    if kind and kind not in KINDS:
        raise InvalidPrompt(f"the kind is '{kind}'; give one of: {', '.join(KINDS)}")
    given = [name for name, columns in KINDS.items() if any(_text(cells.get(c)) for c in columns)]
    if not kind and len(given) != 1:
        what = f"it is a {' and a '.join(given)}" if given else "it has no coordinates"
        raise InvalidPrompt(
            f"{what}; fill in y and x, or y0, x0, y1 and x1, or text, or say which by kind"
        )
    kind = kind or given[0]
    if kind == "text":
        return Text(_text(cells.get("text")), positive)
    make: Callable[..., Prompt] = Point if kind == "point" else Box
    return make(*(_number(cells.get(column), column) for column in KINDS[kind]), positive)


def _number(value: object, column: str) -> float:
    text = _text(value)
    if not text:
        raise InvalidPrompt(f"it has no {column}; give a number")
    try:
        return float(text)
    except ValueError:
        raise InvalidPrompt(f"{column} is '{text}'; give a number") from None


def _text(value: object) -> str:
    """Return a cell's text; "" for an empty one: None, NaN, or pandas' own."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = str(value).strip()
    return "" if text == "<NA>" else text
