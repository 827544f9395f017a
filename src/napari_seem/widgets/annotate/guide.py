"""The dock's help: a short guide and the keyboard map, in a window of its own."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

from .._shared.actions import ACTIONS
from .._shared.keys import keys_here

GUIDE = """
<h3>Segment an object</h3>
<ol>
<li><b>Click</b> on it, drag a <b>box</b>, draw a <b>lasso</b> around it or paint a <b>stroke</b>
inside it. The mask appears at once.</li>
<li>Wrong in places? Add prompts where it should or should not be: the buttons
<b>+ object</b> and <b>&minus; not object</b>, or right click (Ctrl+click) with the point
tool. Prompts are ordinary napari layers: move and delete them there.</li>
<li>The object is another one, such as the cell instead of its nucleus? The button
<b>answer 1 of 3</b>, its key, or Shift and the mouse wheel show the next answer to the same
prompts.</li>
<li><b>Commit</b> writes it into the labels layer, as an object of the <b>class</b> that is chosen.
You need not wait for the mask: press it, and click on the next object. Ctrl+Z takes steps back, the
last one first; napari's own brush edits what is written.</li>
<li><b>Go on with this object</b> adds the next commits to it, on other planes and images, too.</li>
<li><b>Save</b> writes the labels to a file; you are asked for it once.</li>
</ol>
<p><b>Words:</b> type one and press Enter; move the slider until the right proposals are left;
accept all, or click single ones. An empty field proposes everything.</p>
<p><b>Pick</b> an object of the labels layer to change it, whatever made it.</p>
<p>Keys can be changed under File &gt; Preferences &gt; SEEM.</p>
<h3>Keys</h3>
"""


def keyboard_map(keys: Mapping[str, str]) -> str:
    """The keys as an HTML table."""
    rows = [(keys[action.method], action.title) for action in ACTIONS]
    rows += [("Ctrl+Z", "Undo the last step, whichever layer is selected"),
             ("Ctrl+Shift+Z", "Redo it"),
             ("Shift+wheel", "Next or former answer to the same prompts"),
             ("Right click", "A negative point (point tool)")]  # fmt: skip
    cells = "".join(
        f"<tr><td><b>{key}</b>&nbsp;&nbsp;</td><td>{what}</td></tr>" for key, what in rows
    )
    return f"<table>{cells}</table>"


class HelpWindow(QDialog):
    """Shows the guide; stays open beside the work."""

    def __init__(self, parent: QWidget, keys: Mapping[str, str]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Annotate with prompts")
        self.setModal(False)
        text = QTextBrowser()
        text.setHtml(keys_here(GUIDE + keyboard_map(keys)))
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        self.resize(460, 560)
