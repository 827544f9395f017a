"""Image and label files of any format: which format it is, and the files beside it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from types import NoneType

import numpy as np
import numpy.typing as npt

from ..checks import as_path, check_type
from ..edits import ObjectRecord, ObjectTable
from ..errors import FileTrouble, InvalidLabels, NapariSeemError
from ..images import ArraySource
from ..progress import Progress, reporting
from . import dicom, geotiff, nifti, ome_zarr, tiff, tracks
from .formats import (
    FORMATS,
    OUTLINES,
    OWN_TABLE,
    ROIS,
    TRACKS,
    WRITTEN,
    beside,
    ending,
    find_labels,
    format_of,
    own_table,
)
from .grid import Grid, LabelsLike, checked_ids, ids_in
from .opened import Opened, OpenedLabels
from .table import FILE, GRID, read_json, write_json
from .whole import replacing
from .zarr_labels import write_zarr

LOG = logging.getLogger(__name__)


def open_image(path: str | PathLike[str], series: str | None = None) -> Opened:
    """Open an image file, or the folder of a DICOM series or an OME-Zarr image.

    Of DICOM also one file, of any ending, with one or several frames, or a DICOMDIR.

    Parameters
    ----------
    path : str or Path
    series : str, optional
        Of DICOM with several: its UID, as the error without it lists them.

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
    if ending(path) == TRACKS:
        return tracks.open_tracks(path)
    if path.is_dir():
        zarr = ome_zarr.is_ome_zarr(path)
        return ome_zarr.open_ome_zarr(path) if zarr else dicom.open_series(path, series)
    name = path.name.lower()
    if name.endswith(nifti.SUFFIXES):
        return nifti.open_nifti(path)
    if name.endswith((".tif", ".tiff")):
        return geotiff.open_geotiff(path) if geotiff.is_geotiff(path) else tiff.open_tiff(path)
    if name.endswith(dicom.NAMES) or dicom.is_dicom(path):
        return dicom.open_series(path, series)
    return _open_picture(path)


