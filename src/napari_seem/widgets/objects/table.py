"""A table of which rows are chosen, sorted, and renamed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QItemSelection, QItemSelectionModel, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from .tables import RowModel, Sorted


class Table(QTableView):
    """Sortable rows of a model, chosen as whole rows, several at a time.

    Attributes
    ----------
    chose : Signal()
        Other rows are chosen.
    moved : Signal()
        The cursor is on another row.
    """

    chose = Signal()
    moved = Signal()

    def __init__(self, model: RowModel, lines: int) -> None:
        super().__init__()
        self.source = model
        proxy = Sorted(self)
        proxy.setSourceModel(model)
        self._proxy = proxy
        self.setModel(proxy)
        selection: Any = self.selectionModel()
        self._selection = selection
        selection.selectionChanged.connect(lambda *_: self.chose.emit())
        selection.currentRowChanged.connect(lambda *_: self.moved.emit())
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setCornerButtonEnabled(False)
        side: Any = self.verticalHeader()
        header: Any = self.horizontalHeader()
        side.hide()
        height = self.fontMetrics().height() + 8
        side.setDefaultSectionSize(height)
        self.setMinimumHeight(lines * height)
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setResizeContentsPrecision(50)
        header.setSectionResizeMode(model.editable, QHeaderView.ResizeMode.Stretch)

    @property
    def chosen(self) -> list[object]:
        """The selected rows, from top to bottom."""
        rows = sorted(index.row() for index in self._selection.selectedRows())
        return [self._at(row) for row in rows]

    @property
    def current(self) -> object:
        """The row with the cursor, or None."""
        index = self.currentIndex()
        return self._at(index.row()) if index.isValid() else None

    def choose(self, wanted: Callable[[object], bool]) -> None:
        """Select the rows for which `wanted` is true, quietly, and show the first of them."""
        model, selection = self._proxy, QItemSelection()
        last = model.columnCount() - 1
        hits = [row for row in range(model.rowCount()) if wanted(self._at(row))]
        for row in hits:
            selection.select(model.index(row, 0), model.index(row, last))
        self._selection.select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        if hits:
            first = model.index(hits[0], 0)
            self._selection.setCurrentIndex(first, QItemSelectionModel.SelectionFlag.NoUpdate)
            self.scrollTo(first)

    def rename(self) -> None:
        """Let the name of the row with the cursor be typed."""
        index = self._proxy.index(self.currentIndex().row(), self.source.editable)
        if index.isValid():
            self.edit(index)

    def _at(self, row: int) -> object:
        model = self._proxy
        return self.source.rows[model.mapToSource(model.index(row, 0)).row()]
