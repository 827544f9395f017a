"""A day at one window: whether it gets slower or larger with its objects and images.

Objects are clicked and committed in the Annotate dock of a real viewer, first many on one image,
then a few on each of many images, whose layers are removed afterwards. Every tenth of the day gives
a line: milliseconds from the click to the mask and for the commit, memory of the process, and how
many of the removed layers are still in memory.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_seem.errors import InvalidArgument

if TYPE_CHECKING:
    import numpy.typing as npt

SPACING = 20
"""Pixels between the middles of two discs of the image."""
ROWS = "| {:>9} | {:>11} | {:>9} | {:>9} | {:>11} |"


class Window:
    """A viewer with the Annotate dock, and what a person does there."""

    def __init__(self, model: str, clicks: int) -> None:
        import napari

        from napari_seem.widgets.annotate.dock import AnnotateWidget

        self.viewer, self.clicks = napari.Viewer(show=True), clicks
        self.dock = AnnotateWidget(self.viewer)
        self.viewer.window.add_dock_widget(self.dock, name="Annotate")
        self.annotator: Any = self.dock.annotator
        self.annotator.choose_model(model)

    def settle(self) -> None:
        """Wait until nothing is computed and everything is drawn."""
        from qtpy.QtCore import QEvent
        from qtpy.QtWidgets import QApplication

        # as the event loop of a program does, but `processEvents` does not
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
        while self.annotator.runner.busy:
            QApplication.processEvents()
            time.sleep(0.0005)
        QApplication.processEvents()

    def open(self, image: npt.NDArray[np.uint8]) -> Any:
        """Show an image (H, W) and choose it."""
        layer = self.viewer.add_image(image)
        self.settle()
        self.annotator.choose_image(layer)
        self.settle()
        return layer

    def make_object(self, at: tuple[int, int]) -> tuple[float, float]:
        """Click at and beside (row, column), commit; seconds of a click, and of the commit."""
        begun = time.perf_counter()
        for n in range(self.clicks):
            self.annotator.prompt_layers.points.add((at[0], at[1] + n))
            self.settle()
        clicked = time.perf_counter()
        self.dock.commit()
        self.settle()
        return (clicked - begun) / self.clicks, time.perf_counter() - clicked

    def close(self) -> None:
        """Close the window."""
        self.dock.release()
        self.viewer.close()


def main(argv: Sequence[str]) -> int:
    """Run `python -m benchmarks day`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks day", description=__doc__)
    parser.add_argument("--commits", type=int, default=2000, help="on one image")
    parser.add_argument("--images", type=int, default=200, help="three objects on each")
    parser.add_argument("--side", type=int, default=1024, help="pixels of the images' sides")
    parser.add_argument("--clicks", type=int, default=1, help="for each object")
    parser.add_argument("--model", default="compact")
    options = parser.parse_args(argv)
    with TemporaryDirectory() as folder:
        for name in ("NAPARI_SEEM_LOGS", "NAPARI_SEEM_CACHE", "NAPARI_SEEM_LABELS"):
            os.environ[name] = str(Path(folder) / name.lower())
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "napari.yaml")
        window = Window(options.model, options.clicks)
        print(f"{options.side} x {options.side} pixels, {options.clicks} clicks an object")
        many_objects(window, options.commits, options.side)
        many_images(window, options.images, options.side)
        window.close()
    return 0


def many_objects(window: Window, count: int, side: int) -> None:
    """Commit many objects on one image."""
    image, middles = discs(side, 0)
    if count > len(middles):
        raise InvalidArgument(f"{side} pixels hold {len(middles)} objects; give a larger --side")
    layer = window.open(image)
    _table("objects", count, lambda n: [window.make_object(middles[n])])
    window.viewer.layers.remove(window.annotator.labels)
    window.viewer.layers.remove(layer)


def many_images(window: Window, count: int, side: int) -> None:
    """Open many images, commit three objects on each, remove image and labels."""
    gone: list[Any] = []

    def one(n: int) -> list[tuple[float, float]]:
        image, middles = discs(side, n)
        layer = window.open(image)
        times = [window.make_object(middles[k]) for k in range(3)]
        labels = window.annotator.labels
        gone.extend([weakref.ref(layer), weakref.ref(labels)])
        window.viewer.layers.remove(labels)
        window.viewer.layers.remove(layer)
        window.settle()
        return times

    _table("images", count, one, gone)


def discs(side: int, seed: int) -> tuple[npt.NDArray[np.uint8], list[tuple[int, int]]]:
    """A noisy image (side, side) of discs, and the (row, column) of their middles."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] % SPACING - SPACING // 2
    shown = np.where(y**2 + x**2 < (SPACING // 3) ** 2, 190, 60) + random.normal(0, 8, y.shape)
    steps = range(SPACING // 2, side - SPACING // 2, SPACING)
    return shown.clip(0, 255).astype(np.uint8), [(a, b) for a in steps for b in steps]


def _table(
    what: str,
    count: int,
    work: Callable[[int], list[tuple[float, float]]],
    gone: Sequence[Any] = (),
) -> None:
    import psutil

    print(ROWS.format(what, "click ms", "commit ms", "MB", "not freed"), flush=True)
    times: list[tuple[float, float]] = []
    for n in range(count):
        times += work(n)
        if (n + 1) % max(1, count // 10) == 0:
            gc.collect()
            click, commit = np.median(times, axis=0) * 1e3
            megabytes = psutil.Process().memory_info().rss / 1e6
            alive = sum(layer() is not None for layer in gone)
            print(
                ROWS.format(n + 1, f"{click:.0f}", f"{commit:.0f}", f"{megabytes:.0f}", alive),
                flush=True,
            )
            times.clear()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
