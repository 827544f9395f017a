"""The list of labelled layers and files to learn from: ticked ones are learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from ...viewer.labelled import CountedPlane, LabelledLayer

OWN = Qt.ItemDataRole.UserRole
LINES = 7
TICKS = Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled


@dataclass
class LabelledRow:
    """A row: a layer with the planes that are labelled on it, or files.

    Attributes
    ----------
    title : str
    layer : LabelledLayer or None
        None of files.
    folder : Path or None
        That files lie in.
    files : tuple of Path
        Images that have labels.
    planes : list of CountedPlane
        Those that are known so far.
    """

    title: str
    layer: LabelledLayer | None = None
    folder: Path | None = None
    files: tuple[Path, ...] = ()
    planes: list[CountedPlane] = field(default_factory=list)


class LabelledTree(QTreeWidget):
    """What is labelled, and how much: layers, their planes, and folders of files, with ticks."""

    def __init__(self) -> None:
        super().__init__()
        self._unticked: set[tuple[str, str]] = set()
        self.setHeaderLabels(["Learn from", "Objects"])
        header = self.header()
        if header is not None:
            header.setStretchLastSection(False)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.setSelectionMode(QTreeWidget.SelectionMode.NoSelection)
        self.setFixedHeight(LINES * (self.fontMetrics().lineSpacing() + 6))

    def empty(self) -> None:
        """Show nothing; what comes again later is not ticked where it was not."""
        for item in self._rows():
            for one in _children(item) or [item]:
                key = item.text(0), one.text(0)
                ticked = one.checkState(0) != Qt.CheckState.Unchecked
                (self._unticked.discard if ticked else self._unticked.add)(key)
        self.clear()

    def add(self, row: LabelledRow) -> QTreeWidgetItem:
        """Show one more row, ticked."""
        item = QTreeWidgetItem(self, [row.title, ""])
        item.setData(0, OWN, row)
        item.setFlags(TICKS | Qt.ItemFlag.ItemIsAutoTristate)
        item.setCheckState(0, self._state(row.title, row.title))
        item.setToolTip(0, row.title)
        return item

    def add_planes(
        self, item: QTreeWidgetItem, planes: Sequence[CountedPlane], names: Sequence[str]
    ) -> None:
        """Show planes of a row, ticked as they were; one without a name is the whole row."""
        row: LabelledRow = item.data(0, OWN)
        row.planes += planes
        for one, name in zip(planes, names, strict=True):
            if name:
                child = QTreeWidgetItem(item, [name, str(one.objects)])
                child.setFlags(TICKS)
                child.setCheckState(0, self._state(row.title, name))
        item.setExpanded(item.childCount() <= LINES - 1)
        objects = sum(one.objects for one in row.planes)
        count = len(row.planes)
        item.setText(1, f"{objects} on {count} planes" if item.childCount() else str(objects))

    def chosen(self) -> list[LabelledRow]:
        """The ticked rows, with their ticked planes only."""
        found = []
        for item in self._rows():
            row: LabelledRow = item.data(0, OWN)
            if item.checkState(0) == Qt.CheckState.Unchecked:
                continue
            ticks = [one.checkState(0) for one in _children(item)]
            planes = [
                one for k, one in enumerate(row.planes)
                if k >= len(ticks) or ticks[k] == Qt.CheckState.Checked
            ]  # fmt: skip
            found.append(replace(row, planes=planes))
        return found

    def _rows(self) -> list[QTreeWidgetItem]:
        root = self.invisibleRootItem()
        return [] if root is None else _children(root)

    def _state(self, title: str, name: str) -> Qt.CheckState:
        left_out = (title, name) in self._unticked
        return Qt.CheckState.Unchecked if left_out else Qt.CheckState.Checked


def _children(item: QTreeWidgetItem) -> list[QTreeWidgetItem]:
    found = map(item.child, range(item.childCount()))
    return [one for one in found if one is not None]
