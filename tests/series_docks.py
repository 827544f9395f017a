"""What tests of the Series dock share: discs, waiting, a point, a name, a key."""

from __future__ import annotations

from discs import disc_image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

IMAGE, TRUTH = disc_image()


def settle(qtbot, dock):
    """Wait until what is asked for is shown, and encoded."""
    player = dock.player
    qtbot.waitUntil(
        lambda: not player.loader.busy and not player.ahead.steps.running, timeout=20_000
    )


def click(qtbot, annotate, y, x):
    """Put a point as the point tool does, and wait for its mask."""
    annotate.annotator.prompt_layers.points.add([(y, x)])
    qtbot.waitUntil(lambda: not annotate.annotator.runner.busy, timeout=20_000)


def shown(dock):
    return dock.player.shown.images[0].name


def press(dock, key, modifier=Qt.KeyboardModifier.AltModifier):
    QTest.keyClick(dock.viewer.window._qt_viewer.canvas.native, key, modifier)
