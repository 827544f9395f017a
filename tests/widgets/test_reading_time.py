"""A model that reads a plane for long says how long, and can be told to stop."""

from __future__ import annotations

import threading

import pytest
from discs import DiscModel, disc_image
from napari.components import ViewerModel

from napari_seem.models.patience import checkpoint, tell
from napari_seem.widgets.annotate import ready
from napari_seem.widgets.annotate.dock import AnnotateWidget


class SlowModel(DiscModel):
    """Tells that it has read a third of a plane, and goes on once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def encode(self, image, channels=None):
        while not self.go.wait(0.02):
            checkpoint()
            tell(0.33, 90.0)
        return super().encode(image, channels)


@pytest.fixture
def model():
    return SlowModel()


@pytest.fixture
def dock(model, qtbot, monkeypatch):
    monkeypatch.setattr(ready, "IDLE", 20)
    viewer = ViewerModel()
    viewer.add_image(disc_image()[0], name="discs")
    made = AnnotateWidget(viewer, loader=lambda name: model)
    yield made
    model.go.set()
    made.close()
    qtbot.waitUntil(lambda: not made.ready.steps.running and not made.annotator.runner.busy)
    made.deleteLater()


def test_the_dock_says_how_long_the_first_plane_takes(dock, model, qtbot):
    dock.show()
    qtbot.waitUntil(lambda: "about 60 s left" in dock.panel.status.text(), timeout=20_000)
    told = dock.panel.status.text()
    assert "A picture takes about 90 s to read on this computer" in told
    assert "turns on it are fast" in told
    model.go.set()
    qtbot.waitUntil(lambda: dock.panel.status.text() == "", timeout=20_000)


def test_a_click_shows_how_far_the_plane_is_read_and_can_be_cancelled(dock, model, qtbot):
    runner, prompts = dock.annotator.runner, dock.annotator.prompt_layers
    dock.ready.close()
    prompts.points.add((32, 20))
    qtbot.waitUntil(lambda: runner.progress.done == 33, timeout=20_000)
    assert (runner.progress.title, runner.progress.total) == ("Reading the image", 100)
    runner.progress.cancel()
    qtbot.waitUntil(lambda: not runner.busy, timeout=20_000)
    assert "cancelled; the prompts are kept" in dock.panel.message.text().lower()
    model.go.set()
    prompts.points.add((33, 21))
    qtbot.waitUntil(lambda: dock.annotator.prediction is not None, timeout=20_000)
