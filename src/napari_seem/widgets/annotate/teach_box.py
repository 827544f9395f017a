"""The row of the Annotate dock in which a word is taught: its looks."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QGroupBox,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ...concepts.concept import LONGEST_NAME
from ...concepts.library import SameNameChoice
from ...errors import InvalidLabels
from .._shared.forms import form, on_click, row


@dataclass(frozen=True)
class TeachRequest:
    """What a person wants taught.

    Attributes
    ----------
    name : str
    synonyms : tuple of str
    ids : tuple of int
        Objects of the labels layer; empty for all on the plane.
    objects : bool
        Whether objects of the labels layer count.
    preview : bool
        Whether the present preview is an object of the kind, too.
    others : bool
        Whether the other labelled objects are surely something else.
    """

    name: str
    synonyms: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()
    objects: bool = True
    preview: bool = False
    others: bool = False


class TeachBox(QGroupBox):
    """Asks for a name and for the objects that show what it means.

    Attributes
    ----------
    wanted : Signal(object)
        Carries a `TeachRequest`.
    refused : Signal(str)
        What is wrong with what was typed.
    """

    wanted = Signal(object)
    refused = Signal(str)

    def __init__(self) -> None:
        super().__init__("Teach a word")
        self.name, self.synonyms, self.ids = QLineEdit(), QLineEdit(), QLineEdit()
        self.name.setMaxLength(LONGEST_NAME)
        self.name.setPlaceholderText("name of these things")
        self.synonyms.setPlaceholderText("optional, commas between them")
        self.ids.setPlaceholderText("all on this plane")
        self.ids.setToolTip("Ids in the labels layer, such as 3, 5, 8-12; empty: all on this plane")
        self.preview = QCheckBox("learn from the preview")
        self.objects = QCheckBox("learn from labelled objects")
        self.others = QCheckBox("other labelled objects are something else")
        self.others.setToolTip("Tick this if the labelled objects not listed above differ")
        self.teach, self.cancel = QPushButton("Teach"), QPushButton("Cancel")
        column = QVBoxLayout(self)
        column.addLayout(form(("Name", self.name), ("Also called", self.synonyms)))
        for box in (self.preview, self.objects):
            column.addWidget(box)
        column.addLayout(form(("Ids", self.ids)))
        column.addWidget(self.others)
        column.addLayout(row(self.teach, self.cancel))
        on_click(((self.teach, self._on_teach), (self.cancel, self.hide)))
        self.name.returnPressed.connect(self._on_teach)
        self.objects.toggled.connect(self.ids.setEnabled)
        self.hide()

    def offer(self, name: str, preview: bool, ids: list[int]) -> None:
        """Show the box, filled in with what is at hand."""
        self.name.setText(name)
        self.preview.setEnabled(preview)
        self.preview.setChecked(preview)
        self.objects.setEnabled(bool(ids))
        self.objects.setChecked(bool(ids) and not preview)
        self.ids.setEnabled(self.objects.isChecked())
        self.ids.setText(spans(ids))
        self.show()
        self.name.setFocus()

    def _on_teach(self) -> None:
        try:
            ids = read_ids(self.ids.text())
        except InvalidLabels as error:
            self.refused.emit(str(error))
            return
        synonyms = tuple(part.strip() for part in self.synonyms.text().split(",") if part.strip())
        self.wanted.emit(
            TeachRequest(
                self.name.text(), synonyms, ids, self.objects.isChecked(),
                self.preview.isChecked(), self.others.isChecked(),
            )
        )  # fmt: skip


def spans(ids: list[int]) -> str:
    """Ids as people write them: [1, 2, 3, 5] is '1-3, 5'."""
    parts: list[str] = []
    start = None
    for number, value in enumerate(ids):
        start = value if start is None else start
        if number + 1 == len(ids) or ids[number + 1] != value + 1:
            parts.append(str(value) if start == value else f"{start}-{value}")
            start = None
    return ", ".join(parts)


def read_ids(text: str) -> tuple[int, ...]:
    """Ids out of what `spans` writes; `InvalidLabels` for anything else."""
    found: list[int] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        ends = [end.strip() for end in part.split("-")]
        if len(ends) > 2 or not all(end.isdecimal() and len(end) < 10 for end in ends):
            raise InvalidLabels(f"'{part}' is no id; write ids such as 3, 5, 8-12")
        first, last = int(ends[0]), int(ends[-1])
        if last - first > 100_000:
            raise InvalidLabels(f"'{part}' are too many ids; leave the field empty for all")
        found.extend(range(first, last + 1))
    return tuple(found)


def ask_same_name(parent: QWidget | None, name: str) -> SameNameChoice | None:
    """Ask what becomes of a word that is taught a second time; None for nothing."""
    box = QMessageBox(parent)
    box.setWindowTitle("The word is known")
    box.setText(f"'{name}' was taught before. What should be done?")
    choices: list[tuple[str, SameNameChoice]] = [
        ("Learn from these, too", "join"), ("Replace it", "replace"), ("Keep both", "rename"),
    ]  # fmt: skip
    buttons = [
        (box.addButton(text, QMessageBox.ButtonRole.AcceptRole), choice) for text, choice in choices
    ]
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.exec()
    pressed = box.clickedButton()
    return next((choice for button, choice in buttons if button is pressed), None)
