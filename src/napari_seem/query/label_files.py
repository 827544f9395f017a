"""Findings written into the label file that lies beside an image file, and taken out again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..edits import Edit, ObjectRecord, ObjectTable, check_labels
from ..errors import InvalidLabels
from ..io.files import beside, ending, open_image, read_labels, write_labels
from ..io.grid import Grid
from ..io.images import MOST_CHANNELS, labels_beside
from ..io.table import read_json
from .finding import Finding


@dataclass(frozen=True, eq=False)
class LabelFile:
    """What one write put into a label file: enough to take it out again.

    Attributes
    ----------
    path : Path
        Of the label file.
    source : Path
        The image's.
    edits : tuple of (int or None, Edit)
        For each finding its id and what changed; None and nothing where every pixel of it
        belongs to another object.
    """

    path: Path
    source: Path
    edits: tuple[tuple[int | None, Edit | None], ...] = field(repr=False)

    @property
    def ids(self) -> list[int | None]:
        """The findings' ids."""
        return [label_id for label_id, _ in self.edits]


def labels_of(source: Path) -> Path:
    """Where the labels of an image file are: in the folder `labels` beside it."""
    return labels_beside(source.parent / "labels", source)


def added(
    source: Path, findings: Sequence[Finding], model: str, *, overwrite: bool = False
) -> LabelFile:
    """Write findings of one image file into its label file, which is made where there is none.

    Parameters
    ----------
    source : Path
        Of the image.
    findings : sequence of Finding
    model : str
        Its name, for the table of objects.
    overwrite : bool
        Take pixels from objects that are there; otherwise theirs stay theirs.

    Raises
    ------
    FileTrouble, InvalidLabels
        The file can't be read or written, or what is there lies on another grid; it is as it was.
    """
    path = labels_of(source)
    labels, table, grid, about = _present(path, source)
    highest = max([int(labels.max(initial=0)), *(label_id for label_id, _ in table.items())])
    labels = _wide_enough(labels, highest + len(findings))
    edits: list[tuple[int | None, Edit | None]] = []
    for one in findings:
        offset, block = one.place.plane.place(one.mask, one.corner)
        edit = Edit.from_mask(labels, block, highest + 1, offset, overwrite=overwrite)
        if not edit.count:
            edits.append((None, None))
            continue
        highest += 1
        edit.apply(labels)
        table[highest] = ObjectRecord.made(one.word, one.score, model, 1)
        edits.append((highest, edit))
    if any(edit is not None for _, edit in edits):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_labels(path, labels, grid, table, {**about, "image": source.name})
    return LabelFile(path, source, tuple(edits))


def taken_out(written: LabelFile) -> None:
    """Give the pixels that a write changed, and that nobody changed since, what they had before.

    Raises
    ------
    FileTrouble, InvalidLabels
        As `added`.
    """
    labels, table, grid, about = _present(written.path, written.source)
    for label_id, edit in reversed(written.edits):
        if edit is None or label_id is None:
            continue
        part = labels[edit.block]
        values = part[edit.changed]
        part[edit.changed] = np.where(values == edit.new, edit.old, values)
        if not (labels == label_id).any():
            table.remove(label_id)
    write_labels(written.path, labels, grid, table, about)


def _present(
    path: Path, source: Path
) -> tuple[npt.NDArray[Any], ObjectTable, Grid, dict[str, Any]]:
    """Labels, table, grid and notes as they are, or empty ones on the image's grid."""
    opened = open_image(source)
    grid = opened.grid
    unnamed = opened.channel_axis is None and opened.data.ndim == 3
    if unnamed and grid.ndim == 3 and opened.data.shape[-1] <= MOST_CHANNELS:
        grid = Grid.plain(opened.data.shape[:2])
    if not path.exists():
        return np.zeros(grid.shape, np.uint16), ObjectTable(), grid, {}
    labels, table = read_labels(path, grid)
    side = beside(path)
    about = read_json(side)[1] if ending(path) and side.exists() else {}
    about.pop("napari-seem", None)
    return np.array(labels), table, grid, about


def _wide_enough(labels: npt.NDArray[Any], highest: int) -> npt.NDArray[Any]:
    if labels.dtype.kind not in "iu":
        raise InvalidLabels(f"labels of dtype {labels.dtype} cannot hold object ids")
    if highest > np.iinfo(labels.dtype).max:
        labels = labels.astype(np.uint32)
    check_labels(labels, highest)
    return labels
