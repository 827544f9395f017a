"""Take the pictures of the docks: a real viewer, by mouse and keyboard, with drawn or shipped data.

sh tools/with-screen.sh .venv/bin/python tools/pictures.py [NAME ...]

Without names all pictures of `PICTURES` are taken, into docs/images.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import napari
import numpy as np
import skimage.data
import tifffile
from page_scenes import big_images, embeddings, files, liver, many_objects, python
from PIL import Image
from skimage.draw import ellipse
from skimage.filters import gaussian
from skimage.measure import regionprops

from benchmarks.few_colours import palette
from benchmarks.jobs import screen
from benchmarks.jobs.hand import Hand
from benchmarks.jobs.mouse import RIGHT
from napari_seem import samples
from napari_seem.demo.gestures import wait_until
from napari_seem.samples.files import ct_volume, write_map
from napari_seem.widgets._shared.recovery import RecoveryWindow
from napari_seem.widgets.menus.files import open_path
from napari_seem.widgets.series.window import open_window

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
WINDOW = (1366, 830)
LARGEST = 300_000
"""Bytes that a picture may have."""
COINS = ((125, 52), (120, 110), (125, 152))
ROOFS = ((642, 345), (296, 374), (184, 166), (657, 223), (935, 344), (238, 692))
MINUTES, JUDGED = 2.0, 4
"""Of the fine-tuning, and how often it was judged when its picture is taken."""
SERIES = {0: [(52, 55), (52, 110), (125, 110)], 1: [(50, 60), (120, 62)], 3: [(48, 52), (46, 115)]}
"""Number of an image -> where it is clicked."""


VESSELS = (
    ((20, 2), (22, 25), (34, 72), (39, 140), (52, 205)),
    ((90, 218), (108, 262), (119, 300), (119, 360)),
    ((140, 76), (128, 112), (140, 150), (178, 190)),
    ((158, 309), (190, 320), (210, 328)),
    ((240, 25), (290, 30), (322, 36)),
)
GROUNDS = (
    ((62, 30), (66, 110)),
    ((168, 360), (172, 402)),
    ((395, 195), (400, 240)),
    ((270, 120), (330, 128)),
    ((430, 380), (470, 440)),
)
"""Strokes along vessels of a retina, and beside them: (row, column)."""


class Scene:
    """A window, and a person at it.

    Parameters
    ----------
    folder : Path
        Of this picture's own, for files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.look_at(napari.Viewer(show=True))

    def look_at(self, viewer: Any) -> None:
        """Go on in another viewer."""
        self.viewer = viewer
        self.hand = Hand(self.viewer)
        self.hand.window.setGeometry(0, 0, *WINDOW)
        self.hand.window.activateWindow()

    def sample(self, sample: samples.Sample) -> None:
        """Show a sample."""
        data, about, _ = sample.layer()
        self.viewer.add_image(data, **about)

    def open(self, name: str) -> Any:
        """Open a dock, and let the image fill what room is left."""
        _, dock = self.viewer.window.add_plugin_dock_widget("napari-seem", name)
        self.hand.rest(1.0)
        self.viewer.reset_view()
        self.hand.rest(0.3)
        return dock

    def label(self, places: Sequence[Sequence[float]], name: str) -> None:
        """Click on objects, name and commit each."""
        for place in places:
            self.hand.click(place)
            self.hand.type(screen.dock(self.viewer, "Annotate").panel.name, name)

    def take(self, path: Path, widget: Any = None) -> None:
        """Write a picture of the window, or of one widget of it."""
        self.hand.rest(0.5)
        (widget or self.hand.window).grab().save(str(path))
        picture = Image.open(path).convert("RGB")
        picture.save(path, optimize=True)
        if path.stat().st_size > LARGEST:
            picture.quantize(palette=palette(picture)).save(path, optimize=True)


def window(scene: Scene) -> None:
    """Commit three coins, and correct the mask of a fourth."""
    scene.sample(samples.coins())
    scene.open("Annotate")
    scene.label(COINS, "coin")
    scene.hand.click((198, 212))
    scene.hand.click((162, 238), RIGHT)


def answers(scene: Scene) -> None:
    """Click on a face, and take the second answer: the head."""
    scene.viewer.add_image(skimage.data.astronaut(), name="astronaut")
    dock = scene.open("Annotate")
    scene.hand.click((120, 210))
    scene.hand.tap(dock.panel.answers)
    wait_until(lambda: " of " in dock.panel.answers.text(), 60)


def everything(scene: Scene) -> None:
    """Find all coins, and click three of them away."""
    scene.sample(samples.coins())
    scene.open("Everything")
    scene.hand.press("Segment everything", "Everything")
    for place in ((125, 52), (125, 103), (125, 152)):
        scene.hand.click(place)


