"""Formats of label files: told by the ending of a file's name, and by what is in it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import chain, pairwise
from pathlib import Path

from ..edits import ObjectTable
from ..errors import FileTrouble, NapariSeemError
from . import nifti, pictures, tiff
from .dicom.headers import is_dicom
from .guard import beginning, reading
from .table import FILE, VERSION, read_json
from .writing.whole import settle
from .zarr.read import attributes, holds_labels

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
SUFFIXES = (*tiff.ENDINGS, *pictures.ENDINGS, *nifti.SUFFIXES)
"""Endings of the files of a folder that are taken as images."""
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


def tables_beside(path: Path) -> tuple[Path, Path]:
    """Return where a label file's table of objects may lie: "a.json", and "a.tif.json".

    The second is taken where the first belongs to other software, or to labels in another format.
    """
    kind = ".txt" if ending(path) == TRACKS else ending(path)
    stem = path.name[: len(path.name) - len(kind)]
    return path.with_name(f"{stem}.json"), path.with_name(f"{path.name}.json")


def place_of_table(path: Path) -> Path:
    """Return where the table of a label file is to be written.

    Raises
    ------
    FileTrouble
        Both places are taken by files of other software, or by damaged tables.
    """
    short, long = tables_beside(path)
    for side in (long, short) if long.exists() else (short, long):
        if not side.exists() or _table_at(side, path) is not None:
            return side
    raise FileTrouble(
        f"'{short}' and '{long}' are not tables of objects of '{path.name}'; move one of them, or "
        "choose another name for the labels"
    )


def table_beside(path: Path) -> tuple[ObjectTable, dict[str, object]] | None:
    """Read the table of objects beside a label file, and the provenance; None where there is none.

    A JSON file of other software, or of labels in another format, is none.

    Raises
    ------
    FileTrouble
        The table is damaged.
    """
    short, long = tables_beside(path)
    found = _table_at(long, path)
    return found if found is not None else _table_at(short, path)


def _table_at(side: Path, path: Path) -> tuple[ObjectTable, dict[str, object]] | None:
    if not side.is_file() or f'"{VERSION}"' not in _head(side):
        return None
    table, about = read_json(side)
    return (table, about) if _is_of(path, about) else None


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
    settle(path.parent)
    with suppress(NapariSeemError), reading(path):  # whoever opens it will say so
        if path.is_dir():
            return path if holds_labels(path) else None
        if not path.is_file():
            return None
        kind = format_of(path)
        if kind == ".coco.json":
            return _of_json(path)
        return path if _holds_labels(path, kind) else None
    return None


def _holds_labels(path: Path, kind: str) -> bool:
    if kind == ".zip":
        with zipfile.ZipFile(path) as file:
            return any(name.lower().endswith(".roi") for name in file.namelist())
    if kind == ".roi":
        return beginning(path, 4) == b"Iout"
    if kind == ".dcm":
        from .dicom.segmentation import is_dicom_seg

        return is_dicom_seg(path)
    if kind == ".geojson":
        return '"features"' in _head(path) or '"FeatureCollection"' in _head(path)
    if kind in ("", TRACKS):
        return path.name in ("man_track.txt", "res_track.txt")
    return own_table(path) is not None or (kind in nifti.SUFFIXES and nifti.holds_labels(path))


def left_out(folder: Path) -> str:
    """Say which images of a DICOM folder are of other formats; "" where there are none."""
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    names = [
        one.name for one in inside
        if one.name.lower().endswith(SUFFIXES) and not one.name.startswith(".")
        and not is_dicom(one) and find_labels(one) is None
    ]  # fmt: skip
    listed = ", ".join(f"'{name}'" for name in names[:3]) + ", ..." * (len(names) > 3)
    return f"only its DICOM images are opened; left out are {listed}" if names else ""


def own_table(path: Path) -> tuple[ObjectTable, dict[str, object]] | None:
    """Read as `table_beside`; None of formats that hold their table themselves."""
    return None if ending(path) in (*OWN_TABLE, TRACKS) else table_beside(path)


def check_output(
    output: Path | None, inputs: Iterable[Path | None] = (), *, force: bool = False,
    columns: Iterable[str] = (),
) -> None:  # fmt: skip
    """Check that a file may be written over.

    Parameters
    ----------
    output : Path or None
        None is nothing to check.
    inputs : iterable of Path or None
        Files that are read; none of them is ever written over.
    force : bool
        Other files may be written over, whoever made them.
    columns : iterable of str
        A .csv with all of these is a table of this program.

    Raises
    ------
    FileTrouble
    """
    if output is None:
        return
    settle(output.parent)
    for path in (one for one in inputs if one is not None):
        places = {one.resolve() for one in (path, find_labels(path)) if one is not None}
        if output.resolve() in places:
            raise FileTrouble(
                f"'{output}' is read and would be lost; choose another name for what is written"
            )
    if output.exists() and not force and not is_ours(output, columns):
        raise FileTrouble(
            f"there is a file '{output}' that napari-seem did not write; choose another name, or "
            "give --force (in Python force=True) to replace it"
        )


def is_ours(path: Path, columns: Iterable[str] = ()) -> bool:
    """Return whether this program wrote labels, or a table of `columns`; an empty file is nobody's.

    The whole of a file of outlines is read, of others the beginning or the table beside.
    """
    kind = format_of(path)
    with suppress(NapariSeemError), reading(path):
        if path.is_dir():
            return VERSION in attributes(path).get("image-label", {})
        if not path.is_file() or not path.stat().st_size:
            return path.is_file()
        if kind == ".zip":
            with zipfile.ZipFile(path) as file, file.open(file.infolist()[0]) as first:
                return VERSION.encode("utf-16-be") in first.read(_HEAD << 4)
        if kind in OUTLINES:
            with path.open("rb") as stream:
                pieces = iter(lambda: stream.read(_HEAD), b"")
                return any(f'"{VERSION}"'.encode() in b"".join(two) for two in pairwise(
                    chain([b""], pieces)))  # fmt: skip
        if path.suffix == ".csv":
            header = set(_head(path).split("\n", 1)[0].strip().split(","))
            return bool(columns) and header.issuperset(columns)
        return table_beside(path) is not None
    return False


def _of_json(path: Path) -> Path | None:
    """Return a COCO file itself, and of a table the label file beside which it lies."""
    head = _head(path)
    if f'"{VERSION}": 1' in head and '"annotations"' not in head:
        stem = path.name.removesuffix(path.suffix)
        about = read_json(path)[1]
        kinds = [e for e in (*WRITTEN, ".txt") if e not in OWN_TABLE]
        there = (path.with_name(stem + e) for e in ("", *kinds))
        return next((one for one in there if one.is_file() and _is_of(one, about)), None)
    coco = any(f'"{key}"' in head for key in ("annotations", "categories", "images"))
    return path if coco else None


def _is_of(path: Path, about: Mapping[str, object]) -> bool:
    """Return whether a table was written beside a file of this format."""
    written = about.get(FILE)
    return written is None or ending(Path(str(written))) == ending(path)


def _head(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as stream:
        return stream.read(_HEAD)
