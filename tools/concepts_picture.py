"""Teach a word by mouse in a real viewer, and take its picture.

sh tools/with-screen.sh .venv/bin/python tools/concepts_picture.py docs/images/concepts.png
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import napari
from skimage import data

from napari_seem.demo.gestures import perform, wait_until
from napari_seem.demo.script import Click
from napari_seem.widgets.annotate.dock import AnnotateWidget

WINDOW = (1300, 900)
COINS = ((125, 52), (120, 110), (50, 300))


def main(picture: Path) -> None:
    """Label three coins, teach the word, and find the others."""
    with TemporaryDirectory() as folder:
        os.environ["NAPARI_SEEM_LIBRARY"] = str(Path(folder) / "words.zip")
        viewer = napari.Viewer(show=True)
        viewer.window.resize(*WINDOW)
        viewer.add_image(data.coins(), name="coins")
        dock = AnnotateWidget(viewer)
        viewer.window.add_dock_widget(dock, name="Annotate", area="right")
        viewer.reset_view()
        for coin in COINS:
            perform(dock, Click(coin))
            dock.commit()
        dock.panel.word.setText("old coin")
        dock.panel.teach.click()
        dock.teaching.box.synonyms.setText("drachma")
        dock.teaching.box.teach.click()
        wait_until(lambda: not dock.annotator.runner.busy, 120)
        dock.find_word()
        wait_until(lambda: dock.proposals.active, 120)
        dock.panel.threshold.setValue(0.3)
        dock.teaching.open()
        viewer.screenshot(str(picture), canvas_only=False, flash=False)
        viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
