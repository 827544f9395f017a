"""The mask under the mouse: shown by moves of a real mouse, written nowhere, never in the way."""

from __future__ import annotations

import numpy as np
import pytest
from canvas import CTRL, RIGHT, press
from discs import disc_image
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QApplication

from napari_seem.models.base import Capability

LEFT_DISC, RIGHT_DISC = (32, 20), (32, 58)


def of_plugin(callbacks):
    return [one for one in callbacks if type(getattr(one, "__self__", None)).__name__ == "Hover"]


@pytest.fixture
def hovered(shown, settle, qtbot):
    """The dock with hover on, on an encoded plane with one object; the mouse; and a wait."""
    dock, mouse = shown
    mouse.click(LEFT_DISC)
    settle(dock)
    dock.commit()
    dock.panel.hover.toggle()

    def rest():
        """Wait until the newest position was answered, or is not to be."""
        qtbot.wait(250)
        settle(dock)
        qtbot.wait(250)
        settle(dock)

    return dock, mouse, rest


def outline(dock):
    """What hover shows, bool (H, W), or None for nothing."""
    values = dock.hover.preview.values()
    return None if values is None or not values.any() else values > 0


def state(dock):
    """Whatever a prompt, an answer or a step would change."""
    annotator, viewer = dock.annotator, dock.viewer
    layers = [layer for layer in viewer.layers if layer.name != "SEEM hover"]
    return (
        [(layer.name, layer.visible, np.asarray(layer.data).tobytes()) for layer in layers],
        [layer.name for layer in layers],
        viewer.layers.selection.active.name,
        None if annotator.work is None else annotator.work.session.prompts,
        annotator.timeline.undo_title, annotator.timeline.redo_title,
        dock.panel.status.text(), dock.panel.message.text(), dock.panel.commit.isEnabled(),
    )  # fmt: skip


def test_nothing_is_followed_or_added_until_hover_is_on(shown, settle, qtbot, model):
    dock, mouse = shown
    viewer, names = dock.viewer, [layer.name for layer in dock.viewer.layers]
    mouse.click(LEFT_DISC)
    settle(dock)
    answered = model.answered
    mouse.hover(RIGHT_DISC)
    qtbot.wait(250)

    assert not dock.panel.hover.isChecked()
    assert not of_plugin(viewer.mouse_move_callbacks)
    assert not of_plugin(viewer.mouse_drag_callbacks)
    assert names == [layer.name for layer in viewer.layers]
    assert model.answered == answered


def test_hover_shows_what_a_click_gives_and_the_click_asks_no_more(hovered, settle, model):
    dock, mouse, rest = hovered
    mouse.hover(RIGHT_DISC)
    rest()
    seen, answered = outline(dock), model.answered
    assert np.array_equal(seen, disc_image()[1] == 2)

    mouse.click(RIGHT_DISC)
    settle(dock)
    assert np.array_equal(dock.annotator.prediction.mask, seen)
    assert model.answered == answered
    assert outline(dock) is None
    assert dock.annotator.preview.values().any()
    assert "turn 1" in dock.panel.status.text()

    dock.commit()
    assert np.array_equal(dock.annotator.labels.data, disc_image()[1])
    features = dock.annotator.labels.features
    assert list(features["prompts"])[-2:] == [1, 1] if "prompts" in features else True


def test_hovering_writes_nothing(hovered, model):
    dock, mouse, rest = hovered
    before, answered = state(dock), model.answered
    document = dock.annotator.labels.data.copy()
    for at in (LEFT_DISC, RIGHT_DISC, (5, 40)):
        mouse.hover(at)
        rest()
        assert outline(dock) is not None

    assert model.answered == answered + 3
    assert state(dock) == before
    assert np.array_equal(dock.annotator.labels.data, document)
    dock.annotator.undo()
    assert not dock.annotator.labels.data.any()  # the object is what was done last


