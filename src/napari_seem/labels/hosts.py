"""Where the pixels, the object table and the palette of a label document are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..edits import Edit, ObjectTable, check_writable
from ..io.table import rows_of
from ..io.zarr.label_store import LabelStore
from ..palette import Palette
from ..values import JsonObject
from .undo import Block, StackUndo, UndoBackend, UndoStack

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..images import WritableArray


class LabelHost(Protocol):
    """Keeps what a `LabelDocument` changes; only the document writes to it."""

    @property
    def name(self) -> str:
        """The name of the labels."""

    @property
    def store(self) -> LabelStore | None:
        """The folder that the pixels lie in, if they do."""

    @property
    def data(self) -> WritableArray:
        """The label array: integers, array-like, two axes or more."""

    @property
    def undo(self) -> UndoBackend:
        """Writes pixels and takes that back."""

    @property
    def palette(self) -> Palette:
        """Colours of classes."""

    @property
    def grid(self) -> Mapping[str, object]:
        """Axes, affine and units as plain values; empty where nobody knows."""

    def read_table(self) -> ObjectTable:
        """The table of objects."""

    def rows(self) -> dict[str, dict[str, object]]:
        """The table as plain values for the log: id as text -> row."""

    def write_table(self, table: ObjectTable, other_columns: object = None) -> None:
        """Replace the table; `other_columns` are those of rows that come back."""

    def other_columns(self, ids: object = None) -> DataFrame | None:
        """Columns that other programs keep with some rows, or all; None where there are none."""

    def write_palette(self, palette: Palette) -> None:
        """Replace the palette."""

    def read_note(self, key: str) -> Any:
        """Plain values that are kept with the labels, or None."""

    def write_note(self, key: str, value: object) -> None:
        """Keep plain values with the labels."""

    def check_writable(self) -> None:
        """Raise `InvalidLabels` where pixels can't be changed."""

    def write_block(self, block: Block, values: object) -> None:
        """Replace a block of pixels without undo; only where there is a `store`."""

    def refresh(self) -> None:
        """Show what changed."""


class ArrayHost:
    """Labels in memory, or in a folder, that no viewer shows.

    Parameters
    ----------
    data : integer array (..., H, W) or LabelStore
        numpy, zarr, or anything else that slices and can be written.
    name : str
    table : ObjectTable, optional
    palette : Palette, optional
    grid : mapping, optional
        Axes, affine and units as plain values.
    undo_bytes : int
        Of memory for undo; the last step can be undone in any case.
    """

    def __init__(
        self, data: WritableArray | LabelStore, name: str = "", table: ObjectTable | None = None,
        palette: Palette | None = None, grid: Mapping[str, object] | None = None,
        undo_bytes: int = 256 << 20,
    ) -> None:  # fmt: skip
        self.name = name
        self.store = data if isinstance(data, LabelStore) else None
        self.data = data.array if isinstance(data, LabelStore) else data
        self.palette = palette or Palette()
        self.grid: Mapping[str, object] = dict(grid or {})
        self.undo: UndoBackend = StackUndo(self.data, self._change, UndoStack(undo_bytes))
        self._table = table or ObjectTable()
        self._notes: JsonObject = {}

    def read_table(self) -> ObjectTable:
        """As of `LabelHost`."""
        return ObjectTable(dict(self._table.items()))

    def rows(self) -> dict[str, dict[str, object]]:
        """As of `LabelHost`."""
        return {str(row.pop("index")): row for row in rows_of(self._table)}

    def write_table(self, table: ObjectTable, other_columns: object = None) -> None:
        """As of `LabelHost`."""
        self._table = ObjectTable(dict(table.items()))
        self._describe(ends=True)

    def other_columns(self, ids: object = None) -> DataFrame | None:
        """No other program keeps anything here."""
        return None

    def write_palette(self, palette: Palette) -> None:
        """As of `LabelHost`."""
        self.palette = palette
        self._describe()

    def read_note(self, key: str) -> object:
        """As of `LabelHost`."""
        return self._notes.get(key)

    def write_note(self, key: str, value: object) -> None:
        """As of `LabelHost`."""
        self._notes[key] = value

    def check_writable(self) -> None:
        """As of `LabelHost`."""
        check_writable(self.data)

    def write_block(self, block: Block, values: object) -> None:
        """As of `LabelHost`."""
        if self.store is not None:
            self.store.write(block, np.asarray(values))
        else:
            self.data[block] = np.asarray(values).astype(self.data.dtype)

    def refresh(self) -> None:
        """Nobody looks; what lies in a folder is whole."""
        if self.store is not None:
            self.store.settle()

    def _change(self, edit: Edit, *, back: bool = False) -> None:
        if self.store is not None:
            self.store.change_whole(edit, back=back)
        else:
            edit.write(self.data, back=back)

    def _describe(self, *, ends: bool = False) -> None:
        """Keep table and colours beside the pixels in a folder."""
        if self.store is not None:
            self.store.describe(self._table, self.palette.to_dict(), ends=ends)
