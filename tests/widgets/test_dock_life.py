"""Docks, viewers and layers that come and go, also while something is computed."""

from __future__ import annotations

import gc
import weakref
from functools import partial

import numpy as np
import pytest
from napari.settings import get_plugin_settings
from npe2 import PluginManifest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_seem.widgets._shared.actions import ACTIONS
from napari_seem.widgets._shared.background.runner import Job, LatestRunner
from napari_seem.widgets._shared.background.steps import Steps
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.annotate.sessions.planes import ANSWERED


def click(dock, labels, number=1):
    dock.annotator.prompt_layers.points.add(np.argwhere(labels == number).mean(0).round())


def bound_keys(viewer) -> set[str]:
    return {str(key) for key in viewer.keymap}


def test_the_dock_can_do_what_keys_are_for(dock):
    assert set(dock.slots) == {action.method for action in ACTIONS}


@pytest.mark.window
def test_napari_s_close_button_unbinds_keys_and_hides_what_is_ours(dock, discs, settle):
    viewer = dock.viewer
    click(dock, discs[1])
    settle(dock)
    dock.commit()
    assert {"G", "K", "."} <= bound_keys(viewer)

    viewer.window.remove_dock_widget(dock)  # what the x of a dock does

    assert not {"G", "K", "."} & bound_keys(viewer)
    assert not [c for c in viewer.mouse_drag_callbacks if "napari_seem" in c.__module__]
    assert [layer.name for layer in viewer.layers if layer.visible] == ["discs", "discs labels"]


@pytest.mark.window
def test_a_dock_opened_again_uses_the_same_layers_and_prompts(dock, discs, model, settle):
    viewer = dock.viewer
    click(dock, discs[1])
    settle(dock)
    viewer.window.remove_dock_widget(dock)
    before = list(viewer.layers)

    again = AnnotateWidget(viewer, loader=lambda name: model)
    viewer.window.add_dock_widget(again, name="Annotate")
    click(again, discs[1], 2)
    settle(again)

    assert set(viewer.layers) == set(before)
    assert np.array_equal(again.annotator.preview.values() > 0, discs[1] > 0)
    assert len(again.annotator.prompt_layers.points.data) == 2
    again.release()


@pytest.mark.window
def test_closing_the_viewer_while_computing_raises_nothing(dock, discs, model, qtbot):
    model.go.clear()
    click(dock, discs[1])
    dock.viewer.close()
    model.go.set()

    qtbot.waitUntil(lambda: model.answered == 1, timeout=20_000)
    qtbot.wait(50)  # an answer that came too late would be delivered now


def test_the_next_image_gets_the_layers_of_one_that_has_gone(dock, discs, settle):
    viewer = dock.viewer
    click(dock, discs[1])
    settle(dock)
    ours = dock.annotator.prompt_layers.layers
    viewer.layers.remove("discs")
    turned = np.rot90(discs[0])
    viewer.add_image(turned, name="turned", scale=(3, 3), translate=(7, 0))
    dock.use_tool("point")

    layers = dock.annotator.prompt_layers
    assert layers.layers == ours
    assert layers.points.name == "SEEM points"
    assert np.allclose(layers.scribbles.scale, (3, 3))
    assert layers.scribbles.data.shape == turned.shape
    assert len(layers.points.data) == 0

    click(dock, np.rot90(discs[1]))
    settle(dock)
    assert np.array_equal(dock.annotator.prediction.mask, np.rot90(discs[1] == 1))


def test_another_image_keeps_what_was_begun_on_the_first(dock, discs, settle):
    first = dock.annotator.image
    click(dock, discs[1])
    settle(dock)
    second = dock.viewer.add_image(np.fliplr(discs[0])[:50], name="second")
    dock.annotator.choose_image(second)
    click(dock, np.fliplr(discs[1])[:50], 2)
    settle(dock)
    dock.annotator.choose_model("another")
    settle(dock)
    assert dock.annotator.prediction.mask.shape == (50, 80)

    dock.annotator.choose_image(first)
    dock.annotator.turns.compute()
    settle(dock)
    assert np.array_equal(dock.annotator.prediction.mask, discs[1] == 1)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_prompt_layer_that_was_deleted_comes_back_with_its_tool(dock, discs, settle, number):
    click(dock, discs[1])
    settle(dock)
    layer = dock.annotator.prompt_layers.layers[number]
    assert layer.locked  # against the bin of the layer list
    dock.viewer.layers.remove(layer)

    for tool in ("box", "scribble", "point"):
        dock.use_tool(tool)
    assert layer in dock.viewer.layers
    click(dock, discs[1], 2)
    settle(dock)
    assert dock.annotator.prediction is not None


