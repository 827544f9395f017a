"""Label some images of a series in a real viewer, and take a picture of it.

sh tools/with-screen.sh .venv/bin/python tools/series_picture.py docs/images/series.png
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import skimage.data
import tifffile

from napari_seem.demo.gestures import perform, wait_until
from napari_seem.demo.script import Click
from napari_seem.widgets._shared.dock import open_dock
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.series.window import open_window

WINDOW = (1366, 768)
COINS = {0: [(52, 55), (52, 110), (125, 110)], 1: [(50, 60), (120, 62)], 3: [(48, 52), (46, 115)]}
"""Number of an image -> where it is clicked."""


def main(picture: Path) -> None:
    """Take the picture."""
    with TemporaryDirectory() as folder:
        images = Path(folder) / "coins"
        _write(images)
        viewer, dock = open_window([images], annotator="anna")
        viewer.window.resize(*WINDOW)
        player = dock.player
        annotate = open_dock(viewer, AnnotateWidget)
        assert isinstance(annotate, AnnotateWidget)

        def settle() -> None:
            wait_until(lambda: not player.loader.busy, 60)

        settle()
        for number in range(4):
            for place in COINS.get(number, ()):
                perform(annotate, Click(place))
                annotate.panel.name.setText("coin" if place[1] < 100 else "medal")
                annotate.commit()
            if number == 2:
                dock.panel.note.setText("blurred")
                dock.panel.note.editingFinished.emit()
                dock.series_skip()
            elif number < 3:
                dock.series_done()
            settle()
        perform(annotate, Click((125, 115)))
        player.save_now()
        wait_until(lambda: not player.ahead.steps.running, 300)
        wait_until(lambda: "coin 4" in dock.panel.counts.text(), 30)
        viewer.screenshot(str(picture), canvas_only=False, flash=False)
        viewer.close()


def _write(folder: Path) -> None:
    """Ten parts of a picture of coins."""
    folder.mkdir()
    coins = skimage.data.coins()
    for number in range(10):
        y, x = 70 * (number % 3), 28 * number
        part = coins[y : y + 160, x : x + 160]
        part = np.pad(part, ((0, 0), (0, 160 - part.shape[1])), mode="reflect")
        tifffile.imwrite(folder / f"coins {number + 1}.tif", part)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
