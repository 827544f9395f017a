"""A model that reads a plane for long says how long."""

from __future__ import annotations

import threading

import pytest
from discs import DiscModel, disc_image
from napari.components import ViewerModel

from napari_seem.models.files.places import HOME_VARIABLE
from napari_seem.models.registry import MODELS
from napari_seem.models.running.patience import checkpoint, report_progress
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
            report_progress("reading the image", 0.33, 90.0)
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


def test_the_dock_says_that_a_model_is_not_here_until_it_is(
    dock, model, qtbot, tmp_path, monkeypatch
):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    model.go.set()
    dock.show()
    dock.panel.model.setCurrentText("sam2.1-tiny")
    told = "sam2.1-tiny is not on this computer yet: get it in the Models dock (156 MB)."
    qtbot.waitUntil(lambda: dock.panel.status.text() == told, timeout=20_000)

    (tmp_path / MODELS["sam2.1-tiny"].weights.filename).write_bytes(b"")
    dock.annotator.model_cache.forget("sam2.1-tiny")  # as when it was downloaded
    qtbot.waitUntil(lambda: dock.panel.status.text() == "", timeout=20_000)
    assert dock.annotator.model_cache.loaded("sam2.1-tiny") is model
