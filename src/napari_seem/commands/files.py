"""Label documents that no viewer shows: made, opened from files, and saved with their log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import as_path
from ..edits import ObjectTable
from ..io.files import OUTLINES, beside, ending, read_labels, write_labels
from ..io.grid import Grid
from ..io.table import COLOURS, read_json
from ..labels.document import LabelDocument
from ..labels.hosts import ArrayHost
from ..labels.log import Event, log_path, write_log
from ..labels.recorder import Recorder
from ..palette import Palette

if TYPE_CHECKING:
    from ..images import ArraySource


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


def open_document(
    path: str | PathLike[str], grid: Grid | None = None, *, logged: bool = True
) -> LabelDocument:
    """The labels of a file, with their objects and colours, in memory.

    Parameters
    ----------
    path : str or Path
    grid : Grid, optional
        Of the image that they lie on, for formats that need it.
    logged : bool

    Raises
    ------
    FileTrouble, InvalidLabels
        The file can't be read, or lies on another grid.
    """
    path = as_path(path)
    labels, table = read_labels(path, grid)
    palette = Palette.from_dict({"colours": provenance_of(path).get(COLOURS)})
    where = {} if grid is None else grid_values(grid)
    host = ArrayHost(np.array(labels), path.stem, table, palette, where)
    log = Recorder(host.data, path.stem, host.rows(), grid=where) if logged else None
    return LabelDocument(host, log)


def provenance_of(path: str | PathLike[str]) -> dict[str, object]:
    """What the JSON beside a label file says of how the labels came about; empty without one."""
    path = as_path(path)
    side, own = beside(path), ending(path) not in ("", *OUTLINES)
    return read_json(side)[1] if own and side.exists() else {}


@dataclass(frozen=True, eq=False)
class SaveLabels:
    """Labels to be written to a file, with their log beside it; taken from wherever they are.

    Attributes
    ----------
    path : Path
        Its ending names the format.
    labels : integer array-like
    table : ObjectTable
    palette : Palette
    grid : Grid or None
        Of the image that the labels were made on.
    about : mapping
        Provenance of the labels; plain values.
    events : callable
        Gives the lines of the log; none where there is no log.
    """

    path: Path
    labels: Any = field(repr=False)
    table: ObjectTable
    palette: Palette
    grid: Grid | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    events: Callable[[], Sequence[Event]] = list

    def run(self) -> list[Path]:
        """Write the files, all or none, in any thread; gives those that were written.

        Raises
        ------
        InvalidLabels, FileTrouble
            As `napari_seem.io.files.write_labels`; the files that were there are unchanged.
        """
        notes = dict(self.about)
        if self.palette.colours:
            notes[COLOURS] = dict(self.palette.colours)
        events = self.events()
        written = write_labels(self.path, self.labels, self.grid, self.table, notes)
        return [*written, write_log(log_path(written[0]), events)] if events else written


def save_document(
    document: LabelDocument, path: str | PathLike[str], grid: Grid | None = None,
    about: Mapping[str, object] | None = None, *, narrow: bool = False,
) -> list[Path]:  # fmt: skip
    """Write a document, its objects and its log; see `SaveLabels`.

    With `narrow` they are written in 16 bits where that is enough.
    """
    labels = narrowed(document.data) if narrow else document.data
    place = as_path(path)
    return SaveLabels(
        place, labels, document.table, document.host.palette, grid, about or {},
        lambda: log_lines(document, place.name),
    ).run()  # fmt: skip


def log_lines(document: LabelDocument, name: str) -> list[Event]:
    """The lines of a document's log, up to its being saved to a file of that name."""
    log = document.log
    return [] if log is None else log.saved(document.data, name, document.host.rows())


def save_log(document: LabelDocument, path: str | PathLike[str]) -> None:
    """Write a document's log beside a file that its labels were written to."""
    path = as_path(path)
    events = log_lines(document, path.name)
    if events:
        write_log(log_path(path), events)


def grid_values(grid: Grid) -> dict[str, object]:
    """Axes, affine and units of a grid as plain values."""
    return {
        "axes": list(grid.axes), "affine": np.asarray(grid.matrix).tolist(),
        "units": list(grid.units),
    }  # fmt: skip


def narrowed(labels: ArraySource) -> Any:
    """Return labels of any shape in memory in the narrowest of uint16 and uint32 that fits."""
    if not isinstance(labels, np.ndarray) or labels.dtype.itemsize <= 2:
        return labels
    return labels.astype(np.uint16 if int(labels.max(initial=0)) < 1 << 16 else np.uint32)


def labelled_pixels(labels: ArraySource, strip: int = 1024) -> int:
    """Count the pixels of labels (..., H, W) that belong to anything, read strip by strip."""
    return sum(
        int(np.count_nonzero(np.asarray(labels[top : top + strip])))
        for top in range(0, labels.shape[0], strip)
    )
