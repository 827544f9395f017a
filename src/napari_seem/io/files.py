"""Image and label files of any format: which format it is, and the files beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import as_path, check_type
from ..edits import ObjectRecord, ObjectTable
from ..errors import FileTrouble, InvalidLabels
from ..images import ArraySource
from . import dicom, geotiff, nifti, ome_zarr, tiff, tracks
from .grid import Grid, LabelsLike, checked_ids
from .opened import Opened
from .table import read_json, write_json
from .whole import replacing

FORMATS: dict[str, tuple[str, ...]] = {
    "NIfTI": (".nii.gz", ".nii"),
    "OME-TIFF": (".ome.tif", ".ome.tiff"),
    "TIFF or GeoTIFF": (".tif", ".tiff"),
    "GeoJSON outlines": (".geojson",),
    "COCO outlines": (".coco.json",),
    "DICOM segmentation": (".dcm",),
    "OME-Zarr labels": (".zarr",),
    "Cell Tracking Challenge": (tracks.TRACKS,),
}
"""Formats of labels -> endings of the file's name."""
OUTLINES = (".geojson", ".coco.json")
"""Endings of formats that hold outlines, not pixels."""
_NO_TABLE = (*OUTLINES, ".zarr")
"""Endings of formats that hold the table of objects themselves."""
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp")


def ending(path: Path) -> str:
    """Return the ending of a file that gives its format; "" for an unknown one."""
    name = path.name.lower()
    known = sorted((e for group in FORMATS.values() for e in group), key=len, reverse=True)
    return next((e for e in known if name.endswith(e)), "")


def beside(path: Path) -> Path:
    """Return the path of a label file's table of objects."""
    kind = ".txt" if ending(path) == tracks.TRACKS else ending(path)
    return path.with_name(path.name[: len(path.name) - len(kind)] + ".json")


def open_image(path: str | PathLike[str], series: str | None = None) -> Opened:
    """Open an image file, or the folder of a DICOM series or an OME-Zarr image.

    Parameters
    ----------
    path : str or Path
    series : str, optional
        Of a DICOM folder with several.

    Raises
    ------
    FileTrouble
        The file is absent, damaged, or of no format that is known here.
    MissingPackage
        The format needs a library that is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> _ = ns.write_labels("a.tif", np.ones((8, 9), np.uint16))
    >>> opened = ns.open_image("a.tif")
    >>> opened.data.shape, opened.grid.shape
    ((8, 9), (8, 9))
    """
    path = as_path(path)
    if not path.exists():
        raise FileTrouble(f"there is no file '{path}'; check its name")
    if ending(path) in OUTLINES:
        raise FileTrouble(f"'{path}' holds outlines and no image; read it by read_labels")
    if ending(path) == tracks.TRACKS:
        return tracks.open_tracks(path)
    if path.is_dir():
        zarr = ome_zarr.is_ome_zarr(path)
        return ome_zarr.open_ome_zarr(path) if zarr else dicom.open_series(path, series)
    name = path.name.lower()
    if name.endswith(nifti.SUFFIXES):
        return nifti.open_nifti(path)
    if name.endswith((".tif", ".tiff")):
        return geotiff.open_geotiff(path) if geotiff.is_geotiff(path) else tiff.open_tiff(path)
    if name.endswith(".dcm"):
        raise FileTrouble(
            f"'{path}' is one DICOM file; open the folder of its series, so that slices get their "
            "places"
        )
    return _open_picture(path)


