"""The looks of the Everything dock."""

from __future__ import annotations

from collections.abc import Mapping

from magicgui.widgets import FloatSlider
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ...commands.segment import PANOPTIC, SEMANTIC
from ...models.base import Capability
from ...models.filters import Wanted
from ...query.run import LONGEST_WORD
from .._shared.forms import form, row, set_tips, without_arguments
from .._shared.intensity_box import WindowBox
from .._shared.layer_box import image_and_labels
from .._shared.message import Message
from .._shared.models.box import ModelBox

LARGEST_AREA = 2**31 - 1
NAMELESS = "no name"
FIND = "Segment everything"
MAPS = {
    "objects only": None, "a map of names": SEMANTIC, "objects and stuff in one": PANOPTIC,
}  # fmt: skip


class EverythingPanel(QWidget):
    """All widgets of the Everything dock, in their places.

    Attributes
    ----------
    filtered : Signal()
        The person chose other bounds.
    """

    filtered = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.image, self.labels = image_and_labels("new layer")
        self.model, self.words = ModelBox(Capability.EVERYTHING), QLineEdit()
        self.words.setPlaceholderText("everything, or: nucleus, cell")
        self.words.setMaxLength(10 * LONGEST_WORD)
        self.words.setClearButtonEnabled(True)
        self.look, self.look_box = QPushButton(FIND), WindowBox()
        self.channels, self.whole = (
            QCheckBox(),
            QCheckBox("the whole plane, not what is shown"),
        )
        self._make_bounds()
        self.names, self.overwrite = QListWidget(), QCheckBox("overwrite other objects")
        self.map = QComboBox()
        for title, kind in MAPS.items():
            self.map.addItem(title, kind)
        self.names.setMaximumHeight(110)
        self.accept, self.discard = QPushButton("Accept"), QPushButton("Discard")
        self.back, self.message = QPushButton("Undo"), Message()
        self.hint = QLabel(
            "With the layer 'SEEM everything' selected: click an object to remove or restore it, "
            "Shift+drag over several to merge them."
        )
        self.hint.setWordWrap(True)
        self._tips()
        self._arrange()
        self.names.itemChanged.connect(self.filtered)
        self.score.changed.connect(without_arguments(self.filtered.emit))
        for box in (self.smallest, self.largest):
            box.valueChanged.connect(self.filtered)
        self.show_offer(0, 0, can_step_back=False, has_map=False)
        self.show_choices(0, big=False)

    def _make_bounds(self) -> None:
        self.score = FloatSlider(
            label="Minimum score", min=0, max=1, step=0.01,
            tooltip="Offer only objects that score at least this much",
        )  # fmt: skip
        self.smallest, self.largest = QSpinBox(), QSpinBox()
        for box in (self.smallest, self.largest):
            box.setRange(0, LARGEST_AREA)
            box.setGroupSeparatorShown(True)
            box.setSuffix(" px")
        self.smallest.setToolTip("Offer only objects of at least this many pixels")
        self.largest.setToolTip("Offer only objects of at most this many pixels")
        self.largest.setSpecialValueText("no limit")

    @property
    def words_typed(self) -> list[str]:
        """The words to look for; none for everything."""
        return [word.strip() for word in self.words.text().split(",") if word.strip()]

    @property
    def map_kind(self) -> str | None:
        """The map to write beside the objects, or None."""
        return self.map.currentData() if self.map.isEnabled() else None

    def wanted(self) -> Wanted:
        """The bounds that stand in the dock; a largest area below the smallest is no bound."""
        items = [self.names.item(row) for row in range(self.names.count())]
        known = [item for item in items if item is not None]
        chosen = {
            str(item.data(Qt.ItemDataRole.UserRole)) for item in known
            if item.checkState() == Qt.CheckState.Checked
        }  # fmt: skip
        smallest, largest = self.smallest.value(), self.largest.value()
        return Wanted(
            smallest, largest if largest >= smallest else 0, self.score.value,
            None if len(chosen) == len(known) else chosen,
        )  # fmt: skip

    def show_names(self, names: Mapping[str, int]) -> None:
        """Offer names with their counts, all of them ticked."""
        self.names.blockSignals(True)
        self.names.clear()
        for name, count in names.items():
            item = QListWidgetItem(f"{name or NAMELESS}   {count}")
            item.setData(Qt.ItemDataRole.UserRole, name)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked)
            self.names.addItem(item)
        self.names.blockSignals(False)

    def show_choices(self, channels: int, big: bool) -> None:
        """Offer what only some images have: several channels, or planes too big for one pass."""
        self.channels.setText(f"all {channels} channels")
        self.channels.setVisible(channels > 1)
        self.whole.setVisible(big)
        if channels < 2:
            self.channels.setChecked(False)

    def show_offer(self, offered: int, total: int, *, can_step_back: bool, has_map: bool) -> None:
        """Show how many objects would be written."""
        self.map.setEnabled(has_map)
        for widget in (
            self.score.native, self.smallest, self.largest, self.names, self.discard,
            self.hint, self.overwrite,
        ):  # fmt: skip
            widget.setEnabled(total > 0)
        self.accept.setEnabled(offered > 0)
        self.accept.setText(f"Accept {offered} of {total}" if total else "Accept")
        self.back.setEnabled(can_step_back)

    def _tips(self) -> None:
        set_tips(
            (
                (self.image, "The image whose shown plane is segmented"),
                (self.labels, "Takes the accepted objects"),
                (self.words, "Words with commas between them; empty finds every object"),
                (self.channels, "Give the model these layers as channels of one image"),
                (self.whole, "Work through a big plane frame by frame; this takes a while"),
                (self.look, "Find all objects of the shown plane; nothing is written yet"),
                (
                    self.map,
                    "A second layer, where all pixels have a name: objects of a name as one "
                    "(semantic), or apart, with stuff such as sky or tissue around them (panoptic)",
                ),
                (self.names, "Offer only objects of the ticked names"),
                (
                    self.overwrite,
                    "Take pixels of objects that are there; otherwise they stay theirs",
                ),
                (self.accept, "Write the offered objects in one step; Ctrl+Z undoes it"),
                (self.discard, "Forget what was found"),
                (self.back, "Undo the last click or merge"),
            )
        )

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.addLayout(form(
            ("Image", self.image), ("", self.channels), ("", self.whole),
            ("Intensity", self.look_box), ("Model", self.model), ("Words", self.words),
        ))  # fmt: skip
        column.addWidget(self.look)
        column.addLayout(form(
            self.score, ("Area from", self.smallest), ("to", self.largest),
            ("Names", self.names),
        ))  # fmt: skip
        column.addWidget(self.hint)
        column.addLayout(form(
            ("Write to", self.labels), ("", self.overwrite), ("Also write", self.map)
        ))  # fmt: skip
        column.addWidget(self.accept)
        column.addLayout(row(self.back, self.discard))
        column.addWidget(self.message)
        column.addStretch(1)
