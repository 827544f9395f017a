"""Transactions of a label document, and the changes that they make."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from ..edits import Edit, ObjectRecord, ObjectTable
from ..palette import Palette
from ..planes import Plane
from .hosts import LabelHost
from .log import Event
from .undo import Block, Index, planes_in

K = TypeVar("K")
V = TypeVar("V")
Rows = Mapping[int, tuple[ObjectRecord | None, ObjectRecord | None]]
Colours = Mapping[str, tuple[str | None, str | None]]


@dataclass(frozen=True, eq=False)
class Change:
    """What was done to a label array, undone or redone.

    Attributes
    ----------
    title : str
        What it is called in "undo ..." and "redo ...".
    state : "done", "undone" or "redone"
    uid : str
        The same for one transaction when it is done, undone and redone; "" for strokes.
    edits : tuple of Edit
        Changed pixels, in the order they were written; only where `state` is "done".
    rows : mapping of int to (ObjectRecord or None, ObjectRecord or None)
        Rows of the table that changed, before and after the transaction; None for no row.
    colours : mapping of str to (str or None, str or None)
        Colours of classes that changed, before and after.
    planes : frozenset of tuple of int
        Planes, along all axes but the last two, in which pixels changed.
    """

    title: str
    state: Literal["done", "undone", "redone"] = "done"
    uid: str = ""
    edits: tuple[Edit, ...] = field(default=(), repr=False)
    rows: Rows = field(default_factory=dict)
    colours: Colours = field(default_factory=dict)
    planes: frozenset[Index] = frozenset()

    @property
    def pixels(self) -> int:
        """How many pixels changed."""
        return sum(edit.count for edit in self.edits)


class Transaction:
    """Changes that are made, logged, undone and redone together.

    Attributes
    ----------
    entry : dict
        The line of the log; more can be added until the transaction ends.
    """

    def __init__(self, host: LabelHost, entry: Mapping[str, object]) -> None:
        self.entry: Event = dict(entry)
        self.edits: list[Edit] = []
        self._blocks: list[Block] = []
        self._host = host
        self._rows: dict[int, ObjectRecord | None] = {}
        self._palette: Palette | None = None

    def write(self, edit: Edit) -> None:
        """Change pixels."""
        if edit.count:
            self.edits.append(edit)
            self._host.undo.write(edit)

    def write_block(self, block: Block, values: npt.NDArray[np.integer]) -> None:
        """Replace a block of labels on disk by integers (..., H, W) of its shape, without undo."""
        self._blocks.append(block)
        self._host.write_block(block, values)

    def set_rows(self, rows: Mapping[int, ObjectRecord | None]) -> None:
        """Replace rows of the table; None removes one."""
        self._rows.update(rows)

    def set_colours(self, colours: Mapping[str, str | None]) -> None:
        """Change colours of classes; None forgets one."""
        self._palette = (self._palette or self._host.palette).changed(colours)

    @property
    def can_be_undone(self) -> bool:
        """Whether all that it changed is kept."""
        return not self._blocks

    @property
    def highest(self) -> int:
        """The highest id that it wrote without a row for it."""
        ends = [(int(e.new.min()), int(e.new.max())) for e in self.edits]
        return max((b for a, b in ends if a != b or b not in self._rows), default=0)

    @property
    def planes(self) -> frozenset[Index]:
        """Planes in which pixels changed."""
        return planes_in([*(edit.block for edit in self.edits), *self._blocks])

    def finish(self) -> None:
        """Write rows and colours."""
        if self._palette is not None:
            self._host.write_palette(self._palette)
        if self._rows:
            self._host.write_table(with_rows(self._host.read_table(), self._rows))


def change_made(
    title: str, transaction: Transaction, table: ObjectTable, palette: Palette, host: LabelHost
) -> Change | None:
    """What a transaction did, compared with the table and palette before it."""
    rows = differences(dict(table.items()), dict(host.read_table().items()))
    colours = differences(palette.colours, host.palette.colours)
    planes = transaction.planes
    if not (rows or colours or planes):
        return None
    return Change(title, "done", new_uid(), tuple(transaction.edits), rows, colours, planes)


def plane_edit(
    plane: Plane,
    present: npt.NDArray[np.integer],
    wanted: npt.NDArray[np.integer],
    dtype: npt.DTypeLike,
) -> Edit:
    """The edit that replaces a plane's labels (H, W)."""
    offset, _ = plane.place(np.zeros((1, 1), bool))
    old, new = (plane.place(v, (0, 0))[1].astype(dtype) for v in (present, wanted))
    return Edit.between(offset, old, new)


def with_rows(table: ObjectTable, rows: Mapping[int, ObjectRecord | None]) -> ObjectTable:
    """A table in which some rows are others; None removes one."""
    for label_id, record in rows.items():
        if record is None:
            table.remove(label_id)
        else:
            table[label_id] = record
    return table


def differences(before: Mapping[K, V], after: Mapping[K, V]) -> dict[K, tuple[V | None, V | None]]:
    """What differs between two mappings: key -> (before, after), None for absent."""
    keys = [*before, *(key for key in after if key not in before)]
    pairs = ((key, before.get(key), after.get(key)) for key in keys)
    return {key: (one, other) for key, one, other in pairs if one is not other and one != other}


def new_uid() -> str:
    """A short identifier that is unlike any other."""
    return uuid.uuid4().hex[:12]
