"""The row of the Annotate dock for labels on disk: where, and the window of the largest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QPushButton, QVBoxLayout, QWidget
from superqt import QElidingLabel

from ...labels.document import LabelDocument
from ...viewer.coordinates import shown_area, shown_plane, spatial_shape
from ...viewer.label_layers.targets import HOME, belongs_on_disk, needs_window, store_of
from ...viewer.label_layers.window import window_of
from ...viewer.timeline import document_in
from .._shared.forms import on_click, row, set_tips
from .._shared.preferences import label_home

if TYPE_CHECKING:
    from .annotator import Annotator


class LabelFolder(QWidget):
    """Tells where the labels of a big image lie; moves the window in which the largest are edited.

    It shows only where labels of the chosen image lie on disk, or would.

    Parameters
    ----------
    annotator : Annotator
        Its objects make the layer, where there is none yet.
    parent : QWidget
    """

    def __init__(self, annotator: Annotator, parent: QWidget) -> None:
        super().__init__(parent)
        self._annotator = annotator
        self.path = QElidingLabel()
        self.path.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.choose, self.here = QPushButton("Folder…"), QPushButton("Edit here")
        self.back, self.forth = QPushButton("Undo labels"), QPushButton("Redo labels")
        self._arrange()
        annotator.place_changed.connect(self.look)
        self.look()

    def choose_folder(self, folder: str | Path | None = None) -> None:
        """Keep new labels of the chosen image in another folder; the person is asked for one."""
        image = self._annotator.image
        if image is None:
            return
        if folder is None:
            start = str(label_home(image))
            folder = QFileDialog.getExistingDirectory(self, "Folder for labels", start)
        if folder:
            image.metadata = {**image.metadata, HOME: Path(folder)}
            self.look()

    def edit_here(self) -> None:
        """Open the window on what the viewer shows now, or on its middle, and take the brush."""
        annotator = self._annotator
        image = annotator.image
        if image is None:
            return
        with annotator.reporting():
            plane = shown_plane(image, annotator.viewer.dims)
            window = window_of(annotator.objects.target())
            if window is None:
                annotator.say("this labels layer can be painted on as it is")
                return
            layer = window.move(replace(plane, channels=False), shown_area(image, plane))
            annotator.viewer.layers.selection.active = layer
            layer.mode = "paint"
            rows, columns = (layer.data.shape[axis] for axis in plane.axes)
            annotator.say(f"the framed part, {rows} x {columns} pixels, can be painted on")

    def take_back(self) -> None:
        """Undo the last change to the labels, wherever it was."""
        self._say(lambda document: document.undo(), "nothing to undo")

    def put_back(self) -> None:
        """Redo the change that was undone last."""
        self._say(lambda document: document.redo(), "nothing to redo")

    def look(self) -> None:
        """Show what holds for the chosen image and labels."""
        image, labels = self._annotator.image, self._annotator.labels
        store = store_of(labels)
        future = labels is None and image is not None and belongs_on_disk(spatial_shape(image))
        self.setVisible(store is not None or future)
        text = ""
        if store is not None:
            text = f"Labels are kept in {store.path}"
        elif future:
            text = f"Labels will be kept in {label_home(image)}"
        self.path.setText(text)
        self.path.setToolTip(text)
        self.choose.setVisible(store is None)
        large = store is not None and window_of(labels) is not None
        future_window = future and image is not None and needs_window(spatial_shape(image))
        self.here.setVisible(large or future_window)
        for button in (self.back, self.forth):
            button.setVisible(large)

    def _say(self, go: Callable[[LabelDocument], str], nothing: str) -> None:
        annotator = self._annotator
        if annotator.labels is None:
            return
        with annotator.reporting():
            title = go(document_in(annotator.viewer, annotator.labels))
            if not title:
                annotator.say(nothing)

    def _arrange(self) -> None:
        self.path.setMinimumWidth(1)
        self.choose.setToolTip("Keep the labels of this image in another folder")
        self.here.setToolTip(
            "Open what is shown now, 4,096 x 4,096 pixels at most, for napari's own brush; what is "
            "painted is written to the folder at the end of every stroke"
        )
        set_tips((
            (self.back, "Undo the last change to these labels, wherever it was [Ctrl+Z]"),
            (self.forth, "Do it again [Ctrl+Shift+Z]"),
        ))  # fmt: skip
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row(self.path, self.choose, stretch=0))
        column.addLayout(row(self.here, self.back, self.forth))
        on_click((
            (self.choose, self.choose_folder), (self.here, self.edit_here),
            (self.back, self.take_back), (self.forth, self.put_back),
        ))  # fmt: skip
