"""From a press of the mouse to the drawn frame, and what napari alone takes for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import napari
import numpy as np
from psygnal import SignalInstance
from qtpy.QtCore import QEventLoop, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QWidget

from ..jobs.mouse import Mouse
from .scene import Image, on_discs

LIMIT = 120.0
"""Seconds after which an answer is no longer waited for."""
PAUSE = 150
"""Milliseconds between what a person does."""
TICK = 5
"""Milliseconds between the looks at whether the event loop stands still."""


class Beats:
    """Notes the longest time for which the event loop did nothing that it should have done."""

    def __init__(self) -> None:
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start(TICK)
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._last, self.longest = time.perf_counter(), 0.0

    def _beat(self) -> None:
        now = time.perf_counter()
        self.longest = max(self.longest, (now - self._last) * 1e3 - TICK)
        self._last = now

    def stop(self) -> float:
        """Return the longest standstill in milliseconds, one that lasts counted."""
        self._beat()
        self._timer.stop()
        return self.longest


class Window:
    """A shown viewer with an image, a mouse over its canvas, and an eye on its frames.

    Attributes
    ----------
    longest : float
        Milliseconds for which the event loop stood still during the last `frame_after`.
    """

    def __init__(self, image: Any) -> None:
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(1200, 800)
        self.viewer.add_image(image, name="scene", contrast_limits=(0, 255))
        self.mouse = Mouse(self.viewer)
        self.longest = 0.0
        self._frames: list[float] = []
        self._drawn = False
        self.mouse.canvas._scene_canvas.events.draw.connect(self._on_draw, position="last")
        self.mouse.canvas.native.frameSwapped.connect(self._on_swap)

    def frame_after(self, act: Callable[[], object], signal: Any = None) -> float:
        """Milliseconds from an act to the frame on the screen that shows its outcome.

        Parameters
        ----------
        act : callable
            What the person does.
        signal : Signal, optional
            Tells that the outcome is in the layers; by default it is when `act` returns.
        """
        told: list[float] = []

        def on_outcome(*_: object) -> None:
            if not told:
                told.append(time.perf_counter())
                self._drawn = False
                self._frames.clear()

        if signal is not None:
            signal.connect(on_outcome)
        beats, start = Beats(), time.perf_counter()
        act()
        if signal is None:
            on_outcome()
        try:
            self._wait(lambda: bool(told and self._frames))
        finally:
            self.longest = beats.stop()
            if signal is not None:
                signal.disconnect(on_outcome)
        return (self._frames[0] - start) * 1e3

    def _wait(self, there: Callable[[], bool]) -> None:
        loop, look = QEventLoop(), QTimer()
        until = time.perf_counter() + LIMIT
        look.timeout.connect(lambda: (there() or time.perf_counter() > until) and loop.quit())
        look.start(TICK)
        loop.exec()
        if not there():
            raise TimeoutError(f"no frame showed the outcome within {LIMIT:.0f} s")

    def _on_draw(self, _: object) -> None:
        self._drawn = True

    def _on_swap(self) -> None:
        if self._drawn:
            self._frames.append(time.perf_counter())

    def settle(self) -> None:
        """Wait until the window has its size and draws nothing any more."""
        QTest.qWait(PAUSE)
        for _ in range(50):
            before = len(self._frames)
            QTest.qWait(PAUSE)
            if len(self._frames) == before:
                return

    def lay_out(self) -> None:
        """Wait for the final size of the canvas; its image is then in the middle."""
        self.settle()
        self.viewer.reset_view()
        self.settle()

    def click(self, at: tuple[float, float], signal: Any) -> float:
        """Click at (row, column); return the milliseconds to the frame that shows the outcome."""
        self.mouse.hover(at)
        QTest.qWait(PAUSE)
        return self.frame_after(lambda: self.mouse.click(at), signal)

    def close(self) -> None:
        """Close the viewer."""
        self.viewer.close()
        QTest.qWait(PAUSE)


@contextmanager
def opened(image: Any) -> Iterator[Window]:
    """A window that is closed in the end."""
    window = Window(image)
    try:
        yield window
    finally:
        window.close()


def floor(image: Image, repeats: int, width: int) -> list[float]:
    """What napari alone takes to add a point and to refresh a Labels layer of the image's size.

    Parameters
    ----------
    image : (H, W)
    repeats : int
    width : int
        Of the empty dock that leaves the canvas as much room as the Annotate dock does.
    """
    with opened(image) as window:
        viewer, empty = window.viewer, QWidget()
        empty.setFixedWidth(width)
        viewer.window.add_dock_widget(empty, name="empty")
        labels = viewer.add_labels(np.zeros(image.shape, np.uint8), opacity=0.6)
        points = viewer.add_points(ndim=2, size=8)
        points.mode = "add"
        window.lay_out()
        side = image.shape[0] // 12

        done = SignalInstance()

        def refresh(event: Any) -> None:
            if event.action == "added":
                y, x = points.data[-1].astype(int)
                labels.data[max(0, y - side) : y + side, max(0, x - side) : x + side] = 1
                labels.refresh()
                done.emit()

        points.events.data.connect(refresh)
        places = on_discs(image, repeats + 1)
        return [window.click(at, done) for at in places][1:]
