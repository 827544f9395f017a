"""A choice of a model that keeps up with the models that a person makes and removes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox

from ....models.base import Capability
from ....models.registry import MODELS, able_models, model_names
from ..watch import watch_of
from .facts import tip_of

if TYPE_CHECKING:
    from napari.components import ViewerModel


class ModelBox(QComboBox):
    """The models that a dock can work with, by name.

    Parameters
    ----------
    capability : Capability, optional
        Only models that have it are offered.
    further : str
        What is offered besides, after the models.
    """

    def __init__(self, capability: Capability | None = None, *further: str) -> None:
        super().__init__()
        self._capability, self._further = capability, further
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(10)
        self.look()

    def look(self) -> None:
        """Offer the models that there are now; a chosen one that is gone gives way to the first."""
        able = model_names() if self._capability is None else able_models(self._capability)
        names, chosen = [*able, *self._further], self.currentText()
        if names == [self.itemText(index) for index in range(self.count())]:
            self._describe()
            return
        self.blockSignals(True)
        self.clear()
        self.addItems(names)
        self._describe()
        self.setCurrentText(chosen)
        self.blockSignals(False)
        if self.currentText() != chosen:
            self.currentTextChanged.emit(self.currentText())

    def _describe(self) -> None:
        """Say of each model what it is; one that is not on this machine is in italics."""
        for index in range(self.count()):
            if (spec := MODELS.get(self.itemText(index))) is None:
                continue
            self.setItemData(index, f"<qt>{tip_of(spec)}</qt>", Qt.ItemDataRole.ToolTipRole)
            font = self.font()
            font.setItalic(not spec.installed)
            self.setItemData(index, font, Qt.ItemDataRole.FontRole)

    def showPopup(self) -> None:
        """Look before a person chooses: another program may have made a model."""
        self.look()
        super().showPopup()


def look_for_models(viewer: ViewerModel) -> None:
    """Let all docks of a viewer offer the models that there are now."""
    for dock in watch_of(viewer).docks:
        for box in dock.findChildren(ModelBox):
            box.look()
