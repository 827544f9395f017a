"""The looks of *Fine-tune* in the Models dock."""

from __future__ import annotations

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QDoubleSpinBox, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from ...finetuning import FineTuning, TuningReport
from ...models.base import Capability
from .._shared.curve import Curve
from .._shared.forms import ID_KINDS, form, row, set_tips
from .._shared.message import Message
from .._shared.models.box import ModelBox
from .labelled_tree import LabelledTree

MINUTES = 10.0
FIGURES = (
    ("IoU after one click", "iou_at_1", "{:.2f}"),
    ("IoU after three clicks", "iou_at_3", "{:.2f}"),
    ("IoU by a box", "box", "{:.2f}"),
    ("clicks to an IoU of .85", "noc_at_85", "{:.1f}"),
)
"""What is compared: in words, the figure's name, and its format."""


class FineTunePanel(QWidget):
    """All widgets of *Fine-tune*, in their places."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = LabelledTree()
        self.look, self.add_folder = QPushButton("Look again"), QPushButton("Add folder…")
        self.kind = ComboBox(
            label="Ids are", choices=list(ID_KINDS.items()),
            tooltip="Whether the ids are classes, or objects that are all of one kind",
        )  # fmt: skip
        self.kind.value = "instance"
        self.base, self.name, self.minutes = (
            ModelBox(Capability.CONCEPTS), QLineEdit(), QDoubleSpinBox(),
        )  # fmt: skip
        self.minutes.setDecimals(1)
        self.minutes.setRange(0.1, 24 * 60)
        self.minutes.setValue(MINUTES)
        self.minutes.setSuffix(" min")
        self.start, self.stop = QPushButton("Start"), QPushButton("Stop and keep the best")
        self.curve = Curve("IoU of the held-out objects; dashed: before", from_zero=False)
        self.state, self.comparison = _text(), _text()
        self.use, self.discard = QPushButton("Use it"), QPushButton("Discard")
        self.message = Message()
        self._tips()
        self._arrange()
        self.curve.hide()
        self.show_running(False)
        self.show_result(None)

    def show_running(self, running: bool) -> None:
        """Allow what is possible while a model is trained, or while none is."""
        self.start.setVisible(not running)
        self.stop.setVisible(running)
        self.stop.setEnabled(running)
        for widget in (self.tree, self.look, self.add_folder, self.base, self.name, self.minutes):
            widget.setEnabled(not running)
        self.kind.enabled = not running
        if running:
            self.curve.begin()
            self.state.setText("Reading the labelled planes, then judging the model as it is")
        self.state.setVisible(running)

    def show_report(self, report: TuningReport) -> None:
        """Show where a fine-tuning stands."""
        if report.iou is not None:
            self.curve.put(report.iou, report.done)
        if report.best is not None and self.curve.values:
            before = self.curve.values[0]
            what = "judging" if report.doing == "judge" else "training"
            self.state.setText(f"{what}; held-out IoU {before:.3f} before, {report.best:.3f} best")

    def show_result(self, found: FineTuning | None) -> None:
        """Compare figures of before and after; offer the model where it is better on average."""
        offered = found is not None and found.gained
        for button in (self.use, self.discard):
            button.setVisible(offered)
        self.start.setEnabled(not offered)
        self.comparison.setVisible(found is not None)
        if found is not None:
            self.comparison.setText(compared(found))

    def _tips(self) -> None:
        set_tips((
            (self.tree, "Untick what is not labelled to the end or not checked: the model learns "
             "that what is not labelled there is background"),
            (self.look, "Look once more which planes are labelled"),
            (self.add_folder, "Learn from image files, too, whose labels lie beside them "
             "(IMAGE_labels.*) or in a folder 'labels'"),
            (self.base, "The model to begin with"),
            (self.name, "What the new model is called in the lists of models"),
            (self.minutes, "Time to take; pauses while you click do not count"),
            (self.start, "Train on the device chosen above, in the background"),
            (self.stop, "End training now; the best weights so far are compared and offered"),
            (self.use, "Keep it as a model of its own, which all docks and commands offer"),
            (self.discard, "Throw the new weights away"),
        ))  # fmt: skip

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.tree)
        column.addLayout(row(self.look, self.add_folder))
        column.addLayout(
            form(self.kind, ("Begin with", self.base), ("Name", self.name), ("Time", self.minutes))
        )
        column.addLayout(row(self.start, self.stop))
        for widget in (self.curve, self.state, self.comparison):
            column.addWidget(widget)
        column.addLayout(row(self.use, self.discard))
        column.addWidget(self.message)


def compared(found: FineTuning) -> str:
    """What held-out objects say of a fine-tuned model, as rich text."""
    held = f"{len(found.before.objects)} objects that were held back"
    held = f"{held} ({found.provenance['held_out']['how']})"
    if found.improved:
        title = f"<b>Better</b> on {held}."
    elif found.gained:
        title = (
            f"<b>Better on average</b> on {held}, which are too few, or too unlike, to rule out "
            "chance. If you use it, compare it with the model that you had, which stays."
        )
    else:
        title = (
            f"<b>Not better</b> on {held}, so it is not offered. More labelled planes may help, or "
            "more minutes."
        )
    rows = "".join(
        f"<tr><td>{words} &nbsp;</td><td>{form.format(getattr(found.before, name))} &nbsp;</td>"
        f"<td><b>{form.format(getattr(found.after, name))}</b></td></tr>"
        for words, name, form in FIGURES
    )
    head = "<tr><td></td><td>before &nbsp;</td><td>after</td></tr>"
    return f"{title}<table>{head}{rows}</table>"


def _text() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setMinimumWidth(1)
    return label
