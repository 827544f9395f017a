"""A layer changes at any time: what is written lies under the cursor, or a message says why not."""

from __future__ import annotations

import threading
from itertools import product

import numpy as np
import pytest
from canvas import lay_out
from discs import TOLERANCE, DiscModel, disc_image
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from scipy import ndimage

from napari_seem.commands.models import ModelCache
from napari_seem.embeddings import EmbeddingCache
from napari_seem.viewer.coordinates import data_to_world, world_to_data
from napari_seem.viewer.label_layers.targets import new_labels
from napari_seem.widgets.annotate.annotator import Annotator
from napari_seem.widgets.everything.review import InstanceReview, SegmentRequest

PLANE, CLICK = 1, (1, 32, 20)
ANGLE = np.array([[0.96, -0.28], [0.28, 0.96]])
TURNED = np.eye(3)
TURNED[1:, 1:] = ANGLE
AFFINE = np.eye(4)
AFFINE[:3, 3] = 0, 300, -40


def volume(seed: int = 0) -> np.ndarray:
    """Three planes with two discs each, farther right with another seed."""
    return np.stack([np.roll(disc_image()[0], 4 * seed, axis=1)] * 3)


CHANGES = {
    "scale": lambda layer: setattr(layer, "scale", (2, 0.5, 0.25)),
    "translate": lambda layer: setattr(layer, "translate", (0, 1000, -7)),
    "rotate": lambda layer: setattr(layer, "rotate", TURNED),
    "shear": lambda layer: setattr(layer, "shear", (0, 0, 0.3)),
    "affine": lambda layer: setattr(layer, "affine", AFFINE),
    "units": lambda layer: setattr(layer, "units", ("nm", "nm", "nm")),
    "pixels": lambda layer: setattr(
        layer, "data", volume(2).astype(layer.data.dtype) * (layer.name == "discs")
    ),
    "shape": lambda layer: setattr(layer, "data", np.zeros((3, 20, 30), layer.data.dtype)),
    "dtype": lambda layer: setattr(layer, "data", layer.data.astype(np.uint32)),
    "name": lambda layer: setattr(layer, "name", "other"),
}
MOVES = ("scale", "translate", "rotate", "shear", "affine", "units")


