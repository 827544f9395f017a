"""Real mouse and key events on the canvas of a shown viewer."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from benchmarks.jobs.mouse import CTRL, LEFT, PLAIN, RIGHT, SHIFT, Mouse

__all__ = ["CTRL", "LEFT", "PLAIN", "RIGHT", "SHIFT", "Mouse", "lay_out", "press"]


def press(widget, key, modifiers=PLAIN):
    """Press and release a key, such as "K", with the focus on a widget."""
    QTest.keyClick(widget, getattr(Qt.Key, f"Key_{key}"), modifiers)
    QApplication.processEvents()


def lay_out(viewer, qtbot):
    """Wait until the canvas of a viewer has its final size, its image in the middle."""
    QApplication.processEvents()
    viewer.reset_view()
    canvas, sizes = viewer.window._qt_viewer.canvas.native, []
    while len(sizes) < 3 or sizes[-1] != sizes[-3]:
        qtbot.wait(20)
        sizes.append((canvas.width(), canvas.height()))
