"""A person is told once, among napari's notifications, that a model left its graphics."""

from __future__ import annotations

import threading
from functools import wraps
from types import FunctionType

import numpy as np
import pytest
from mps_stand_in import KIND, OnDevice, Pretended, lacking
from napari.utils.notifications import notification_manager

from napari_seem.models import registry
from napari_seem.models.running import fallback, mps
from napari_seem.widgets._shared.models.cache import model_cache_of
from napari_seem.widgets.annotate.dock import AnnotateWidget

IMAGE = np.zeros((120, 140), np.uint8)
IMAGE[40:80, 50:100] = 180


def in_any_thread(kind):
    """Return a model's class whose methods find the device of Macs in the thread they are in."""

    def entering(method):
        @wraps(method)
        def call(*args, **options):
            with mps.LOCK, Pretended():
                return method(*args, **options)

        return call

    methods = {
        name: entering(value)
        for name, value in vars(kind).items()
        if isinstance(value, FunctionType)
    }
    return type(kind.__name__, (kind,), methods)


@pytest.fixture
def on_macs(monkeypatch):
    """Let docks load their models on a device of the kind that Macs have."""

    def build_on(device, name, build, report):
        with mps.LOCK, Pretended():
            model = fallback.on_device(build(KIND), KIND, report)
        model.__class__ = in_any_thread(type(model))
        return model

    monkeypatch.setattr(mps, "KIND", KIND)
    monkeypatch.setattr(registry, "build_on", build_on)


@pytest.fixture
def shown():
    """Texts of napari's notifications, and whether the main thread showed them."""
    found = []

    def keep(notification):
        here = threading.current_thread() is threading.main_thread()
        found.append((notification.message, here))

    notification_manager.notification_ready.connect(keep)
    yield found
    notification_manager.notification_ready.disconnect(keep)


def test_clicks_go_on_and_it_is_said_once(on_macs, shown, open_viewer, put_in, monkeypatch, qtbot):
    viewer = open_viewer()
    viewer.add_image(IMAGE)
    dock = AnnotateWidget(viewer)
    put_in(viewer, dock, "Annotate")
    annotator = dock.annotator

    def settle():
        qtbot.waitUntil(lambda: not annotator.runner.busy, timeout=240_000)

    annotator.prompt_layers.points.add((60, 75))
    settle()
    model = model_cache_of(viewer).loaded("compact")
    assert any(isinstance(one, OnDevice) for one in model.network.parameters())
    identity = model.identity
    lacking(monkeypatch, "conv2d")
    for column in (60, 90, 95):
        annotator.prompt_layers.points.add((60, column))
        settle()
    qtbot.waitUntil(lambda: bool(shown), timeout=5000)

    ((text, by_main_thread),) = shown
    assert by_main_thread
    assert text.startswith("'compact' failed on the graphics ('lazy') and goes on on the processor")
    assert annotator.prediction.mask[60, 75]
    assert not any(isinstance(one, OnDevice) for one in model.network.parameters())
    dock.commit()  # which waits for the whole plane
    qtbot.waitUntil(lambda: len(annotator.labels.features) > 1, timeout=60_000)
    assert list(annotator.labels.features["model"])[1:] == ["compact"]
    assert model.identity == identity
    dock.release()
