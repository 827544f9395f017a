"""Findings written into the label file that lies beside an image file, and removed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..edits import Edit, ObjectRecord, check_labels
from ..errors import InvalidLabels
from ..images import MOST_CHANNELS
from ..io.files import open_image, open_labels
from ..io.grid import Grid
from ..io.images import labels_beside
from ..io.writing.whole import settle
from ..labels.document import LabelDocument
from ..labels.hosts import ArrayHost
from ..labels.objects import NewObject
from ..query import Finding
from .files import document_of_labels, new_document, save_document


@dataclass(frozen=True, eq=False)
class FiledFindings:
    """What was written into a label file at once: enough to remove it again.

    Attributes
    ----------
    path : Path
        Of the label file.
    source : Path
        The image's.
    ids : tuple of int or None
        For each finding its id; None where every pixel of it belongs to another object.
    edits : tuple of Edit
        What changed.
    """

    path: Path
    source: Path
    ids: tuple[int | None, ...]
    edits: tuple[Edit, ...] = field(default=(), repr=False)


def labels_of(source: Path) -> Path:
    """Where the labels of an image file are: in the folder `labels` beside it."""
    return labels_beside(source.parent / "labels", source)


def write_findings(
    source: Path, findings: Sequence[Finding], model: str, *, overwrite: bool = False
) -> FiledFindings:
    """Write findings of one image file into its label file, which is made where there is none.

    Parameters
    ----------
    source : Path
        Of the image.
    findings : sequence of Finding
    model : str
        Its name, for the table of objects.
    overwrite : bool
        Take pixels from objects that are there; otherwise they keep theirs.

    Raises
    ------
    FileTrouble, InvalidLabels
        The file can't be read or written, or what is there lies on another grid; it is as it was.
    """
    path = labels_of(source)
    document, grid, about = _present(path, source)
    document = _widened(document, document.next_id() + len(findings))
    ids: list[int | None] = []
    edits: list[Edit] = []
    for one in findings:
        record = ObjectRecord.made(one.word, one.score, model, 1)
        new = NewObject(one.mask, one.corner, document.next_id(), record)
        try:
            with document.listening(lambda change: edits.extend(change.edits)):
                written = document.write_objects(one.place.plane, [new], overwrite=overwrite)
        except InvalidLabels:  # every pixel belongs to another object
            written = []
        ids.append(written[0] if written else None)
    if edits:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_document(document, path, grid, {**about, "image": source.name})
    return FiledFindings(path, source, tuple(ids), tuple(edits))


def remove_findings(written: FiledFindings) -> None:
    """Give the pixels that a write changed, and that nobody changed since, what they had before.

    Raises
    ------
    FileTrouble, InvalidLabels
        As `write_findings`.
    """
    document, grid, about = _present(written.path, written.source)
    with document.transaction("remove findings") as transaction:
        for edit in reversed(written.edits):
            present = np.asarray(document.data[edit.block])
            restored = present.copy()
            values = present[edit.changed]
            restored[edit.changed] = np.where(values == edit.new, edit.old, values)
            transaction.write(Edit.between(edit.offset, present, restored))
        gone = [i for i in written.ids if i is not None and not (document.data == i).any()]
        transaction.set_rows(dict.fromkeys(gone))
    save_document(document, written.path, grid, about)


def _present(path: Path, source: Path) -> tuple[LabelDocument, Grid, Mapping[str, object]]:
    """The labels as they are, or empty ones on the image's grid, and their provenance."""
    settle(path.parent)
    opened = open_image(source)
    grid = opened.grid
    unnamed = opened.channel_axis is None and opened.data.ndim == 3
    if unnamed and grid.ndim == 3 and opened.data.shape[-1] <= MOST_CHANNELS:
        grid = Grid.plain(opened.data.shape[:2])
    if path.exists():
        labels = open_labels(path, grid)
        return document_of_labels(labels, path.stem, logged=False), grid, labels.about
    empty = np.zeros(grid.shape, np.uint16)
    return new_document(empty, path.stem, grid=grid, logged=False), grid, {}


def _widened(document: LabelDocument, highest: int) -> LabelDocument:
    """The document, in a wider type where its own does not hold an id."""
    labels = document.data
    if labels.dtype.kind not in "iu":
        raise InvalidLabels(f"labels of dtype {labels.dtype} cannot hold object ids")
    if highest <= np.iinfo(labels.dtype).max:
        return document
    wider = labels.astype(np.uint32)
    check_labels(wider, highest)
    return LabelDocument(ArrayHost(wider, document.name, document.table, document.host.palette))
