"""Formats of label files: told by the ending of a file's name, and by what is in it."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..edits import ObjectTable
from ..errors import FileTrouble, MissingPackage
from . import nifti, ome_zarr
from .dicom.headers import is_dicom
from .table import FILE, VERSION, read_json

TRACKS = "_track.txt"
"""Ending of man_track.txt and res_track.txt, the texts of the Cell Tracking Challenge."""
FORMATS: dict[str, tuple[str, ...]] = {
    "NIfTI": (".nii.gz", ".nii"),
    "OME-TIFF": (".ome.tif", ".ome.tiff"),
    "TIFF or GeoTIFF": (".tif", ".tiff"),
    "GeoJSON outlines": (".geojson",),
    "COCO outlines": (".coco.json",),
    "ImageJ ROI set": (".zip",),
    "DICOM segmentation": (".dcm",),
    "OME-Zarr labels": (".zarr",),
    "Cell Tracking Challenge": (TRACKS,),
}
"""Formats of labels -> endings of the file's name."""
WRITTEN = tuple(ending for group in FORMATS.values() for ending in group)
"""Endings of the formats that labels are written in."""
READ = (*WRITTEN, ".roi")
"""Endings of the formats that labels are read from; ".roi" is one outline of ImageJ."""
ROIS = (".zip", ".roi")
"""Endings of ImageJ's outlines."""
OUTLINES = (".geojson", ".coco.json", *ROIS)
"""Endings of formats that hold outlines, not pixels."""
OWN_TABLE = (*OUTLINES, ".zarr")
"""Endings of formats that hold the table of objects themselves; others have a JSON beside."""
_HEAD = 1 << 16
"""Characters of a JSON file that are looked at."""


def ending(path: Path) -> str:
    """Return the ending of a file that gives its format; "" for an unknown one."""
    name = path.name.lower()
    return next((e for e in sorted(READ, key=len, reverse=True) if name.endswith(e)), "")


def stem_of(path: Path) -> str:
    """Return the name of a file without the ending that gives its format."""
    kind = ending(path)
    return path.name[: len(path.name) - len(kind)] if kind else path.stem


def beside(path: Path) -> Path:
    """Return the path of a label file's table of objects."""
    kind = ".txt" if ending(path) == TRACKS else ending(path)
    return path.with_name(path.name[: len(path.name) - len(kind)] + ".json")


def format_of(path: Path) -> str:
    """Return the ending that a file's labels are read by: that of its name, or COCO for .json.

    A file of another ending, or of none, is DICOM if it begins as DICOM does.
    """
    kind = ending(path)
    if kind:
        return kind
    if path.suffix.lower() == ".json":
        return ".coco.json"
    return ".dcm" if is_dicom(path) else ""


def find_labels(path: Path) -> Path | None:
    """Return the label file that a path leads to, or None where it holds no labels.

    Only the name and the beginning of a file are looked at, or the table beside it. A TIFF or a
    NIfTI counts as labels where a table of objects lies beside it, NIfTI also by its intent; the
    path of such a table leads to the file beside which it lies.

    Parameters
    ----------
    path : Path
        Of a file or folder, of any format.
    """
    try:
        if path.is_dir():
            return path if ome_zarr.holds_labels(path) else None
        if not path.is_file():
            return None
        kind = format_of(path)
        if kind == ".coco.json":
            return _of_json(path)
        return path if _holds_labels(path, kind) else None
    except (
        OSError,
        ValueError,
        zipfile.BadZipFile,
        MissingPackage,
        FileTrouble,
    ):  # whoever opens it will say so
        return None


def _holds_labels(path: Path, kind: str) -> bool:
    if kind == ".zip":
        with zipfile.ZipFile(path) as file:
            return any(name.lower().endswith(".roi") for name in file.namelist())
    if kind == ".roi":
        with path.open("rb") as stream:
            return stream.read(4) == b"Iout"
    if kind == ".dcm":
        from .dicom.segmentation import is_dicom_seg

        return is_dicom_seg(path)
    if kind == ".geojson":
        return '"features"' in _head(path) or '"FeatureCollection"' in _head(path)
    if kind in ("", TRACKS):
        return path.name in ("man_track.txt", "res_track.txt")
    return own_table(path) is not None or (kind in nifti.SUFFIXES and nifti.holds_labels(path))


def own_table(path: Path) -> tuple[ObjectTable, dict[str, object]] | None:
    """Read the table of objects beside a file, and the provenance; None where there is none.

    A JSON file of other software, or of labels in another format, is none.

    Raises
    ------
    FileTrouble
        The table is damaged.
    """
    side = beside(path)
    if (
        ending(path) in (*OWN_TABLE, TRACKS)
        or not side.is_file()
        or f'"{VERSION}"' not in _head(side)
    ):
        return None
    table, about = read_json(side)
    return (table, about) if _is_of(path, about) else None


def _of_json(path: Path) -> Path | None:
    """Return a COCO file itself, and of a table the label file beside which it lies."""
    head = _head(path)
    if f'"{VERSION}": 1' in head and '"annotations"' not in head:
        stem = path.name.removesuffix(path.suffix)
        about = read_json(path)[1]
        there = (path.with_name(stem + e) for e in (*WRITTEN, ".txt") if e not in OWN_TABLE)
        return next((one for one in there if one.is_file() and _is_of(one, about)), None)
    coco = any(f'"{key}"' in head for key in ("annotations", "categories", "images"))
    return path if coco else None


def _is_of(path: Path, about: Mapping[str, Any]) -> bool:
    """Return whether a table was written beside a file of this format."""
    written = about.get(FILE)
    return written is None or ending(Path(str(written))) == ending(path)


def _head(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as stream:
        return stream.read(_HEAD)
