"""Examples as a strip of thumbnails, with their labels in colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QKeyEvent, QPixmap
from qtpy.QtWidgets import QListView, QListWidget, QListWidgetItem

from ...images import to_rgb

if TYPE_CHECKING:
    import numpy.typing as npt

    from ...commands.in_context import LabelledExample

SIDE = 84
OPACITY = 0.5


class ExampleStrip(QListWidget):
    """The examples, first to last; Delete takes the chosen ones out.

    Attributes
    ----------
    changed : Signal()
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setMovement(QListView.Movement.Static)
        self.setIconSize(QSize(SIDE, SIDE))
        self.setFixedHeight(SIDE + 44)
        self.setToolTip("The examples; click one and press Delete to remove it")

    @property
    def examples(self) -> list[LabelledExample]:
        """All examples."""
        items = [self.item(row) for row in range(self.count())]
        return [item.data(Qt.ItemDataRole.UserRole) for item in items if item is not None]

    def put(self, example: LabelledExample) -> None:
        """Add an example, or replace the one from the same place."""
        for row, known in enumerate(self.examples):
            if known.key == example.key:
                self.takeItem(row)
                break
        picture = thumbnail(example.image, example.labels)
        height, width = picture.shape[:2]
        image = QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        item = QListWidgetItem(QIcon(QPixmap.fromImage(image.copy())), example.title)
        item.setData(Qt.ItemDataRole.UserRole, example)
        ids = len(np.unique(example.labels[example.labels > 0]))
        item.setToolTip(f"{example.title}: {ids} labels")
        self.addItem(item)
        self.changed.emit()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Delete takes the chosen examples out."""
        if event is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            for item in self.selectedItems():
                self.takeItem(self.row(item))
            self.changed.emit()
            return
        super().keyPressEvent(event)


def thumbnail(
    image: npt.NDArray[np.generic], labels: npt.NDArray[np.integer], side: int = SIDE
) -> npt.NDArray[np.uint8]:
    """A small picture with its labels in the colours napari gives them.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array
    labels : integer (H, W)
    side : int
        Longest side of the picture in pixels.

    Returns
    -------
    uint8 (h, w, 3), C-contiguous
    """
    from napari.utils.colormaps import label_colormap

    step = max(1, -(-max(labels.shape) // side))
    small = labels[::step, ::step]
    rgb = to_rgb(image)[::step, ::step].astype(np.float32)
    colours = label_colormap(49).map(small)[..., :3] * 255
    mixed = np.where((small > 0)[..., None], (1 - OPACITY) * rgb + OPACITY * colours, rgb)
    return np.ascontiguousarray(mixed.astype(np.uint8))
