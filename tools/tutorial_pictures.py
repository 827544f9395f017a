"""Follow the tutorials by mouse in a real viewer, and take their pictures.

sh tools/with-screen.sh .venv/bin/python tools/tutorial_pictures.py docs/images
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import napari

from napari_seem.demo.gestures import perform, wait_until
from napari_seem.demo.script import Click
from napari_seem.samples.files import write_ct_series, write_map
from napari_seem.widgets._shared.intensity_box import CHOICES
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.menus.files import open_path
from napari_seem.widgets.stack.dock import StackWidget

WINDOW = (1400, 900)
SLICE, LIVER = 14, (112, 82)
ROOFS = ((642, 345), (296, 374), (184, 166), (657, 223), (935, 344), (238, 692))


def main(target: Path) -> None:
    """Take both pictures."""
    with TemporaryDirectory() as folder:
        _organ(Path(folder) / "abdomen", target / "tutorial-ct.png")
        _roofs(Path(folder) / "mosaic.tif", target / "tutorial-roofs.png")


def _organ(series: Path, picture: Path) -> None:
    write_ct_series(series)
    viewer, dock = _open(series)
    number = list(CHOICES).index("CT soft tissue")
    dock.panel.look.setCurrentIndex(number)
    dock.panel.look.activated.emit(number)
    viewer.dims.set_current_step(0, SLICE)
    perform(dock, Click(LIVER))
    dock.panel.name.setText("liver")
    dock.commit()
    stack = StackWidget(viewer)
    viewer.window.add_dock_widget(stack, name="Stack", area="right", tabify=True)
    stack.carry("both")
    wait_until(lambda: not stack.runner.steps.running, 300)
    viewer.dims.set_current_step(0, SLICE + 3)
    _take(viewer, picture)


def _roofs(mosaic: Path, picture: Path) -> None:
    write_map(mosaic)
    viewer, dock = _open(mosaic)
    for roof in ROOFS:
        perform(dock, Click(roof))
        dock.panel.name.setText("roof")
        dock.commit()
    perform(dock, Click((184, 823)))
    _take(viewer, picture)


def _open(path: Path) -> tuple[Any, AnnotateWidget]:
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*WINDOW)
    dock = AnnotateWidget(viewer)
    viewer.window.add_dock_widget(dock, name="Annotate", area="right")
    open_path(viewer, path)
    wait_until(lambda: len(viewer.layers) > 0)
    viewer.reset_view()
    return viewer, dock


def _take(viewer: Any, picture: Path) -> None:
    viewer.screenshot(str(picture), canvas_only=False, flash=False)
    viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
