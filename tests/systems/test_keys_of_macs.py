"""Keys of a Mac: in tooltips, help and messages, and Backspace where others have Delete."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QTextBrowser, QWidget

from napari_seem.widgets._shared.actions import keys_of
from napari_seem.widgets._shared.keys import keys_here
from napari_seem.widgets._shared.message import sentence
from napari_seem.widgets.annotate.guide import HelpWindow
from napari_seem.widgets.workbench import PAGES, Workbench


@pytest.fixture(params=["darwin", "linux"])
def system(request, monkeypatch):
    monkeypatch.setattr(
        "napari_seem.widgets._shared.keys.sys", SimpleNamespace(platform=request.param)
    )
    return request.param


def test_texts_name_the_keys_of_the_system(system):
    text = "Ctrl+Shift+Z undoes it, Alt-Right goes on; control the Alternatives"
    mac = "Cmd+Shift+Z undoes it, Option-Right goes on; control the Alternatives"

    assert keys_here(text) == (mac if system == "darwin" else text)
    assert sentence("choose two (Ctrl-click)").startswith(
        "Choose two (Cmd" if system == "darwin" else "Choose two (Ctrl"
    )


def test_no_dock_speaks_of_keys_that_are_not_there(system, qtbot):
    viewer = ViewerModel()
    viewer.add_image(np.zeros((32, 32), np.uint8))
    bench = Workbench(viewer)
    qtbot.addWidget(bench)
    for number in range(len(PAGES)):
        bench.tabs.setCurrentIndex(number)
    guide = HelpWindow(bench, keys_of("napari-seem"))
    tips = [widget.toolTip() for widget in bench.findChildren(QWidget)]
    text = "\n".join([*tips, guide.findChild(QTextBrowser).toPlainText()])
    bench.release()

    here, elsewhere = ("Cmd", "Ctrl") if system == "darwin" else ("Ctrl", "Cmd")
    assert text.count(f"{here}+") > 8
    assert "[Option-Right]" in text if system == "darwin" else "[Alt-Right]" in text
    assert f"{elsewhere}+" not in text


def test_backspace_deletes_where_delete_does(qtbot):
    bench = Workbench(ViewerModel())
    qtbot.addWidget(bench)
    bench.tabs.setCurrentIndex(list(PAGES).index("Objects"))
    page = bench.page("Objects")
    homes = {
        keys: {s.parent() for s in page.findChildren(QShortcut) if s.key() == QKeySequence(keys)}
        for keys in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)
    }
    bench.release()

    assert homes[Qt.Key.Key_Delete] == {page.panel.classes, page.panel.objects}
    assert homes[Qt.Key.Key_Backspace] == homes[Qt.Key.Key_Delete]
