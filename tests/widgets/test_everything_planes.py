"""The Everything dock on stacks, big planes, channels and looks, and the maps that it writes."""

from __future__ import annotations

import numpy as np
import pytest
from everything_scene import LEFT, RIGHT, SPECK, drag, labels_of, scene

from napari_seem.intensity import IntensityWindow
from napari_seem.viewer.files import ABOUT
from napari_seem.viewer.model_input import choose_window
from napari_seem.viewer.roles import is_ours
from napari_seem.widgets.everything import review as review


@pytest.fixture
def far_apart():
    """A big plane with the scene in two places."""
    big = np.zeros((2600, 2600), np.uint8)
    big[100:164, 100:180] = big[2400:2464, 2400:2480] = scene()
    return big


def test_objects_go_to_the_plane_they_were_found_on(open_everything, find):
    stack = np.stack([np.zeros((64, 80), np.uint8), scene(), scene()])
    dock = open_everything(stack, scale=(3, 0.5, 0.5))
    dock.viewer.dims.set_current_step(0, 1)
    find(dock)
    dock.viewer.dims.set_current_step(0, 2)

    dock.accept()

    written = labels_of(dock).data
    assert written[1].any()
    assert not written[0].any()
    assert not written[2].any()


def test_on_a_big_plane_what_is_seen_is_segmented(open_everything, find):
    big = np.zeros((3000, 3000), np.uint8)
    big[1400:1464, 1500:1580] = scene()
    dock = open_everything(big)
    dock.viewer.layers[0].corner_pixels = np.array([[1390, 1490], [1470, 1590]])

    find(dock)
    ids = dock.accept()

    assert len(ids) == 3
    written = labels_of(dock).data
    assert written[1400 + LEFT[0], 1500 + LEFT[1]] != written[1400 + RIGHT[0], 1500 + RIGHT[1]]
    assert (written > 0).sum() == (scene() > 100).sum()


def test_all_of_a_big_plane_is_worked_through(open_everything, find, far_apart):
    dock = open_everything(far_apart)
    assert dock.panel.whole.isVisibleTo(dock)
    dock.panel.whole.setChecked(True)

    find(dock)

    assert dock.review.total == 6
    assert len(dock.accept()) == 6
    assert ((labels_of(dock).data > 0) == (far_apart > 100)).all()


def test_large_previews_are_coarse_and_clicks_exact(open_everything, find, far_apart, monkeypatch):
    monkeypatch.setattr(review, "MOST_SHOWN", 1 << 18)
    dock = open_everything(far_apart)
    dock.panel.whole.setChecked(True)
    find(dock)
    shown = dock.review.preview.values()
    assert shown.size <= 1 << 18
    assert len(np.unique(shown)) >= 5  # the four discs at least, and nothing

    drag(dock, (2400 + RIGHT[0], 2400 + RIGHT[1]))
    drag(dock, (2400 + SPECK[0], 2400 + SPECK[1]))

    assert len(dock.review.offered()) == 4
    dock.accept()
    written = labels_of(dock).data
    assert written[2400 + LEFT[0], 2400 + LEFT[1]] > 0
    assert written[2400 + RIGHT[0], 2400 + RIGHT[1]] == 0


def test_a_long_search_can_be_stopped(open_everything, qtbot, far_apart):
    dock = open_everything(far_apart)
    dock.panel.whole.setChecked(True)
    dock.look()
    assert not dock.panel.look.isEnabled()

    dock.review.steps.progress.cancel()
    qtbot.waitUntil(lambda: not dock.review.steps.running, timeout=20_000)

    assert dock.panel.message.text() == "Cancelled."
    assert dock.review.total == 0
    assert dock.panel.look.isEnabled()


@pytest.mark.window
def test_napari_s_close_button_ends_a_search(open_everything, qtbot, far_apart):
    dock = open_everything(far_apart)
    dock.panel.whole.setChecked(True)
    dock.look()

    dock.viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: not dock.review.steps.running, timeout=20_000)

    assert dock.review.total == 0
    assert dock._on_press not in dock.viewer.mouse_drag_callbacks
    assert not [layer for layer in dock.viewer.layers if is_ours(layer) and layer.visible]
    assert dock.review._model_cache.gate.wait(5)


def test_a_plane_is_seen_as_its_image_is(open_everything, find):
    dock = open_everything(scene().astype(np.int16))
    choose_window(dock.viewer.layers["discs"], IntensityWindow(window=(0, 600)))
    find(dock)
    assert dock.review.total == 0

    dock.choose_window(IntensityWindow(window=(0, 300)))
    find(dock)
    dock.accept()

    assert labels_of(dock).metadata[ABOUT]["shown"] == {"window": [0.0, 300.0]}
    assert len(np.unique(labels_of(dock).data)) == 4


def test_channels_are_seen_as_one_picture(open_everything, find):
    both = scene()
    dock = open_everything(np.where(np.arange(80) < 40, both, 20).astype(np.uint8))
    right = np.where(np.arange(80) >= 40, both, 20).astype(np.uint8)
    dock.viewer.add_image(right, name="other", blending="additive")
    third = dock.viewer.add_image(both, name="third", blending="additive")
    assert dock.panel.channels.text() == "all 3 channels"
    third.visible = False
    dock.panel.image.select(dock.viewer.layers["other"])
    find(dock)
    assert dock.review.total == 1

    third.visible = True
    dock.panel.channels.setChecked(True)
    find(dock)

    assert dock.review.total == 3


@pytest.mark.parametrize(("kind", "values"), [("semantic", {0, 1}), ("panoptic", {0, 1, 2, 3})])
def test_maps_of_all_pixels_go_beside_the_objects(everything, kind, values):
    everything.panel.map.setCurrentIndex(everything.panel.map.findData(kind))

    everything.accept()

    labels = everything.viewer.layers[f"discs {kind}"]
    order = [layer.name for layer in everything.viewer.layers]
    assert order.index(f"discs {kind}") < order.index("discs labels")
    assert set(np.unique(labels.data)) == values
    assert ((labels.data > 0) == (scene() > 100)).all()
    assert set(labels.features["name"][1:]) == {"disc"}
    labels.undo()
    assert not labels.data.any()
    assert len(labels.features) == 1


def test_a_name_has_one_value_on_every_plane(open_everything, find):
    dock = open_everything(np.stack([scene(), scene()[:, ::-1]]))
    dock.panel.map.setCurrentIndex(dock.panel.map.findData("semantic"))
    for plane in (0, 1, 1):
        dock.viewer.dims.set_current_step(0, plane)
        find(dock)
        dock.panel.overwrite.setChecked(True)
        dock.accept()

    first, second = (dock.viewer.layers[f"discs semantic{end}"] for end in ("", " [1]"))
    assert set(np.unique(first.data[0])) == set(np.unique(first.data[1])) == {0, 1}
    assert len(first.features) == 2
    assert not second.data[0].any()  # plane 1 was mapped before: the second map is its own layer
    assert second.data[1].any()
