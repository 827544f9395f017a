"""The rest of a stack encoded in the background, while a person clicks."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_seem.embeddings import EmbeddingCache, EmbeddingStore, key_of
from napari_seem.models.running.threads import IdleGate
from napari_seem.widgets._shared.models.cache import open_store


@pytest.fixture
def volume(discs):
    """Eight planes that differ."""
    return np.stack([discs[0] + k for k in range(8)])


@pytest.fixture
def opened(docked, volume, model, tmp_path, qtbot):
    """The dock on a stack, with a disk store; planes are encoded one by one, as they are let."""
    asked, order, turns = [], [], threading.Semaphore(0)
    encode = model.encode

    def held(image):
        asked.append(int(image.min()) - 20)
        assert turns.acquire(timeout=20)
        order.append(asked[-1])
        return encode(image)

    model.encode = held
    dock = docked(volume)
    dock.viewer.dims.set_point(0, 0)
    dock.annotator.model_cache.cache = EmbeddingCache(store=EmbeddingStore(tmp_path / "kept"))
    dock.annotator.model_cache.gate.rest = 0
    dock.asked, dock.order, dock.let = asked, order, lambda count=1: turns.release(count)
    yield dock
    dock.ahead.steps.stop()
    turns.release(50)
    qtbot.waitUntil(lambda: not dock.ahead.steps.running, timeout=20_000)


def click(dock, labels):
    row, col = np.argwhere(labels == 1).mean(0).round()
    dock.annotator.prompt_layers.points.add([dock.viewer.dims.current_step[0], row, col])


def until(qtbot, condition):
    qtbot.waitUntil(condition, timeout=20_000)


def done(dock):
    return lambda: not dock.ahead.steps.running


def test_all_planes_are_ready_the_nearest_to_the_shown_first(opened, model, volume, qtbot):
    opened.viewer.dims.set_point(0, 5)
    opened.let(8)
    opened.ahead.begin.click()
    until(qtbot, done(opened))

    assert opened.order == [5, 4, 6, 3, 7, 2, 1, 0]
    store = opened.annotator.model_cache.cache.store
    assert all(key_of(model, plane) in store for plane in volume)
    assert "8 planes encoded, 0 were there" in opened.ahead.message.text()

    opened.ahead.begin.click()
    until(qtbot, done(opened))
    assert "0 planes encoded, 8 were there" in opened.ahead.message.text()


def test_the_order_is_taken_anew_when_another_plane_is_shown(opened, qtbot):
    opened.ahead.begin.click()
    opened.let(2)
    until(qtbot, lambda: opened.asked == [0, 1, 2])
    opened.viewer.dims.set_point(0, 7)
    opened.let(6)
    until(qtbot, done(opened))

    assert opened.order == [0, 1, 2, 7, 6, 5, 4, 3]


def test_it_pauses_and_goes_on(opened, qtbot):
    opened.ahead.begin.click()
    opened.let(2)
    until(qtbot, lambda: opened.asked == [0, 1, 2])
    opened.ahead.pause.click()
    assert opened.ahead.pause.text() == "Go on"
    opened.let(6)
    until(qtbot, lambda: "3 of 8 planes encoded, paused" in opened.ahead.message.text())
    qtbot.wait(300)
    assert opened.asked == [0, 1, 2]  # the one that was being encoded is finished, and no other

    opened.ahead.pause.click()
    until(qtbot, done(opened))
    assert len(opened.order) == 8


@pytest.mark.parametrize("paused", [False, True])
def test_it_is_cancelled_and_keeps_what_is_done(opened, qtbot, paused):
    opened.ahead.begin.click()
    opened.let(2)
    until(qtbot, lambda: len(opened.ahead._done) == 2)
    if paused:
        opened.ahead.pause.click()
    opened.ahead.steps.progress.cancel()
    opened.let(1)
    until(qtbot, done(opened))

    assert "Stopped: " in opened.ahead.message.text()
    assert opened.annotator.model_cache.cache.store.usage().images == len(opened.order) <= 3
    assert not opened.ahead.begin.isHidden()
    assert opened.ahead.pause.isHidden()


def test_a_click_goes_first(opened, discs, model, settle, qtbot):
    model.go.clear()
    opened.let(1)
    click(opened, discs[1])  # a turn that takes its time, on plane 0
    until(qtbot, lambda: opened.order == [0])
    opened.let(8)
    opened.ahead.begin.click()
    qtbot.wait(400)
    assert opened.order == [0]
    assert not opened.ahead._done

    model.go.set()
    until(qtbot, done(opened))
    assert model.answered == 1
    assert opened.order == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_click_on_the_plane_being_encoded_waits_for_it_alone(opened, discs, settle, qtbot):
    opened.ahead.begin.click()
    click(opened, discs[1])
    opened.let(8)
    settle(opened)

    assert opened.annotator.prediction is not None
    until(qtbot, done(opened))
    assert sorted(opened.order) == list(range(8))


def test_the_first_click_on_a_plane_encoded_ahead_encodes_nothing(opened, discs, settle, qtbot):
    opened.let(8)
    opened.ahead.begin.click()
    until(qtbot, done(opened))
    opened.annotator.model_cache.cache.clear()  # as after a restart
    opened.viewer.dims.set_point(0, 6)
    click(opened, discs[1])
    settle(opened)

    assert np.array_equal(opened.annotator.prediction.mask, discs[1] == 1)
    assert len(opened.order) == 8


def test_it_ends_when_its_image_goes(opened, qtbot):
    opened.ahead.begin.click()
    opened.let(1)
    until(qtbot, lambda: len(opened.ahead._done) == 1)
    opened.viewer.layers.remove("discs")
    opened.let(7)
    until(qtbot, done(opened))

    assert len(opened.order) < 8
    assert opened.ahead.isHidden()


def test_one_plane_has_no_rest(dock):
    assert dock.ahead.isHidden()
    dock.ahead.start()
    assert "one plane only" in dock.ahead.message.text()


def test_planes_that_are_clicked_on_in_parts_are_not_encoded_as_one(docked):
    dock = docked(np.zeros((2, 2049, 64), np.uint8))
    assert dock.ahead.isHidden()
    dock.ahead.start()
    assert "in parts" in dock.ahead.message.text()
    assert not dock.ahead.steps.running


def test_trouble_with_the_disk_is_reported(opened, tmp_path, qtbot):
    (tmp_path / "file").write_text("no folder")
    opened.annotator.model_cache.cache = EmbeddingCache(
        store=EmbeddingStore(tmp_path / "file" / "k")
    )
    opened.let(8)
    opened.ahead.begin.click()
    until(qtbot, done(opened))

    assert "choose another folder" in opened.ahead.message.text()


def test_a_gate_is_shut_while_anybody_holds_it_and_for_a_rest():
    gate, one, other = IdleGate(rest=0.05), object(), object()
    assert gate.wait(0)
    gate.shut(one)
    gate.shut(one)
    gate.shut(other)
    gate.open(one)
    assert not gate.wait(0)
    gate.open(other)
    assert not gate.wait(0)
    assert gate.wait(5)


def test_preferences_say_whether_and_where(plugin_settings, npe2pm, tmp_path):
    from napari.settings import get_plugin_settings
    from npe2 import PluginManifest

    from napari_seem.widgets._shared.preferences import read_preferences

    npe2pm.register(PluginManifest.from_distribution("napari-seem"))
    page = get_plugin_settings("napari-seem").annotate
    page.disk_folder, page.disk_megabytes = str(tmp_path / "mine"), 7
    store = open_store(read_preferences())
    assert (store.folder, store.max_bytes) == (tmp_path / "mine", 7 << 20)
    page.keep_on_disk = False
    assert open_store(read_preferences()) is None
    assert read_preferences().get_ready
    page.get_ready = False
    assert not read_preferences().get_ready
