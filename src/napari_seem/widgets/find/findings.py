"""Findings as a list: which are shown, in which order, and what became of each."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from qtpy.QtCore import QAbstractListModel, QModelIndex, QObject, Qt
from qtpy.QtGui import QImage, QPixmap

from ...query import Finding

BY_SCORE, BY_PLACE = "best first", "by place"
NUMBER = int(Qt.ItemDataRole.UserRole)
"""Role of a finding's number."""
PICTURES = 200
"""So many are kept unpacked: what is seen, and some more."""


class State(StrEnum):
    """What became of a finding."""

    OPEN = "open"
    WAITING = "waiting"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass
class Entry:
    """A finding in the list; `note` says more of its state, `order` where its plane comes."""

    finding: Finding
    order: tuple[object, ...]
    state: State = State.OPEN
    note: str = ""


class Findings(QAbstractListModel):
    """All findings by number; rows are those that score enough, in the chosen order."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.entries: list[Entry] = []
        self._rows: list[int] = []
        self._least = 0.0
        self._sort = BY_SCORE
        self._picture = lru_cache(PICTURES)(self._unpacked)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """How many are shown."""
        return len(self._rows)

    def data(self, index: QModelIndex, role: int = int(Qt.ItemDataRole.DisplayRole)) -> object:
        """What Qt and the delegate ask for."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        number = self._rows[index.row()]
        entry = self.entries[number]
        if role == NUMBER:
            return number
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{entry.finding.place.title}, score {entry.finding.score:.2f}, {entry.state}"
        if role == Qt.ItemDataRole.DecorationRole:
            return self._picture(number)
        if role == Qt.ItemDataRole.ToolTipRole:
            return _cell_text(entry)
        return None

    def add(self, findings: Iterable[tuple[Finding, tuple[object, ...]]]) -> None:
        """Add findings, each with where its plane comes in the order of places."""
        for finding, order in findings:
            self.entries.append(Entry(finding, order))
            number = len(self.entries) - 1
            if not self._is_shown(number):
                continue
            row = bisect_left(self._rows, self._rank(number), key=self._rank)
            self.beginInsertRows(QModelIndex(), row, row)
            self._rows.insert(row, number)
            self.endInsertRows()

    def clear(self) -> None:
        """Forget everything."""
        self.beginResetModel()
        self.entries, self._rows = [], []
        self._picture.cache_clear()
        self.endResetModel()

    def arrange(self, least: float, sort: str) -> None:
        """Show those that score at least so much, in another order."""
        self.beginResetModel()
        self._least, self._sort = least, sort
        shown = filter(self._is_shown, range(len(self.entries)))
        self._rows = sorted(shown, key=self._rank)
        self.endResetModel()

    def set_state(self, number: int, state: State, note: str = "") -> None:
        """Tell what became of a finding."""
        entry = self.entries[number]
        entry.state, entry.note = state, note
        row = self.row_of(number)
        if row is not None:
            self.dataChanged.emit(self.index(row), self.index(row))

    def shown(self) -> list[int]:
        """Numbers of the findings that are shown, in their order."""
        return list(self._rows)

    def open(self) -> list[int]:
        """Those of them that nothing was decided of."""
        return [number for number in self._rows if self.entries[number].state == State.OPEN]

    def row_of(self, number: int) -> int | None:
        """Where a finding is shown, or None."""
        if number >= len(self.entries) or not self._is_shown(number):
            return None
        return bisect_left(self._rows, self._rank(number), key=self._rank)

    def count(self, state: State) -> int:
        """How many of all are in a state."""
        return sum(entry.state == state for entry in self.entries)

    def _is_shown(self, number: int) -> bool:
        return round(self.entries[number].finding.score, 2) >= self._least

    def _rank(self, number: int) -> tuple[object, ...]:
        """What findings are sorted by."""
        entry = self.entries[number]
        if self._sort == BY_SCORE:
            return -entry.finding.score, number
        return *entry.order, -entry.finding.score, number

    def _unpacked(self, number: int) -> QPixmap:
        return pixmap(self.entries[number].finding)


def pixmap(finding: Finding) -> QPixmap:
    """The picture of a finding."""
    picture = finding.picture
    height, width = picture.shape[:2]
    image = QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image.copy())


def _cell_text(entry: Entry) -> str:
    y0, x0, y1, x1 = entry.finding.bbox
    place = f"{entry.finding.place.title}: rows {y0} to {y1 - 1}, columns {x0} to {x1 - 1}"
    state = f"{entry.state} {entry.note}".strip()
    return f"{place}\n{entry.finding.area} pixels, score {entry.finding.score:.2f}, {state}"
