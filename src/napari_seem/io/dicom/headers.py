"""Headers of DICOM files: which files of a folder or a medium are images, and which damaged."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import FileTrouble
from ..extras import need
from ..grid import FloatArray
from ..guard import PIECE, UNPACKED_BYTES, BoundedFile, beginning, reading

if TYPE_CHECKING:
    from pydicom import Dataset

FEW = 20
"""Files of a folder that are looked at to find out whether they are DICOM."""
NAMES = (".dcm", ".dicom", ".dic", ".ima")
"""Endings of files that are DICOM."""
INDEX = "DICOMDIR"
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""SOP classes of segmentations and of label maps."""
DEFLATED = b"1.2.840.10008.1.2.1.99"
REMEDY = "copy it again, or take it out of the folder if it belongs to no image"
_BEGINNINGS = (b"\x08\x00", b"\x02\x00", b"\x00\x08", b"\x00\x02")
"""First bytes of files without the 128 bytes before them: groups 2 and 8, of either byte order."""


def is_dicom(path: Path) -> bool:
    """Return whether a file begins as DICOM files do."""
    return beginning(path, 132)[128:] == b"DICM"


def may_be(path: Path) -> bool:
    """Return whether a file is opened as DICOM, by its ending or its beginning; true of folders."""
    return path.is_dir() or path.suffix.lower() in NAMES or is_dicom(path)


def is_series(folder: Path) -> bool:
    """Return whether a folder holds DICOM files, by the beginnings of its first few files."""
    try:
        inside = (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))
        files = (path for path in inside if path.is_file())
        return any(is_dicom(path) for path in islice(files, FEW))
    except OSError:
        return False


def read_dataset(path: Path, **options: Any) -> Dataset:
    """Read a file by `pydicom.dcmread`, with no more memory than the file has bytes."""
    with BoundedFile(path) as file:
        _check_deflated(file)
        file.seek(0)
        return need("pydicom").dcmread(file, **options)  # type: ignore[no-any-return]


def _check_deflated(file: BoundedFile) -> None:
    """Raise `ValueError` for a deflated file that unpacks to too much."""
    head = file.read(1024)
    if DEFLATED not in head:
        return
    file.seek(144 + int.from_bytes(head[140:144], "little"))  # the elements that are not deflated
    stream, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while piece := file.read(PIECE):
        while piece:
            total += len(stream.decompress(piece, PIECE))
            piece = stream.unconsumed_tail
            if total > UNPACKED_BYTES:
                raise ValueError(f"it unpacks to more than {UNPACKED_BYTES:,} bytes")


def read_header(path: Path) -> Dataset | None:
    """Read a file without its pixels; None where it is not DICOM, `FileTrouble` where damaged."""
    with naming_damage(path):
        if is_dicom(path):
            return read_dataset(path, stop_before_pixels=True)
        if beginning(path, 2) not in _BEGINNINGS:
            return None
        bare = read_dataset(path, stop_before_pixels=True, force=True)
        return bare if "SOPClassUID" in bare or "Rows" in bare else None


def damaged(path: Path | str, why: str) -> FileTrouble:
    """Return the error that a file can't be read."""
    return FileTrouble(f"'{path}' is damaged or cut ({why}); {REMEDY}")


def naming_damage(path: Path | str) -> AbstractContextManager[None]:
    """Let a block raise `FileTrouble` that names the file, whatever pydicom raises."""
    return reading(Path(path), "as DICOM", remedy=REMEDY)


def headers_in(path: Path) -> list[Dataset]:
    """Read the headers of the images in a folder (not in folders within it), a file set or a file.

    Segmentations, reports and files that are not DICOM are left out.

    Raises
    ------
    FileTrouble
        There is no image; or a file is damaged that, by its name or beginning, is one.
    """
    if path.is_dir():
        inside = (one for one in sorted(path.iterdir()) if not one.name.startswith("."))
        files = [one for one in inside if one.is_file() and one.name.upper() != INDEX]
    else:
        files = [path]
    index = next((one for one in (path, path / INDEX) if one.name.upper() == INDEX), None)
    if path.is_file() and index == path:
        files = _listed(path)
    found = _images(files)
    if not found and path.is_dir() and index is not None and index.is_file():
        found = _images(_listed(index))
    if not found:
        where = f"in '{path}'; choose the folder of one series" if path.is_dir() else f"'{path}'"
        raise FileTrouble(f"there is no DICOM image {where}")
    return found