def test_a_preview_that_was_deleted_is_shown_again(dock, discs, settle):
    click(dock, discs[1])
    settle(dock)
    dock.viewer.layers.remove(dock.annotator.preview.layer)
    click(dock, discs[1], 2)
    settle(dock)

    assert dock.annotator.preview.layer in dock.viewer.layers
    assert np.array_equal(dock.annotator.preview.values() > 0, discs[1] > 0)


def test_prompts_stay_above_the_preview_and_results_below_it(dock, discs, settle):
    click(dock, discs[1])
    settle(dock)
    dock.commit()
    click(dock, discs[1], 2)
    settle(dock)

    names = [layer.name for layer in dock.viewer.layers]
    assert names[0] == "discs"
    assert set(names[1:3]) == {"discs labels", "SEEM preview"}
    assert set(names[3:]) == {"SEEM points", "SEEM shapes", "SEEM scribbles"}


def test_our_own_layers_are_offered_neither_as_image_nor_as_target(dock, discs, settle):
    click(dock, discs[1])
    settle(dock)
    dock.find_word("disc")
    settle(dock)
    dock.viewer.add_labels(discs[1], name="mine")

    offered = [dock.panel.labels.itemText(i) for i in range(dock.panel.labels.count())]
    assert offered == ["new layer", "mine"]
    assert dock.panel.image.count() == 1


def test_keys_follow_the_preferences_at_once(plugin_settings, npe2pm, request):
    npe2pm.register(PluginManifest.from_distribution("napari-seem"))
    dock = request.getfixturevalue("dock")
    page = get_plugin_settings("napari-seem").annotate
    page.key_preset = "micro-sam"
    assert {"T", "S", "C", "Shift+C"} <= bound_keys(dock.viewer)
    assert "K" not in bound_keys(dock.viewer)
    assert "[C]" in dock.panel.commit.toolTip()

    page.key_commit = "F7"
    assert "F7" in bound_keys(dock.viewer)
    page.key_commit = "no key"
    assert "C" in bound_keys(dock.viewer)
    assert "'no key'" in dock.panel.message.text()
    page.key_commit = "T"
    assert "several meanings" in dock.panel.message.text()


@pytest.mark.window
def test_a_key_works_from_the_canvas(dock, discs, settle):
    click(dock, discs[1])
    settle(dock)
    QTest.keyClick(dock.viewer.window._qt_window, Qt.Key.Key_K)

    assert dock.annotator.labels is not None
    assert np.array_equal(dock.annotator.labels.data == 1, discs[1] == 1)


@pytest.mark.parametrize("steps", [False, True])
def test_a_window_keeps_nothing_of_work_that_is_done(make_napari_viewer, qtbot, steps):
    viewer = make_napari_viewer()
    plane = np.zeros((4, 4))
    kept, ended = weakref.ref(plane), []
    if steps:
        work = Steps(viewer.window._qt_window)
        work.ended.connect(ended.append)
        work.start("Looking", 1, partial(iter, [plane]))
    else:
        work = LatestRunner(viewer.window._qt_window)
        work.submit(Job(partial(np.sum, plane), ended.append, ended.append))
    del plane
    qtbot.waitUntil(lambda: bool(ended))
    gc.collect()

    assert kept() is None


def test_removed_images_and_labels_are_freed_while_the_dock_is_open(dock, discs, settle, qtbot):
    viewer, gone = dock.viewer, []
    for turns in range(4):
        image = viewer.add_image(np.rot90(discs[0], turns).copy(), name=f"image {turns}")
        dock.annotator.choose_image(image)
        click(dock, np.rot90(discs[1], turns))
        settle(dock)
        dock.commit()
        gone += [weakref.ref(image), weakref.ref(dock.annotator.labels)]
        viewer.layers.remove(dock.annotator.labels)
        viewer.layers.remove(image)
        del image

    def all_but_the_last() -> bool:
        gc.collect()
        return [layer() for layer in gone[:-2]] == [None] * 6

    qtbot.waitUntil(all_but_the_last, timeout=20_000)


def test_only_the_last_answers_are_kept_for_undo(dock, discs, settle):
    dock.annotator.overwrite, answers = True, []
    for _ in range(ANSWERED + 3):
        click(dock, discs[1])
        settle(dock)
        answers.append(weakref.ref(dock.annotator.prediction))
        dock.commit()
    gc.collect()
    assert sum(answer() is not None for answer in answers) <= ANSWERED

    for _ in range(2 * len(answers) - 1):  # an object, its point, the object before it
        dock.annotator.undo()
    settle(dock)
    assert np.array_equal(dock.annotator.prediction.mask, discs[1] == 1)
