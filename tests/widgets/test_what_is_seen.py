"""The docks work on the image that a person sees, and show the tool that a click is for."""

from __future__ import annotations

import numpy as np
import pytest
from canvas import press
from discs import disc_image
from everything_scene import scene
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_seem.viewer.label_layers.targets import new_labels
from napari_seem.widgets.everything.dock import EverythingWidget
from napari_seem.widgets.objects.dock import ObjectsWidget
from napari_seem.widgets.stack.dock import StackWidget

IN_FIRST, OUTSIDE = (32, 20), (5, 40)


def tool(dock):
    """The tool that the dock shows as on, once napari's events are worked off."""
    QTest.qWait(10)
    return [name for name, button in dock.panel.tools.items() if button.isChecked()]


def prompts(dock):
    work = dock.annotator.work
    return () if work is None else work.session.prompts


def pressed(button):
    """Click a button with a real mouse, which gives it the focus where it takes it."""
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    QApplication.processEvents()


def test_clicks_go_to_the_image_that_is_seen_and_a_covered_one_is_said(shown, settle):
    dock, mouse = shown
    viewer, low = dock.viewer, dock.viewer.layers["low"]
    high = viewer.add_image(np.flipud(disc_image()[0]), name="high")
    assert dock.annotator.image is high
    mouse.click(IN_FIRST)
    settle(dock)
    assert len(prompts(dock)) == 1
    assert "above" not in dock.panel.message.text()

    viewer.layers.selection.active = low
    assert dock.annotator.image is low
    assert dock.panel.image.layer is low
    mouse.click(IN_FIRST)
    settle(dock)
    assert len(prompts(dock)) == 1
    assert dock.panel.message.text() == (
        "'high' lies above 'low' here. Choose 'high' as the image, or hide it."
    )

    high.visible = False
    mouse.click(OUTSIDE, Qt.MouseButton.RightButton)
    settle(dock)
    assert len(prompts(dock)) == 2
    assert dock.panel.message.text() == ""


def test_an_image_chosen_in_the_dock_is_shown(shown, settle):
    dock, mouse = shown
    viewer, low = dock.viewer, dock.viewer.layers["low"]
    high = viewer.add_image(disc_image()[0], name="high")
    press(dock.panel.image, "Up")

    assert dock.annotator.image is low
    assert (low.visible, high.visible) == (True, False)
    assert tool(dock) == ["point"]
    mouse.click(IN_FIRST)
    settle(dock)
    assert dock.commit() == 1
    assert "low labels" in dock.panel.message.text()
    press(dock.panel.image, "Down")
    assert dock.annotator.image is high
    assert high.visible
    assert not dock.panel.message.text()
    assert not dock.annotator.labels
    assert not viewer.layers["low labels"].visible
    press(dock.panel.image, "Up")
    assert dock.annotator.labels is viewer.layers["low labels"]
    assert dock.annotator.labels.visible


def test_an_image_that_is_hidden_or_uncovered_changes_the_choice(dock):
    low, viewer = dock.annotator.image, dock.viewer
    high = viewer.add_image(disc_image()[0], name="high")
    high.visible = False
    assert dock.annotator.image is low
    viewer.layers.selection.active = dock.annotator.prompt_layers.points
    assert dock.annotator.image is low
    high.visible = True
    assert dock.annotator.image is high
    viewer.add_labels(np.zeros(high.data.shape, int))
    assert dock.annotator.image is high


def test_another_image_adds_no_prompt_layers(dock, settle):
    before = [layer for layer in dock.viewer.layers if layer.name.startswith("SEEM")]
    for name in ("b", "c", "d"):
        dock.viewer.add_image(disc_image()[0], name=name)
        dock.use_tool("point")

    ours = [layer for layer in dock.viewer.layers if layer.name.startswith("SEEM")]
    assert ours == before == list(dock.viewer.layers)[-4:]


