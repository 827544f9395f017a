"""The Stack dock by real mouse and keys: planes as the slider numbers them, ends, tracks."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from napari.layers import Tracks
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_seem.commands.replay import replay
from napari_seem.labels.log import read_log
from napari_seem.samples import video
from napari_seem.viewer.documents import document_of
from napari_seem.viewer.files import save_labels
from napari_seem.widgets.stack.dock import StackWidget
from napari_seem.widgets.stack.panel import OUTLINES

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def opened(request, open_stack):
    """Open the dock, in a shown window where the test needs one."""
    return partial(open_stack, show=request.node.get_closest_marker("window") is not None)


@pytest.fixture
def settle(qtbot):
    def wait(steps):
        qtbot.waitUntil(lambda: not steps.running, timeout=60_000)
        qtbot.wait(20)

    return wait


def click(widget):
    QTest.mouseClick(widget, LEFT)


def choose(button, number):
    """Click an entry of a button's menu."""
    menu = button.menu()
    menu.popup(QPoint(0, 0))
    QTest.mouseClick(menu, LEFT, pos=menu.actionGeometry(menu.actions()[number]).center())
    QApplication.processEvents()


def hover(widget, x):
    at = QPointF(x, 20)
    everywhere = QPointF(widget.mapToGlobal(at.toPoint()))
    none = Qt.MouseButton.NoButton
    event = QMouseEvent(
        QEvent.Type.MouseMove, at, everywhere, none, none, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(widget, event)


def shown_by_slider(viewer, axis=0):
    """What napari itself writes beside its slider."""
    return int(viewer.window._qt_viewer.dims.slider_widgets[axis].curslice_label.text())


def planes_of(dock, number):
    return np.flatnonzero((dock.viewer.layers["organ"].data == number).any((1, 2))).tolist()


@pytest.mark.parametrize(
    ("options", "other", "position"),
    [
        ({}, None, "plane 7 "),
        ({"scale": (2, 1, 1), "units": ("um",) * 3}, None, "plane 7 (14.0 um)"),
        ({"scale": (2, 1, 1), "translate": (10, 0, 0)}, None, "plane 7 (24.0)"),
        ({"scale": (2, 1, 1)}, {"translate": (-6, 0, 0)}, "plane 20 (14.0)"),
        ({"scale": (-2, 1, 1)}, None, "plane 4 (-14.0)"),
    ],
)
@pytest.mark.window
def test_planes_are_numbered_as_the_slider_numbers_them(
    open_stack, settle, rods, options, other, position
):
    volume, labels = rods
    dock = open_stack(volume, {0: labels[0]}, **options)  # a window that is not shown has sliders
    if other is not None:
        dock.viewer.add_image(np.zeros((4, 48, 48)), name="other", **other)
        dock.panel.image.setCurrentText("body")
    dock.panel.model.setCurrentText(OUTLINES)
    click(dock.panel.both)
    settle(dock.runner.steps)
    queue = dock.panel.queue
    texts = [queue.item(row).text() for row in range(queue.count())]
    row = next(k for k, text in enumerate(texts) if f"{text} ".startswith(position))

    queue.scrollToItem(queue.item(row))
    QTest.mouseClick(
        queue.viewport(), LEFT, pos=queue.visualItemRect(queue.item(row)).center()
    )  # fmt: skip

    plane = int(position.split()[1])
    assert shown_by_slider(dock.viewer) == plane
    layer = dock.viewer.layers["organ"]
    assert round(layer.world_to_data(dock.viewer.dims.point)[0]) == 7
    ends = dock.panel.first.value(), dock.panel.last.value()
    dock.viewer.dims.set_point(0, layer.data_to_world((0, 0, 0))[0])
    start = shown_by_slider(dock.viewer)
    dock.viewer.dims.set_point(0, layer.data_to_world((11, 0, 0))[0])
    assert sorted((start, shown_by_slider(dock.viewer))) == list(ends)
    assert dock.panel.planes.within == (0, 12)


@pytest.mark.window
def test_the_plot_names_planes_and_lies_as_the_slider_does(opened, settle, rods):
    volume, labels = rods
    dock = opened(volume, {0: labels[0]}, scale=(-2, 1, 1))
    dock.panel.model.setCurrentText(OUTLINES)
    click(dock.panel.both)
    settle(dock.runner.steps)
    plot = dock.panel.plot

    hover(plot, plot.width() - 6)
    assert plot.toolTip().startswith("plane 11 (0.0), score 1.00, labelled or accepted by you")
    QTest.mouseClick(plot, LEFT, pos=QPoint(plot.width() - 6, 20))
    assert shown_by_slider(dock.viewer) == 11
    QTest.mouseClick(plot, LEFT, pos=QPoint(6, 20))
    assert shown_by_slider(dock.viewer) == 0


def test_forward_is_where_the_slider_counts_up(opened, settle, rods):
    volume, labels = rods
    dock = opened(volume, {6: labels[6]}, scale=(-2, 1, 1))
    dock.panel.model.setCurrentText(OUTLINES)
    dock.go_to(6)

    click(dock.panel.forward)
    settle(dock.runner.steps)

    assert planes_of(dock, 1) == list(range(7))


def test_carrying_on_after_an_emptied_plane_keeps_its_neighbours(opened, settle, rods):
    volume, labels = rods
    dock = opened(volume, {0: labels[0]})
    click(dock.panel.both)
    settle(dock.runner.steps)
    layer = dock.viewer.layers["organ"]
    layer.fill((6, 12, 12), 0)  # the person empties object 1 on plane 6

    click(dock.panel.resume)
    settle(dock.runner.steps)

    assert planes_of(dock, 1) == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11]
    assert planes_of(dock, 2) == list(range(12))


