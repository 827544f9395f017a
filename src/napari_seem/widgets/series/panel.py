"""The looks of the Series dock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from ...series.compare import ObjectPair
from ...series.marks import DONE, IN_WORK, SKIPPED, STATES, TO_DO, Mark
from ...series.series import Series
from .._shared.forms import form, row, set_tips
from .._shared.message import Message

SIGNS = {
    TO_DO: "\N{WHITE CIRCLE}", IN_WORK: "\N{CIRCLE WITH LEFT HALF BLACK}",
    DONE: "\N{BLACK CIRCLE}", SKIPPED: "\N{MULTIPLICATION SIGN}",
}  # fmt: skip
"""Of the states, before the names of images."""
FILTERS = {
    "all images": STATES, "to do and in work": (TO_DO, IN_WORK),
    **{state: (state,) for state in STATES},
}  # fmt: skip
FIT, KEEP = "fit each image", "keep zoom and contrast"


class SeriesPanel(QWidget):
    """All widgets of the Series dock, in their places.

    Parameters
    ----------
    keys : mapping of str to str
        Key by the method of an action, for the tooltips.

    Attributes
    ----------
    chosen : Signal(int)
        A person chose an image of the list.
    """

    chosen = Signal(int)

    def __init__(self, keys: Mapping[str, str]) -> None:
        super().__init__()
        self.folder, self.files = QPushButton("Folder…"), QPushButton("Files…")
        self.layers = QPushButton("Open layers")
        self.labels, self.labels_folder = QElidingLabel(), QPushButton("…")
        self.annotator = QLineEdit()
        self.bar, self.filter, self.list = QProgressBar(), QComboBox(), QListWidget()
        self.previous, self.skip = QPushButton("Previous"), QPushButton("Skip")
        self.done, self.next = QPushButton("Done, next"), QPushButton("Next")
        self.note, self.view = QLineEdit(), QComboBox()
        self.ahead = QCheckBox("encode the next images")
        self.counts, self.message = QLabel(), Message()
        self.compare, self.disagreements = QPushButton("Compare with…"), QLabel()
        self.former_pair, self.next_pair = QPushButton("Previous"), QPushButton("Next")
        self._numbers: list[int] = []
        self._set_up()
        self._arrange()
        self.set_keys(keys)
        self.show_pair(None, 0, 0)

    def set_keys(self, keys: Mapping[str, str]) -> None:
        """Show keys in the tooltips."""
        set_tips((
            (self.next, f"The next image of the list [{keys['series_next']}]"),
            (self.previous, f"The image before [{keys['series_previous']}]"),
            (self.done, f"This image is done; open the next one [{keys['series_done']}]"),
            (self.skip, f"Leave this image out; open the next one [{keys['series_skip']}]"),
        ))  # fmt: skip

    def show_series(self, series: Series | None, position: int, states: Sequence[str]) -> None:
        """Show progress, the images in some states, and the one that is worked on."""
        if series is None:
            self.bar.setFormat("no images yet")
            return
        counted, total = series.states(), len(series.images)
        self.bar.setRange(0, max(1, total))
        self.bar.setValue(counted[DONE] + counted[SKIPPED])
        skipped = f", {counted[SKIPPED]} skipped" if counted[SKIPPED] else ""
        self.bar.setFormat(f"done {counted[DONE]} of {total}{skipped}")
        self.labels.setText(str(series.folder))
        self.labels.setToolTip(str(series.folder))
        if not self.annotator.hasFocus():
            self.annotator.setText(series.annotator)
        self._list(series, position, states)
        classes = series.counts()
        said = " \N{MIDDLE DOT} ".join(f"{name or 'no class'} {n}" for name, n in classes.items())
        gone = f"\n{len(series.missing)} images are missing" if series.missing else ""
        self.counts.setText(f"Objects: {said or 'none yet'}{gone}")
        self.counts.setToolTip("\n".join(series.missing))

    def show_pair(self, pair: ObjectPair | None, number: int, total: int) -> None:
        """Show a disagreement, and which one of how many it is."""
        for button in (self.former_pair, self.next_pair):
            button.setVisible(total > 0)
        if pair is None:
            self.disagreements.setText("")
            return
        one, other = pair.class_a or "no class", pair.class_b or "no class"
        said = {
            "other class": f"{one} or {other}?", "only in A": f"only yours: {one}",
            "only in B": f"only theirs: {other}",
        }.get(pair.verdict, f"outlines differ: IoU {pair.iou:.2f}")  # fmt: skip
        self.disagreements.setText(f"{number} of {total} \N{MIDDLE DOT} {pair.image}: {said}")

    def _list(self, series: Series, position: int, states: Sequence[str]) -> None:
        self.list.blockSignals(True)
        numbers = [k for k in range(len(series.images))
                   if k == position or series.mark_of(k).state in states]  # fmt: skip
        texts = [_line(series.mark_of(k)) for k in numbers]
        if numbers != self._numbers:
            self.list.clear()
            self.list.addItems(texts)
            self._numbers = numbers
        for place, (number, text) in enumerate(zip(numbers, texts, strict=True)):
            item = self.list.item(place)
            if item is not None and item.text() != text:
                item.setText(text)
            if item is not None:
                mark = series.mark_of(number)
                who = f"{mark.state} by {mark.annotator}, {mark.time}" if mark.time else mark.state
                item.setToolTip(f"{mark.image}: {who}")
        if position in numbers:
            self.list.setCurrentRow(numbers.index(position))
            if not self.note.hasFocus():
                self.note.setText(series.mark_of(position).note)
        self.list.blockSignals(False)

    def _set_up(self) -> None:
        self.filter.addItems(list(FILTERS))
        self.view.addItems([FIT, KEEP])
        self.ahead.setChecked(True)
        self.note.setPlaceholderText("a note on this image")
        self.annotator.setPlaceholderText("your name")
        self.labels.setElideMode(Qt.TextElideMode.ElideMiddle)
        for label in (self.counts, self.disagreements):
            label.setWordWrap(True)
        for label in (self.labels, self.counts):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.labels_folder.setMaximumWidth(32)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys go to the picture
        for button in (self.previous, self.skip, self.done, self.next, self.former_pair,
                       self.next_pair):  # fmt: skip
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        set_tips((
            (self.folder, "Label the images of a folder"), (self.files, "Label these images"),
            (self.layers, "Label the image layers that are open, one after another"),
            (self.labels_folder, "Keep labels and marks in another folder"),
            (self.annotator, "Noted with what you mark"),
            (self.compare, "Compare these labels with another person's, object by object"),
            (self.ahead, "Encode the next two images while you work, so that the first click on "
             "each is answered at once"),
        ))  # fmt: skip
        self.list.itemClicked.connect(self._on_item)

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.addLayout(row(self.folder, self.files, self.layers))
        column.addWidget(self.bar)
        column.addLayout(row(self.previous, self.next, self.skip))
        column.addWidget(self.done)
        column.addWidget(self.message)
        column.addWidget(self.list, 1)
        column.addWidget(self.note)
        column.addWidget(self.counts)
        column.addLayout(
            form(
                ("Show", self.filter),
                ("View", self.view),
                ("Labels in", row(self.labels, self.labels_folder, stretch=0)),
                ("Annotator", self.annotator),
            )
        )
        column.addWidget(self.ahead)
        column.addWidget(self.compare)
        column.addWidget(self.disagreements)
        column.addLayout(row(self.former_pair, self.next_pair))

    def _on_item(self, _: object) -> None:
        self.chosen.emit(self._numbers[self.list.currentRow()])


def _line(mark: Mark) -> str:
    note = f"  \N{EM DASH} {mark.note}" if mark.note else ""
    return f"{SIGNS[mark.state]}  {mark.image}{note}"