def write_labels(
    path: str | PathLike[str], labels: ArraySource | LabelsLike, grid: Grid | None = None,
    table: ObjectTable | None = None, about: Mapping[str, object] | None = None,
) -> list[Path]:  # fmt: skip
    """Write labels in the format of the file's ending; all files, or none.

    Parameters
    ----------
    path : str or Path
        With an ending of `FORMATS`. OME-Zarr labels go into the image they belong to where `path`
        is `image.zarr/labels/NAME.zarr` or the image itself (then as "labels").
        `man_track.txt` or `res_track.txt`: tracks of the Cell Tracking Challenge, with a mask for
        every frame.
    labels : integer array-like, or anything that numpy.asarray makes one of
        On the grid: (y, x), (z, y, x) or (t, z, y, x); also a `Labelled` or a `Propagation`.
    grid : Grid, optional
        Of the image they were made on; by default pixels without a place in the world.
    table : ObjectTable, optional
        Names, scores, models; kept in the format's own fields where it has them, else in a JSON
        file beside.
    about : mapping, optional
        Provenance of the labels; plain values.

    Returns
    -------
    list of Path
        The written files.

    Raises
    ------
    InvalidLabels
        They don't lie on the grid, or the format can't hold them.
    FileTrouble
        The disk is full, the folder read-only; the files that were there are unchanged.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from napari_seem.io.files import read_labels, write_labels
    >>> labels = np.zeros((8, 8), np.uint16)
    >>> labels[2:5, 2:5] = 3
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "cells.tif"
    >>> [written.name for written in write_labels(path, labels)]
    ['cells.tif', 'cells.json']
    >>> np.array_equal(read_labels(path)[0], labels)
    True
    """
    path = as_path(path)
    kind = ending(path)
    if not kind:
        listed = ", ".join(e for group in FORMATS.values() for e in group)
        raise InvalidLabels(f"'{path.name}' does not end in a label format; use one of {listed}")
    known, notes = _table_of(labels, table), dict(about or {})
    labels = checked_ids(labels, kind in (".tif", ".tiff", ".zarr"))
    check_type(grid, (Grid, NoneType), "grid", "the grid of the image, such as opened.grid")
    grid = grid or Grid.plain(labels.shape)
    grid.check(labels)
    if kind == ".zarr":
        return [_write_zarr(path, labels, grid, known, notes)]
    finals = [path] if kind in _NO_TABLE else [path, beside(path)]
    _spare_foreign(finals[1:])
    if kind == tracks.TRACKS:
        return tracks.write_tracks(path, np.asarray(labels), grid, known, notes)
    values = np.asarray(labels)
    with replacing(*finals) as parts:
        if kind in nifti.SUFFIXES:
            nifti.write_nifti(parts[0], values, grid)
        elif kind == ".dcm":
            from .dicom_seg import write_dicom_seg

            write_dicom_seg(parts[0], values, grid, known, _version())
        elif kind in OUTLINES:
            _write_outlines(parts[0], kind, values, grid, known, notes)
        elif kind in FORMATS["OME-TIFF"]:
            tiff.write_tiff(parts[0], values, grid, "ome")
        elif grid.format == "geotiff":
            geotiff.write_geotiff(parts[0], values, grid)
        else:
            tiff.write_tiff(parts[0], values, grid, "imagej")
        if len(parts) > 1:
            write_json(parts[1], known, notes)
    return finals


@dataclass
class GrowingLabels:
    """Labels that are written as they come.

    Attributes
    ----------
    array : zarr array on the grid
        To be filled; 0 where nothing was written.
    table, about
        As `write_labels` takes them; read at the end.
    path : Path
        Where they will lie.
    """

    array: Any
    path: Path
    table: ObjectTable = field(default_factory=ObjectTable)
    about: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def growing_labels(
    path: str | PathLike[str], grid: Grid, dtype: npt.DTypeLike = np.uint32
) -> Iterator[GrowingLabels]:
    """Create OME-Zarr labels to be filled in parts; they get their name when the block ends.

    If the block raises, nothing is left, and the file that was there before stays.

    Raises
    ------
    InvalidLabels
        The path has not the ending .zarr, or is an image.
    FileTrouble
        The disk is full, the folder read-only.
    """
    path = as_path(path)
    if ending(path) != ".zarr":
        raise InvalidLabels(f"'{path.name}' can't be written part by part; give a name in .zarr")
    path, home = _zarr_place(path, grid)
    with replacing(path) as (part,):
        levels = ome_zarr.begin_ome_labels(part, grid, dtype)
        growing = GrowingLabels(levels[0], path)
        yield growing
        ome_zarr.coarsen(levels)
        about = {**growing.about, "name": path.name}
        ome_zarr.describe_ome_labels(part, growing.table, about)
    if home is not None:
        ome_zarr.enlist(home, path.name)


def _table_of(labels: object, table: ObjectTable | None) -> ObjectTable:
    """Return the table to write: the given one, or that of what a model found."""
    check_type(table, (ObjectTable, NoneType), "table", "a napari_seem.ObjectTable")
    own = getattr(labels, "objects", None)
    if isinstance(parents := getattr(labels, "parents", None), Mapping):  # of a propagation
        own = ObjectTable({i: ObjectRecord(parent=parent) for i, parent in parents.items()})
    return table or (own if isinstance(own, ObjectTable) else ObjectTable())


def _spare_foreign(tables: Sequence[Path]) -> None:
    """Raise `FileTrouble` where a file that is no table of ours would be replaced."""
    for path in tables:
        if path.exists():
            read_json(path)


