"""How often things are done for a click, and what is left of images that were closed."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from canvas import Mouse, lay_out
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QEvent, QObject, QPointF
from qtpy.QtWidgets import QApplication, QWidget

from benchmarks.jobs.mouse import LEFT, MOVE, NONE, PRESS, RELEASE, send
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.annotate.sessions import turns

FIRST, SECOND, THIRD = (32, 20), (34, 22), (30, 22)
LONG = 20_000
"""Milliseconds that no test takes."""


@pytest.fixture
def encoded(make_napari_viewer, monkeypatch, model, qtbot, discs, settle):
    """Open the dock on an encoded image with one point: `encoded(hold)` gives dock and mouse."""
    docks = []

    def open_on(hold):
        monkeypatch.setattr(turns, "HOLD", hold)
        monkeypatch.setattr(turns, "SLOW", LONG)
        viewer = make_napari_viewer(show=True)
        viewer.add_image(discs[0], name="discs")
        dock = AnnotateWidget(viewer, loader=lambda name: model)
        viewer.window.add_dock_widget(dock, name="Annotate")
        docks.append(dock)
        lay_out(viewer, qtbot)
        mouse = Mouse(viewer)
        mouse.click(FIRST)
        settle(dock)
        mouse.hover(SECOND)
        QApplication.processEvents()
        return dock, mouse

    yield open_on
    model.go.set()
    for dock in docks:
        settle(dock)
        dock.release()


def count_draws(dock):
    """Return a list that gets, at each draw of the canvas, how many points and answers it shows."""
    drawn, annotator = [], dock.annotator
    points, before = annotator.prompt_layers.points, annotator.prediction
    scene = dock.viewer.window._qt_viewer.canvas._scene_canvas

    def on_draw(_):
        answer = annotator.prediction
        drawn.append((len(points.data), answer is not None and answer is not before))

    scene.events.draw.connect(on_draw)
    return drawn


def test_a_point_is_drawn_once_together_with_its_answer(encoded, settle):
    dock, mouse = encoded(LONG)
    drawn = count_draws(dock)

    mouse.click(SECOND)
    settle(dock)
    QApplication.processEvents()

    assert [answered for points, answered in drawn if points == 2] == [True]


def test_a_point_is_drawn_before_an_answer_that_takes_long(encoded, model, settle, qtbot):
    dock, mouse = encoded(1)
    drawn = count_draws(dock)
    model.go.clear()

    mouse.click(SECOND)
    qtbot.waitUntil(lambda: (2, False) in drawn)
    model.go.set()
    settle(dock)
    qtbot.waitUntil(lambda: (2, True) in drawn)


def test_a_window_that_is_held_is_drawn_where_the_turn_fails(encoded, model, settle, qtbot):
    dock, mouse = encoded(LONG)
    drawn = count_draws(dock)
    model.predict = lambda *_: 1 / 0

    mouse.click(SECOND)
    settle(dock)

    qtbot.waitUntil(lambda: (2, False) in drawn)
    assert "ZeroDivisionError" in dock.panel.message.text()
    dock.annotator.clear()


def test_a_window_that_is_held_is_drawn_where_the_press_becomes_a_drag(encoded, model, qtbot):
    dock, mouse = encoded(LONG)
    canvas = mouse.canvas.native
    model.go.clear()
    send(canvas, PRESS, QPointF(*mouse.pixel(SECOND)), LEFT, LEFT)
    assert dock.annotator.runner.busy
    drawn = count_draws(dock)
    send(canvas, MOVE, QPointF(*mouse.pixel((5, 5))), NONE, LEFT)
    canvas.update()
    qtbot.waitUntil(lambda: bool(drawn))
    send(canvas, RELEASE, QPointF(*mouse.pixel((5, 5))), LEFT, NONE)


def test_what_a_click_and_its_undo_set_off(dock, settle):
    annotator, count = dock.annotator, Counter()
    points = annotator.prompt_layers.points
    for at in (FIRST, SECOND):
        points.add(at)
        settle(dock)
    for name in ("face_color", "size", "features", "set_data"):
        getattr(points.events, name).connect(lambda _, name=name: count.update([name]))
    annotator.preview.layer.events.set_data.connect(lambda _: count.update(["preview"]))
    annotator.changed.connect(lambda: count.update(["changed"]))
    annotator.timeline.changed.connect(lambda: count.update(["timeline"]))

    points.add(THIRD)
    settle(dock)
    assert count["changed"] == 2  # asked, answered
    assert (count["timeline"], count["preview"]) == (1, 1)

    count.clear()
    colours = points.face_color.copy()
    annotator.undo()
    assert len(points.data) == 2
    assert np.array_equal(points.face_color, colours[:2])
    assert (count["size"], count["preview"], count["set_data"]) == (0, 1, 1)


class LayoutSpy(QObject):
    """Counts how often a widget is laid out anew."""

    def __init__(self, watched):
        super().__init__()
        self.count = 0
        watched.installEventFilter(self)

    def eventFilter(self, watched, event):
        self.count += event.type() == QEvent.Type.LayoutRequest
        return False


def test_a_status_or_message_leaves_the_window_as_it_is(encoded, qtbot):
    dock, _ = encoded(LONG)
    spy, numbers = LayoutSpy(dock.viewer.window._qt_window), itertools.count(7)

    def layouts_after(change):
        spy.count = 0
        change()
        for _ in range(4):
            QApplication.processEvents()
        return spy.count

    def say():
        dock.panel.show_status(next(numbers), 12, 0.5, None)
        dock.panel.message.say(f"Written {next(numbers)}.")

    # more than once, as napari lays out what the click before has changed when it likes to
    qtbot.waitUntil(lambda: layouts_after(say) == 0)
    assert layouts_after(lambda: dock.panel.commit.setMinimumWidth(dock.width() + 50)) > 0


def callbacks(viewer):
    """How many callbacks are connected to the events of a viewer and of its layers."""
    sources = (viewer, viewer.layers, viewer.layers.selection, viewer.dims, viewer.cursor)
    return sum(
        len(emitter.callbacks)
        for source in (*sources, *viewer.layers)
        for emitter in source.events.emitters.values()
    )


def close_image(dock, settle, name, data):
    """Open an image, commit an object on it, and remove it with its labels; gives what is left."""
    viewer, annotator = dock.viewer, dock.annotator
    image = viewer.add_image(data.copy(), name=name)
    annotator.choose_image(image)
    annotator.prompt_layers.points.add(FIRST)
    settle(dock)
    dock.commit()
    viewer.layers.remove(annotator.labels)
    QApplication.processEvents()
    said = dock.panel.message.text()
    viewer.layers.remove(image)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QApplication.processEvents()
    widgets = len(viewer.window._qt_window.findChildren(QWidget))
    return said, (widgets, len(viewer.layers), callbacks(viewer))


@pytest.mark.window
def test_images_that_were_closed_leave_nothing(dock, discs, settle):
    left = [close_image(dock, settle, f"image {n}", discs[0])[1] for n in range(5)]

    assert left[2:] == [left[1]] * 3


def test_labels_that_are_removed_unsaved_are_told_of_in_the_dock(encoded, discs, settle):
    dock, _ = encoded(LONG)
    told, left = len(notification_manager.records), []
    for name in ("a", "b", "c"):
        said, count = close_image(dock, settle, name, discs[0])
        left.append(count)
        assert f"'{name} labels' had changes that were not saved" in said

    assert left[2] == left[1]
    assert len(notification_manager.records) == told
