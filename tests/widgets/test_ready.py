"""What a first click would wait for is done before: the model loaded, the shown plane encoded."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from discs import DiscModel, disc_image
from napari.components import ViewerModel
from qtpy.compat import isalive

from napari_seem.embeddings import EmbeddingCache, content_key
from napari_seem.errors import WeightsError
from napari_seem.models.files.places import HOME_VARIABLE
from napari_seem.models.registry import MODELS
from napari_seem.models.running.patience import checkpoint
from napari_seem.sources import is_big
from napari_seem.widgets.annotate import ready
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.annotate.ready import ENCODING, LOADING


class StagedModel(DiscModel):
    """Encodes in two stages; the second one begins once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.go.set()
        self.begun: list[int] = []
        """What planes began with: their darkest pixels."""

    def encode(self, image, channels=None):
        self.begun.append(int(image.min()))
        while not self.go.wait(0.02):
            checkpoint()
        checkpoint()
        return super().encode(image, channels)


class Loader:
    """Gives the model, once it is let go; raises what `error` holds."""

    def __init__(self, model) -> None:
        self.model, self.error = model, None
        self.names: list[str] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, name):
        self.names.append(name)
        assert self.go.wait(20)
        if self.error is not None:
            raise self.error
        return self.model


@pytest.fixture
def model():
    return StagedModel()


@pytest.fixture
def loader(model):
    return Loader(model)


@pytest.fixture
def opened(model, loader, qtbot, monkeypatch):
    """The dock, seen, on an image: `opened(data, planes)` with memory for so many planes."""
    monkeypatch.setattr(ready, "IDLE", 20)
    docks = []

    def open_on(data, planes=100, show=True):
        viewer = ViewerModel()
        viewer.add_image(data, name="discs")
        if data.ndim == 3:
            viewer.dims.set_point(0, 0)
        dock = AnnotateWidget(viewer, loader=loader)
        nbytes = data.shape[-2] * data.shape[-1] * 4
        dock.annotator.model_cache.cache = EmbeddingCache(int(nbytes * planes))
        dock.annotator.model_cache.gate.rest = 0
        dock.said = []
        dock.ready.said.connect(dock.said.append)
        docks.append(dock)
        if show:
            dock.show()
        return dock

    yield open_on
    model.go.set()
    loader.go.set()
    for dock in docks:
        if isalive(dock):
            dock.close()
            until(qtbot, lambda dock=dock: not at_work(dock))
            dock.deleteLater()


def until(qtbot, condition):
    qtbot.waitUntil(lambda: bool(condition()), timeout=20_000)


def at_work(dock):
    return dock.ready.steps.running or dock.annotator.runner.busy


def settle(dock, qtbot):
    """Wait until nothing more is got ready."""
    for _ in range(3):  # a run that was dropped is followed by another
        qtbot.wait(50)
        until(qtbot, lambda: not at_work(dock))


def planes(count=6):
    """Planes that differ in their darkest pixels: 20, 25, ..."""
    return np.stack([disc_image()[0] + 5 * k for k in range(count)])


def click(dock, at=(32, 20)):
    where = (*dock.viewer.dims.current_step[:-2], *at)
    dock.annotator.prompt_layers.points.add(where)


def kept(dock, plane):
    """The encoded plane in memory, or None."""
    cache, key = dock.annotator.model_cache.cache, ("disc", content_key(plane))
    return cache.get(key) if key in cache else None


def gray(dock, plane):
    return kept(dock, plane).tensors["gray"].numpy()


def test_a_first_click_waits_neither_for_the_model_nor_for_the_image(
    opened, discs, loader, model, qtbot
):
    dock = opened(discs[0])
    until(qtbot, lambda: kept(dock, discs[0]) is not None)
    settle(dock, qtbot)
    assert dock.said[:3] == [LOADING, ENCODING, ""]
    assert dock.panel.status.text() == ""
    work = dock.annotator.ensure_work()
    assert dock.annotator.sessions.is_encoded(work)

    click(dock)
    until(qtbot, lambda: dock.annotator.prediction is not None)

    assert np.array_equal(dock.annotator.prediction.mask, discs[1] == 1)
    assert (loader.names, model.encoded) == (["compact"], 1)


def test_the_dock_says_what_it_does(opened, discs, loader, model, qtbot):
    loader.go.clear()
    model.go.clear()
    dock = opened(discs[0])
    until(qtbot, lambda: dock.panel.status.text() == LOADING)
    loader.go.set()
    until(qtbot, lambda: dock.panel.status.text() == ENCODING)
    dock.annotator.changed.emit()  # whatever else is shown anew
    assert dock.panel.status.text() == ENCODING
    model.go.set()
    until(qtbot, lambda: dock.panel.status.text() == "")


