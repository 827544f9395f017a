"""Film a session in a real viewer, by mouse and keyboard, as the moving picture of README.

sh tools/with-screen.sh .venv/bin/python tools/session_picture.py docs/images/session.gif
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import napari
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage
from scipy import ndimage

from benchmarks.few_colours import palette
from benchmarks.jobs.hand import Hand
from benchmarks.jobs.mouse import LEFT, RIGHT
from napari_seem.demo.gestures import wait_until
from napari_seem.samples import stack
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.stack.dock import StackWidget

WINDOW, SHOWN = (1180, 760), (1000, 644)
PLANE = 12
LARGEST = 3_000_000
"""Bytes that a page may carry for it."""
POINTER = ((0, 0), (0, 19), (5, 15), (8, 22), (11, 21), (8, 14), (14, 14))


class Film:
    """Frames of a window, each with a caption and where the mouse is."""

    def __init__(self, hand: Hand) -> None:
        self.hand, self.frames, self.times = hand, [], []
        self.font = ImageFont.load_default(size=19)

    def take(self, caption: str, at: Any = None, seconds: float = 1.5) -> None:
        """Add a frame; `at` is (row, column) of the world under the mouse."""
        self.hand.rest(0.3)
        grabbed = self.hand.window.grab().toImage()
        image = grabbed.convertToFormat(QImage.Format.Format_RGB888)
        data = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), np.uint8)
        rows = data.reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()]
        frame = Image.fromarray(rows.reshape(image.height(), image.width(), 3))
        if at is not None:
            self._point(frame, at)
        frame = frame.resize(SHOWN, Image.Resampling.LANCZOS)
        self._write(frame, caption)
        self.frames.append(frame)
        self.times.append(round(1000 * seconds))

    def _point(self, frame: Image.Image, at: Any) -> None:
        mouse = self.hand.mouse
        x, y = mouse.pixel(at)
        corner = mouse.canvas.native.mapTo(self.hand.window, mouse.canvas.native.rect().topLeft())
        outline = [(corner.x() + x + dx, corner.y() + y + dy) for dx, dy in POINTER]
        ImageDraw.Draw(frame).polygon(outline, fill="white", outline="black", width=1)

    def _write(self, frame: Image.Image, caption: str) -> None:
        draw = ImageDraw.Draw(frame)
        box = draw.textbbox((0, 0), caption, font=self.font)
        left, top = (SHOWN[0] - box[2]) // 2, SHOWN[1] - 92
        draw.rounded_rectangle((left - 14, top - 8, left + box[2] + 14, top + box[3] + 10), 8,
                               fill=(20, 24, 30), outline=(90, 200, 250))  # fmt: skip
        draw.text((left, top), caption, font=self.font, fill="white")

    def save(self, path: Path) -> None:
        """Write an animated GIF of one palette, so that what stays the same costs nothing."""
        sheet = Image.fromarray(np.concatenate([np.asarray(f)[::2, ::2] for f in self.frames]))
        colours = palette(sheet)
        still = [f.quantize(palette=colours, dither=Image.Dither.NONE) for f in self.frames]
        still[0].save(path, save_all=True, append_images=still[1:], duration=self.times, loop=0,
                      optimize=False)  # fmt: skip
        if path.stat().st_size > LARGEST:
            raise ValueError(f"{path} has {path.stat().st_size:,} bytes, {LARGEST:,} are allowed")


def main(target: Path) -> None:
    """Segment nuclei of the drawn stack by a click, a box and a word; carry them through it."""
    sample = stack()
    viewer = napari.Viewer(show=True)
    window: Any = viewer.window._qt_window
    window.setGeometry(0, 0, *WINDOW)
    data, about, _ = sample.layer()
    viewer.add_image(data, **about)
    dock = AnnotateWidget(viewer)
    viewer.window.add_dock_widget(dock, name="Annotate", area="right")
    viewer.dims.set_current_step(0, PLANE)
    hand = Hand(viewer)
    hand.rest(1.0)
    window.activateWindow()
    viewer.reset_view()
    hand.rest(0.5)
    film = Film(hand)
    spots, boxes = nuclei(sample)
    film.take("An image, and the Annotate dock", seconds=1.6)
    hand.click(spots[0])  # the model is loaded and the plane encoded before the film goes on
    hand.press("Clear", "Annotate")
    _by_prompts(film, hand, spots, boxes)
    _by_word(film, hand, dock)
    _through_the_stack(film, hand, viewer)
    film.save(target)
    viewer.close()


def nuclei(sample: Any) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the middles (N, 2) and the boxes of the plane's nuclei in world units, largest first.

    A box is (2, 2): its first and its last corner, rows before columns.
    """
    truth = sample.truth[PLANE]
    order = np.argsort(-np.bincount(truth.ravel())[1:])[:6] + 1
    middles = np.array([np.mean(np.nonzero(truth == i), axis=1) for i in order])
    found = [ndimage.find_objects((truth == i).astype(int))[0] for i in order]
    corners = [np.array([[p.start - 2 for p in one], [p.stop + 2 for p in one]]) for one in found]
    size = np.array(sample.spacing[1:])
    return middles * size, [np.asarray(c) * size for c in corners]


def _by_prompts(film: Film, hand: Hand, spots: Any, boxes: Any) -> None:
    hand.click(spots[0])
    film.take("Click on an object: its mask", spots[0], 1.8)
    hand.key(Qt.Key.Key_K)
    film.take("K: it is an object in a Labels layer", seconds=1.5)
    hand.press("Box", "Annotate")
    (top, left), (bottom, right) = boxes[1]
    path = np.linspace((top, left), (bottom, right), 8)
    hand.trace(path, LEFT)
    film.take("Or drag a box around it", path[-1], 1.8)
    hand.press("Point", "Annotate")
    outside = boxes[1][1] + 1.5
    hand.click(outside, RIGHT)
    film.take("Right click: not this", outside, 1.5)
    hand.key(Qt.Key.Key_K)


def _by_word(film: Film, hand: Hand, dock: AnnotateWidget) -> None:
    hand.type(dock.panel.word, "nucleus")
    wait_until(dock.panel.take_all.isVisible)
    film.take("Or type a word: every match is proposed", seconds=2.0)
    hand.press("Accept", "Annotate")
    film.take("Accept all of them, in one step of undo", seconds=1.8)


def _through_the_stack(film: Film, hand: Hand, viewer: Any) -> None:
    stacked = StackWidget(viewer)
    viewer.window.add_dock_widget(stacked, name="Stack", area="right", tabify=True)
    hand.rest(0.5)
    hand.press("look for new objects too", "Stack")
    hand.press("Both ways", "Stack")
    film.take("Carry them through the stack, both ways", seconds=1.6)
    for plane in (PLANE + 1, PLANE + 2, PLANE + 3):
        hand.go_to(plane)
        film.take(f"Plane {plane}", seconds=0.7)
    film.take("Look at the planes it is least sure of first", seconds=2.2)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
