"""The mask under the mouse: shown by moves of a real mouse, written nowhere, never in the way."""

from __future__ import annotations

import time
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from canvas import LEFT, RIGHT, press
from discs import disc_image
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtWidgets import QApplication

from benchmarks.jobs.mouse import NONE, PRESS, RELEASE, send
from napari_seem.models.base import Capability
from napari_seem.viewer.documents import document_of
from napari_seem.widgets._shared.preferences import Preferences
from napari_seem.widgets.annotate import dock as dock_module
from napari_seem.widgets.annotate import hover
from napari_seem.widgets.annotate.hover import EVERY, REST

LEFT_DISC, RIGHT_DISC = (32, 20), (32, 58)
LABELS = disc_image()[1]
LONG = 1000
"""Milliseconds that no load puts between two moves of a mouse."""


@pytest.fixture
def rest(settle, qtbot):
    """Wait until the newest position was answered, or is not to be: `rest(dock)`."""

    def wait(dock):
        qtbot.waitUntil(lambda: not dock.hover.waiting, timeout=20_000)
        settle(dock)
        qtbot.waitUntil(lambda: not dock.hover.waiting, timeout=20_000)
        settle(dock)

    return wait


@pytest.fixture
def unready(monkeypatch):
    """Encode nothing before it is clicked on."""
    preferences = Preferences(get_ready=False)
    monkeypatch.setattr(dock_module, "read_preferences", lambda: preferences)


@pytest.fixture
def hovered(shown, settle):
    """The dock with hover on, on an encoded plane with one object; and the mouse."""
    dock, mouse = shown
    mouse.click(LEFT_DISC)
    settle(dock)
    dock.commit()
    dock.panel.hover.toggle()
    return dock, mouse


def followed(viewer):
    """What hover has connected to the moves of the mouse."""
    return [one for one in viewer.mouse_move_callbacks if one.__module__.endswith(".hover")]


def outline(dock):
    """What hover shows, bool (H, W), or None for nothing."""
    values = None if dock.hover.preview is None else dock.hover.preview.values()
    return None if values is None or not values.any() else values > 0


def state(dock):
    """Whatever a prompt, an answer or a step would change."""
    annotator, viewer = dock.annotator, dock.viewer
    layers = [layer for layer in viewer.layers if layer.name != "SEEM hover"]
    return (
        [(layer.name, layer.visible, np.asarray(layer.data).tobytes()) for layer in layers],
        viewer.layers.selection.active.name,
        None if annotator.work is None else annotator.work.session.prompts,
        annotator.timeline.undo_title, annotator.timeline.redo_title,
        dock.panel.status.text(), dock.panel.message.text(), dock.panel.commit.isEnabled(),
        [dict(event) for event in document_of(annotator.labels).log.events],
    )  # fmt: skip


def use_brush(viewer, labels):
    """Let a person paint on labels."""
    viewer.layers.selection.active = labels
    labels.mode = "paint"


@pytest.mark.usefixtures("unready")
def test_nothing_is_followed_until_hover_is_on_nor_read_for_it(shown, settle, qtbot, model, rest):
    dock, mouse = shown
    names = [layer.name for layer in dock.viewer.layers]
    mouse.hover(RIGHT_DISC)
    qtbot.wait(2 * EVERY)
    assert not dock.panel.hover.isChecked()
    assert not followed(dock.viewer)
    assert names == [layer.name for layer in dock.viewer.layers]

    dock.panel.hover.toggle()
    mouse.hover(LEFT_DISC)
    rest(dock)
    assert model.encoded == model.answered == 0
    assert "as soon as this plane is encoded" in dock.panel.message.text()

    mouse.click(RIGHT_DISC)
    settle(dock)
    mouse.hover(LEFT_DISC)
    rest(dock)
    assert outline(dock) is not None
    assert not dock.panel.message.text()


def hold_down(mouse, at, kind, buttons):
    """Press or release the left button."""
    send(mouse.canvas.native, kind, QPointF(*mouse.pixel(at)), LEFT, buttons)


def test_a_click_is_answered_while_the_button_is_down(shown, settle, model):
    dock, mouse = shown
    mouse.click(LEFT_DISC)
    settle(dock)
    dock.commit()
    answered, given = model.answered, []
    dock.annotator.answered.connect(given.append)

    mouse.hover(RIGHT_DISC)
    hold_down(mouse, RIGHT_DISC, PRESS, LEFT)
    settle(dock)
    assert model.answered == answered + 1
    assert dock.annotator.work is None
    assert not dock.annotator.preview.values().any()

    hold_down(mouse, RIGHT_DISC, RELEASE, NONE)
    assert not dock.annotator.runner.busy
    assert model.answered == answered + 1
    assert np.array_equal(given[0].mask, LABELS == 2)

    mouse.click((5, 40), RIGHT)  # another sign, and another object before it
    settle(dock)
    assert [p.positive for p in dock.annotator.work.session.prompts] == [True, False]
    assert model.answered == answered + 2

    mouse.drag(LEFT_DISC, (44, 30))  # moves the picture
    settle(dock)
    assert len(dock.annotator.work.session.prompts) == 2
    assert len(given) == 2


