"""What happened, told to a person in whole sentences: in a dock, or as a notification."""

from __future__ import annotations

import re
import sys

from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel
from superqt.utils import ensure_main_thread

ERROR_COLOUR, NOTE_COLOUR = "#ff8a80", "#9ccc9c"
ENDS = (".", "!", "?", ":", "\N{HORIZONTAL ELLIPSIS}")
"""What a sentence may end in."""


_OF_MACS = {"Ctrl": "Cmd", "Alt": "Option"}


def keys_here(text: str) -> str:
    """Return a text with the names that this system's keyboard has for the keys in it.

    Qt and napari take Cmd on a Mac where others have Ctrl.
    """
    if sys.platform != "darwin":
        return text
    return re.sub(r"\b(Ctrl|Alt)(?=[-+])", lambda found: _OF_MACS[found[1]], text)


def sentence(text: str) -> str:
    """Return a text, such as that of an error, with a capital letter and a full stop."""
    text = keys_here(text.strip())
    word = text.split(" ", 1)[0].rstrip(",;:.")
    if word.isalpha() and word != "napari":  # names of files and packages stay as they are
        text = text[:1].upper() + text[1:]
    return text if not text or text.endswith(ENDS) else f"{text}."


def notify(text: str, *, problem: bool = False) -> None:
    """Show a text among napari's notifications."""
    (show_warning if problem else show_info)(sentence(text))


@ensure_main_thread
def notify_problem(text: str) -> None:
    """Show a problem among napari's notifications; may be called in any thread."""
    notify(text, problem=True)


class Message(QLabel):
    """Room for two lines, in the colour of a note or of a problem."""

    def __init__(self) -> None:
        super().__init__()
        self._problem = False
        self.setWordWrap(True)
        self.setMinimumWidth(1)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setMinimumHeight(2 * self.fontMetrics().lineSpacing() + 4)

    def say(self, text: str, *, problem: bool = False) -> None:
        """Show a text in place of the former one."""
        colour = f"color: {ERROR_COLOUR if problem else NOTE_COLOUR}"
        if colour != self.styleSheet():  # Qt lays the whole page out anew even for the same
            self.setStyleSheet(colour)
        self._problem = problem
        self.setText(sentence(text))

    def settle(self) -> None:
        """Take a problem away: a person has done something about it, or goes on without."""
        if self._problem:
            self.say("")
