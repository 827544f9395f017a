"""Scenes of the pages about files, big images, encoded images, tables of prompts and scripts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from qtpy.QtWidgets import QApplication
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops
from skimage.segmentation import clear_border

import napari_seem as ns
from benchmarks.jobs import screen
from benchmarks.jobs.mouse import scroll_to
from napari_seem import samples
from napari_seem.demo.gestures import wait_until
from napari_seem.samples.files import write_ct_series
from napari_seem.widgets.menus.files import open_path

if TYPE_CHECKING:
    from pictures import Scene

TILE, TILES, CORNER = 1024, 20, 9
"""Pixels and number of the tiles along a side of the big mosaic, and the tile that is labelled."""
ROOFS = ((642, 345), (296, 374), (184, 166), (657, 223), (238, 692))
ENCODED = 10
"""Planes that are encoded when the picture is taken."""
SCRIPT = (
    "import napari_seem as ns; model = ns.load_model('compact')",
    "image = viewer.layers['Coins'].data",
    "objects = ns.segment_objects(model, image, [[130, 120], [52, 170], [270, 46]])",
    "viewer.add_labels(objects.labels, name='objects')",
    "objects.table[['id', 'score', 'area']]",
)


def big_images(scene: Scene) -> None:
    """Label some roofs of a mosaic of 20,480 pixels a side, in which they are a few of many."""
    os.environ["NAPARI_SEEM_LABELS"] = str(scene.folder / "labels")
    tile = samples.mosaic(size=TILE).image.mean(-1)
    turns = np.random.default_rng(0).integers(0, 4, (TILES, TILES))
    turns[CORNER, CORNER] = 0
    levels = []
    for step in (1, 2, 4, 8, 16):
        coarse = tile.reshape(TILE // step, step, TILE // step, step).mean((1, 3)).astype(np.uint8)
        turned = [da.from_array(np.rot90(coarse, quarter)) for quarter in range(4)]
        levels.append(da.block([[turned[quarter] for quarter in row] for row in turns]))
    scene.viewer.add_image(levels, multiscale=True, name="mosaic")
    scene.open("Annotate")
    corner = CORNER * TILE
    scene.viewer.camera.center = (corner + 420, corner + 430)
    scene.viewer.camera.zoom = 0.75
    scene.label([np.add(roof, corner) for roof in ROOFS], "roof")


def liver(scene: Scene) -> None:
    """Label a liver on a plane of a drawn CT."""
    open_path(scene.viewer, write_ct_series(scene.folder / "abdomen"))
    wait_until(lambda: len(scene.viewer.layers) > 0)
    dock = scene.open("Annotate")
    scene.hand.choose(dock.panel.look, "CT soft tissue")
    scene.viewer.dims.set_current_step(0, 14)
    layer = scene.viewer.layers[0]
    scene.label([np.array((112, 82)) * layer.scale[1:] + layer.translate[1:]], "liver")


def files(scene: Scene) -> Any:
    """Label a liver in a DICOM series, and open the menu of files."""
    liver(scene)
    bar = scene.hand.window.menuBar()
    file = _entry(bar, "File")
    file.popup(bar.mapToGlobal(bar.actionGeometry(file.menuAction()).bottomLeft()))
    inner = _entry(file, "IO Utilities")
    file.setActiveAction(inner.menuAction())
    inner.popup(file.mapToGlobal(file.actionGeometry(inner.menuAction()).topRight()))
    return Screen(scene.hand.window)


def _entry(menu: Any, title: str) -> Any:
    """Return the menu that an entry of a menu opens."""
    return next(a.menu() for a in menu.actions() if screen.plain(a.text()) == title)


class Screen:
    """The part of the screen that a window covers: open menus are windows of their own."""

    def __init__(self, window: Any) -> None:
        self.width, self.height = window.width(), window.height()

    def grab(self) -> Any:
        """Return its pixels, as a widget does."""
        found = QApplication.primaryScreen()
        assert found is not None
        return found.grabWindow(0, 0, 0, self.width, self.height)


def many_objects(scene: Scene) -> None:
    """Segment all coins from the places that a threshold finds, and list them."""
    coins = samples.coins()
    scene.sample(coins)
    above = ndimage.binary_opening(coins.image > threshold_otsu(coins.image), iterations=4)
    places = [one.centroid for one in regionprops(label(clear_border(above))) if one.area > 300]
    names = ["coin"] * len(places)
    objects = ns.segment_objects(ns.load_model("compact"), coins.image, places, names=names)
    layer = scene.viewer.add_labels(objects.labels, name="objects", opacity=0.5)
    table = objects.table.rename(columns={"id": "index"})
    layer.features = table[["index", "name", "score", "area"]]
    scene.viewer.add_points(places, name="places", size=6, face_color="orange")
    scene.open("Objects")


def embeddings(scene: Scene) -> None:
    """Encode the other planes of a stack, and pause after some of them."""
    scene.sample(samples.stack())
    scene.viewer.dims.set_current_step(0, 12)
    ahead = scene.open("Annotate").ahead
    scene.hand.rest(2.0)
    scroll_to(ahead)
    ahead.start()
    wait_until(lambda: int(ahead.message.text().split()[0]) in range(ENCODED, 24), 900)
    ahead.toggle_pause()
    scene.hand.rest(2.0)


def python(scene: Scene) -> None:
    """Segment three coins by lines that are typed into napari's console."""
    scene.sample(samples.coins())
    scene.viewer.window._qt_viewer.toggle_console_visibility()
    console = scene.viewer.window._qt_viewer.console
    for line in SCRIPT:
        console.execute(line)
        scene.hand.rest(1.0)
    scene.viewer.reset_view()
