"""One Ctrl+Z goes back through prompts and results in the order they were made."""

from __future__ import annotations

import numpy as np
import pytest
from canvas import CTRL, SHIFT, press
from discs import DiscModel
from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_seem.commands.models import ModelCache
from napari_seem.embeddings import EmbeddingCache
from napari_seem.labels.journal import logs_folder
from napari_seem.labels.log import read_log
from napari_seem.viewer.documents import document_of
from napari_seem.viewer.roles import is_ours
from napari_seem.viewer.timeline import timeline_of
from napari_seem.widgets.everything.dock import EverythingWidget
from napari_seem.widgets.objects.dock import ObjectsWidget

LEFT, RIGHT = (32.0, 20.0), (32.0, 58.0)


@pytest.fixture
def click(dock, settle):
    def add(where):
        dock.annotator.prompt_layers.points.add(where)
        settle(dock)

    return add


@pytest.fixture
def undo(dock, settle):
    """Press Ctrl+Z (or Ctrl+Shift+Z) on the canvas with a layer selected."""

    def press(layer, *, again=False):
        dock.viewer.layers.selection.active = layer
        keys = Qt.KeyboardModifier.ControlModifier
        if again:
            keys |= Qt.KeyboardModifier.ShiftModifier
        QTest.keyClick(dock.viewer.window._qt_viewer.canvas.native, Qt.Key.Key_Z, keys)
        settle(dock)

    return press


def prompts(dock):
    return [] if dock.annotator.work is None else list(dock.annotator.work.session.prompts)


@pytest.mark.window
def test_prompts_objects_strokes_and_names_go_back_in_order(dock, click, settle, undo):
    click(LEFT)
    dock.commit()
    labels = dock.annotator.labels
    with labels.block_history():
        labels.paint((5, 5), 9)
    objects = ObjectsWidget(dock.viewer)
    objects.panel.labels.select(labels)
    objects.rename_object(1, "left")
    objects.release()
    click(RIGHT)
    points = dock.annotator.prompt_layers.points

    undo(labels)  # the second click, though the labels are selected
    assert prompts(dock) == []
    assert document_of(labels).table[1].name == "left"
    undo(points)  # the name, though the points are selected
    assert document_of(labels).table[1].name == ""
    undo(points)
    assert labels.data[5, 5] == 0
    undo(labels)
    assert not labels.data.any()
    undo(labels)
    assert prompts(dock) == []

    for _ in range(5):
        undo(points, again=True)
    assert document_of(labels).table[1].name == "left"
    assert labels.data[5, 5] == 9
    assert len(prompts(dock)) == 1


@pytest.mark.window
def test_an_object_that_is_undone_leaves_its_prompts(dock, click, settle, undo):
    click(LEFT)
    click((34.0, 22.0))
    dock.commit()
    labels = dock.annotator.labels
    size = int((labels.data == 1).sum())

    undo(labels)

    assert not labels.data.any()
    assert len(prompts(dock)) == 2
    assert len(dock.annotator.prompt_layers.points.data) == 2
    assert dock.annotator.prediction is not None
    undo(labels)
    assert len(prompts(dock)) == 1
    dock.commit()
    assert int((labels.data == 1).sum()) == size


@pytest.mark.window
def test_redoing_the_object_takes_its_prompts_away_again(dock, click, undo):
    click(LEFT)
    dock.commit()
    labels = dock.annotator.labels
    undo(labels)
    undo(labels, again=True)

    assert (labels.data == 1).any()
    assert prompts(dock) == []
    assert len(dock.annotator.prompt_layers.points.data) == 0


@pytest.mark.window
def test_buttons_say_what_they_would_undo(dock, click, undo):
    assert not dock.panel.undo.isEnabled()
    click(LEFT)
    assert dock.panel.undo.text() == "Undo point"
    dock.commit()
    assert dock.panel.undo.text() == "Undo object 1"
    undo(dock.annotator.labels)
    assert dock.panel.redo.text() == "Redo object 1"
    assert dock.panel.undo.text() == "Undo point"


def test_a_layer_that_is_gone_is_passed_over(dock, click, settle):
    click(LEFT)
    dock.commit()
    labels = dock.annotator.labels
    click(RIGHT)
    dock.viewer.layers.remove(labels)

    assert timeline_of(dock.viewer).undo() == "point"
    assert timeline_of(dock.viewer).undo() == ""
    assert (labels.data == 1).any()


def test_changing_the_model_keeps_every_step(dock, click, settle):
    click(LEFT)
    click((34.0, 22.0))
    dock.annotator.choose_model("another")
    settle(dock)
    assert dock.annotator.work.session.turn == 2

    dock.annotator.undo()
    settle(dock)

    assert len(prompts(dock)) == 1


def test_rows_of_the_points_layer_have_the_identifiers_of_their_prompts(dock, click, settle):
    click(LEFT)
    click(RIGHT)
    points = dock.annotator.prompt_layers.points
    uids = [prompt.uid for prompt in prompts(dock)]
    assert list(points.features["uid"]) == uids

    points.selected_data = {0}
    points.remove_selected()
    settle(dock)

    assert [prompt.uid for prompt in prompts(dock)] == uids[1:]
    assert list(points.features["uid"]) == uids[1:]


