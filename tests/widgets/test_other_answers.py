"""Other answers in the dock: by key, wheel and button; undone, written, logged and brought back."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from canvas import CTRL, SHIFT, press
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication
from several_answers import SeveralAnswers, sizes

from napari_seem.prompts import Point
from napari_seem.viewer.documents import document_of
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.annotate.sessions.alternatives import DROPPED, ONE

LEFT, RIGHT = (32, 20), (32, 58)


@pytest.fixture
def model():
    return SeveralAnswers()


@pytest.fixture
def areas(discs):
    """Pixels of the three answers to a click on the left disc."""
    other = SeveralAnswers()
    return sizes(other, other.encode(discs[0]), [Point(*LEFT)])


@pytest.fixture
def clicked(dock, settle, qtbot):
    """The dock with a click on the left disc, answered, the other answers known."""
    click(dock, LEFT)
    settle(dock)
    qtbot.waitUntil(lambda: dock.panel.answers.text() == "answer 1 of 3", timeout=20_000)
    return dock


def click(dock, at):
    dock.annotator.prompt_layers.points.add(at)


def pixels(dock):
    """Pixels of the object that the preview shows."""
    values = dock.annotator.preview.values()
    return 0 if values is None else int((values > 0).sum())


def chosen(dock):
    return dock.annotator.work.session.chosen


def turn_wheel(mouse, at, angle, modifiers):
    """Turn the wheel over a point of the picture; negative angles are towards the person."""
    canvas = mouse.canvas.native
    place = QPointF(*mouse.pixel(at))
    event = QWheelEvent(
        place, QPointF(canvas.mapToGlobal(place.toPoint())), QPoint(), QPoint(0, angle),
        Qt.MouseButton.NoButton, modifiers, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(canvas, event)
    QApplication.processEvents()


def test_their_number_is_shown_and_they_are_made_in_a_thread(clicked, model):
    assert model.decoded
    assert threading.main_thread() not in model.decoded
    assert clicked.panel.answers.isEnabled()


def test_the_button_goes_round_through_all(clicked, areas, settle):
    seen = []
    for _ in range(4):
        seen.append((pixels(clicked), clicked.panel.answers.text()))
        clicked.panel.answers.click()
        settle(clicked)

    assert seen == [
        (areas[0], "answer 1 of 3"), (areas[1], "answer 2 of 3"), (areas[2], "answer 3 of 3"),
        (areas[0], "answer 1 of 3"),
    ]  # fmt: skip
    assert "answer 2" in clicked.panel.status.text()


def test_key_wheel_and_undo_of_a_real_hand(shown, areas, settle):
    dock, mouse = shown
    canvas = mouse.canvas.native
    mouse.click(LEFT)
    settle(dock)

    press(canvas, "W", SHIFT)
    settle(dock)
    assert chosen(dock) == 1
    turn_wheel(mouse, LEFT, -120, SHIFT)
    assert chosen(dock) == 2
    turn_wheel(mouse, LEFT, 120, SHIFT)
    assert chosen(dock) == 1
    zoom = dock.viewer.scene.camera.zoom
    turn_wheel(mouse, LEFT, 120, SHIFT)
    assert (chosen(dock), dock.viewer.scene.camera.zoom) == (0, zoom)
    for number in (1, 2, 1, 0):
        press(canvas, "Z", CTRL)
        assert chosen(dock) == number
    assert pixels(dock) == areas[0]
    press(canvas, "Z", CTRL)
    assert dock.annotator.work.session.prompts == ()


def test_a_fast_hand_gets_the_third_and_may_commit_at_once(dock, model, areas, settle):
    model.go.clear()
    click(dock, LEFT)
    dock.act("next_answer")
    dock.act("next_answer")
    dock.commit()
    click(dock, RIGHT)
    model.go.set()
    settle(dock)

    data = dock.annotator.labels.data
    assert (data == 1).sum() == areas[2]
    assert dock.annotator.work.session.choices == ()
    dock.annotator.undo()  # the click on the right disc
    dock.annotator.undo()
    settle(dock)
    assert chosen(dock) == 2
    assert pixels(dock) == areas[2]


def test_corrections_go_on_from_the_answer_that_was_chosen(clicked, settle):
    clicked.act("next_answer")
    click(clicked, RIGHT)
    settle(clicked)

    assert clicked.annotator.prediction.memory == (1, "core", 2)


def test_where_there_is_one_answer_the_dock_says_so(dock, model, settle):
    model.offers = 1
    click(dock, LEFT)
    dock.act("next_answer")
    settle(dock)

    assert dock.panel.answers.text() == "one answer"
    assert not dock.panel.answers.isEnabled()
    assert ONE[1:] in dock.panel.message.text()
    assert dock.annotator.timeline.undo_title == "point"
    dock.act("next_answer")
    assert dock.annotator.work.session.turn == 1


def test_the_log_names_the_answer_that_was_written(clicked, settle, areas):
    clicked.act("next_answer")
    clicked.commit()
    click(clicked, RIGHT)
    settle(clicked)
    clicked.commit()

    first, second = (
        line for line in document_of(clicked.annotator.labels).log.events
        if line["event"] == "commit"
    )  # fmt: skip
    assert first["answers"] == [1]
    assert "answers" not in second
    assert (clicked.annotator.labels.data == 1).sum() == areas[1]


def test_another_model_gives_its_best_answer_and_says_so(clicked, settle, model):
    clicked.act("next_answer")
    clicked.panel.model.setCurrentText("seem-focal-t")
    settle(clicked)

    assert chosen(clicked) == 0
    assert DROPPED[1:] in clicked.panel.message.text()


def test_a_choice_stays_with_its_plane(docked, discs, settle, areas):
    dock = docked(np.stack([discs[0]] * 2))
    dock.viewer.dims.set_current_step(0, 0)
    click(dock, (0, *LEFT))
    settle(dock)
    dock.act("next_answer")
    settle(dock)
    dock.viewer.dims.set_current_step(0, 1)
    assert dock.panel.answers.text() == "answers"
    dock.viewer.dims.set_current_step(0, 0)
    settle(dock)

    assert (chosen(dock), pixels(dock)) == (1, areas[1])


@pytest.mark.window
def test_a_choice_is_left_to_the_next_dock_with_its_prompts(
    clicked, make_napari_viewer, settle, areas, model
):
    clicked.act("next_answer")
    settle(clicked)
    viewer = clicked.viewer
    clicked.release()

    again = AnnotateWidget(viewer, loader=lambda name: model)
    viewer.window.add_dock_widget(again, name="Annotate again")
    settle(again)

    assert (chosen(again), pixels(again)) == (1, areas[1])
    again.release()


def test_hover_shows_and_gives_what_follows_the_chosen_answer(shown, settle, qtbot):
    dock, mouse = shown
    mouse.click(LEFT)
    settle(dock)
    dock.panel.hover.toggle()
    dock.act("next_answer")
    settle(dock)
    mouse.hover(RIGHT)
    qtbot.waitUntil(lambda: not dock.hover.waiting, timeout=20_000)
    settle(dock)
    mouse.click(RIGHT)
    settle(dock)

    assert dock.annotator.prediction.memory == (1, "core", 2)
