"""Label documents that no viewer shows: made, opened from files, and saved with their log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..io.files import write_labels
from ..io.grid import Grid
from ..io.table import COLOURS
from ..labels.document import LabelDocument
from ..labels.hosts import ArrayHost
from ..labels.log import log_path, write_log
from ..labels.recorder import Recorder


def new_document(
    data: Any, name: str = "", *, grid: Grid | None = None, logged: bool = True,
    empty: bool = True,
) -> LabelDocument:  # fmt: skip
    """A document of an array, with a log.

    Parameters
    ----------
    data : integer array-like, or shape
        A shape makes a new array in memory.
    name : str
    grid : Grid, optional
        Where the labels lie, for the log.
    logged : bool
    empty : bool
        The array holds nothing, and need not be read.
    """
    array = np.zeros(data, np.uint32) if isinstance(data, tuple) else data
    where = {} if grid is None else grid_values(grid)
    host = ArrayHost(array, name, grid=where, undo_bytes=0)
    log = Recorder(array, name, empty=empty, grid=where) if logged else None
    return LabelDocument(host, log, empty=empty)


def save_document(
    document: LabelDocument, path: Path, grid: Grid | None = None,
    about: Mapping[str, Any] | None = None,
) -> list[Path]:  # fmt: skip
    """Write a document in the format of the file's ending, and its log beside; gives the files.

    Parameters
    ----------
    document : LabelDocument
    path : Path
    grid : Grid, optional
        Of the image that the labels were made on.
    about : mapping, optional
        Provenance of the labels; plain values.

    Raises
    ------
    InvalidLabels, FileTrouble
        As `napari_seem.io.files.write_labels`; the files that were there are unchanged.
    """
    notes = dict(about or {})
    colours = document.host.palette.colours
    if colours:
        notes[COLOURS] = dict(colours)
    written = write_labels(path, narrowed(document.data), grid, document.table, notes)
    return [*written, *save_log(document, written[0])]


def save_log(document: LabelDocument, path: Path) -> list[Path]:
    """Write a document's log beside its file; gives the log's path, if there is a log."""
    log = document.log
    if log is None:
        return []
    return [write_log(log_path(path), log.saved(document.data, path.name, document.host.rows()))]


def grid_values(grid: Grid) -> dict[str, Any]:
    """Axes, affine and units of a grid as plain values."""
    return {
        "axes": list(grid.axes), "affine": np.asarray(grid.matrix).tolist(),
        "units": list(grid.units),
    }  # fmt: skip


def narrowed(labels: Any) -> Any:
    """Labels in memory in the narrowest of uint16 and uint32 that holds them."""
    if not isinstance(labels, np.ndarray) or labels.dtype.itemsize <= 2:
        return labels
    return labels.astype(np.uint16 if int(labels.max(initial=0)) < 1 << 16 else np.uint32)


def labelled_pixels(labels: Any, strip: int = 1024) -> int:
    """How many pixels belong to anything; an array on disk is read strip by strip."""
    return sum(
        int(np.count_nonzero(np.asarray(labels[top : top + strip])))
        for top in range(0, labels.shape[0], strip)
    )