def read_labels(
    path: str | PathLike[str], grid: Grid | None = None, *, shape: Sequence[int] | None = None
) -> tuple[ArraySource, ObjectTable]:
    """Read labels and their objects, written by `write_labels` or by other software.

    Parameters
    ----------
    path : str or Path
    grid : Grid, optional
        Of the image, as `open_image(...).grid`; needed for a DICOM segmentation, checked where it
        is given.
    shape : (H, W), optional
        Of the image, for outlines of other software that don't say it.

    Returns
    -------
    labels : integer array-like (y, x), (z, y, x) or (t, z, y, x)
    table : ObjectTable

    Raises
    ------
    FileTrouble
        A damaged file.
    InvalidLabels
        Pixels that are no ids, or labels on another grid.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> table = ns.ObjectTable({1: ns.ObjectRecord("nucleus")})
    >>> _ = ns.write_labels("a.tif", np.ones((8, 9), np.uint16), table=table)
    >>> labels, objects = ns.read_labels("a.tif")
    >>> labels.shape, objects[1].name
    ((8, 9), 'nucleus')
    """
    path = as_path(path)
    kind = ending(path)
    if kind == ".dcm":
        from .dicom_seg import read_dicom_seg

        if grid is None:
            raise InvalidLabels("a DICOM segmentation is read onto its images; open their series")
        labels: ArraySource
        labels, table = read_dicom_seg(path, grid)
    elif kind == tracks.TRACKS:
        labels, table = tracks.read_tracks(path)
    elif path.is_dir():
        labels, table = ome_zarr.read_ome_labels(path)
    elif kind in OUTLINES:
        from .outlines_read import read_outlines

        labels, table = read_outlines(path, kind, grid, shape)
    else:
        labels, table = _read_plain(path)
    side = beside(path)
    if kind not in (*_NO_TABLE, tracks.TRACKS) and not path.is_dir() and side.exists():
        table, _ = read_json(side)
    if shape is not None and tuple(shape) != tuple(labels.shape):
        raise InvalidLabels(
            f"'{path}' holds labels of shape {tuple(labels.shape)}, not {tuple(shape)}; give the "
            "labels that were made on this image"
        )
    (grid or Grid.plain(labels.shape)).check(labels)
    return labels, table


def _read_plain(path: Path) -> tuple[ArraySource, ObjectTable]:
    """Read labels (..., H, W) of an image format."""
    opened = open_image(path)
    if opened.channel_axis is not None:
        raise InvalidLabels(
            f"'{path}' is an image with channels, of shape {tuple(opened.data.shape)}, and holds "
            "no labels; give a file with one integer a pixel"
        )
    return opened.data, ObjectTable()


def _open_picture(path: Path) -> Opened:
    from skimage.io import imread

    try:
        data = np.asarray(imread(path))
    except Exception as error:  # readers of damaged files raise anything
        raise FileTrouble(f"'{path}' can't be read as an image ({error})") from error
    colour = data.ndim == 3 and data.shape[-1] in (2, 3, 4)
    shape = data.shape[:-1] if colour else data.shape
    return Opened(path.stem, (data,), Grid.plain(shape), len(shape) if colour else None)


def _write_outlines(
    path: Path,
    kind: str,
    labels: npt.NDArray[np.integer],
    grid: Grid,
    table: ObjectTable,
    about: Mapping[str, object],
) -> None:
    """Write labels (H, W) as outlines."""
    from .outlines import write_coco, write_geojson

    if kind == ".geojson":
        write_geojson(path, labels, grid, table, about)
    else:
        write_coco(path, labels, table, about)


def _write_zarr(
    path: Path, labels: ArraySource, grid: Grid, table: ObjectTable, about: Mapping[str, object]
) -> Path:
    """Write labels (..., H, W) as a label group into their image, or as a group of its own."""
    path, home = _zarr_place(path, grid)
    with replacing(path) as (part,):
        ome_zarr.write_ome_labels(part, labels, grid, table, {**about, "name": path.name})
    if home is not None:
        ome_zarr.enlist(home, path.name)
    return path


def _zarr_place(path: Path, grid: Grid) -> tuple[Path, Path | None]:
    """Return the path of a label group, and the image that it belongs to, if any."""
    image = grid.native.get("path") if grid.format == "ome-zarr" else None
    home = path.parent.parent if path.parent.name == "labels" else None
    if image is not None and path.resolve() == Path(image).resolve():
        path, home = path / "labels" / "labels", path
    elif home is not None and ome_zarr.is_ome_zarr(home):
        path = path.with_name(path.name.removesuffix(".zarr"))
    else:
        home = None
    if home is None and path.exists() and "image-label" not in _attributes(path):
        raise InvalidLabels(
            f"'{path}' is an image, which labels must not replace; choose another name, or "
            f"'{path}/labels/NAME.zarr' to put them into it"
        )
    path.parent.mkdir(exist_ok=True)
    return path, home


def _attributes(path: Path) -> Mapping[str, object]:
    return ome_zarr.attributes(path) if ome_zarr.is_ome_zarr(path) else {}


def _version() -> str:
    from .. import __version__

    return __version__
