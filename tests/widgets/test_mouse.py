"""Real mouse events on the canvas of a shown viewer."""

from __future__ import annotations

import numpy as np
import pytest
from canvas import RIGHT
from discs import disc_image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_seem.prompts import Box, Point, Polygon, Scribble
from napari_seem.viewer.drawing.prompt_layers import COLOURS

BLUE, ORANGE = (COLOURS[sign] for sign in (True, False))


def to_hex(colour):
    return "#" + "".join(f"{round(float(part) * 255):02x}" for part in colour[:3])


def test_clicks_drags_and_picks_of_a_real_mouse(shown, settle):
    dock, mouse = shown
    labels = disc_image()[1]

    mouse.click((32, 20))
    mouse.click((5, 40), RIGHT)
    settle(dock)
    first, second = dock.annotator.work.session.prompts
    assert isinstance(first, Point)
    assert np.hypot(first.y - 32, first.x - 20) < 1
    assert (first.positive, second.positive) == (True, False)
    assert dock.panel.positive.isChecked()  # the right button changes one point, not the choice
    dock.clear()

    dock.use_tool("box")
    mouse.drag((18, 6), (46, 34))
    settle(dock)
    assert isinstance(dock.annotator.work.session.prompts[0], Box)
    assert dock.commit() == 1

    dock.use_tool("scribble")
    mouse.drag((32, 52), (32, 64))
    settle(dock)
    assert isinstance(dock.annotator.work.session.prompts[0], Scribble)
    assert dock.commit() == 2
    assert np.array_equal(dock.annotator.labels.data, labels)

    dock.use_tool("pick")
    mouse.click((32, 58))
    settle(dock)
    assert dock.annotator.work.label_id == 2


def test_the_sign_of_each_prompt_shows_in_its_colour(shown, settle):
    dock, mouse = shown
    layers = dock.annotator.prompt_layers

    mouse.click((32, 20))
    mouse.click((5, 40), RIGHT)
    mouse.click((5, 44), modifiers=Qt.KeyboardModifier.ControlModifier)
    dock.toggle_polarity()
    mouse.click((5, 48))
    settle(dock)

    assert [to_hex(colour) for colour in layers.points.face_color] == [BLUE, ORANGE, ORANGE, ORANGE]
    assert list(layers.points.features["sign"]) == ["positive"] + ["negative"] * 3
    assert [p.positive for p in dock.annotator.work.session.prompts] == [True] + [False] * 3

    dock.use_tool("box")
    mouse.drag((2, 60), (8, 70))
    assert to_hex(layers.shapes.edge_color[-1]) == ORANGE
    assert not dock.annotator.work.session.prompts[-1].positive


def test_the_right_button_paints_what_is_not_the_object(shown, settle):
    dock, mouse = shown
    dock.use_tool("scribble")
    mouse.drag((32, 16), (32, 24))
    mouse.drag((4, 10), (4, 30), RIGHT)
    settle(dock)

    mouse.hover((50, 50))  # napari's own stroke of the right button would go on painting
    first, second = dock.annotator.work.session.prompts
    assert (first.positive, second.positive) == (True, False)
    assert second.mask[4, 12:28].all()
    assert not second.mask[40:].any()


def test_lassos_and_polygons_are_regions(shown, settle):
    dock, mouse = shown
    dock.use_tool("lasso")
    angles = np.linspace(0, 2 * np.pi, 24)
    mouse.trace([(32 + 15 * np.sin(a), 20 + 15 * np.cos(a)) for a in angles])
    dock.annotator.prompt_layers.shapes.mode = "add_polygon"
    for corner in [(25, 50), (25, 66), (40, 66)]:
        mouse.click(corner)
    mouse.double_click((40, 50))
    settle(dock)

    lasso, polygon = dock.annotator.work.session.prompts
    assert isinstance(lasso, Polygon)
    assert isinstance(polygon, Polygon)
    assert np.abs(polygon.vertices - [(25, 50), (25, 66), (40, 66), (40, 50)]).max() < 1
    assert np.array_equal(dock.annotator.prediction.mask, disc_image()[1] > 0)


@pytest.mark.parametrize(
    "tool", ["add_rectangle", pytest.param("add_polygon", marks=pytest.mark.long)]
)
def test_slips_of_the_mouse_leave_nothing_behind(shown, settle, tool):
    dock, mouse = shown
    shapes = dock.annotator.prompt_layers.shapes
    dock.use_tool("box")
    shapes.mode = tool
    mouse.click((20, 20))
    if tool == "add_polygon":
        mouse.click((20, 20.6))
        mouse.click((20.6, 20))
        mouse.double_click((20.3, 20.3))
    QApplication.processEvents()
    assert len(shapes.data) == 0
    assert "too small" in dock.panel.message.text()

    shapes.mode = "add_rectangle"
    mouse.drag((18, 6), (46, 34))  # and the tool still works
    settle(dock)
    assert len(shapes.data) == 1
    assert np.array_equal(dock.annotator.prediction.mask, disc_image()[1] == 1)


def test_deleting_and_dragging_with_napari_s_own_tools(shown, settle):
    dock, mouse = shown
    points = dock.annotator.prompt_layers.points
    mouse.click((32, 20))
    mouse.click((32, 58))
    settle(dock)
    points.mode = "select"
    mouse.drag((32, 58), (2, 2))
    settle(dock)
    moved = dock.annotator.work.session.prompts[1]
    assert np.hypot(moved.y - 2, moved.x - 2) < 1.5

    mouse.click((32, 20))
    QTest.keyClick(dock.viewer.window._qt_window, Qt.Key.Key_Delete)
    settle(dock)
    assert dock.annotator.work.session.prompts == (moved,)


def test_a_proposal_is_taken_by_a_click(shown, settle, qtbot):
    dock, mouse = shown
    dock.use_tool("word")
    dock.find_word("disc")
    settle(dock)
    mouse.drag((32, 58), (20, 50))  # moves the picture
    qtbot.wait(200)  # it is drawn anew; until then a click would fall where it was
    assert dock.annotator.labels is None
    mouse.click((32, 58))

    assert np.array_equal(dock.annotator.labels.data == 1, disc_image()[1] == 2)
    assert len(dock.proposals.offered()) == 1
