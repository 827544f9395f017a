"""Commits that are pressed before their masks are there, by real mouse and key events."""

from __future__ import annotations

import numpy as np
import pytest
from canvas import CTRL, SHIFT, Mouse, lay_out, press
from napari.utils.notifications import notification_manager

from napari_seem.errors import InvalidPrompt
from napari_seem.viewer.documents import document_of

ROWS, COLUMNS, STEP, RADIUS = 4, 5, 24, 8


def many_discs():
    """Twenty bright discs on dark ground, uint8 (H, W), and their middles, row by row."""
    image = np.full((ROWS * STEP, COLUMNS * STEP), 20, np.uint8)
    middles = [(STEP // 2 + STEP * y, STEP // 2 + STEP * x)
               for y in range(ROWS) for x in range(COLUMNS)]  # fmt: skip
    rows, columns = np.indices(image.shape)
    for y, x in middles:
        image[(rows - y) ** 2 + (columns - x) ** 2 <= RADIUS**2] = 220
    return image, middles


@pytest.fixture
def hand(make_napari_viewer, model, qtbot, settle):
    """Open the dock on an image in a shown viewer: `hand(data)` gives the dock and the mouse."""
    from napari_seem.widgets.annotate.dock import AnnotateWidget

    docks = []

    def open_on(data):
        viewer = make_napari_viewer(show=True)
        viewer.add_image(data, name="discs")
        dock = AnnotateWidget(viewer, loader=lambda name: model)
        viewer.window.add_dock_widget(dock, name="Annotate")
        lay_out(viewer, qtbot)
        docks.append(dock)
        return dock, Mouse(viewer)

    yield open_on
    model.go.set()
    for dock in docks:
        settle(dock)
        dock.release()


@pytest.fixture
def stack(docked):
    """The dock on four planes of two discs, without a shown viewer."""
    image, _ = many_discs()
    return docked(np.stack([image] * 4))


def click(dock, at):
    dock.annotator.prompt_layers.points.add(at)


def ids_at(dock, middles):
    data = dock.annotator.labels.data
    return [int(data[at]) for at in middles]


def prompts(dock):
    return [] if dock.annotator.work is None else list(dock.annotator.work.session.prompts)


@pytest.mark.parametrize("held", [True, pytest.param(False, marks=pytest.mark.long)])
def test_twenty_points_and_commits_are_twenty_objects(hand, model, settle, held):
    image, middles = many_discs()
    dock, mouse = hand(image)
    canvas = mouse.canvas.native
    if held:
        model.go.clear()
    for at in middles:
        mouse.click(at)
        press(canvas, "K")
    model.go.set()
    settle(dock)

    assert ids_at(dock, middles) == list(range(1, 21))
    assert np.array_equal(dock.annotator.labels.data > 0, image > 100)
    assert prompts(dock) == []

    for number in (20, 19):  # in the order of the hand: object 20, its point, object 19, its point
        press(canvas, "Z", CTRL)
        assert ids_at(dock, middles) == [*range(1, number), *[0] * (21 - number)]
        assert len(prompts(dock)) == 1
        press(canvas, "Z", CTRL)
        assert prompts(dock) == []
    for _ in range(4):
        press(canvas, "Z", CTRL | SHIFT)
    settle(dock)
    assert ids_at(dock, middles) == list(range(1, 21))
    assert prompts(dock) == []


@pytest.fixture
def pressed(docked, model):
    """Press commits while the model is held: `pressed(count)` gives the dock and all middles."""

    def press_commits(count):
        image, middles = many_discs()
        dock = docked(image)
        model.go.clear()
        for at in middles[:count]:
            click(dock, at)
            dock.commit()
        return dock, middles

    return press_commits


def test_a_commit_is_carried_out_as_it_was_pressed(docked, model, settle):
    image, middles = many_discs()
    dock = docked(image)
    model.go.clear()
    dock.committing.choose_class("cell")
    click(dock, middles[0])
    dock.panel.name.setText("first")
    dock.panel.label_id.setValue(7)
    assert dock.commit() is None
    dock.committing.choose_class("nucleus")
    dock.panel.name.setText("second")
    click(dock, middles[1])
    assert len(prompts(dock)) == 1  # the next object has begun
    dock.commit()
    dock.annotator.choose_model("another")
    model.go.set()
    settle(dock)

    table = document_of(dock.annotator.labels).table
    assert [(i, r.name, r.concept, r.model) for i, r in table.items()] == [
        (7, "first", "cell", "compact"), (8, "second", "nucleus", "compact")
    ]  # fmt: skip


def test_undo_takes_a_waiting_commit_back_and_redo_presses_it_again(pressed, model, settle, qtbot):
    dock, middles = pressed(2)
    assert dock.panel.undo.text() == "Undo object"
    dock.annotator.undo()
    assert len(prompts(dock)) == 1
    assert len(dock.annotator.prompt_layers.points.data) == 1
    model.go.set()
    settle(dock)
    assert ids_at(dock, middles[:2]) == [1, 0]
    assert np.array_equal(dock.annotator.preview.values() > 0, dock.annotator.prediction.mask)

    dock.annotator.redo()
    settle(dock)
    assert prompts(dock) == []
    qtbot.waitUntil(lambda: not dock.annotator.commits.waiting)
    assert ids_at(dock, middles[:2]) == [1, 2]
    dock.annotator.undo()
    assert ids_at(dock, middles[:2]) == [1, 0]


def test_planes_images_and_models_may_change_while_commits_wait(stack, model, settle):
    image, middles = many_discs()
    dock = stack
    viewer, first = dock.viewer, dock.annotator.image
    model.go.clear()
    for plane in (0, 1):
        viewer.dims.set_point(0, plane)
        click(dock, (plane, *middles[plane]))
        dock.commit()
    labels = dock.annotator.labels
    dock.annotator.choose_image(viewer.add_image(np.flipud(image), name="other"))
    dock.annotator.choose_model("another")
    click(dock, middles[2])
    dock.commit()
    other = dock.annotator.labels
    click(dock, middles[3])
    dock.clear()  # what was committed stays committed
    model.go.set()
    settle(dock)

    assert other is not labels
    assert [labels.data[0][middles[0]], labels.data[1][middles[1]]] == [1, 2]
    assert np.count_nonzero(labels.data) == 2 * np.count_nonzero(labels.data[0])
    assert other.data[middles[2]] == 1
    assert len(np.unique(other.data)) == 2
    records = [document_of(one).table[1].model for one in (labels, other)]
    assert records == ["compact", "another"]
    assert dock.annotator.image is not first


def test_an_image_that_is_gone_does_not_lose_its_commits(pressed, model, settle):
    dock, middles = pressed(1)
    labels = dock.annotator.labels
    dock.viewer.layers.remove(dock.annotator.image)
    model.go.set()
    settle(dock)

    assert labels.data[middles[0]] == 1


def test_a_commit_that_cannot_be_written_gives_its_prompts_back(pressed, model, settle):
    dock, middles = pressed(1)
    dock.viewer.layers.remove(dock.annotator.labels)
    model.go.set()
    settle(dock)

    assert "was removed; its prompts are there again" in dock.panel.message.text()
    assert len(prompts(dock)) == 1
    assert dock.commit() == 1
    assert dock.annotator.labels.data[middles[0]] == 1


def test_a_refused_commit_keeps_its_prompts_for_undo(docked, model, settle, monkeypatch):
    image, middles = many_discs()
    dock = docked(image)
    predict = model.predict

    def refuse(embedding, given, memory=None):
        answer = predict(embedding, given, memory)
        if (given[0].y, given[0].x) == middles[0]:
            raise InvalidPrompt("this one is refused")
        return answer

    monkeypatch.setattr(model, "predict", refuse)
    model.go.clear()
    for at in middles[:3]:
        click(dock, at)
        if at != middles[2]:
            dock.commit()
    model.go.set()
    settle(dock)

    assert ids_at(dock, middles[:3]) == [0, 1, 0]
    told = [n.message for n in notification_manager.records]
    assert any("this one is refused; undo until" in one for one in told)
    assert [(p.y, p.x) for p in prompts(dock)] == [middles[2]]
    for _ in range(4):  # the third point, object 1, its point, the commit that was refused
        dock.annotator.undo()
    assert [(p.y, p.x) for p in prompts(dock)] == [middles[0]]


def test_closing_the_dock_says_what_is_lost(pressed, model, qtbot):
    dock, _ = pressed(2)
    dock.close()
    model.go.set()

    told = notification_manager.records[-1].message
    assert told.startswith("2 objects were not written: the Annotate dock was closed")


def test_cancelling_the_first_turn_does_not_cancel_the_commit(pressed, model, settle):
    dock, middles = pressed(1)
    dock.annotator.runner.progress.cancel()  # the turn that reads the image
    model.go.set()
    settle(dock)

    assert ids_at(dock, middles[:1]) == [1]