def write_labels(
    path: str | PathLike[str], labels: ArraySource | LabelsLike, grid: Grid | None = None,
    table: ObjectTable | None = None, about: Mapping[str, object] | None = None, *,
    progress: bool | Progress | None = None,
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
    progress : bool or callable, optional
        True shows a bar; a callable gets steps done, steps in all, and what is done. An exception
        that it raises, the last time before the files are put in place, leaves those that were
        there.

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
    if kind not in WRITTEN:
        raise InvalidLabels(
            f"'{path.name}' does not end in a label format; use one of {', '.join(WRITTEN)}"
        )
    known, notes = _table_of(labels, table), dict(about or {})
    labels = checked_ids(labels, kind in (".tif", ".tiff", ".zarr"))
    check_type(grid, (Grid, NoneType), "grid", "the grid of the image, such as opened.grid")
    grid = grid or Grid.plain(labels.shape)
    grid.check(labels)
    if kind == ".zarr":
        return [write_zarr(path, labels, grid, known, notes, progress)]
    known = _with_all_rows(path, labels, grid, known)
    notes |= {FILE: path.name, GRID: grid.to_dict()}
    finals = [path] if kind in OWN_TABLE else [path, beside(path)]
    _spare_foreign(finals[1:])
    if kind == TRACKS:
        return tracks.write_tracks(path, np.asarray(labels), grid, known, notes)
    values = np.asarray(labels)
    told = reporting(progress, 1, f"write {path.name}")
    with told as report, replacing(*finals) as parts:
        if kind in nifti.SUFFIXES:
            nifti.write_nifti(parts[0], values, grid)
        elif kind == ".dcm":
            from .dicom.seg_write import write_dicom_seg

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
        report(1)
    return finals


def _table_of(labels: object, table: ObjectTable | None) -> ObjectTable:
    """Return the table to write: the given one, or that of what a model found."""
    check_type(table, (ObjectTable, NoneType), "table", "a napari_seem.ObjectTable")
    own = getattr(labels, "objects", None)
    if isinstance(parents := getattr(labels, "parents", None), Mapping):  # of a propagation
        own = ObjectTable({i: ObjectRecord(parent=parent) for i, parent in parents.items()})
    return table or (own if isinstance(own, ObjectTable) else ObjectTable())


def _with_all_rows(path: Path, labels: ArraySource, grid: Grid, table: ObjectTable) -> ObjectTable:
    """Add rows of objects that `labels` (..., H, W) in memory hold and that the table lacks.

    They are those of the file that is replaced, where it has the object at the same place: labels
    that another program, or napari itself, made of the file's numbers have no names.
    """
    if not isinstance(labels, np.ndarray):
        return table
    unknown = ids_in(labels) - set(table)
    if not unknown:
        return table
    fresh = {label_id: ObjectRecord() for label_id in unknown}
    try:
        old = open_labels(path, grid) if find_labels(path) == path else None
    except NapariSeemError:  # damaged, or labels of another image
        old = None
    lost = sorted(unknown & set(old.table)) if old is not None else []
    if old is not None and lost and tuple(old.data.shape) == labels.shape:
        alike = labels[labels == np.asarray(old.data)]
        kept = ids_in(alike[np.isin(alike, lost)])
        LOG.info("%s: objects %s keep their rows of the table", path, sorted(kept))
        fresh |= {label_id: old.table[label_id] for label_id in kept}
    return ObjectTable({**dict(table.items()), **fresh})


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
        Of a file or folder; the JSON beside a label file leads to it.
    grid : Grid, optional
        Of the image, as `open_image(...).grid`; checked where it is given. Without it a DICOM
        segmentation has no more slices than its file.
    shape : tuple of int, optional
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
    opened = open_labels(path, grid, shape=shape)
    return opened.data, opened.table


def open_labels(
    path: str | PathLike[str], grid: Grid | None = None, *, shape: Sequence[int] | None = None
) -> OpenedLabels:
    """Open labels with all that is known of them; parameters and errors as of `read_labels`."""
    path = as_path(path)
    if format_of(path) == ".coco.json":  # it may be the table beside a label file
        path = find_labels(path) or path
    kind = format_of(path)
    opened = _open_labels(path, kind, grid, shape)
    table, about = opened.table, dict(opened.about)
    if (filed := own_table(path)) is not None:
        table, about = filed
    labels = opened.data
    if shape is not None and tuple(shape) != tuple(labels.shape):
        raise InvalidLabels(
            f"'{path}' holds labels of shape {tuple(labels.shape)}, not {tuple(shape)}; give "
            "labels on the image's own grid"
        )
    written, own = about.pop(GRID, None), opened.grid
    about.pop(FILE, None)
    if kind in OUTLINES or own.format == "tiff":  # which can't hold an affine themselves
        own = own.placed_by(written)
    (grid or own).check(labels)
    return replace(opened, table=table, about=about, grid=grid or own)


def _open_labels(
    path: Path, kind: str, grid: Grid | None, shape: Sequence[int] | None
) -> OpenedLabels:
    """Open what the label file itself holds."""
    name = path.name[: len(path.name) - len(kind)] if path.name.endswith(kind) else path.stem
    if kind == ".dcm":
        from .dicom.segmentation import read_dicom_seg

        return OpenedLabels(name, *read_dicom_seg(path, grid))
    if kind == TRACKS:
        return tracks.read_tracks(path)
    if path.is_dir():
        group, table, about = ome_zarr.read_ome_labels(path)
        return OpenedLabels(name, group.data, table, group.grid, about, group.levels)
    if kind in OUTLINES:
        from .outlines_read import read_outlines
        from .roi_sets import read_roi_set

        read = read_roi_set(path, grid, shape) if kind in ROIS else read_outlines(
            path, kind, grid, shape)  # fmt: skip
        return OpenedLabels(name, read[0], read[1], Grid.plain(read[0].shape), read[2])
    image = open_image(path)
    if image.channel_axis is not None:
        raise InvalidLabels(
            f"'{path}' is an image with channels, of shape {tuple(image.data.shape)}, and holds "
            "no labels; give a file with one integer a pixel"
        )
    return OpenedLabels(name, image.data, ObjectTable(), image.grid)


def _open_picture(path: Path) -> Opened:
    from skimage.io import imread

    try:
        data = np.asarray(imread(path))
    except Exception as error:  # readers of damaged files raise anything
        why = (str(error).splitlines() or ["damaged"])[0]
        raise FileTrouble(f"'{path}' can't be read as an image ({why})") from error
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
    """Write labels (H, W) as outlines, in a ROI set also (..., H, W)."""
    from .outlines import write_coco, write_geojson
    from .roi_sets import write_roi_set

    if kind in ROIS:
        write_roi_set(path, labels, table, about)
    elif kind == ".geojson":
        write_geojson(path, labels, grid, table, about)
    else:
        write_coco(path, labels, table, about)


def _version() -> str:
    from .. import __version__

    return __version__
