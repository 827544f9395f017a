"""The looks of the Objects dock."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QSizePolicy,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from .._shared.forms import form, row, set_tips
from .._shared.layer_box import LabelsBox
from .._shared.message import Message
from .table import Table
from .tables import ClassModel, ObjectModel

SCORE, PLANE = 2, 3
"""Columns of objects that are not always shown."""


class ClassesPanel(QWidget):
    """All widgets of the Objects dock, in their places."""

    def __init__(self) -> None:
        super().__init__()
        self.labels = LabelsBox(least_ndim=2)
        self.by_object, self.by_class = QRadioButton("object"), QRadioButton("class")
        self.by_object.setChecked(True)
        self.classes, self.objects = Table(ClassModel(), 5), Table(ObjectModel(), 6)
        self.only = QCheckBox("show only these")
        self.rename_class, self.merge_classes = QPushButton("Rename"), QPushButton("Merge")
        self.recolour, self.delete_class = QPushButton("Colour…"), QPushButton("Delete")
        self.select_all, self.merge_objects = QPushButton("Select all"), QPushButton("Merge")
        self.put_into, self.delete_objects = QPushButton("Class…"), QPushButton("Delete")
        self.undo, self.redo = QPushButton(), QPushButton()
        self.again = QPushButton("Count again")
        self.heading, self.message = QElidingLabel(), Message()
        self.heading.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._tips()
        self._arrange()
        self.show_choice(0, 0)
        self.show_undo("", "")

    def show_choice(self, classes: int, objects: int) -> None:
        """Allow what can be done with so many chosen classes and objects."""
        for button, able in (
            (self.rename_class, classes == 1), (self.merge_classes, classes > 1),
            (self.recolour, classes > 0), (self.delete_class, classes > 0),
            (self.merge_objects, objects > 1), (self.put_into, objects > 0),
            (self.delete_objects, objects > 0),
        ):  # fmt: skip
            button.setEnabled(able)

    def place_measures(self, box: QWidget) -> None:
        """Put what measures the objects below their table."""
        self._measures.addWidget(box)

    def show_undo(self, undo: str, redo: str) -> None:
        """Say on the buttons what they would take back, and bring back."""
        for button, word, title in ((self.undo, "Undo", undo), (self.redo, "Redo", redo)):
            button.setEnabled(bool(title))
            text = f"{word}: {title}" if title else word
            button.setText(self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, 180))
            button.setToolTip(text)

    def _tips(self) -> None:
        set_tips(
            (
                (self.by_object, "Every object has a colour of its own"),
                (self.by_class, "All objects of a class have the same colour"),
                (self.only, "Hide all objects but those listed below"),
                (self.rename_class, "Call the class something else (double-click does so, too)"),
                (self.merge_classes, "Make the chosen classes one, called as the largest of them"),
                (self.recolour, "Another colour for the chosen classes"),
                (self.delete_class, "Take all objects of the chosen classes away, pixels and rows"),
                (self.select_all, "Choose all objects listed here"),
                (
                    self.merge_objects,
                    "Make the chosen objects one; the largest keeps its id and name",
                ),
                (self.put_into, "Put the chosen objects into a class"),
                (self.delete_objects, "Take the chosen objects away, pixels and rows (Del)"),
                (self.again, "Count the objects again, after a script changed the labels in place"),
            )
        )

    def _arrange(self) -> None:
        upper = _column(
            self.classes, self.only,
            row(self.rename_class, self.merge_classes, self.recolour, self.delete_class),
        )  # fmt: skip
        lower = _column(
            row(self.heading, self.again, stretch=0), self.objects,
            row(self.select_all, self.merge_objects, self.put_into, self.delete_objects),
        )  # fmt: skip
        self._measures = QVBoxLayout()
        halves = QSplitter(Qt.Orientation.Vertical)
        halves.setChildrenCollapsible(False)
        halves.addWidget(upper)
        halves.addWidget(lower)
        halves.setStretchFactor(0, 2)
        halves.setStretchFactor(1, 3)
        column = QVBoxLayout(self)
        column.addLayout(form(
            ("Labels", self.labels),
            ("Colours by", row(self.by_object, self.by_class, QLabel(), stretch=2)),
        ))  # fmt: skip
        column.addWidget(halves, 1)
        column.addLayout(self._measures)
        column.addLayout(row(self.undo, self.redo))
        column.addWidget(self.message)


def _column(*parts: QWidget | QHBoxLayout) -> QWidget:
    holder = QWidget()
    column = QVBoxLayout(holder)
    column.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        if isinstance(part, QHBoxLayout):
            column.addLayout(part)
        else:
            column.addWidget(part, int(isinstance(part, QTableView)))
    return holder