def test_an_object_ends_by_a_click_for_later_runs_too(opened, settle, rods, model_cache):
    volume, labels = rods
    dock = opened(volume, {0: labels[0]})
    click(dock.panel.both)
    settle(dock.runner.steps)
    layer = dock.viewer.layers["organ"]
    layer.selected_label = 1
    dock.viewer.dims.set_current_step(0, 5)

    choose(dock.panel.ended, 0)

    assert planes_of(dock, 1) == list(range(6))
    assert planes_of(dock, 2) == list(range(12))
    assert dock.panel.message.text() == "Object 1 ends on plane 5: removed from 6 planes beyond."
    layer.data_setitem((np.array([3]), np.array([30]), np.array([30])), 0)  # a correction
    click(dock.panel.resume)
    settle(dock.runner.steps)
    assert planes_of(dock, 1) == list(range(6))
    fresh = StackWidget(dock.viewer, model_cache)
    fresh.carry()
    settle(fresh.runner.steps)
    assert planes_of(dock, 1) == list(range(6))
    fresh.release()


@pytest.mark.window
def test_an_end_is_one_step_of_undo_and_undone_it_holds_no_longer(opened, settle, rods, qtbot):
    volume, labels = rods
    dock = opened(volume, {0: labels[0]})
    click(dock.panel.both)
    settle(dock.runner.steps)
    layer = dock.viewer.layers["organ"]
    dock.viewer.dims.set_current_step(0, 8)
    choose(dock.panel.ended, 2)  # all objects
    assert planes_of(dock, 1) == planes_of(dock, 2) == list(range(9))
    assert document_of(layer).history.undo_title == "end of all objects on plane 8"

    dock.viewer.layers.selection.active = layer
    canvas = dock.viewer.window._qt_viewer.canvas.native
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.wait(20)

    assert planes_of(dock, 1) == planes_of(dock, 2) == list(range(12))
    layer.data_setitem((np.array([3]), np.array([30]), np.array([30])), 0)
    click(dock.panel.resume)
    settle(dock.runner.steps)
    assert planes_of(dock, 1) == list(range(12))


def test_what_a_person_accepted_beyond_an_end_stays(opened, settle, rods):
    volume, labels = rods
    dock = opened(volume, {0: labels[0]})
    click(dock.panel.both)
    settle(dock.runner.steps)
    dock.viewer.dims.set_current_step(0, 9)
    click(dock.panel.accept)
    dock.viewer.dims.set_current_step(0, 4)
    dock.viewer.layers["organ"].selected_label = 2

    choose(dock.panel.ended, 0)

    assert planes_of(dock, 2) == [0, 1, 2, 3, 4, 9, 10, 11]


