"""Real mouse events on the canvas of a shown viewer."""

from __future__ import annotations

import numpy as np
import pytest
from discs import DiscModel, disc_image
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

from napari_seem.prompts import Box, Point, Scribble
from napari_seem.widgets.annotate import AnnotateWidget

LEFT, RIGHT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.NoButton


class Mouse:
    """Presses, moves and releases at pixels of the image."""

    def __init__(self, viewer):
        self.canvas = viewer.window._qt_viewer.canvas

    def click(self, at, button=LEFT):
        self._send(QEvent.Type.MouseMove, at, NONE, NONE)
        self._send(QEvent.Type.MouseButtonPress, at, button, button)
        self._send(QEvent.Type.MouseButtonRelease, at, button, NONE)

    def drag(self, start, stop):
        self._send(QEvent.Type.MouseMove, start, NONE, NONE)
        self._send(QEvent.Type.MouseButtonPress, start, LEFT, LEFT)
        for share in np.linspace(0, 1, 8)[1:]:
            between = np.multiply(start, 1 - share) + np.multiply(stop, share)
            self._send(QEvent.Type.MouseMove, between, NONE, LEFT)
        self._send(QEvent.Type.MouseButtonRelease, stop, LEFT, NONE)

    def _send(self, kind, at, button, buttons):
        mapped = self.canvas.view.scene.transform.map([at[1], at[0], 0, 1])
        x, y = mapped[:2] / mapped[3] + np.array(self.canvas.view.pos)
        native = self.canvas.native
        place = QPointF(float(x), float(y))
        everywhere = QPointF(native.mapToGlobal(place.toPoint()))
        event = QMouseEvent(
            kind, place, everywhere, button, buttons, Qt.KeyboardModifier.NoModifier
        )
        QApplication.sendEvent(native, event)
        QApplication.processEvents()


@pytest.fixture
def shown(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(disc_image()[0], name="discs")
    model = DiscModel()
    dock = AnnotateWidget(viewer, loader=lambda name: model)
    viewer.window.add_dock_widget(dock, name="Annotate")
    QApplication.processEvents()
    viewer.reset_view()
    qtbot.wait(200)  # the canvas takes its final size
    yield dock, Mouse(viewer)
    qtbot.waitUntil(lambda: not dock.annotator.runner.busy, timeout=20_000)
    dock.release()


def test_clicks_drags_and_picks_of_a_real_mouse(shown, settle):
    dock, mouse = shown
    labels = disc_image()[1]

    mouse.click((32, 20))
    mouse.click((5, 40), RIGHT)
    settle(dock)
    first, second = dock.annotator.work.session.prompts
    assert isinstance(first, Point)
    assert np.hypot(first.y - 32, first.x - 20) < 1
    assert (first.positive, second.positive) == (True, False)
    assert dock.panel.positive.isChecked()  # the right button changes one point, not the choice
    dock.clear()

    dock.use_box()
    mouse.drag((18, 6), (46, 34))
    settle(dock)
    assert isinstance(dock.annotator.work.session.prompts[0], Box)
    assert dock.commit() == 1

    dock.use_scribble()
    mouse.drag((32, 52), (32, 64))
    settle(dock)
    assert isinstance(dock.annotator.work.session.prompts[0], Scribble)
    assert dock.commit() == 2
    assert np.array_equal(dock.annotator.labels.data, labels)

    dock.use_pick()
    mouse.click((32, 58))
    settle(dock)
    assert dock.annotator.work.label_id == 2
