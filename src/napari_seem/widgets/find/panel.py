"""The looks of the Find dock."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QStringListModel, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledDoubleSlider

from ...models.base import Capability
from ...query.run import LONGEST_WORD
from .._shared.forms import (
    AxisBox,
    PlaneRange,
    WordButtons,
    form,
    offer_completions,
    row,
    set_tips,
)
from .._shared.layer_box import image_and_labels
from .._shared.message import Message
from .._shared.models.box import ModelBox
from .findings import BY_PLACE, BY_SCORE, Findings
from .view import FindingsView

STACK, IMAGES, FOLDER = "all planes of a stack", "all 2-D images here", "a folder of files"
LEAST = 0.45


class FindPanel(QWidget):
    """All widgets of the Find dock, in their places.

    Parameters
    ----------
    findings : Findings

    Attributes
    ----------
    suggested : Signal(str)
        A word that was offered instead was chosen.
    """

    suggested = Signal(str)

    def __init__(self, findings: Findings) -> None:
        super().__init__()
        self.model = ModelBox(Capability.TEXT)
        self.scope, self.sort = QComboBox(), QComboBox()
        self.along, self.planes = AxisBox(), PlaneRange()
        self.scope.addItems([STACK, IMAGES, FOLDER])
        self.sort.addItems([BY_SCORE, BY_PLACE])
        for box in (self.scope, self.along):
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
        self.word, self.words = QLineEdit(), QStringListModel(self)
        self.image, self.labels = image_and_labels("new layer")
        self.channels, self.overwrite = QCheckBox(), QCheckBox("overwrite other objects")
        self.first, self.last = self.planes.first, self.planes.last
        self.folder, self.choose = QLineEdit(), QPushButton("Choose…")
        self.begin, self.again = QPushButton("Find"), QPushButton("Start over")
        self.message, self.count = Message(), QLabel()
        self.least = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.view = FindingsView(findings)
        self.previous, self.next = QPushButton("Previous"), QPushButton("Next")
        self.reject, self.accept = QPushButton("Reject"), QPushButton("Accept")
        self.accept_all, self.take_back = QPushButton("Accept all"), QPushButton("Undo")
        self._suggestions = WordButtons()
        self._suggestions.chosen.connect(self.suggested)
        self._prepare()
        self._tips()
        self._arrange()
        self.show_running(False)
        self.show_scope([0], 0)
        self.show_channels(0)
        self.show_counts(0, 0, 0)

    def show_running(self, running: bool) -> None:
        """Allow what is possible while a search runs, or while none does."""
        self.begin.setEnabled(not running)
        self.again.setEnabled(not running)

    def show_scope(self, numbers: Sequence[int], axes: int) -> None:
        """Show the rows that the scope needs, for planes of these numbers along one of `axes`."""
        scope = self.scope.currentText()
        rows = (
            (self.image, scope == STACK), (self.along, scope == STACK and axes > 1),
            (self.planes, scope == STACK and len(numbers) > 1), (self._folder, scope == FOLDER),
            (self.labels, scope == STACK),
        )  # fmt: skip
        for widget, wanted in rows:
            self._form.setRowVisible(widget, wanted)
        self.planes.offer(numbers)

    def show_channels(self, count: int) -> None:
        """Offer to use further layers as channels, where there are any."""
        self.channels.setText(f"all {count} channels")
        self._form.setRowVisible(self.channels, count > 1 and self.scope.currentText() == STACK)

    def show_counts(self, shown: int, total: int, undecided: int) -> None:
        """Tell how many findings are shown, of how many, and how many are to be decided on."""
        self.count.setText(f"{shown} of {total} shown" if total else "")
        self.accept_all.setText(f"Accept all {undecided}" if undecided else "Accept all")
        for button, able in (
            (self.accept_all, undecided), (self.accept, shown), (self.reject, shown),
            (self.previous, shown), (self.next, shown),
        ):  # fmt: skip
            button.setEnabled(bool(able))

    def show_suggestions(self, words: Sequence[str]) -> None:
        """Offer words as buttons."""
        self._suggestions.offer(words)

    def _prepare(self) -> None:
        self.word.setPlaceholderText("a word, such as nucleus")
        self.word.setMaxLength(LONGEST_WORD)
        self.word.setClearButtonEnabled(True)
        offer_completions(self.word, self.words)
        self.folder.setPlaceholderText("folder")
        self.least.setRange(0, 1)
        self.least.setDecimals(2)
        self.least.setValue(LEAST)
        self.count.setMinimumWidth(1)
        self._folder = QWidget()
        chosen = row(self.folder, self.choose)
        chosen.setContentsMargins(0, 0, 0, 0)
        self._folder.setLayout(chosen)

    def _tips(self) -> None:
        set_tips((
            (self.word, "What to look for; Enter begins"),
            (self.scope, "Where to look for it"),
            (self.channels, "Give the model these layers as channels of one image"),
            (self.along, "The axis along which the planes follow each other"),
            (self.begin, "Search the planes that were not searched yet"),
            (self.again, "Forget what was found, and search everything again"),
            (self.least, "Show only what scores at least this much"),
            (self.previous, "Go to the finding before [Shift+B]"),
            (self.next, "Go to the next finding [Shift+N]"),
            (self.accept, "Write it into the labels [Shift+K; K in the list]"),
            (self.reject, "It is something else [Shift+J; J in the list]"),
            (self.accept_all, "Write all findings that are listed and undecided"),
            (self.take_back, "Undo the last decision [Ctrl+Z in the list]"),
            (self.overwrite, "Take pixels that belong to other objects; otherwise they stay"),
            (self.labels, "Labels layer into which accepted findings are written"),
        ))  # fmt: skip

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        self._form = form(
            ("Word", self.word), ("", self._suggestions), ("Where", self.scope),
            ("Image", self.image), ("", self.channels), ("Along", self.along),
            ("Planes", self.planes), ("Folder", self._folder), ("Model", self.model),
            ("Write to", self.labels), ("", self.overwrite),
        )  # fmt: skip
        column.addLayout(self._form)
        column.addLayout(row(self.begin, self.again))
        column.addWidget(self.message)
        column.addLayout(row(QLabel("Minimum score"), self.least, stretch=1))
        column.addLayout(row(self.count, self.sort, stretch=0))
        column.addWidget(self.view, 1)
        column.addLayout(row(self.previous, self.next, self.reject, self.accept))
        column.addLayout(row(self.accept_all, self.take_back))