def test_prompts_that_were_not_committed_are_in_the_log_of_a_crash(dock, click, qtbot):
    click(LEFT)
    dock.commit()
    click(RIGHT)
    click((30.0, 56.0))

    qtbot.waitUntil(lambda: not dock.annotator.prompt_log.changed)

    (log,) = logs_folder().glob("*.log.jsonl")
    (session,) = read_log(log)

    (line,) = session.uncommitted
    assert [(p["y"], p["x"]) for p in line["prompts"]] == [RIGHT, (30.0, 56.0)]
    assert [event["event"] for event in session.events] == ["open", "image", "commit"]
    assert session.events[0]["grid"]["units"] == ["pixel", "pixel"]
    assert np.allclose(session.events[1]["grid"]["affine"], np.eye(3))

    dock.viewer.layers.remove(dock.annotator.labels)
    assert read_log(log)[0].events[-1]["event"] == "close"


@pytest.mark.window
def test_undo_works_whatever_is_selected_and_wherever_the_focus_is(dock, click, settle):
    click(LEFT)
    dock.commit()
    canvas = dock.viewer.window._qt_viewer.canvas.native
    labels, image = dock.annotator.labels, dock.annotator.image
    layers = [*dock.viewer.layers, dock.viewer.add_points([[1, 1]]), None]
    assert {labels, image, dock.annotator.preview.layer} < set(layers)
    for layer in layers:
        dock.viewer.layers.selection.active = layer
        for widget in (canvas,) if layer else (canvas, dock.panel.commit, dock.panel.undo):
            press(widget, "Z", CTRL)
            settle(dock)
            assert not labels.data.any(), (layer, widget)
            assert len(prompts(dock)) == 1
            press(widget, "Z", CTRL | SHIFT)
            settle(dock)
            assert (labels.data == 1).any(), (layer, widget)
            assert not prompts(dock)
    assert dock.panel.message.text() == "Redone: object 1."


@pytest.mark.window
def test_undo_shows_the_plane_and_the_image_where_it_did_something(docked, discs, settle):
    dock = docked(np.stack([discs[0]] * 4))
    viewer, first = dock.viewer, dock.annotator.image
    canvas = viewer.window._qt_viewer.canvas.native
    for plane in (0, 3):
        viewer.dims.set_point(0, plane)
        dock.annotator.prompt_layers.points.add((plane, *LEFT))
        settle(dock)
        dock.commit()
    labels = dock.annotator.labels
    other = viewer.add_image(discs[0], name="other")
    dock.annotator.choose_image(other)
    dock.annotator.choose_model("another")
    dock.annotator.prompt_layers.points.add(RIGHT)
    settle(dock)
    dock.annotator.choose_image(first)
    viewer.dims.set_point(0, 1)

    press(canvas, "Z", CTRL)
    settle(dock)
    assert dock.annotator.image is other
    assert (first.visible, other.visible) == (True, True)
    assert prompts(dock) == []
    press(canvas, "Z", CTRL)  # object 2
    settle(dock)
    assert viewer.dims.current_step[0] == 3
    assert not labels.data[3].any()
    assert dock.annotator.image is first
    assert (first.visible, other.visible) == (True, False)  # it covered the other one
    assert len(prompts(dock)) == 1
    press(canvas, "Z", CTRL)
    press(canvas, "Z", CTRL)  # object 1
    settle(dock)
    assert viewer.dims.current_step[0] == 0
    assert not labels.data.any()
    assert len(prompts(dock)) == 1
    assert np.array_equal(dock.annotator.preview.values() > 0, discs[1] == 1)

    viewer.dims.set_point(0, 2)
    for plane in (0, 3, 3):  # object 1, the point, object 2
        press(canvas, "Z", CTRL | SHIFT)
        settle(dock)
        assert viewer.dims.current_step[0] == plane
    assert labels.data[3].any()


@pytest.mark.window
def test_what_other_docks_wrote_is_undone_by_the_same_key(dock, click, settle, find):
    click(LEFT)
    dock.commit()
    viewer = dock.viewer
    everything = EverythingWidget(
        viewer, ModelCache(lambda _: DiscModel(), EmbeddingCache(1 << 24))
    )
    find(everything)
    assert everything.accept()
    click(RIGHT)
    made = [layer for layer in viewer.layers if isinstance(layer, Labels) and not is_ours(layer)]
    canvas = viewer.window._qt_viewer.canvas.native
    viewer.layers.selection.active = everything.review.preview.layer
    for title in ("point", "objects", "object 1"):
        assert timeline_of(viewer).undo_title.endswith(title)
        press(canvas, "Z", CTRL)
        settle(dock)
    assert not any(layer.data.any() for layer in made)
    everything.release()


@pytest.mark.window
def test_clearing_can_be_undone(dock, click, undo):
    click(LEFT)
    points = dock.annotator.prompt_layers.points
    dock.clear()
    assert dock.panel.undo.text() == "Undo clear"
    undo(points)
    assert len(prompts(dock)) == len(points.data) == 1
    assert dock.annotator.preview.values().any()
    undo(points, again=True)
    assert prompts(dock) == []
    assert not dock.annotator.preview.values().any()
    undo(points)
    undo(points)
    assert prompts(dock) == []