def stack(scene: Scene) -> None:
    """Carry the organs of two planes through a drawn abdomen."""
    image, organs = ct_volume()
    organs[..., 128:][organs[..., 128:] == 2] = 4  # the other kidney is an object of its own
    shown = np.zeros_like(organs)
    shown[[7, 14]] = organs[[7, 14]]
    about = {"scale": (5, 1.5, 1.5), "units": ("mm",) * 3}
    scene.viewer.add_image(image, name="abdomen", contrast_limits=(-160, 240), **about)
    scene.viewer.add_labels(shown, name="organs", **about)
    dock = scene.open("Stack")
    scene.hand.press("Both ways", "Stack")
    dock.go_to(11)


def tracks(scene: Scene) -> None:
    """Follow the cells of a drawn video, and show whence they came."""
    video = samples.video()
    scene.sample(video)
    cells = np.zeros_like(video.truth)
    cells[0] = video.truth[0]
    about = {k: v for k, v in video.layer()[1].items() if k not in ("name", "rgb")}
    scene.viewer.add_labels(cells, name="cells", **about)
    dock = scene.open("Stack")
    scene.hand.press("Both ways", "Stack")
    scene.hand.press("Show tracks", "Stack")
    dock.go_to(20)


def examples(scene: Scene) -> None:
    """Show two planes of drawn nuclei, and have the others labelled."""
    nuclei = samples.stack()
    labels = np.zeros_like(nuclei.truth)
    labels[[7, 13]] = nuclei.truth[[7, 13]]
    scene.viewer.add_image(nuclei.image[:16], name="nuclei")
    scene.viewer.add_labels(labels[:16], name="labels")
    dock = scene.open("Examples")
    dock.panel.kind.value = dock.panel.kind.choices[-1]
    for plane in (7, 13):
        scene.viewer.dims.set_current_step(0, plane)
        scene.hand.press("Add this plane", "Examples")
    scene.hand.press("Label", "Examples")
    scene.viewer.dims.set_current_step(0, 10)


def find(scene: Scene) -> None:
    """Find nuclei on three planes; accept some, reject one."""
    scene.sample(samples.stack())
    scene.viewer.dims.set_current_step(0, 12)
    dock = scene.open("Find")
    dock.panel.first.setValue(11)
    dock.panel.last.setValue(13)
    scene.hand.type(dock.panel.word, "nucleus")
    scene.hand.press("Next", "Find")
    for what in ("Accept", "Reject", "Accept"):
        scene.hand.press(what, "Find")
    scene.viewer.camera.zoom *= 3


def pixels(scene: Scene) -> None:
    """Paint five strokes of each of two classes on a retina, and show what that teaches."""
    scene.viewer.add_image(skimage.data.retina()[300:812, 500:1012], name="retina")
    dock = scene.open("Pixel classes")
    dock.brush.rename("object", "vessel")
    scene.hand.press("Paint", "Pixel classes")
    dock.strokes.layer.brush_size = 3
    for number, strokes in enumerate((VESSELS, GROUNDS)):
        dock.panel.classes.setCurrentRow(number)
        for path in strokes:
            scene.hand.trace(path)
    wait_until(lambda: dock.answer is not None and not dock.live.runner.busy, 120)
    scene.hand.rest(1.0)


def objects(scene: Scene) -> None:
    """Sort the coins into two classes, and measure them."""
    scene.sample(samples.coins())
    found = scene.open("Everything")
    scene.hand.press("Segment everything", "Everything")
    scene.hand.press("Accept", "Everything")
    scene.viewer.window.remove_dock_widget(found)
    scene.viewer.layers.remove("SEEM everything")
    dock = scene.open("Objects")
    areas = {r.label: r.area for r in regionprops(np.asarray(dock.layer.data))}
    dock.select_all()
    dock.put_into("small coin")
    dock.panel.objects.choose(lambda row: areas[row.label_id] > 2200)
    dock.put_into("large coin")
    scene.hand.press("class", "Objects")
    scene.hand.press("Measure", "Objects")
    dock.panel.objects.setColumnWidth(1, 90)
    scene.viewer.reset_view()


def recover(scene: Scene) -> Any:
    """Show what the next start offers after a session that ended without saving."""
    logs, left = scene.folder / "logs", scene.folder / "left"
    os.environ["NAPARI_SEEM_LOGS"] = str(logs)
    scene.sample(samples.coins())
    scene.open("Annotate")
    scene.label(COINS, "coin")
    shutil.copytree(logs, left)  # the copies are locked by nobody
    os.environ["NAPARI_SEEM_LOGS"] = str(left)
    found = RecoveryWindow(scene.viewer, lambda *_: None, scene.hand.window)
    found.look()
    wait_until(lambda: bool(found.rows) and not found.steps.running, 60)
    return found


def models(scene: Scene) -> Any:
    """Show the dock of models alone."""
    return scene.open("Models").parentWidget()


