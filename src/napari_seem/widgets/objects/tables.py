"""What the tables of the Objects dock show: classes, and the objects of the chosen ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSortFilterProxyModel, Qt, Signal
from qtpy.QtGui import QColor, QFont

from ...edits import NO_CLASS, ObjectRecord
from ...labels.census import Found

HEADERS = "Id", "Name", "Score", "Plane", "Pixels"
SHOWN = Qt.ItemDataRole.DisplayRole
SORT = Qt.ItemDataRole.UserRole
NAMELESS = "(no name)"


@dataclass(frozen=True)
class ClassRow:
    """A class as it is listed: how many objects, in which colour."""

    name: str
    count: int
    colour: str


@dataclass(frozen=True)
class ObjectRow:
    """An object as it is listed; `found` is None where none of its pixels is known."""

    label_id: int
    record: ObjectRecord
    found: Found | None
    measured: Mapping[str, float] = field(default_factory=dict)


class RowModel(QAbstractTableModel):
    """Rows under named columns; a name that is typed over is told, not set.

    Attributes
    ----------
    renamed : Signal(object, str)
        Which row, and what it is to be called.
    """

    renamed = Signal(object, str)
    headers: Sequence[str] = ()
    tips: Sequence[str] = ()
    editable = 0

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Any] = []

    def show(self, rows: Sequence[object]) -> None:
        """Show other rows; does nothing where they are the same."""
        wanted = list(rows)
        if len(wanted) == len(self.rows) and all(map(_same, wanted, self.rows)):
            return
        self.beginResetModel()
        self.rows = wanted
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """As Qt asks for it."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """As Qt asks for it."""
        return len(self.headers)

    def headerData(
        self, section: int, orientation: object, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """As Qt asks for it."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.headers[section]
        return self.tips[section] if role == Qt.ItemDataRole.ToolTipRole else None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """As Qt asks for it."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == self.editable else flags

    def setData(
        self, index: QModelIndex, value: object, role: int = Qt.ItemDataRole.DisplayRole
    ) -> bool:
        """Tell what was typed; the table follows once the layer has changed."""
        if role == Qt.ItemDataRole.EditRole:
            self.renamed.emit(self.rows[index.row()], str(value))
        return False


class ClassModel(RowModel):
    """The classes of a layer."""

    headers = ("Class", "Objects")
    tips = ("Double-click to rename", "How many objects it has")

    def data(self, index: QModelIndex, role: int = SHOWN) -> object:
        """As Qt asks for it."""
        row: ClassRow = self.rows[index.row()]
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column():
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if index.column():
            return row.count if role in (Qt.ItemDataRole.DisplayRole, SORT) else None
        cells: dict[int, object] = {
            Qt.ItemDataRole.DisplayRole: row.name or NAMELESS, Qt.ItemDataRole.EditRole: row.name,
            Qt.ItemDataRole.DecorationRole: QColor(row.colour),
            Qt.ItemDataRole.ToolTipRole: row.name, Qt.ItemDataRole.FontRole: _font(row.name),
            SORT: (row.name == NO_CLASS, row.name.casefold(), row.name),
        }  # fmt: skip
        return cells.get(role)


class ObjectModel(RowModel):
    """Objects of a layer."""

    headers: Sequence[str] = HEADERS
    tips: Sequence[str] = (
        "Its value in the labels layer", "Double-click to rename",
        "The model's own estimate of how well it fits, 0 to 1",
        "Where it is largest; click to go there", "Over all planes",
    )  # fmt: skip
    editable = 1
    measures: Sequence[str] = ()

    def show_measures(self, titles: Mapping[str, str]) -> None:
        """Have a column for each of these measures, by their titles."""
        headers = (*HEADERS, *titles.values())
        if headers == tuple(self.headers):
            return
        self.beginResetModel()
        self.measures, self.headers = tuple(titles), headers
        self.tips = (*ObjectModel.tips, *titles.values())
        self.endResetModel()

    def data(self, index: QModelIndex, role: int = SHOWN) -> object:
        """As Qt asks for it."""
        row: ObjectRow = self.rows[index.row()]
        column = index.column()
        if column >= len(HEADERS):
            return _measure(row.measured.get(self.measures[column - len(HEADERS)]), role)
        if role == SORT:
            return _sortable(row, column)
        if role == Qt.ItemDataRole.DisplayRole:
            return _cell_text(row, column)
        if role == Qt.ItemDataRole.EditRole and column == self.editable:
            return row.record.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(row)
        if role == Qt.ItemDataRole.TextAlignmentRole and column != self.editable:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return _font(row.record.name) if role == Qt.ItemDataRole.FontRole and column == 1 else None


class Sorted(QSortFilterProxyModel):
    """Rows in the order of a column, by value and not by how it is written."""

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:
        """As Qt asks for it."""
        model: Any = self.sourceModel()
        return bool(model.data(left, SORT) < model.data(right, SORT))


def _same(row: object, other: object) -> bool:
    """Whether rows tell the same; an unknown score equals another."""
    return bool(row == other) or repr(row) == repr(other)


def _sortable(row: ObjectRow, column: int) -> object:
    score = row.record.score
    found = row.found
    return (
        row.label_id,
        (row.record.name == "", row.record.name.casefold()),
        -1.0 if math.isnan(score) else score,
        () if found is None else found.index,
        0 if found is None else found.area,
    )[column]


def _cell_text(row: ObjectRow, column: int) -> str:
    score, found = row.record.score, row.found
    return (
        str(row.label_id),
        row.record.name or NAMELESS,
        "" if math.isnan(score) else f"{score:.2f}",
        "" if found is None else ", ".join(str(i) for i in found.index),
        "" if found is None else f"{found.area:,}",
    )[column]


def _measure(value: float | None, role: int) -> object:
    """What a cell of a measure shows; nothing where it is not known."""
    if role == SORT:
        return -math.inf if value is None or math.isnan(value) else value
    if role == Qt.ItemDataRole.TextAlignmentRole:
        return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    if role != SHOWN:
        return None
    return "" if value is None else f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def _tip(row: ObjectRow) -> str:
    """All that is known of an object, a line each."""
    record = row.record
    known: Mapping[str, object] = {
        "name": record.name, "concept": record.concept, "model": record.model,
        "prompts": record.prompts or "", "written": record.time,
        "planes": row.found.planes if row.found is not None and row.found.index else "",
    }  # fmt: skip
    return "\n".join(f"{key}: {value}" for key, value in known.items() if value != "")


def _font(name: str) -> QFont | None:
    """Italics for what stands in place of a name."""
    if name:
        return None
    font = QFont()
    font.setItalic(True)
    return font
