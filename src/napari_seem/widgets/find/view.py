"""How findings look in the list, and the keys that decide on them."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QModelIndex, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent, QPainter
from qtpy.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from ...query.finding import SIDE
from .._shared.message import ERROR_COLOUR, NOTE_COLOUR
from .findings import NUMBER, Findings, State

GAP = 4
COLOURS = {State.ACCEPTED: NOTE_COLOUR, State.REJECTED: ERROR_COLOUR, State.WAITING: "#ffd54f"}
SIGNS = {
    State.OPEN: "", State.WAITING: "being written", State.ACCEPTED: "\N{CHECK MARK} accepted",
    State.REJECTED: "\N{MULTIPLICATION X} rejected",
}  # fmt: skip
_ACCEPT, _REJECT = (Qt.Key.Key_K,), (Qt.Key.Key_J, Qt.Key.Key_Delete, Qt.Key.Key_Backspace)
_GO = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class FindingsView(QListView):
    """The list of findings.

    Attributes
    ----------
    wanted : Signal(int)
        The number of a finding that was clicked, or chosen with Enter.
    requested : Signal(str)
        A key was pressed: 'accept', 'reject' or 'take_back'.
    """

    wanted = Signal(int)
    requested = Signal(str)

    def __init__(self, findings: Findings) -> None:
        super().__init__()
        self.findings = findings
        self.setModel(findings)
        self.setItemDelegate(_FindingRow(self))
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(2 * (SIDE + 2 * GAP))
        self.clicked.connect(lambda index: self.wanted.emit(index.data(NUMBER)))

    @property
    def number(self) -> int | None:
        """The chosen finding's number."""
        index = self.currentIndex()
        return index.data(NUMBER) if index.isValid() else None

    def choose(self, number: int | None) -> None:
        """Mark a finding as chosen, where it is shown."""
        row = None if number is None else self.findings.row_of(number)
        if row is None:
            self.setCurrentIndex(QModelIndex())
            return
        self.setCurrentIndex(self.findings.index(row))
        self.scrollTo(self.findings.index(row))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter goes there, K accepts, J or Delete rejects, Ctrl+Z takes the last decision back."""
        if event is None:
            return
        key, control = event.key(), event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if key in _GO and self.number is not None:
            self.wanted.emit(self.number)
        elif key in _ACCEPT and not control:
            self.requested.emit("accept")
        elif key in _REJECT and not control:
            self.requested.emit("reject")
        elif key == Qt.Key.Key_Z and control:
            self.requested.emit("take_back")
        else:
            super().keyPressEvent(event)


class _FindingRow(QStyledItemDelegate):
    """A picture, and beside it where it is, its score, and what became of it."""

    def sizeHint(self, option: object, index: QModelIndex) -> QSize:
        return QSize(2 * SIDE, SIDE + 2 * GAP)

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        number = index.data(NUMBER)
        view: Any = self.parent()
        if painter is None or number is None:
            return
        entry = view.findings.entries[number]
        area, palette = option.rect, option.palette
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, palette.highlight())
        painter.setOpacity(0.4 if entry.state == State.REJECTED else 1.0)
        picture = index.data(Qt.ItemDataRole.DecorationRole)
        left = area.left() + GAP + (SIDE - picture.width()) // 2
        top = area.top() + GAP + (SIDE - picture.height()) // 2
        painter.drawPixmap(left, top, picture)
        painter.setOpacity(1.0)
        text = QRect(area.left() + SIDE + 3 * GAP, area.top() + GAP,
                     area.width() - SIDE - 4 * GAP, SIDE)  # fmt: skip
        finding = entry.finding
        lines = [
            (finding.place.title, palette.text().color()),
            (f"score {finding.score:.2f}", palette.text().color()),
            (finding.word, palette.text().color()),
            (f"{SIGNS[entry.state]} {entry.note}".strip(),
             QColor(COLOURS.get(entry.state, NOTE_COLOUR))),
        ]  # fmt: skip
        _write(painter, text, lines)
        painter.restore()


def _write(painter: QPainter, area: QRect, lines: list[tuple[str, QColor]]) -> None:
    """Lines of text below each other, each cut in its middle where it is too long."""
    metrics = painter.fontMetrics()
    top = area.top() + max(0, (area.height() - len(lines) * metrics.lineSpacing()) // 2)
    for number, (line, colour) in enumerate(lines):
        painter.setPen(colour)
        cut = metrics.elidedText(line, Qt.TextElideMode.ElideMiddle, area.width())
        painter.drawText(area.left(), top + number * metrics.lineSpacing() + metrics.ascent(), cut)