def finetune(scene: Scene) -> None:
    """Fine-tune on planes of drawn grain, for some minutes, and show how far it is."""
    rng = np.random.default_rng(0)
    planes = [grain(rng) for _ in range(4)]
    scene.viewer.add_image(np.stack([image for image, _ in planes]), name="grain")
    scene.viewer.add_labels(np.stack([labels for _, labels in planes]), name="patches")
    dock = scene.open("Models")
    scene.hand.tap(dock.unfold)
    dock.tune.panel.name.setText("my-patches")
    dock.tune.panel.minutes.setValue(MINUTES)
    dock.tune.start()
    wait_until(lambda: len(dock.tune.panel.curve.values) >= JUDGED, 60 * 60)


def grain(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An image (256, 256) whose grain runs the other way in ellipses, and their labels."""
    across, along = (gaussian(rng.normal(size=(256, 256)), sigma) for sigma in ((0.7, 4), (4, 0.7)))
    labels = np.zeros((256, 256), np.uint16)
    for _ in range(25):
        centre, radii = rng.integers(24, 232, 2), rng.uniform(14, 24, 2)
        inside = ellipse(*centre, *radii, shape=labels.shape)
        if not labels[inside].any():
            labels[inside] = labels.max() + 1
    values = np.where(labels > 0, along / along.std(), across / across.std())
    return (110 + 35 * values).clip(0, 255).astype(np.uint8), labels


def concepts(scene: Scene) -> None:
    """Label three coins, teach the word, and propose the others."""
    scene.sample(samples.coins())
    dock = scene.open("Annotate")
    scene.label(COINS, "old coin")
    scene.hand.type(dock.panel.word, "old coin", enter=False)
    scene.hand.press("Teach word", "Annotate")
    scene.hand.type(dock.teaching.box.synonyms, "drachma", enter=False)
    scene.hand.tap(dock.teaching.box.teach)
    scene.hand.press("Propose", "Annotate")
    dock.panel.threshold.setValue(0.3)
    scene.hand.window.resize(WINDOW[0], WINDOW[1] + 130)  # for the box of the lesson
    scene.hand.press("Teach word", "Annotate")
    scene.viewer.reset_view()


def series(scene: Scene) -> None:
    """Label some images of a series."""
    images = scene.folder / "coins"
    images.mkdir()
    coins = skimage.data.coins()
    for number in range(10):
        y, x = 70 * (number % 3), 28 * number
        part = coins[y : y + 160, x : x + 160]
        part = np.pad(part, ((0, 0), (0, 160 - part.shape[1])), mode="reflect")
        tifffile.imwrite(images / f"coins {number + 1}.tif", part)
    scene.viewer.close()
    viewer, dock = open_window([images], annotator="anna")
    scene.look_at(viewer)
    player, hand = dock.player, scene.hand
    for number in range(4):
        wait_until(lambda: not player.loader.busy, 60)
        hand.rest(0.5)
        for place in SERIES.get(number, ()):
            scene.label([place], "coin" if place[1] < 100 else "medal")
        if number == 2:
            hand.type(dock.panel.note, "blurred")
            hand.press("Skip", "Series")
        elif number < 3:
            hand.press("Done, next", "Series")
    hand.click((125, 115))
    player.save_now()
    wait_until(lambda: "coin 4" in dock.panel.counts.text(), 60)
    hand.tap(dock.panel.note)


def tutorial_ct(scene: Scene) -> None:
    """Carry a liver through a drawn CT."""
    liver(scene)
    scene.open("Stack")
    scene.hand.press("Both ways", "Stack")
    scene.viewer.dims.set_current_step(0, 11)


def tutorial_roofs(scene: Scene) -> None:
    """Label roofs of a drawn mosaic."""
    open_path(scene.viewer, write_map(scene.folder / "mosaic.tif"))
    wait_until(lambda: len(scene.viewer.layers) > 0)
    scene.open("Annotate")
    layer = scene.viewer.layers[0]
    places = [layer.data_to_world(roof) for roof in (*ROOFS, (184, 823))]
    scene.label(places[:-1], "roof")
    scene.hand.click(places[-1])


PICTURES = {
    f.__name__.replace("_", "-"): f
    for f in (window, answers, everything, pixels, stack, objects, find, examples, tutorial_ct,
              tutorial_roofs, tracks, concepts, series, models, finetune, recover, big_images,
              files, many_objects, embeddings, python)
}  # fmt: skip


def main(names: Sequence[str]) -> None:
    """Take the pictures of these names, or all."""
    os.environ["NAPARI_CONFIG"] = ""  # nobody's own settings
    for name in names or PICTURES:
        with TemporaryDirectory() as folder:
            os.environ["NAPARI_SEEM_LIBRARY"] = str(Path(folder) / "words.zip")
            scene = Scene(Path(folder))
            scene.take(IMAGES / f"{name}.png", PICTURES[name](scene))
            scene.viewer.close()
            scene.hand.rest(0.5)


if __name__ == "__main__":
    main(sys.argv[1:])