class HeldModel(DiscModel):
    """Answers only once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.go.set()

    def predict(self, embedding, prompts, memory=None):
        assert self.go.wait(20)
        return super().predict(embedding, prompts, memory)

    def segment(self, embedding, names=None):
        assert self.go.wait(20)
        return super().segment(embedding, names)


class Scene:
    """An image with labels, and what works on them, without a window."""

    def __init__(self, qtbot) -> None:
        self.qtbot, self.model, self.said = qtbot, HeldModel(), []
        self.viewer = ViewerModel()
        micrometres = ("um", "um", "um")
        self.image = self.viewer.add_image(volume(), name="discs", units=micrometres)
        self.labels = new_labels(self.viewer, self.image, "theirs")
        self.viewer.dims.set_point(0, PLANE)
        cache = ModelCache(lambda _: self.model, EmbeddingCache(1 << 26))
        self.annotator = Annotator(self.viewer, cache)
        self.review = InstanceReview(self.viewer, cache, self.annotator)
        self.annotator.choose_image(self.image)
        self.annotator.choose_labels(self.labels)
        for teller in (self.annotator, self.review):
            teller.said.connect(lambda text, bad: self.said.append(text))

    def click(self) -> None:
        self.annotator.prompt_layers.points.add(CLICK)

    def settle(self) -> None:
        self.model.go.set()
        idle = lambda: not (self.annotator.runner.busy or self.review.steps.running)  # noqa: E731
        self.qtbot.waitUntil(idle, timeout=20_000)
        self.qtbot.wait(1)

    def show_clicked_plane(self) -> None:
        """The slider goes to where the clicked plane is."""
        self.viewer.dims.set_point(0, data_to_world(self.image, CLICK, self.viewer.dims)[0])

    def check_written(self, everything: bool = False) -> None:
        """What is labelled is the object under the cursor, where the image lies in the world."""
        dims, pixels = self.viewer.dims, np.argwhere(self.labels.data)
        if not len(pixels):
            assert self.said, "nothing was written, and nobody said why"
            return
        world = [data_to_world(self.labels, pixel, dims) for pixel in pixels]
        found = np.array([world_to_data(self.image, point, dims) for point in world])
        assert np.allclose(found, pixels, atol=0.1)
        wanted = np.zeros(self.image.data.shape, bool)
        wanted[PLANE] = self.objects(everything)
        assert np.array_equal(self.labels.data > 0, wanted)

    def objects(self, everything: bool) -> np.ndarray:
        gray = self.image.data[PLANE] / 255
        if everything:
            return gray > 0.5
        alike, _ = ndimage.label(np.abs(gray - gray[CLICK[1:]]) < TOLERANCE)
        return alike == alike[CLICK[1:]]

    def check_seen(self) -> None:
        """Prompts and preview lie on the image in the world."""
        dims, layers = self.viewer.dims, self.annotator.prompt_layers
        for point in layers.points.data:
            world = data_to_world(layers.points, point, dims)
            assert np.allclose(world_to_data(self.image, world, dims), CLICK)
        shown = self.annotator.preview.layer
        if shown is not None and shown.data.any():
            first = data_to_world(shown, (0, 0, 0), dims)
            assert np.allclose(world_to_data(self.image, first, dims), (PLANE, 0, 0), atol=1e-6)

    def close(self) -> None:
        self.settle()
        self.review.close()
        self.annotator.close()


@pytest.fixture
def scene(qtbot):
    scenes = []

    def make() -> Scene:
        scenes.append(Scene(qtbot))
        return scenes[-1]

    yield make
    for one in scenes:
        one.close()


every_change = pytest.mark.parametrize(
    ("what", "change"), list(product(("image", "labels"), CHANGES))
)


@every_change
def test_prompts_stand_while_a_layer_changes(scene, what, change):
    here = scene()
    here.click()
    here.settle()
    CHANGES[change](getattr(here, what))
    here.show_clicked_plane()
    here.settle()
    here.check_seen()
    here.annotator.commits.press()
    here.settle()
    here.check_written()


@every_change
def test_a_turn_and_a_commit_are_in_flight_while_a_layer_changes(scene, what, change):
    here = scene()
    here.model.go.clear()
    here.click()
    here.annotator.commits.press()
    CHANGES[change](getattr(here, what))
    here.show_clicked_plane()
    here.settle()
    here.check_seen()
    here.check_written()


@every_change
def test_a_layer_changes_between_commit_and_undo(scene, what, change):
    here = scene()
    here.click()
    here.settle()
    here.annotator.commits.press()
    written = here.labels.data > 0
    assert written.any()
    CHANGES[change](getattr(here, what))
    given = here.labels.data.copy()
    here.show_clicked_plane()
    here.annotator.undo()
    here.settle()
    if (what, change) in (("labels", "pixels"), ("labels", "shape")):
        assert np.array_equal(here.labels.data, given)
        assert "nothing to undo" in here.said
        return
    assert not here.labels.data.any()
    if change != "shape":
        here.check_seen()
    here.annotator.redo()
    here.settle()
    assert np.array_equal(here.labels.data > 0, written)
    if what == "image" and change in MOVES:
        here.check_written()


@pytest.mark.parametrize("change", CHANGES)
def test_an_image_changes_between_a_search_and_what_is_taken_of_it(scene, change):
    here = scene()
    here.review.find(SegmentRequest(here.image, "disc"))
    here.settle()
    here.said.clear()
    CHANGES[change](here.image)
    here.review.accept(here.labels)
    here.check_written(everything=True)


@pytest.mark.parametrize("change", CHANGES)
def test_an_image_changes_while_it_is_searched(scene, change):
    here = scene()
    here.model.go.clear()
    here.review.find(SegmentRequest(here.image, "disc"))
    CHANGES[change](here.image)
    here.settle()
    here.review.accept(here.labels)
    here.check_written(everything=True)


def test_in_grid_mode_a_click_counts_where_it_is_and_the_dock_says_so(shown, settle, qtbot):
    dock, _ = shown
    viewer, points = dock.viewer, dock.annotator.prompt_layers.points
    dock.use_tool("point")
    viewer.canvas.grid.enabled = True
    qtbot.waitUntil(lambda: "grid mode" in dock.panel.message.text(), timeout=5000)
    lay_out(viewer, qtbot)
    rows, columns = viewer.canvas.grid.actual_shape(viewer.layers)
    canvas = viewer.window._qt_viewer.canvas.native
    middle = QPoint(canvas.width() // (2 * columns), canvas.height() // (2 * rows))
    QTest.mouseMove(canvas, middle)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)
    settle(dock)

    assert np.allclose(points.data, [viewer.scene.camera.center[1:]], atol=1)
    viewer.canvas.grid.enabled = False
    qtbot.waitUntil(lambda: "grid mode" not in dock.panel.message.text(), timeout=5000)


def test_strokes_are_painted_on_one_plane_only(scene):
    here = scene()
    here.annotator.prompt_layers.scribbles.n_edit_dimensions = 3

    assert here.annotator.prompt_layers.scribbles.n_edit_dimensions == 2
    assert "2 dimensions" in here.said[-1]


def test_nothing_is_done_where_the_slider_stands_beside_the_image(scene):
    here = scene()
    here.click()
    here.settle()
    here.viewer.add_image(np.zeros((50, 64, 80), np.uint8), name="longer", visible=False)
    here.viewer.dims.set_point(0, 30)
    here.said.clear()
    here.annotator.commits.press()
    here.review.find(SegmentRequest(here.image, "disc"))
    here.annotator.prompt_layers.points.add((30, 32, 58))
    here.settle()

    assert here.said == ["the slider stands where 'discs' has no plane; move it to where the image "
                         "is shown, or choose another image"] * 3  # fmt: skip
    assert not here.labels.data.any()
    assert len(here.annotator.prompt_layers.points.data) == 1
    here.viewer.dims.set_point(0, PLANE)
    here.settle()
    here.annotator.commits.press()
    here.check_written()


def test_sliders_are_those_of_the_layers_there_are(docked, settle, qtbot):
    many = np.broadcast_to(disc_image()[0], (5, 6, 64, 80)).copy()
    dock = docked(many, translate=(0, 0, 900, 900))
    viewer = dock.viewer
    for _ in range(2):
        dock.annotator.prompt_layers.points.add((0, 0, 32, 20))
        dock.use_tool("scribble")
        settle(dock)
        dock.commit()
        for layer in [one for one in viewer.layers if not one.locked]:
            viewer.layers.remove(layer)
        viewer.add_image(disc_image()[0], name="flat")
        qtbot.waitUntil(lambda: viewer.dims.ndim == 2, timeout=5000)
        assert viewer.dims.range[0].stop == 63
        viewer.layers.remove("flat")
        viewer.add_image(many, name="discs")
        qtbot.wait(20)
        assert len(dock.annotator.prompt_layers.points.data) == 0
    assert dock.annotator.prompt_layers.points in viewer.layers
