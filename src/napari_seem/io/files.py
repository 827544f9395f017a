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
from . import dicom, geotiff, ids, nifti, pictures, tiff, tracks
from .formats import (
    FORMATS,
    OUTLINES,
    OWN_TABLE,
    ROIS,
    TRACKS,
    WRITTEN,
    ending,
    find_labels,
    format_of,
    left_out,
    own_table,
    place_of_table,
    stem_of,
)
from .grid import Grid, LabelsLike, arranged, checked_ids, ids_in, named_axes
from .guard import guarded
from .opened import Opened, OpenedLabels
from .table import FILE, GRID, write_json
from .writing.whole import replacing, settle
from .zarr.labels import write_zarr
from .zarr.read import is_ome_zarr, open_ome_zarr, read_ome_labels

LOG = logging.getLogger(__name__)


@guarded
def open_image(
    path: str | PathLike[str], series: str | None = None, *, as_stored: bool = False
) -> Opened:
    """Open an image file, or the folder of a DICOM series or an OME-Zarr image.

    Of DICOM also one file, of any ending, with one or several frames, or a DICOMDIR.

    Parameters
    ----------
    path : str or Path
    series : str, optional
        Of DICOM with several images its key, as the error without it lists them; the number or
        name of one of several images of a TIFF.
    as_stored : bool
        Leave palettes, inverted grays, nodata and the EXIF orientation of TIFF and pictures as the
        file holds them. By default they are opened as people see them.

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
    opened = _open(as_path(path), series, as_stored)
    if warning := opened.about.get("warning"):
        LOG.warning("%s: %s", path, warning)
    return opened


@guarded
def series_of(path: str | PathLike[str]) -> dict[str, str]:
    """Return the images among which a person may choose: `series` of `open_image` -> description.

    They are the series of a DICOM folder or medium, the stacks of a DICOM file, or the images of a
    TIFF without labels and thumbnails; none for files of other kinds.
    """
    path = as_path(path)
    if is_ome_zarr(path):
        return {}
    if dicom.may_be(path):
        found = dicom.series_in(path)
        return {uid: dicom.describe(frames) for uid, frames in found.items()}
    nifty = path.name.lower().endswith(nifti.SUFFIXES)
    return (
        {} if nifty or not tiff.is_tiff(path) or geotiff.has_place(path) else tiff.series_of(path)
    )


def _open(path: Path, series: str | None, as_stored: bool) -> Opened:
    """Open a file as what its ending or its beginning says it is."""
    if ending(path) in OUTLINES:
        raise FileTrouble(f"'{path}' holds outlines and no image; read it by read_labels")
    if ending(path) == TRACKS:
        return tracks.open_tracks(path)
    if is_ome_zarr(path):
        return open_ome_zarr(path)
    if path.name.lower().endswith(nifti.SUFFIXES) or nifti.is_pair(path):
        return nifti.open_nifti(path)
    if dicom.may_be(path):
        opened = dicom.open_series(path, series)
        notes = [note for note in (opened.about.get("warning"), left_out(path)) if note]
        about = {**opened.about, "warning": "; ".join(notes)} if notes else opened.about
        return replace(opened, about=about)
    if geotiff.has_place(path):
        return geotiff.open_geotiff(path, as_stored)
    pictures.refuse_others(path)
    if tiff.is_tiff(path):
        opened = tiff.open_tiff(path, series, as_stored)
    else:
        opened = pictures.open_picture(path, as_stored)
    return geotiff.without_place(path, opened)


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
    return write_with(path, labels, grid, table, about, {}, progress=progress)


def write_with(
    path: str | PathLike[str], labels: ArraySource | LabelsLike, grid: Grid | None,
    table: ObjectTable | None, about: Mapping[str, object] | None, texts: Mapping[Path, str], *,
    progress: bool | Progress | None = None,
) -> list[Path]:  # fmt: skip
    """Write labels (..., H, W) as `write_labels`, and in the same step the texts of other files."""
    path = as_path(path)
    kind = ending(path)
    if kind not in WRITTEN:
        raise InvalidLabels(
            f"'{path.name}' does not end in a label format; use one of {', '.join(WRITTEN)}"
        )
    settle(path.parent)
    known, notes = _table_of(labels, table), dict(about or {})
    labels = checked_ids(labels, kind in (".tif", ".tiff", ".zarr"))
    check_type(grid, (Grid, NoneType), "grid", "the grid of the image, such as opened.grid")
    grid = grid or Grid.plain(labels.shape)
    grid.check(labels)
    if kind == ".zarr":
        return [write_zarr(path, labels, grid, known, notes, progress, texts)]
    known = _with_all_rows(path, labels, grid, known)
    notes |= {FILE: path.name, GRID: grid.to_dict()}
    values = np.asarray(checked_ids(np.asarray(labels), kind in (".tif", ".tiff")))
    if kind == TRACKS:
        return tracks.write_tracks(path, *arranged(values, grid), known, notes, texts)
    finals = [path] if kind in OWN_TABLE else [path, place_of_table(path)]
    told = reporting(progress, 1, f"write {path.name}")
    with told as report, replacing(*finals, texts=texts) as parts:
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


@guarded
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
    written = about.pop(GRID, None)
    if kind not in OUTLINES:
        axes = named_axes(written) if grid is None else grid.axes
        opened = opened.fitted(axes, shape if grid is None else grid.shape)
    labels = opened.data
    if shape is not None and tuple(shape) != tuple(labels.shape):
        raise InvalidLabels(
            f"'{path}' holds labels of shape {tuple(labels.shape)}, not {tuple(shape)}; give "
            "labels on the image's own grid"
        )
    own = opened.grid
    about.pop(FILE, None)
    bare = own.format == "tiff" or (kind == ".dcm" and set(own.units) == {"pixel"})
    if kind in OUTLINES or bare:  # which can't hold a place themselves
        own = own.placed_by(written)
    (grid or own).check(labels)
    return replace(opened, table=table, about=about, grid=grid or own)


def _open_labels(
    path: Path, kind: str, grid: Grid | None, shape: Sequence[int] | None
) -> OpenedLabels:
    """Open what the label file itself holds."""
    name = stem_of(path)
    if kind == ".dcm":
        from .dicom.segmentation import read_dicom_seg

        labels, table, own, note = read_dicom_seg(path, grid)
        return OpenedLabels(name, labels, table, own, note=note)
    if kind == TRACKS:
        return tracks.read_tracks(path)
    if path.is_dir():
        group, table, about = read_ome_labels(path)
        found = ids.as_labels(path, group, name)
        levels = group.levels if found.data is group.data else ()
        return replace(
            found, table=table or found.table, about={**found.about, **about}, levels=levels
        )
    if kind in OUTLINES:
        from .outlines.read import read_outlines
        from .outlines.roi_sets import read_roi_set

        read = read_roi_set(path, grid, shape) if kind in ROIS else read_outlines(
            path, kind, grid, shape)  # fmt: skip
        return OpenedLabels(name, read[0], read[1], Grid.plain(read[0].shape), read[2])
    return ids.open_palette(path) or ids.as_labels(path, open_image(path, as_stored=True), name)


def _write_outlines(
    path: Path,
    kind: str,
    labels: npt.NDArray[np.integer],
    grid: Grid,
    table: ObjectTable,
    about: Mapping[str, object],
) -> None:
    """Write labels (H, W) as outlines, in a ROI set also (..., H, W)."""
    from .outlines.roi_sets import write_roi_set
    from .outlines.write import write_coco, write_geojson

    if kind in ROIS:
        write_roi_set(path, labels, table, about)
    elif kind == ".geojson":
        write_geojson(path, labels, grid, table, about)
    else:
        write_coco(path, labels, table, about)


def _version() -> str:
    from .. import __version__

    return __version__