def test_no_press_is_answered_beforehand_by_a_slow_model(shown, settle, model, monkeypatch):
    dock, mouse = shown
    mouse.click(LEFT_DISC)
    settle(dock)
    predict = model.predict

    def slowly(*asked):
        time.sleep(1.2 * REST / 1e3)
        return predict(*asked)

    monkeypatch.setattr(model, "predict", slowly)
    for at, busy in ((RIGHT_DISC, True), ((34, 22), False)):
        mouse.hover(at)
        hold_down(mouse, at, PRESS, LEFT)
        assert dock.annotator.runner.busy == busy
        settle(dock)
        hold_down(mouse, at, RELEASE, NONE)
        settle(dock)
        assert dock.annotator.turns.last_ms > REST
    assert len(dock.annotator.work.session.prompts) == 3


def test_hover_writes_nothing_and_shows_what_a_click_gives(hovered, settle, model, rest):
    dock, mouse = hovered
    before, answered = state(dock), model.answered
    for at in ((5, 40), LEFT_DISC, RIGHT_DISC):
        mouse.hover(at)
        rest(dock)
    assert state(dock) == before
    assert model.answered == answered + 3
    seen = outline(dock)
    assert np.array_equal(seen, LABELS == 2)

    mouse.click(RIGHT_DISC)
    assert np.array_equal(dock.annotator.prediction.mask, seen)  # at once, as it is known
    assert model.answered == answered + 3
    assert outline(dock) is None
    assert dock.annotator.preview.values().any()
    assert "turn 1" in dock.panel.status.text()
    assert dock.commit() == 2
    assert np.array_equal(dock.annotator.labels.data, LABELS)
    dock.annotator.undo()
    dock.annotator.undo()
    assert not dock.annotator.work.session.prompts


def test_moves_do_not_queue_up_and_a_mouse_at_rest_asks_nothing(hovered, model, qtbot, rest):
    dock, mouse = hovered
    answered = model.answered
    model.go.clear()
    for column in np.linspace(10, 60, 20):
        mouse.hover((32, column))
        qtbot.wait(15)  # vispy leaves moves out that follow each other at once
    qtbot.wait(2 * EVERY)
    model.go.set()
    rest(dock)
    assert model.answered == answered + 2  # where it began, and the newest
    assert np.array_equal(outline(dock), LABELS == 2)

    mouse.hover((32, 60))  # where it is already
    rest(dock)
    qtbot.wait(2 * EVERY)
    assert model.answered == answered + 2


def test_a_click_waits_for_one_mask_at_most_and_takes_its_own(hovered, model, qtbot, settle):
    dock, mouse = hovered
    given, runner = [], dock.annotator.runner
    dock.annotator.answered.connect(given.append)
    answered = model.answered
    model.go.clear()
    mouse.hover(LEFT_DISC)
    qtbot.waitUntil(lambda: runner.busy, timeout=5000)
    mouse.click(RIGHT_DISC)
    mouse.hover((5, 40))
    qtbot.wait(2 * EVERY)
    model.go.set()
    qtbot.waitUntil(lambda: bool(given), timeout=5000)
    assert model.answered == answered + 2
    assert np.array_equal(given[0].mask, LABELS == 2)

    settle(dock)
    dock.clear()
    answered = model.answered
    model.go.clear()
    mouse.hover((30, 58))
    qtbot.waitUntil(lambda: runner.busy, timeout=5000)
    mouse.click((30, 58))
    model.go.set()
    settle(dock)
    assert model.answered == answered + 1
    assert np.array_equal(dock.annotator.prediction.mask, LABELS == 2)
    assert outline(dock) is None


def test_what_is_shown_goes_with_what_it_was_about(hovered, qtbot, rest, settle):
    dock, mouse = hovered
    viewer, columns = dock.viewer, iter(range(50, 66))

    def seen():
        mouse.hover((32, next(columns)))
        rest(dock)
        return outline(dock) is not None

    assert seen()
    viewer.mouse_over_canvas = True
    QApplication.sendEvent(mouse.canvas.native, QEvent(QEvent.Type.Leave))
    assert outline(dock) is None

    assert seen()
    mouse.drag((32, 58), (30, 50))
    assert outline(dock) is None
    qtbot.wait(200)  # the picture was moved; it is drawn anew

    assert seen()
    dock.annotator.image.data = disc_image()[0].copy()
    assert outline(dock) is None

    viewer.add_image(np.stack([disc_image()[0], 255 - disc_image()[0]]), name="stack")
    mouse.click(RIGHT_DISC)
    settle(dock)
    dock.clear()
    assert seen()
    viewer.dims.set_point(0, 1 - viewer.dims.point[0])
    assert outline(dock) is None