def test_moves_do_not_queue_up_and_a_mouse_at_rest_asks_nothing(hovered, model, qtbot, settle):
    dock, mouse, rest = hovered
    answered = model.answered
    model.go.clear()
    for column in np.linspace(10, 60, 40):
        mouse.hover((32, column))
        qtbot.wait(5)
    qtbot.wait(200)
    assert model.answered == answered

    model.go.set()
    rest()
    assert model.answered == answered + 2  # where it began, and the newest
    assert np.array_equal(outline(dock), disc_image()[1] == 2)
    rest()
    mouse.hover((32, 60))  # where it is already
    rest()
    assert model.answered == answered + 2


def test_a_click_is_answered_before_newer_positions(hovered, model, qtbot, settle):
    dock, mouse, rest = hovered
    given, go_on = [], dock.annotator.runner
    dock.annotator.answered.connect(given.append)
    model.go.clear()
    mouse.hover(LEFT_DISC)
    qtbot.waitUntil(lambda: go_on.busy, timeout=5000)
    mouse.click(RIGHT_DISC)  # waits for one mask at most
    mouse.hover((5, 40))
    qtbot.wait(250)
    answered = model.answered
    model.go.set()
    qtbot.waitUntil(lambda: bool(given), timeout=5000)
    assert model.answered == answered + 2
    assert np.array_equal(given[0].mask, disc_image()[1] == 2)
    settle(dock)


def test_a_click_takes_the_mask_that_is_being_computed(hovered, model, qtbot, settle):
    dock, mouse, _ = hovered
    answered = model.answered
    model.go.clear()
    mouse.hover(RIGHT_DISC)
    qtbot.waitUntil(lambda: dock.annotator.runner.busy, timeout=5000)
    mouse.click(RIGHT_DISC)
    model.go.set()
    settle(dock)

    assert model.answered == answered + 1
    assert np.array_equal(dock.annotator.prediction.mask, disc_image()[1] == 2)
    assert outline(dock) is None


def test_what_is_shown_goes_with_what_it_was_about(hovered, qtbot):
    dock, mouse, rest = hovered
    canvas, column = mouse.canvas.native, 57

    def seen_again():
        nonlocal column
        column = 115 - column  # not where the mouse is
        mouse.hover((32, column))
        rest()
        return outline(dock) is not None

    assert seen_again()
    dock.viewer.mouse_over_canvas = True
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    QApplication.processEvents()
    assert outline(dock) is None

    assert seen_again()
    mouse.drag((32, 58), (30, 50))
    assert outline(dock) is None
    qtbot.wait(200)

    assert seen_again()
    dock.annotator.image.data = 255 - disc_image()[0]
    assert outline(dock) is None


def test_hover_is_off_by_key_and_with_the_dock(hovered):
    dock, mouse, rest = hovered
    viewer, layer = dock.viewer, dock.viewer.layers["SEEM hover"]
    mouse.hover(RIGHT_DISC)
    rest()
    assert layer.visible
    press(viewer.window._qt_window, "U", Qt.KeyboardModifier.ShiftModifier)
    assert not dock.panel.hover.isChecked()
    assert not layer.visible
    assert not layer.data.any()
    assert not of_plugin([*viewer.mouse_move_callbacks, *viewer.mouse_drag_callbacks])

    press(viewer.window._qt_window, "U", Qt.KeyboardModifier.ShiftModifier)
    assert dock.panel.hover.isChecked()
    mouse.hover((32, 57))
    rest()
    assert viewer.layers["SEEM hover"] is layer
    assert layer.visible
    viewer.window.remove_dock_widget(dock)
    assert not layer.visible
    assert not of_plugin([*viewer.mouse_move_callbacks, *viewer.mouse_drag_callbacks])


def test_with_prompts_hover_shows_what_the_next_click_makes_of_the_object(hovered, settle, model):
    dock, mouse, rest = hovered
    mouse.click(LEFT_DISC)
    settle(dock)
    mouse.hover(RIGHT_DISC)
    rest()
    assert np.array_equal(outline(dock), disc_image()[1] > 0)
    assert np.array_equal(dock.annotator.preview.values() > 0, disc_image()[1] == 1)

    dock.toggle_polarity()
    assert outline(dock) is None
    mouse.hover((32, 30))
    rest()
    seen, answered = outline(dock), model.answered
    assert 0 < seen.sum() < (disc_image()[1] == 1).sum()
    mouse.click((32, 30))
    settle(dock)
    assert np.array_equal(dock.annotator.prediction.mask, seen)
    assert model.answered == answered


