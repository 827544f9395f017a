"""Which layers of the viewer are labelled, and how much; files that a person adds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QTreeWidgetItem

from ...errors import InvalidLabels
from ...series.listing import labels_for, list_images
from ...viewer.coordinates import full_data
from ...viewer.labelled import CountedPlane, LabelledLayer, count_labelled, labelled_layers
from ...viewer.stacks import plane_text
from .._shared.background.steps import Steps
from .labelled_tree import OWN, LabelledRow, LabelledTree

if TYPE_CHECKING:
    from napari.components import ViewerModel

LABELS = "labels"
"""Folder of the labels of a folder's images, where they do not lie beside them."""


class LabelledList(QObject):
    """Keeps the tree of labelled layers; their planes are counted in a thread.

    Parameters
    ----------
    viewer : ViewerModel
    tree : LabelledTree
    parent : QObject
    """

    def __init__(self, viewer: ViewerModel, tree: LabelledTree, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer, self._tree = viewer, tree
        self._files: list[LabelledRow] = []
        self._round = 0
        self._items: list[QTreeWidgetItem] = []
        self.steps = Steps(self)
        self.steps.stepped.connect(self._take)
        self.steps.ended.connect(self._on_end)

    def look(self) -> None:
        """List the layers of now and count what is labelled; files stay."""
        self._round += 1
        self._tree.empty()
        self._items = []
        for layer in labelled_layers(self._viewer):
            self._items.append(self._tree.add(LabelledRow(layer.title, layer)))
        for row in self._files:
            self._show_files(row)
        self._count()

    def add_folder(self, folder: Path) -> None:
        """Add the images of a folder that have labels beside them or in its folder `labels`.

        Raises
        ------
        InvalidImage, InvalidLabels, FileTrouble
            There is no image, or none with labels.
        """
        _, images = list_images([folder])
        found = [x.path for x in images if x.path and labels_for(x, folder / LABELS).exists()]
        if not found:
            raise InvalidLabels(
                f"none of the {len(images)} images in '{folder}' has labels; they are looked for "
                f"as IMAGE_labels.tif (or another format) beside it, or in a folder '{LABELS}'"
            )
        row = LabelledRow(folder.name, folder=folder, files=tuple(found))
        self._files.append(row)
        self._show_files(row)

    def close(self) -> None:
        """Count no further."""
        self.steps.close()

    def _show_files(self, row: LabelledRow) -> None:
        self._tree.add(row).setText(1, f"{len(row.files)} files")

    def _count(self) -> None:
        """Count in a thread, or have the running one stopped first."""
        if self.steps.running:
            self.steps.stop()
            return
        number = self._round
        layers = map(_layer_of, self._items)
        given = [(full_data(layer.labels), layer.planes()) for layer in layers]
        if not given:
            return

        def work() -> Iterator[tuple[int, int, list[CountedPlane]]]:
            for index, (data, planes) in enumerate(given):
                for some in count_labelled(data, planes):
                    yield number, index, some

        self.steps.start("Looking for labelled planes", 0, work)

    def _take(self, found: tuple[int, int, list[CountedPlane]]) -> None:
        number, index, planes = found
        if number != self._round:
            return
        item = self._items[index]
        image, dims = _layer_of(item).image, self._viewer.dims
        names = [plane_text(image, dims, one.plane) for one in planes]
        self._tree.add_planes(item, planes, names)

    def _on_end(self, outcome: str) -> None:
        if outcome == "stopped":
            self._count()


def _layer_of(item: QTreeWidgetItem) -> LabelledLayer:
    row: LabelledRow = item.data(0, OWN)
    assert row.layer is not None, "only layers are counted"
    return row.layer