@pytest.mark.parametrize("why", ["hidden", "not wanted"])
def test_nothing_is_done_in_a_dock_that(why, opened, discs, loader, qtbot, monkeypatch):
    if why == "not wanted":
        from napari_seem.widgets._shared.preferences import Preferences
        from napari_seem.widgets.annotate import dock

        monkeypatch.setattr(dock, "read_preferences", lambda: Preferences(get_ready=False))
    dock = opened(discs[0], show=why != "hidden")
    settle(dock, qtbot)
    assert loader.names == []


def test_the_plane_that_is_shown_next_is_encoded_and_then_those_beside_it(opened, model, qtbot):
    volume = planes()
    dock = opened(volume)
    settle(dock, qtbot)
    dock.viewer.dims.set_point(0, 4)
    settle(dock, qtbot)

    assert model.begun == [20, 25, 40, 45, 35]
    click(dock)
    until(qtbot, lambda: dock.annotator.prediction is not None)
    assert model.encoded == 5


def test_what_is_no_longer_shown_is_dropped(opened, model, qtbot):
    volume = planes()
    model.go.clear()
    dock = opened(volume)
    until(qtbot, lambda: model.begun == [20])
    dock.viewer.dims.set_point(0, 4)
    until(qtbot, lambda: model.begun == [20, 40])
    model.go.set()
    settle(dock, qtbot)

    assert kept(dock, volume[0]) is None
    assert kept(dock, volume[4]) is not None


def test_planes_that_are_passed_are_not_begun(opened, model, qtbot):
    dock = opened(planes())
    settle(dock, qtbot)
    model.begun.clear()
    model.go.clear()
    for index in (2, 3, 4):
        dock.viewer.dims.set_point(0, index)
    until(qtbot, lambda: model.begun)
    assert model.begun == [40]


def test_a_turn_elsewhere_goes_first(opened, model, qtbot):
    volume, person = planes(), object()
    model.go.clear()
    dock = opened(volume)
    until(qtbot, lambda: model.begun)
    gate = dock.annotator.model_cache.gate
    gate.shut(person)
    model.go.set()
    qtbot.wait(200)
    assert model.encoded == 0
    gate.open(person)
    settle(dock, qtbot)
    assert model.encoded > 0


def test_a_turn_on_the_plane_that_is_being_encoded_uses_it(opened, discs, model, qtbot):
    model.go.clear()
    dock = opened(discs[0])
    until(qtbot, lambda: model.begun)
    click(dock)
    until(qtbot, lambda: dock.annotator.model_cache.cache.is_awaited)
    model.go.set()
    until(qtbot, lambda: dock.annotator.prediction is not None)
    assert (model.encoded, len(model.begun)) == (1, 1)


@pytest.mark.parametrize(
    "how", ["other array", pytest.param("in place", marks=pytest.mark.needs_slices)]
)
def test_pixels_that_change_meanwhile_are_kept_under_their_own_key(
    how, opened, discs, model, qtbot
):
    before, after = discs[0].copy(), 255 - discs[0]
    model.go.clear()
    dock = opened(before)
    until(qtbot, lambda: model.begun)
    layer = dock.viewer.layers["discs"]
    if how == "in place":
        layer.data[...] = after
        layer.refresh()
    else:
        layer.data = after
    qtbot.wait(50)
    model.go.set()
    settle(dock, qtbot)

    for plane in (discs[0], after):
        assert kept(dock, plane) is None or np.allclose(gray(dock, plane), plane / 255)
    click(dock)
    until(qtbot, lambda: dock.annotator.prediction is not None)
    assert np.array_equal(dock.annotator.prediction.mask, discs[1] == 1)
    assert kept(dock, after) is not None


def test_another_window_of_intensities_is_encoded(opened, model, qtbot):
    from napari_seem.viewer.model_input import CONTRAST

    dock = opened(planes(1)[0])
    settle(dock, qtbot)
    dock.looks.choose(CONTRAST)
    dock.viewer.layers["discs"].contrast_limits = (0, 100)
    settle(dock, qtbot)

    assert dock.annotator.sessions.is_encoded(dock.annotator.ensure_work())
    encoded = model.encoded
    click(dock)
    until(qtbot, lambda: dock.annotator.prediction is not None)
    assert model.encoded == encoded


