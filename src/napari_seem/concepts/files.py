"""Libraries as files: one zip of a readable list and plain numpy arrays, each kept once."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileTrouble
from ..images import AnyArray
from ..io.guard import JSON_BYTES, member, members, reading
from ..io.writing.whole import locked, make_folder, replacing, settle
from ..values import JsonObject
from .concept import Concept
from .examples import Crop

FORMAT = "napari-seem concepts 1"
LISTING = "concepts.json"
FILE_VARIABLE = "NAPARI_SEEM_LIBRARY"
MOST_BYTES = 1 << 31
"""Files that hold more than this, unpacked, are no libraries."""
_PICTURES = ("image", "labels", "others", "sample")


def default_library() -> Path:
    """Return the docks' library: `$NAPARI_SEEM_LIBRARY`, or a file in the settings folder.

    It exists once a word has been taught.
    """
    given = os.environ.get(FILE_VARIABLE)
    if given:
        return Path(given).expanduser()
    from platformdirs import user_config_path

    return user_config_path("napari-seem", appauthor=False) / "concepts.zip"


def write(path: Path, concepts: Iterable[Concept]) -> None:
    """Write concepts; whole or not at all.

    Raises
    ------
    FileTrouble
        The file can't be written; a file that was there is unchanged.
    """
    arrays: dict[str, AnyArray] = {}

    def kept(array: AnyArray | None) -> str | None:
        if array is None:
            return None
        own = np.ascontiguousarray(array)
        about = f"{own.dtype.str} {own.shape} ".encode()
        name = hashlib.blake2b(about + own.tobytes(), digest_size=12).hexdigest()
        arrays[name] = own
        return name

    rows = [_row(concept, kept) for concept in concepts]
    make_folder(path.parent)
    with replacing(path) as (part,), zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(LISTING, json.dumps({"format": FORMAT, "concepts": rows}, indent=1))
        for name, array in arrays.items():
            stream = io.BytesIO()
            np.save(stream, array, allow_pickle=False)
            file.writestr(f"{name}.npy", stream.getvalue())


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep other programs from changing a library inside; its folder is made where it is absent.

    Raises
    ------
    FileTrouble
        They don't end, or the folder can't be written.
    """
    make_folder(path.parent)
    with locked(path):
        yield


def read(path: Path) -> tuple[Concept, ...]:
    """Read concepts.

    Raises
    ------
    FileTrouble
        There is no such file, it is no library, or it is damaged.
    """
    settle(path.parent)
    if not path.is_file():
        raise FileTrouble(f"there is no library '{path}'; teach a word to begin one")
    remedy = "it is no library of taught words, or is damaged; restore it from a copy"
    with reading(path, "as taught words", remedy=remedy), zipfile.ZipFile(path) as file:
        members(path, file, MOST_BYTES)
        listing = json.loads(member(file, LISTING, JSON_BYTES))
        if listing.get("format") != FORMAT:
            raise FileTrouble(
                f"'{path}' is written as '{listing.get('format')}', this version reads "
                f"'{FORMAT}'; install a newer napari-seem"
            )
        arrays: dict[str, AnyArray] = {}

        def array(name: str | None) -> AnyArray | None:
            if name is not None and name not in arrays:
                arrays[name] = _array(member(file, f"{name}.npy", MOST_BYTES))
            return None if name is None else arrays[name]

        return tuple(_concept(row, array) for row in listing["concepts"])


def _row(concept: Concept, kept: Callable[[AnyArray | None], str | None]) -> dict[str, object]:
    """Describe a concept as plain values; `kept` replaces arrays of any shape by names."""
    return {
        "name": concept.name, "synonyms": list(concept.synonyms), "model": concept.model,
        "made": concept.made, "meaning": dict(concept.values),
        "arrays": {key: kept(array) for key, array in concept.arrays.items()},
        "examples": [
            {"fingerprint": crop.fingerprint, "source": crop.source, "shown": dict(crop.look),
             "objects": crop.objects, **{key: kept(getattr(crop, key)) for key in _PICTURES}}
            for crop in concept.examples
        ],
    }  # fmt: skip


def _array(content: bytes) -> AnyArray:
    """Read an array of any shape from the bytes of an .npy file; ValueError where it is none."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"an array is written in version {version}")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    left = content[stream.tell() :]
    if dtype.hasobject or len(left) != prod(shape) * dtype.itemsize:  # before memory is taken
        raise ValueError(f"an array of shape {shape} is cut short")
    return np.frombuffer(left, dtype).reshape(shape, order="F" if fortran else "C")


def _concept(row: JsonObject, array: Any) -> Concept:
    crops = tuple(
        Crop(str(one["fingerprint"]), str(one["source"]), dict(one["shown"]), int(one["objects"]),
             **{key: array(one[key]) for key in _PICTURES})
        for one in row["examples"]
    )  # fmt: skip
    return Concept(
        row["name"], str(row["model"]), str(row["made"]),
        {key: array(name) for key, name in row["arrays"].items()}, dict(row["meaning"]), crops,
        tuple(row["synonyms"]),
    )  # fmt: skip