def _images(files: Iterable[Path]) -> list[Dataset]:
    found: list[Dataset] = []
    odd: list[Path] = []
    for path in files:
        header = read_header(path)
        if header is None:
            odd.append(path)
        elif _is_image(path, header):
            found.append(header)
    alike = {_pattern(Path(str(one.filename))) for one in found}
    for path in odd:  # such folders hold viewers and notes too
        if path.suffix.lower() in NAMES or _pattern(path) in alike:
            raise damaged(path, "it does not begin as a DICOM file does")
    return found


def _is_image(path: Path, header: Dataset) -> bool:
    """Return whether a header is that of an image; `FileTrouble` where that of one is cut."""
    meta = getattr(header, "file_meta", None) or {}
    with naming_damage(path):
        kind = header.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID")
        if kind in SEGMENTATIONS or text(header, "Modality") == "SEG":
            return False
    if "Rows" in header and "Columns" in header:
        return True
    if kind is None or "Image Storage" in getattr(kind, "name", ""):
        raise damaged(path, "its header ends early")
    return False


def _listed(index: Path) -> list[Path]:
    """Return the image files that a DICOMDIR lists."""
    header, root = read_header(index), index.parent.resolve()
    files = []
    with naming_damage(index):
        records = [] if header is None else header.get("DirectoryRecordSequence") or []
    for record in records:
        with naming_damage(index):
            name = record.get("ReferencedFileID")
            parts = [name] if isinstance(name, str) else [str(part) for part in name or ()]
            kind = text(record, "DirectoryRecordType")
        if kind != "IMAGE" or not name:
            continue
        file = root.joinpath(*parts)
        if root not in file.resolve().parents:
            raise FileTrouble(f"'{index}' lists the file '{'/'.join(parts)}' outside its folder")
        small = root.joinpath(*(part.lower() for part in parts))
        files.append(small if small.exists() and not file.exists() else file)
    absent = [file for file in files if not file.is_file()]
    if absent:
        raise FileTrouble(
            f"'{index}' lists {len(files)} images, of which {len(absent)} are missing, such as "
            f"'{absent[0]}'; copy the whole medium, or open the folder of one series"
        )
    return files


def _pattern(path: Path) -> str:
    return re.sub(r"\d+", "#", path.name)


def numbers(item: Dataset, key: str, count: int, file: object) -> FloatArray | None:
    """Return the numbers of an element (count,), or None where it is absent or empty.

    Raises
    ------
    FileTrouble
        There are others, or such that are no finite numbers.
    """
    with reading(Path(str(file)), f"in its {key}"):
        value = item.get(key)
        if value is None or (not isinstance(value, (int, float)) and len(value) == 0):
            return None
        found = np.atleast_1d(np.array(value, float))
    if found.shape != (count,) or not np.isfinite(found).all():
        raise FileTrouble(f"'{file}' is damaged: its {key} is not {_count(count)}")
    return found


def number(item: Dataset, key: str, file: object) -> float | None:
    """Return the number of an element, or None where it is absent or empty."""
    found = numbers(item, key, 1, file)
    return None if found is None else float(found[0])


def text(item: Dataset, key: str) -> str:
    """Return the text of an element, "" where it is absent or empty."""
    return str(item.get(key) or "").strip()


def _count(count: int) -> str:
    return "a number" if count == 1 else f"{count} numbers"


def siblings(file: Path) -> int:
    """Return how many DICOM files beside a file are called like it, but for numbers."""
    alike = (
        one for one in file.parent.iterdir() if one != file and _pattern(one) == _pattern(file)
    )
    return sum(is_dicom(one) for one in alike)
