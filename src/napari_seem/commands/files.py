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
from ..io.files import open_labels, write_with
from ..io.grid import Grid
from ..io.opened import OpenedLabels
from ..io.zarr.labels import place_of
from ..labels.document import LabelDocument
from ..labels.hosts import ArrayHost
from ..labels.log import Event, log_path, log_text
from ..labels.recorder import Recorder
from ..palette import Palette
from ..progress import Progress

if TYPE_CHECKING:
    from ..images import ArraySource, WritableArray
    from ..io.zarr.labels import GrowingLabels


def new_document(
    data: WritableArray | tuple[int, ...], name: str = "", *, grid: Grid | None = None,
    logged: bool = True, empty: bool = True, known: OpenedLabels | None = None,
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
    known : OpenedLabels, optional
        The array holds these labels already, whose objects and colours the document takes over.
    """
    array = np.zeros(data, np.uint32) if isinstance(data, tuple) else data
    table, palette = None, None
    if known is not None:
        table, palette, empty = known.table, Palette.from_dict(known.about), False
    where = {} if grid is None else grid.to_dict()
    host = ArrayHost(array, name, table, palette, where, undo_bytes=0)
    log = Recorder(array, name, host.rows(), empty=empty, grid=where) if logged else None
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
    return document_of_labels(open_labels(path, grid), path.stem, logged=logged)


def document_of_labels(opened: OpenedLabels, name: str, *, logged: bool = True) -> LabelDocument:
    """A document of labels from a file, in memory, with their objects and colours."""
    where = opened.grid.to_dict()
    palette = Palette.from_dict(opened.about)
    host = ArrayHost(np.array(opened.data), name, opened.table, palette, where)
    log = Recorder(host.data, name, host.rows(), grid=where) if logged else None
    return LabelDocument(host, log)


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
    written : callable
        Told the file once it is written, in the thread that wrote it.
    """

    path: Path
    labels: Any = field(repr=False)
    table: ObjectTable
    palette: Palette
    grid: Grid | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    events: Callable[[], Sequence[Event]] = list
    written: Callable[[Path], None] = lambda _: None

    def run(self, progress: bool | Progress | None = None) -> list[Path]:
        """Write the files, all or none, in any thread; gives those that were written.

        Parameters
        ----------
        progress : bool or callable, optional
            As of `napari_seem.io.files.write_labels`.

        Raises
        ------
        InvalidLabels, FileTrouble
            As `napari_seem.io.files.write_labels`; the files that were there are unchanged.
        """
        notes = dict(self.about)
        if self.palette != Palette():
            notes |= self.palette.to_dict()
        texts = _log_of(place_of(self.path, self.grid), self.events())
        written = write_with(
            self.path, self.labels, self.grid, self.table, notes, texts, progress=progress
        )  # fmt: skip
        self.written(written[0])
        return [*written, *texts]


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


def end_growing(
    growing: GrowingLabels, document: LabelDocument, about: Mapping[str, object]
) -> None:
    """Give labels that grew in a folder their objects, provenance and log, within their block."""
    growing.table, growing.about = document.table, about
    growing.texts |= _log_of(growing.path, log_lines(document, growing.path.name))


def _log_of(path: Path, events: Sequence[Event]) -> dict[Path, str]:
    """The log to write along with labels: its path and its text, or nothing."""
    return {log_path(path): log_text(log_path(path), events)} if events else {}


def narrowed(labels: ArraySource) -> ArraySource:
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