@pytest.mark.parametrize("selected", [pytest.param("low", marks=pytest.mark.long), "low labels"])
def test_a_tool_stays_on_while_another_layer_leaves_clicks_to_it(shown, settle, selected):
    dock, mouse = shown
    viewer = dock.viewer
    new_labels(viewer, dock.annotator.image)
    layer = viewer.layers.selection.active = viewer.layers[selected]
    assert tool(dock) == ["point"]
    mouse.click(IN_FIRST)
    settle(dock)
    assert len(prompts(dock)) == 1

    dock.use_tool("box")
    viewer.layers.selection.active = layer
    assert tool(dock) == ["box"]
    mouse.drag((18, 6), (46, 34))
    settle(dock)
    assert len(prompts(dock)) == 2
    assert tool(dock) == ["box"]


def test_naparis_brush_paints_and_no_tool_is_shown_meanwhile(shown, settle):
    dock, mouse = shown
    viewer = dock.viewer
    labels = new_labels(viewer, dock.annotator.image)
    viewer.layers.selection.active = labels
    labels.mode, labels.brush_size = "paint", 4

    assert tool(dock) == []
    assert "'paint' is on in 'low labels'" in dock.panel.message.text()
    assert "Press H to go on with Point" in dock.panel.message.text()
    mouse.click(IN_FIRST)
    settle(dock)
    assert labels.data[IN_FIRST] == 1
    assert prompts(dock) == ()

    press(mouse.canvas.native, "H")
    assert tool(dock) == ["point"]
    assert dock.panel.message.text() == ""
    mouse.click(IN_FIRST)
    settle(dock)
    assert len(prompts(dock)) == 1


def test_naparis_own_buttons_choose_the_tool_that_the_dock_shows(dock):
    shapes = dock.annotator.prompt_layers.shapes
    dock.viewer.layers.selection.active = shapes
    shapes.mode = "add_rectangle"
    assert tool(dock) == ["box"]
    shapes.mode = "select"
    assert tool(dock) == []
    dock.use_tool("pick")
    assert tool(dock) == ["pick"]


def test_buttons_and_choices_give_the_keys_back_to_the_canvas(shown, settle):
    dock, mouse = shown
    canvas = mouse.canvas.native
    dock.activateWindow()
    dock.panel.name.setFocus()
    QTest.keyClicks(dock.panel.name, "left")
    for button in (dock.panel.tools["box"], dock.panel.overwrite, dock.panel.tools["point"]):
        pressed(button)
        assert QApplication.focusWidget() is canvas
    mouse.click(IN_FIRST)
    settle(dock)
    press(QApplication.focusWidget(), "K")
    settle(dock)
    assert dock.annotator.labels.features["name"].tolist()[-1] == "left"

    pressed(dock.panel.tools["word"])
    assert QApplication.focusWidget() is dock.panel.word
    press(dock.panel.word, "Return")
    assert QApplication.focusWidget() is canvas
    dock.panel.undo.setFocus()
    press(dock.panel.undo, "Space")
    assert QApplication.focusWidget() is canvas


def test_labels_are_written_to_the_layer_that_another_dock_made_for_the_image(
    dock, open_everything, find, settle, qtbot
):
    viewer, annotator = dock.viewer, dock.annotator
    everything = EverythingWidget(viewer, annotator.model_cache)
    objects = ObjectsWidget(viewer)
    other = viewer.add_image(scene()[:, :40], name="other")
    elsewhere = new_labels(viewer, other)
    viewer.layers.selection.active = viewer.layers["discs"]
    qtbot.wait(20)
    assert annotator.labels is None
    assert objects.layer is elsewhere

    find(everything)
    everything.accept()
    made = everything.panel.labels.layer
    qtbot.wait(20)
    assert annotator.labels is made
    assert dock.panel.labels.layer is made
    assert objects.layer is made
    painted = viewer.add_labels(np.zeros(annotator.image.data.shape, np.uint8), name="painted")
    qtbot.wait(20)
    assert everything.panel.labels.layer is annotator.labels is painted
    viewer.layers.selection.active = made
    assert everything.panel.labels.layer is annotator.labels is made
    everything.release()
    objects.release()


def test_a_dock_for_stacks_leaves_flat_images_alone(open_viewer):
    viewer = open_viewer()
    stack = viewer.add_image(np.zeros((3, 8, 9)), name="stack")
    dock = StackWidget(viewer)
    viewer.add_image(np.zeros((8, 9)), name="flat")

    assert dock.panel.image.layer is stack
    assert dock.panel.image.layers == [stack]
    dock.release()
