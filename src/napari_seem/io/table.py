"""The table of objects as plain rows, and the JSON file that lies beside labels."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from ..edits import ObjectRecord, ObjectTable
from ..palette import rgb
from ..values import JsonObject
from .guard import JSON_BYTES, read_text, reading

COLOURS = "colours"
"""Key of the colours in the provenance of labels, class -> "#rrggbb"; see `Palette.to_dict`."""
FILE, GRID = "file", "grid"
"""Keys of the provenance of labels: the name of their file, and where they lie (`Grid.to_dict`)."""
VERSION = "napari-seem"
"""Key that tells a table of objects from other JSON files."""


def class_colour(record: ObjectRecord, about: Mapping[str, object]) -> tuple[int, int, int] | None:
    """Return red, green and blue of an object's class, 0 to 255; None if nobody chose any."""
    colours = about.get(COLOURS)
    colour = colours.get(record.class_name) if isinstance(colours, Mapping) else None
    return None if colour is None else rgb(colour)


def plain_row(label_id: int, record: ObjectRecord) -> dict[str, object]:
    """Return an object's known values as JSON can hold them."""
    known = {
        key: value
        for key, value in asdict(record).items()
        if value != ""
        and (key, value) != ("parent", 0)
        and not (isinstance(value, float) and math.isnan(value))
    }
    return {"index": label_id, "name": record.name, **known}


def rows_of(table: ObjectTable) -> list[dict[str, object]]:
    """Return all objects in the order of their ids."""
    return [plain_row(label_id, record) for label_id, record in table.items()]


def table_of(rows: Sequence[JsonObject]) -> ObjectTable:
    """Build a table from rows; values that they leave out are unknown."""
    return ObjectTable({int(row["index"]): ObjectRecord.from_row(row) for row in rows})


def write_json(path: Path, table: ObjectTable, about: Mapping[str, object]) -> None:
    """Write the provenance of labels, and their objects."""
    document = {VERSION: 1, **about, "objects": rows_of(table)}
    path.write_text(json.dumps(document, indent=1, default=str) + "\n", encoding="utf-8")


def read_json(path: Path) -> tuple[ObjectTable, dict[str, object]]:
    """Read what `write_json` wrote.

    Raises
    ------
    FileTrouble
        The file is something else.
    """
    what = "as a table of objects of napari-seem"
    with reading(path, what, remedy="move it, or choose another name for the labels"):
        document = json.loads(read_text(path, JSON_BYTES))
        rows = document.pop("objects")
        document.pop(VERSION, None)
        return table_of(rows), document
