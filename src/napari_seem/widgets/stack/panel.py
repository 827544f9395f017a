"""The looks of the Stack dock."""

from __future__ import annotations

from magicgui.widgets import CheckBox, FloatSpinBox
from qtpy.QtWidgets import (
    QLabel,
    QListWidget,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ...models.base import Capability
from ...models.registry import able_models
from .._shared.forms import AxisBox, PlaneRange, form, row, set_tips
from .._shared.layer_box import image_and_labels
from .._shared.message import Message
from .._shared.models.box import ModelBox
from .score_plot import ScorePlot

OUTLINES = "outlines only, no model"


class StackPanel(QWidget):
    """All widgets of the Stack dock, in their places."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.labels = image_and_labels(least_ndim=3)
        self.along, self.planes = AxisBox(), PlaneRange()
        self.model = ModelBox(Capability.PROPAGATE, OUTLINES)
        self.first, self.last = self.planes.first, self.planes.last
        self.only_selected = CheckBox(
            text="only the selected object",
            tooltip="Carry only the object whose label is selected in the layer",
        )
        self.find_new = CheckBox(
            text="look for new objects too",
            tooltip="Also find objects that are on no labelled plane; slower, and only by models "
            "that learn from labelled examples",
        )
        self.divide = CheckBox(
            text="splits make daughters",
            tooltip="Along time: where an object splits, as a cell that divides, the daughters get "
            "ids of their own, and the object table says what they came from. Otherwise an object "
            "that splits, as an organ that forks, stays one object",
        )
        self.stop_below = FloatSpinBox(
            label="Stop below", min=0, max=1, step=0.05,
            tooltip="Stop carrying at a plane whose score is lower",
        )  # fmt: skip
        self.stop_below.native.setSpecialValueText("never")
        self.backward, self.both = QPushButton("Back"), QPushButton("Both ways")
        self.forward = QPushButton("Forward")
        self.message, self.plot, self.queue = Message(), ScorePlot(), QListWidget()
        self.previous, self.next = QPushButton("Previous"), QPushButton("Next")
        self.accept, self.resume = QPushButton("Accept"), QPushButton("Carry on from here")
        self.take_back = QPushButton("Undo the run")
        self.ended, self.tracks = QPushButton("Ended here"), QPushButton("Show tracks")
        self.ended.setMenu(QMenu(self.ended))
        self.model.currentTextChanged.connect(self._on_model)
        self._tips()
        self._arrange()
        self.show_running(False)

    def show_running(self, running: bool) -> None:
        """Allow what is possible while planes are being done, or while none are."""
        for button in (
            self.backward, self.both, self.forward, self.resume, self.take_back, self.ended,
        ):  # fmt: skip
            button.setEnabled(not running)

    def _on_model(self, name: str) -> None:
        """Offer to look for new objects where the model can."""
        able = name in able_models(Capability.IN_CONTEXT)
        self.find_new.enabled = able
        self.find_new.value = able and self.find_new.value

    def _tips(self) -> None:
        set_tips(
            (
                (self.labels, "Planes in which something is labelled are where carrying starts"),
                (self.along, "The axis to carry along: depth or time"),
                (self.model, "What carries the objects from plane to plane"),
                (self.backward, "From the shown plane towards the first"),
                (self.forward, "From the shown plane towards the last"),
                (self.both, "The whole range"),
                (self.queue, "Carried planes, the least sure first; click to go there"),
                (self.accept, "This plane is right: it becomes one to start from (Shift-K)"),
                (self.next, "The next plane to check (Shift-N)"),
                (self.previous, "The one before (Shift-B)"),
                (self.resume, "Do again what depends on the planes that you corrected"),
                (
                    self.ended,
                    "An object is not on the planes beyond the shown one: what was carried "
                    "there is removed, and later runs respect it",
                ),
                (
                    self.tracks,
                    "Show the way of every object through time, and what divided into "
                    "what, in a Tracks layer; save them by Save labels as, as man_track.txt",
                ),
                (self.take_back, "Give all planes the labels they had before the run"),
            )
        )

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.addLayout(form(
            ("Image", self.image), ("Labels", self.labels), ("Along", self.along),
            ("Model", self.model), self.only_selected, self.find_new, self.divide,
            ("Planes", self.planes),
            self.stop_below,
        ))  # fmt: skip
        column.addLayout(row(self.backward, self.both, self.forward))
        column.addWidget(self.message)
        column.addWidget(self.plot)
        column.addWidget(QLabel("To check, the least sure first"))
        column.addWidget(self.queue, 1)
        column.addLayout(row(self.previous, self.next, self.accept))
        column.addLayout(row(self.resume, self.ended))
        column.addLayout(row(self.take_back, self.tracks))
