"""The looks of the Examples dock."""

from __future__ import annotations

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import (
    QLabel,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ...models.base import Capability
from .._shared.curve import Curve
from .._shared.forms import ID_KINDS, form, row, set_tips
from .._shared.layer_box import image_and_labels
from .._shared.message import Message
from .._shared.models.box import ModelBox
from .strip import ExampleStrip

STACK, IMAGES, FOLDER = "the rest of this stack", "the other 2-D images", "a folder of files…"
LOSS = "Loss: how much the model's labels of the examples differ from yours"


class ExamplesPanel(QWidget):
    """All widgets of the Examples dock, in their places."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.labels = image_and_labels()
        self.kind = ComboBox(
            label="Ids are", choices=list(ID_KINDS.items()),
            tooltip="Whether the ids are classes, or objects that are all of one kind",
        )  # fmt: skip
        self.targets = ComboBox(
            label="To label", choices=[STACK, IMAGES, FOLDER],
            tooltip="What to label; planes that you labelled yourself stay as they are",
        )  # fmt: skip
        self.model = ModelBox(Capability.IN_CONTEXT)
        self.add_plane, self.add_files = QPushButton("Add this plane"), QPushButton("Add files…")
        self.strip, self.results, self.message = ExampleStrip(), QListWidget(), Message()
        self.run = QPushButton("Label")
        self.again = QPushButton("Start over")
        self.teach = QPushButton("Teach")
        self.save, self.open = QPushButton("Save lesson…"), QPushButton("Open lesson…")
        self.curve, self.method = Curve(LOSS), QLabel()
        self.curve.setVisible(False)
        self._tips()
        self._arrange()
        self.show_running(False)

    def show_running(self, running: bool) -> None:
        """Allow what is possible while something is labelled, or while nothing is."""
        for button in (self.run, self.again, self.teach, self.open):
            button.setEnabled(not running)
        if running:
            self.results.clear()

    def show_teaching(self, teaching: bool) -> None:
        """Allow what is possible while a model is taught, or while none is."""
        for button in (self.run, self.again, self.teach, self.save, self.open):
            button.setEnabled(not teaching)
        if teaching:
            self.curve.begin()

    def _tips(self) -> None:
        set_tips(
            (
                (self.image, "The image of the example, or the stack to label"),
                (self.labels, "Its labels; takes the labels of the stack, too"),
                (self.add_plane, "The shown plane with its labels is an example from now on"),
                (self.add_files, "An image file and a label file on the same grid"),
                (
                    self.teach,
                    "Improve by gradient steps how the model uses the examples; its weights do not "
                    "change. Worth a try from three examples on. Cancel uses what is learnt so far",
                ),
                (
                    self.save,
                    "Save what was taught as a small file, for other images or other people",
                ),
                (self.open, "Label with a lesson that was saved"),
                (self.method, "What the next run uses to label"),
                (self.run, "Label what is not done yet"),
                (self.again, "Label everything again, including what is done"),
                (self.results, "The least sure first; click to go there"),
            )
        )

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.addLayout(form(("Image", self.image), ("Labels", self.labels)))
        column.addLayout(row(self.add_plane, self.add_files))
        column.addWidget(self.strip)
        column.addLayout(form(self.kind, self.targets, ("Model", self.model)))
        column.addLayout(row(self.teach, self.save, self.open))
        column.addWidget(self.curve)
        column.addWidget(self.method)
        column.addLayout(row(self.run, self.again))
        column.addWidget(self.message)
        column.addWidget(self.results, 1)
