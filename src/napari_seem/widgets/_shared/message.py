"""A line or two that tell a person what happened."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

ERROR_COLOUR, NOTE_COLOUR = "#ff8a80", "#9ccc9c"


class Message(QLabel):
    """Room for two lines, in the colour of a note or of a problem."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setMinimumWidth(1)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setMinimumHeight(2 * self.fontMetrics().lineSpacing() + 4)

    def say(self, text: str, *, problem: bool = False) -> None:
        """Show a text in place of the former one."""
        self.setStyleSheet(f"color: {ERROR_COLOUR if problem else NOTE_COLOUR}")
        self.setText(text)