def test_a_right_click_is_not_answered_by_what_was_shown_for_a_left_one(hovered, settle):
    dock, mouse, rest = hovered
    mouse.click(LEFT_DISC)
    settle(dock)
    mouse.hover((32, 30))
    rest()
    mouse.click((32, 30), RIGHT)
    settle(dock)
    first, second = dock.annotator.work.session.prompts
    assert (first.positive, second.positive) == (True, False)
    assert not dock.annotator.prediction.mask[32, 30]


def test_ctrl_shows_the_negative_click(hovered, settle, model):
    dock, mouse, rest = hovered
    mouse._send(
        QEvent.Type.MouseMove, (32, 30), Qt.MouseButton.NoButton, Qt.MouseButton.NoButton, CTRL
    )
    rest()
    assert outline(dock) is None  # there is no object to take it from


@pytest.mark.parametrize("hindrance", ["box", "brush", "3-D", "word"])
def test_nothing_is_asked_where_a_click_would_be_no_point(hovered, model, hindrance):
    dock, mouse, rest = hovered
    mouse.hover(RIGHT_DISC)
    rest()
    if hindrance == "brush":
        dock.viewer.layers.selection.active = dock.annotator.labels
        dock.annotator.labels.mode = "paint"
    elif hindrance == "3-D":
        dock.viewer.dims.ndisplay = 3
    else:
        dock.use_tool(hindrance)
    answered = model.answered
    mouse.hover((32, 57))
    rest()

    assert model.answered == answered
    assert outline(dock) is None


def test_a_plane_that_is_not_encoded_is_named_and_not_read(shown, settle, qtbot, model):
    dock, mouse = shown
    dock.panel.hover.toggle()
    mouse.hover(RIGHT_DISC)
    qtbot.wait(250)
    assert not dock.annotator.runner.busy
    assert model.encoded == model.answered == 0
    assert "as soon as this plane is encoded" in dock.panel.message.text()

    mouse.click(RIGHT_DISC)
    settle(dock)
    mouse.hover(LEFT_DISC)
    qtbot.waitUntil(lambda: outline(dock) is not None, timeout=5000)
    assert not dock.panel.message.text()


def test_a_model_without_points_is_named(hovered, model):
    dock, mouse, rest = hovered
    model.capabilities = model.capabilities - {Capability.POINT}
    answered = model.answered
    mouse.hover(RIGHT_DISC)
    rest()
    assert model.answered == answered
    assert "takes no points" in dock.panel.message.text()


def test_a_slow_model_is_told_of_and_asked_where_the_mouse_rests(hovered, model, qtbot, settle):
    dock, mouse, rest = hovered
    model.go.clear()
    mouse.hover(LEFT_DISC)
    qtbot.wait(450)
    model.go.set()
    settle(dock)
    assert "shown where the mouse rests" in dock.panel.message.text()

    answered = model.answered
    for column in np.linspace(30, 58, 12):
        mouse.hover((32, column))
        qtbot.wait(40)
    assert model.answered == answered
    qtbot.wait(400)
    settle(dock)
    assert model.answered == answered + 1
    assert not dock.panel.message.text()


def test_a_model_that_breaks_ends_hover_with_one_message(hovered, model):
    dock, mouse, rest = hovered

    def broken(*_):
        raise RuntimeError("weights are gone")

    model.predict = broken
    said = []
    dock.annotator.said.connect(lambda text, error: said.append(text))
    for at in (LEFT_DISC, RIGHT_DISC):
        mouse.hover(at)
        rest()
    assert said == ["RuntimeError: weights are gone"]
    assert not dock.panel.hover.isChecked()
