"""A real viewer with the Annotate dock on discs, and a model that can be held back."""

from __future__ import annotations

import os
import threading
from functools import partial

import numpy as np
import pytest
from canvas import Mouse, lay_out
from discs import DiscModel, HeldModel, disc_image
from everything_scene import scene
from napari.components import ViewerModel
from qtpy.compat import isalive

from napari_seem.commands.models import ModelCache
from napari_seem.embeddings import EmbeddingCache
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.everything.dock import EverythingWidget
from napari_seem.widgets.find.dock import FindWidget
from napari_seem.widgets.pixel_classes.dock import PixelClassesWidget
from napari_seem.widgets.stack.dock import StackWidget


@pytest.fixture
def model() -> HeldModel:
    return HeldModel()


@pytest.fixture
def open_viewer(request):
    """`open_viewer()` gives a viewer that has a window only where the test needs one.

    A window costs more than most tests. It slices in threads where napari does, so that all tests
    have one then.
    """
    windowed = request.node.get_closest_marker("window") or os.environ.get("NAPARI_ASYNC") == "1"
    return request.getfixturevalue("make_napari_viewer") if windowed else ViewerModel


@pytest.fixture
def put_in():
    """`put_in(viewer, dock, name)` adds a dock to the viewer's window, if it has one."""

    alone = []

    def add(viewer, dock, name: str) -> None:
        if hasattr(viewer, "window"):
            viewer.window.add_dock_widget(dock, name=name)
        else:
            alone.append(dock)

    yield add
    for dock in alone:  # after what opened it has waited for it
        if isalive(dock):
            dock.close()
            dock.deleteLater()


@pytest.fixture
def docked(open_viewer, put_in, model, qtbot):
    """Open the dock on an image: `docked(data, **layer options)` gives the dock."""
    docks = []

    def open_on(data: np.ndarray, **options) -> AnnotateWidget:
        viewer = open_viewer()
        viewer.add_image(data, name="discs", **options)
        dock = AnnotateWidget(viewer, loader=lambda name: model)
        put_in(viewer, dock, "Annotate")
        docks.append(dock)
        return dock

    yield open_on
    model.go.set()
    for dock in docks:
        if not isalive(dock):  # its viewer was closed
            continue
        qtbot.waitUntil(lambda dock=dock: dock.annotator.runner._worker is None, timeout=20_000)
        dock.release()


@pytest.fixture
def settle(qtbot):
    """Wait until the dock has nothing to compute."""

    def wait(dock: AnnotateWidget) -> None:
        qtbot.waitUntil(lambda: not dock.annotator.runner.busy, timeout=20_000)

    return wait


@pytest.fixture
def discs():
    """(image, labels) of two discs."""
    return disc_image()


@pytest.fixture
def dock(docked, discs):
    """The dock, open on two discs."""
    return docked(discs[0])


@pytest.fixture
def shown(make_napari_viewer, model, qtbot):
    """The dock in a shown window, on a disc image called 'low', and the mouse."""
    viewer = make_napari_viewer(show=True)
    viewer.add_image(disc_image()[0], name="low")
    dock = AnnotateWidget(viewer, loader=lambda name: model)
    viewer.window.add_dock_widget(dock, name="Annotate")
    lay_out(viewer, qtbot)
    yield dock, Mouse(viewer)
    qtbot.waitUntil(lambda: not dock.annotator.runner.busy, timeout=20_000)
    dock.release()


@pytest.fixture(scope="module")
def model_cache():
    """The shipped model, for all tests of a file."""
    return ModelCache(None, EmbeddingCache(1 << 30), "cpu")


@pytest.fixture
def open_stack(request, open_viewer, put_in, model_cache, qtbot):
    """Open the Stack dock: `open_stack(volume, seeds, show, **image options)` gives the dock."""
    docks = []

    def open_on(volume, seeds, show=False, **options):
        make = request.getfixturevalue("make_napari_viewer") if show else open_viewer
        viewer = make(show=True) if show else make()
        image = viewer.add_image(volume, name="body", **options)
        labels = np.zeros(volume.shape, np.uint16)
        for k, plane in seeds.items():
            labels[k] = plane
        viewer.add_labels(
            labels, name="organ", scale=image.scale, translate=image.translate, units=image.units
        )
        dock = StackWidget(viewer, model_cache)
        put_in(viewer, dock, "Stack")
        docks.append(dock)
        if show:
            qtbot.wait(50)
        return dock

    yield open_on
    for dock in docks:
        if isalive(dock):
            for steps in (dock.runner.steps, dock.tracks.steps):
                steps.stop()
                qtbot.waitUntil(lambda steps=steps: not steps.running, timeout=20_000)
            dock.release()