def test_an_image_that_goes_meanwhile_ends_it(opened, discs, model, qtbot):
    model.go.clear()
    dock = opened(discs[0])
    until(qtbot, lambda: model.begun)
    dock.viewer.layers.remove("discs")
    until(qtbot, lambda: not dock.ready.steps.running)
    assert model.encoded == 0
    assert dock.panel.status.text() == ""


def test_a_model_that_is_chosen_later_is_loaded(
    opened, discs, loader, qtbot, tmp_path, monkeypatch
):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    dock = opened(discs[0])
    settle(dock, qtbot)
    dock.panel.model.setCurrentText("seem-focal-t")
    settle(dock, qtbot)
    assert loader.names == ["compact"]  # it is not on this machine

    (tmp_path / MODELS["seem-focal-l"].weights.filename).write_bytes(b"")
    dock.panel.model.setCurrentText("seem-focal-l")
    settle(dock, qtbot)
    assert loader.names == ["compact", "seem-focal-l"]


def test_on_another_device_all_is_done_again(opened, discs, loader, model, qtbot):
    dock = opened(discs[0])
    settle(dock, qtbot)
    dock.annotator.model_cache.use_device("cuda:7")
    settle(dock, qtbot)
    assert len(loader.names) == model.encoded == 2
    assert kept(dock, discs[0]) is not None


@pytest.mark.parametrize("error", [WeightsError("bad"), OSError("none"), RuntimeError("none")])
def test_a_model_that_cannot_be_loaded_is_told_of_by_the_first_prompt(error, opened, loader, qtbot):
    loader.error = error
    dock = opened(planes())
    settle(dock, qtbot)
    dock.viewer.dims.set_point(0, 1)
    settle(dock, qtbot)
    assert loader.names == ["compact"]
    assert dock.panel.message.text() == dock.panel.status.text() == ""

    said = []
    dock.annotator.said.connect(lambda text, _: said.append(text))
    if isinstance(error, WeightsError):
        click(dock)
        settle(dock, qtbot)
        assert (len(loader.names), len(said)) == (2, 1)
    loader.error = None
    click(dock, (32, 58))
    settle(dock, qtbot)
    assert dock.annotator.prediction is not None


def test_the_plane_that_was_worked_on_stays_where_there_is_memory_for_one(opened, model, qtbot):
    volume = planes()
    dock = opened(volume, planes=1.5)
    settle(dock, qtbot)
    click(dock)
    settle(dock, qtbot)
    for index in (3, 4, 5):
        dock.viewer.dims.set_point(0, index)
        settle(dock, qtbot)

    assert kept(dock, volume[0]) is not None
    assert model.encoded == 2  # after the first one in vain no other is tried

    click(dock)
    settle(dock, qtbot)
    assert kept(dock, volume[5]) is not None


def test_nothing_is_encoded_again_and_again_without_memory(opened, model, qtbot):
    dock = opened(planes(), planes=0.5)
    settle(dock, qtbot)
    dock.annotator.changed.emit()
    dock.viewer.dims.set_point(0, 1)
    settle(dock, qtbot)
    assert model.encoded == 1


@pytest.mark.parametrize("stage", ["loader", "model"])
def test_the_dock_closes_meanwhile(stage, opened, discs, loader, model, qtbot):
    held = loader if stage == "loader" else model
    held.go.clear()
    dock = opened(discs[0])
    until(qtbot, lambda: loader.names and (stage == "loader" or model.begun))
    dock.close()
    dock.deleteLater()
    until(qtbot, lambda: not isalive(dock))
    held.go.set()
    qtbot.wait(100)
    assert model.encoded == 0


def test_of_a_big_plane_the_frame_in_the_middle_of_what_is_shown_is_encoded(opened, model, qtbot):
    data = np.zeros((2200, 3000), np.uint8)
    data[1000:1100, 1000:1100] = 200
    assert is_big(data.shape)
    dock = opened(data)
    settle(dock, qtbot)
    assert model.encoded == 0  # all is shown: nobody knows where the click will be

    dock.viewer.layers["discs"].corner_pixels = np.array([[900, 900], [1300, 1300]])
    dock.viewer.scene.camera.zoom *= 2
    settle(dock, qtbot)
    assert model.encoded == 1
    click(dock, (1050, 1050))
    until(qtbot, lambda: dock.annotator.prediction is not None)
    assert model.encoded == 1
    assert dock.annotator.prediction.bbox == (1000, 1000, 1100, 1100)