def test_hover_is_off_by_its_key_and_with_the_dock(hovered, rest):
    dock, mouse = hovered
    viewer, layer = dock.viewer, dock.viewer.layers["SEEM hover"]
    for column, turn_off in ((58, None), (57, viewer.window.remove_dock_widget)):
        mouse.hover((32, column))
        rest(dock)
        assert layer.visible
        assert layer.data.any()
        if turn_off is None:
            press(viewer.window._qt_window, "U", Qt.KeyboardModifier.ShiftModifier)
            assert not dock.panel.hover.isChecked()
        else:
            turn_off(dock)
            modules = [one.__module__ for one in viewer.mouse_drag_callbacks]
            assert not any(name.startswith("napari_seem") for name in modules)
        assert not layer.visible
        assert not layer.data.any()
        assert not followed(viewer)
        if turn_off is None:
            press(viewer.window._qt_window, "U", Qt.KeyboardModifier.ShiftModifier)
            assert dock.panel.hover.isChecked()
            assert viewer.layers["SEEM hover"] is layer  # used again


def test_with_prompts_hover_shows_what_the_next_click_makes_of_the_object(
    hovered, settle, model, rest
):
    dock, mouse = hovered
    mouse.click(LEFT_DISC)
    settle(dock)
    mouse.hover(RIGHT_DISC)
    rest(dock)
    assert np.array_equal(outline(dock), LABELS > 0)
    assert np.array_equal(dock.annotator.preview.values() > 0, LABELS == 1)

    dock.toggle_polarity()
    assert outline(dock) is None
    mouse.hover((32, 30))
    rest(dock)
    seen, answered = outline(dock), model.answered
    assert 0 < seen.sum() < (LABELS == 1).sum()
    mouse.click((32, 30))
    assert np.array_equal(dock.annotator.prediction.mask, seen)
    assert model.answered == answered

    dock.toggle_polarity()
    mouse.hover((32, 10))  # shown for a left click
    rest(dock)
    mouse.click((32, 10), RIGHT)
    settle(dock)
    assert not dock.annotator.prediction.mask[32, 10]


def test_nothing_is_asked_where_a_click_would_be_no_point(hovered, model, rest):
    dock, mouse = hovered
    columns, labels = iter(range(50, 66)), dock.annotator.labels
    image, points, dims = dock.annotator.image, model.capabilities, dock.viewer.dims
    hindrances = {
        "box": (lambda: dock.use_tool("box"), lambda: dock.use_tool("point")),
        "brush": (
            lambda: use_brush(dock.viewer, labels),
            lambda: setattr(dock.viewer.layers.selection, "active", image),
        ),
        "3-D": (lambda: setattr(dims, "ndisplay", 3), lambda: setattr(dims, "ndisplay", 2)),
        "no points": (
            lambda: setattr(model, "capabilities", points - {Capability.POINT}),
            lambda: setattr(model, "capabilities", points),
        ),
    }

    def answers_and_outline():
        before = model.answered
        mouse.hover((32, next(columns)))
        rest(dock)
        return model.answered - before, outline(dock) is not None

    for hindrance, (begin, end) in hindrances.items():
        assert answers_and_outline() == (1, True), hindrance
        begin()
        assert answers_and_outline() == (0, False), hindrance
        said = "takes no points" in dock.panel.message.text()
        assert said == (hindrance == "no points")
        end()


def test_a_slow_model_is_told_of_and_asked_where_the_mouse_rests(
    hovered, model, qtbot, rest, monkeypatch
):
    dock, mouse = hovered
    monkeypatch.setattr(hover, "REST", LONG)
    with monkeypatch.context() as patch:
        clock = SimpleNamespace(perf_counter=count(0, 2).__next__, monotonic=time.monotonic)
        patch.setattr(hover, "time", clock)  # a mask takes two seconds by it
        mouse.hover(LEFT_DISC)
        rest(dock)
    assert "A mask takes 2.0 s" in dock.panel.message.text()
    assert "shown where the mouse rests" in dock.panel.message.text()

    answered = model.answered
    for column in np.linspace(30, 58, 12):
        mouse.hover((32, column))
        qtbot.wait(LONG // 10)
    assert model.answered == answered
    rest(dock)
    assert model.answered == answered + 1
    assert not dock.panel.message.text()


def test_a_model_that_breaks_ends_hover_with_one_message(hovered, model, rest):
    dock, mouse = hovered

    def broken(*_):
        raise RuntimeError("weights are gone")

    model.predict = broken
    said = []
    dock.annotator.said.connect(lambda text, error: said.append(text))
    for at in (LEFT_DISC, RIGHT_DISC):
        mouse.hover(at)
        rest(dock)
    assert said == ["RuntimeError: weights are gone"]
    assert not dock.panel.hover.isChecked()
