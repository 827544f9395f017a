"""What every dock of ours does when it goes."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget


class Dock(QWidget):
    """Lets go of the viewer once it is closed, or taken away by napari."""

    def release(self) -> None:
        """Let go of the viewer; called once or more."""

    def closeEvent(self, event: Any) -> None:
        """Let go of the viewer; what is written stays."""
        self.release()
        super().closeEvent(event)

    def event(self, event: Any) -> bool:
        """Let go too when napari takes the dock away, which sends no close event."""
        taken = event is not None and event.type() == QEvent.Type.ParentChange
        if taken and self.parent() is None:
            self.release()
        return bool(super().event(event))