@pytest.fixture
def open_everything(open_viewer, put_in, qtbot):
    """Open the Everything dock on an image: `open_everything(data, **layer options)`."""
    docks = []

    def open_on(data, **options):
        viewer = open_viewer()
        viewer.add_image(data, name="discs", **options)
        dock = EverythingWidget(viewer, ModelCache(lambda _: DiscModel(), EmbeddingCache(1 << 24)))
        put_in(viewer, dock, "Everything")
        docks.append(dock)
        return dock

    yield open_on
    for dock in docks:
        if isalive(dock):
            qtbot.waitUntil(lambda dock=dock: not dock.review.steps.running, timeout=20_000)
            dock.release()


@pytest.fixture
def find(qtbot):
    """Look for everything, and wait for it."""

    def run(dock):
        dock.look()
        qtbot.waitUntil(lambda: not dock.review.steps.running, timeout=20_000)

    return run


@pytest.fixture
def everything(open_everything, find):
    """The dock with two discs and a speck found."""
    dock = open_everything(scene())
    find(dock)
    return dock


class SlowModel(DiscModel):
    """WindowChoice at a plane only once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = threading.Semaphore(1000)
        self.looked = []

    def segment(self, embedding, names=None):
        if embedding.shape != (32, 32):
            assert self.turns.acquire(timeout=20)
            self.looked.append(float(embedding.tensors["gray"].min()))
        return super().segment(embedding, names)

    def hold(self) -> None:
        while self.turns.acquire(blocking=False):
            pass

    def let(self, count: int = 1) -> None:
        self.turns.release(count)


@pytest.fixture
def slow() -> SlowModel:
    return SlowModel()


@pytest.fixture
def volume(discs):
    """Six planes: two discs on the even ones, the left one on the others."""
    image, labels = discs
    one = np.where(labels == 1, image, 20)
    return np.stack([(one if k % 2 else image) + k for k in range(6)]).astype(np.uint8)


@pytest.fixture
def find_on(open_viewer, put_in, slow, qtbot):
    """Open the Find dock: `find_on(data, **layer options)` gives it."""
    docks = []

    def open_on(data=None, **options) -> FindWidget:
        viewer = open_viewer()
        if data is not None:
            viewer.add_image(data, name="discs", **options)
            viewer.dims.set_point(0, 0)
        model_cache = ModelCache(lambda name: slow, EmbeddingCache(1 << 28))
        model_cache.gate.rest = 0
        dock = FindWidget(viewer, model_cache)
        put_in(viewer, dock, "Find")
        docks.append(dock)
        return dock

    yield open_on
    slow.let(1000)
    for dock in docks:
        if isalive(dock):
            dock.finder.steps.stop()
            wait_for_find(qtbot, dock)
            dock.release()


@pytest.fixture
def found(qtbot):
    """Wait until the Find dock has nothing to do."""
    return partial(wait_for_find, qtbot)


def wait_for_find(qtbot, dock: FindWidget) -> None:
    def idle() -> bool:
        busy = dock.finder.steps.running or dock.review.files.busy or dock._runner.busy
        return not busy

    qtbot.waitUntil(idle, timeout=60_000)
    qtbot.wait(20)


@pytest.fixture
def pixels_on(open_viewer, put_in, qtbot):
    """Open the Pixel classes dock: `pixels_on(data, **layer options)` gives it; plain filters."""
    docks = []

    def open_on(data, name="bars", **options) -> PixelClassesWidget:
        viewer = open_viewer()
        viewer.add_image(data, name=name, **options)
        if data.ndim > 2:
            viewer.dims.set_point(0, viewer.layers[name].data_to_world((0, 0, 0))[0])
        models = ModelCache(lambda _: DiscModel(), EmbeddingCache(1 << 24))
        dock = PixelClassesWidget(viewer, models)
        put_in(viewer, dock, "Pixel classes")
        docks.append(dock)
        return dock

    yield open_on
    for dock in docks:
        if isalive(dock):
            dock.writer.steps.stop()
            wait_for_pixels(qtbot, dock)
            dock.release()


@pytest.fixture
def classified(qtbot):
    """Wait until the Pixel classes dock has nothing to do."""
    return partial(wait_for_pixels, qtbot)


def wait_for_pixels(qtbot, dock: PixelClassesWidget) -> None:
    def idle() -> bool:
        work = dock.live.runner.busy or dock.writer.steps.running or dock._soon.isActive()
        return not work

    qtbot.wait(1)
    qtbot.waitUntil(idle, timeout=60_000)