def test_an_end_before_anything_is_carried_holds_and_can_be_taken_back(opened, settle, rods):
    volume, labels = rods
    dock = opened(volume, {5: labels[5]})
    dock.panel.model.setCurrentText(OUTLINES)
    dock.viewer.layers["organ"].selected_label = 1
    dock.viewer.dims.set_current_step(0, 3)

    choose(dock.panel.ended, 1)  # not before this one
    assert dock.panel.message.text() == "Object 1 ends on plane 3; nothing was carried beyond."
    click(dock.panel.both)
    settle(dock.runner.steps)
    assert planes_of(dock, 1) == list(range(3, 12))

    choose(dock.panel.ended, 1)
    assert dock.panel.message.text() == "Object 1 may be carried beyond plane 3 again."
    click(dock.panel.both)
    settle(dock.runner.steps)
    assert planes_of(dock, 1) == list(range(12))


def test_ends_are_replayed_from_the_log(opened, settle, rods, model_cache, tmp_path):
    volume, labels = rods
    dock = opened(volume, {0: labels[0]})
    click(dock.panel.both)
    settle(dock.runner.steps)
    dock.viewer.layers["organ"].selected_label = 1
    dock.viewer.dims.set_current_step(0, 5)
    choose(dock.panel.ended, 0)
    layer = dock.viewer.layers["organ"]
    rows, columns = np.mgrid[28:34, 26:38].reshape(2, -1)
    layer.data_setitem((np.full(rows.size, 3), rows, columns), 0)  # half of object 2
    click(dock.panel.resume)
    settle(dock.runner.steps)
    path = save_labels(layer, tmp_path / "organ.tif")[-1]

    done = replay(
        read_log(path)[-1], loader=model_cache.model, pictures=lambda _: volume
    )  # fmt: skip

    assert not done.differences
    assert done.redone > 11
    np.testing.assert_array_equal(done.labels, layer.data)


def test_cells_that_divide_are_shown_as_tracks(opened, settle):
    cells = video(seed=0, shape=(15, 112, 112), count=4)
    about = {"units": ("min", "um", "um"), "scale": (5, 1, 1), "axis_labels": ("t", "y", "x")}
    dock = opened(cells.image, {0: cells.truth[0]}, **about)
    assert dock.panel.divide.value  # time

    click(dock.panel.forward)
    settle(dock.runner.steps)
    assert "2 divided" in dock.panel.message.text()
    first = dock.panel.queue.findItems("divided into 5 and 6", Qt.MatchFlag.MatchContains)
    assert len(first) == 1
    click(dock.panel.tracks)
    settle(dock.tracks.steps)

    organ = dock.viewer.layers["organ"]
    parents = dict(zip(organ.features["index"], organ.features["parent"], strict=True))
    tracks = next(layer for layer in dock.viewer.layers if isinstance(layer, Tracks))
    assert {i: [p] for i, p in parents.items() if p} == tracks.graph
    assert len(tracks.graph) == 4
    np.testing.assert_allclose(tracks.scale, organ.scale)
    assert tracks.data[:, 1].max() == 14
    assert "8 tracks, 2 divisions" in dock.panel.message.text()
    click(dock.panel.tracks)
    settle(dock.tracks.steps)
    assert sum(isinstance(layer, Tracks) for layer in dock.viewer.layers) == 1
    organ.undo()  # a plane at a time
    dock.take_back()
    assert set(np.unique(organ.data)) == {0, 1, 2, 3, 4}
    assert set(organ.features["index"]) <= {0, 1, 2, 3, 4}


def test_one_cell_is_carried_with_its_daughters_only(opened, settle):
    cells = video(seed=0, shape=(15, 112, 112), count=4)
    dock = opened(cells.image, {0: cells.truth[0]}, axis_labels=("t", "y", "x"))
    organ = dock.viewer.layers["organ"]
    mother = cells.parents[5]
    organ.selected_label = mother
    dock.panel.only_selected.value = True

    click(dock.panel.forward)
    settle(dock.runner.steps)

    there = set(np.unique(organ.data[-1]))
    assert there == {0, 5, 6}
    assert set(organ.features.query("parent > 0")["parent"]) == {mother}
