"""The looks of the Pixel classes dock."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QPushButton, QSpinBox, QVBoxLayout, QWidget

from .._shared.forms import form, row, set_tips
from .._shared.intensity_box import WindowBox
from .._shared.layer_box import ImageBox
from .._shared.message import Message
from .class_list import ClassList
from .strokes_box import StrokesBox, TargetBox

PLAIN = "plain filters"
PLANE, STACK, SHOWN = "this plane", "the whole stack", "all images, as shown"
LARGEST = 2**31 - 1


class PixelClassesPanel(QWidget):
    """All widgets of the Pixel classes dock, in their places.

    Parameters
    ----------
    models : sequence of str
        Those whose features can be learned from.
    """

    def __init__(self, models: Sequence[str]) -> None:
        super().__init__()
        self.image = ImageBox()
        self.strokes, self.labels = StrokesBox(self.image), TargetBox(self.image)
        self.look_box, self.channels, self.model = WindowBox(), QCheckBox(), QComboBox()
        self.model.addItems([*models, PLAIN])
        self.classes = ClassList()
        self.paint, self.add = QPushButton("Paint"), QPushButton("Add")
        self.rename, self.recolour = QPushButton("Rename"), QPushButton("Colour…")
        self.remove = QPushButton("Remove")
        self.live, self.probability = QCheckBox("Live"), QCheckBox("Probability")
        self.uncertainty, self.map = QCheckBox("Uncertainty"), QCheckBox("Classes")
        for box in (self.live, self.map):
            box.setChecked(True)
        self.classify, self.unsure = QPushButton("Classify"), QPushButton("Least sure place")
        self.status, self.message = Message(), Message()
        self.planes, self.write = QComboBox(), QPushButton("Write classes")
        self.planes.addItems([PLANE, STACK, SHOWN])
        self.split, self.smallest = QCheckBox("split at narrow places"), QSpinBox()
        self.smallest.setRange(1, LARGEST)
        self.smallest.setValue(20)
        self.smallest.setSuffix(" px")
        self.objects = QPushButton("Write objects")
        self.save, self.open = QPushButton("Save lesson…"), QPushButton("Open lesson…")
        self.lesson, self.forget = QLabel(), QPushButton("Forget")
        self._tips()
        self._arrange()
        self.show_channels(0)
        self.show_lesson("")

    def show_channels(self, count: int) -> None:
        """Offer the channels of an image where there are several."""
        self.channels.setText(f"all {count} channels")
        self.channels.setVisible(count > 1)
        if count < 2:
            self.channels.setChecked(False)

    def show_lesson(self, name: str) -> None:
        """Say which lesson is open; "" for none."""
        self.lesson.setText(f"Lesson: {name}")
        for widget in (self.lesson, self.forget):
            widget.setVisible(bool(name))

    def show_running(self, running: bool) -> None:
        """Allow what is possible while planes are classified, or while none is."""
        for button in (self.write, self.objects, self.open, self.forget):
            button.setEnabled(not running)

    def _tips(self) -> None:
        set_tips(
            (
                (self.image, "The image whose shown plane is classified"),
                (self.strokes, "The layer that holds the strokes; a new one is made to paint in"),
                (self.channels, "Learn from these layers as channels of one image"),
                (
                    self.model,
                    "What pixels are told apart by: the model's view of the image together with "
                    "plain filters, or plain filters alone",
                ),
                (self.classes, "The chosen class is what the brush paints; double-click renames"),
                (self.paint, "Take napari's brush in the layer of strokes, with the chosen class"),
                (self.add, "A further class"),
                (self.rename, "Call the chosen class something else (double-click does so, too)"),
                (self.recolour, "Another colour for the chosen class"),
                (self.remove, "Take the chosen class away, with all of its strokes"),
                (self.live, "Classify the shown plane after every stroke and on every plane"),
                (self.map, "Show the classes over the image, in their colours"),
                (self.probability, "Show how likely each pixel is of the chosen class"),
                (self.uncertainty, "Show where the classes are told apart worst"),
                (self.classify, "Classify the shown plane now"),
                (
                    self.unsure,
                    "Go to where the next stroke is likely to help most (Shift-N); again for the "
                    "next such place",
                ),
                (self.labels, "Takes classes, or objects"),
                (self.planes, "The planes to be classified and written"),
                (self.write, "Write the classes as labels in one step; Ctrl+Z undoes it"),
                (self.split, "Split objects that touch"),
                (self.smallest, "Leave out objects of fewer pixels"),
                (self.objects, "Write the objects of the chosen class on the shown plane"),
                (self.save, "Keep what the strokes teach as a small file, for other images"),
                (self.open, "Classify by a lesson; strokes add to it"),
                (self.forget, "Classify by the strokes alone again"),
            )
        )

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.addLayout(form(
            ("Image", self.image), ("", self.channels), ("Intensity", self.look_box),
            ("Features", self.model), ("Strokes", self.strokes),
        ))  # fmt: skip
        column.addWidget(self.classes)
        column.addLayout(row(self.paint, self.add, self.rename, self.recolour, self.remove))
        column.addLayout(row(self.live, self.map, self.probability, self.uncertainty))
        column.addLayout(row(self.classify, self.unsure))
        column.addWidget(self.status)
        column.addLayout(form(("Write to", self.labels), ("Planes", self.planes)))
        column.addWidget(self.write)
        column.addLayout(form(("Objects from", self.smallest), ("", self.split)))
        column.addWidget(self.objects)
        column.addLayout(row(self.lesson, self.forget, stretch=0))
        column.addLayout(row(self.save, self.open))
        column.addWidget(self.message)
        column.addStretch(1)
