"""The Everything dock in a real viewer: preview, filters, clicks, merges, one step to write."""

from __future__ import annotations

import numpy as np
import pytest
from discs import DiscModel
from napari.utils.events import Event
from qtpy.compat import isalive
from qtpy.QtCore import Qt

from napari_seem.embeddings import EmbeddingCache
from napari_seem.layers.files import ABOUT
from napari_seem.layers.roles import is_ours
from napari_seem.layers.seen import choose_look
from napari_seem.look import Look
from napari_seem.widgets import harvest
from napari_seem.widgets.everything import EverythingWidget
from napari_seem.widgets.shelf import Shelf

LEFT, RIGHT, SPECK, NOTHING = (32, 20), (32, 58), (4, 4), (60, 40)


def scene():
    """Two discs and a speck of 9 pixels."""
    rows, cols = np.mgrid[:64, :80]
    image = np.full((64, 80), 20, np.uint8)
    for y, x in (LEFT, RIGHT):
        image[np.hypot(rows - y, cols - x) <= 12] = 220
    image[3:6, 3:6] = 220
    return image


@pytest.fixture
def open_dock(make_napari_viewer, qtbot):
    docks = []

    def open_on(data, **options):
        viewer = make_napari_viewer()
        viewer.add_image(data, name="discs", **options)
        dock = EverythingWidget(viewer, Shelf(lambda _: DiscModel(), EmbeddingCache(1 << 24)))
        viewer.window.add_dock_widget(dock, name="Everything")
        docks.append(dock)
        return dock

    yield open_on
    for dock in docks:
        if isalive(dock):
            qtbot.waitUntil(lambda dock=dock: not dock.harvest.steps.running, timeout=20_000)
            dock.release()


@pytest.fixture
def find(qtbot):
    def run(dock):
        dock.look()
        qtbot.waitUntil(lambda: not dock.harvest.steps.running, timeout=20_000)

    return run


@pytest.fixture
def dock(open_dock, find):
    """The dock with two discs and a speck found."""
    dock = open_dock(scene())
    find(dock)
    return dock


def drag(dock, *positions, modifiers=()):
    """What napari tells of a press, a drag and a release."""
    event = Event("mouse_press", position=positions[0], button=1, modifiers=modifiers)
    steps = dock._on_press(dock.viewer, event)
    for position in positions:
        next(steps, None)
        event._type, event.position = "mouse_move", position
    if len(positions) > 1:
        next(steps, None)
    event._type = "mouse_release"
    next(steps, None)


def labels_of(dock):
    return dock.viewer.layers["discs labels"]


def test_all_objects_are_shown_before_anything_is_written(dock):
    assert dock.harvest.total == 3
    assert len(dock.viewer.layers) == 2  # the image and the preview
    assert len(np.unique(dock.harvest.preview.values())) == 4
    assert dock.panel.accept.text() == "Accept 3 of 3"


def test_accepting_is_one_step_with_names_scores_and_model(dock):
    ids = dock.accept()

    labels = labels_of(dock)
    assert ids == [1, 2, 3]
    assert list(labels.features["name"])[1:] == ["disc"] * 3
    assert (labels.features["score"][1:] > 0.9).all()
    assert list(labels.features["model"])[1:] == ["compact"] * 3
    assert not dock.harvest.preview.values().any()
    assert dock.viewer.layers.selection.active is labels

    labels.undo()
    assert not labels.data.any()
    assert len(labels.features) == 1
    labels.redo()
    assert set(np.unique(labels.data)) == {0, 1, 2, 3}


def test_filters_act_on_the_preview_at_once(dock):
    dock.panel.smallest.setValue(20)
    assert dock.panel.accept.text() == "Accept 2 of 3"
    assert dock.harvest.preview.values()[SPECK] == 0

    dock.panel.smallest.setValue(0)
    dock.panel.largest.setValue(20)
    assert [i.area for i in dock.harvest.offered().values()] == [9]

    dock.panel.largest.setValue(0)
    dock.panel.score.setValue(0.985)
    assert dock.panel.accept.text() == "Accept 1 of 3"


def test_names_are_offered_and_filter(dock):
    item = dock.panel.names.item(0)
    assert item.text() == "disc   3"

    item.setCheckState(Qt.CheckState.Unchecked)

    assert dock.panel.accept.text() == "Accept 0 of 3"
    assert not dock.panel.accept.isEnabled()


def test_a_click_puts_an_object_away_and_back(dock):
    drag(dock, LEFT)
    assert len(dock.harvest.offered()) == 2
    assert dock.harvest.preview.values()[LEFT] == 255  # faint, to be clicked back

    drag(dock, LEFT)
    assert len(dock.harvest.offered()) == 3

    drag(dock, LEFT)
    drag(dock, NOTHING)
    dock.accept()
    assert labels_of(dock).data[LEFT] == 0
    assert labels_of(dock).data[RIGHT] > 0


def test_a_stroke_with_shift_makes_one_of_several(dock):
    drag(dock, LEFT, RIGHT, modifiers=("Shift",))

    assert dock.harvest.total == 2
    assert getattr(dock.viewer, "scene", dock.viewer).camera.mouse_pan
    dock.accept()
    data = labels_of(dock).data
    assert data[LEFT] == data[RIGHT] > 0
    assert data[SPECK] not in (0, data[LEFT])


def test_a_drag_without_shift_moves_the_picture_only(dock):
    drag(dock, LEFT, RIGHT)

    assert len(dock.harvest.offered()) == 3


def test_clicks_and_merges_can_be_taken_back(dock):
    drag(dock, SPECK)
    drag(dock, LEFT, RIGHT, modifiers=("Shift",))

    dock.harvest.step_back()
    assert len(dock.harvest.offered()) == 2
    dock.harvest.step_back()
    assert len(dock.harvest.offered()) == 3
    assert not dock.panel.back.isEnabled()


def test_clicks_belong_to_other_layers_where_these_are_selected(dock):
    dock.viewer.layers.selection.active = dock.viewer.layers["discs"]

    drag(dock, LEFT)

    assert len(dock.harvest.offered()) == 3


def test_other_objects_keep_their_pixels(dock):
    labels = dock.viewer.add_labels(np.zeros((64, 80), np.uint8), name="mine")
    labels.data[28:36, 16:24] = 9
    dock.panel.labels.select(labels)

    ids = dock.accept()

    assert ids == [10, 11, 12]
    assert (labels.data[28:36, 16:24] == 9).all()


def test_labels_without_room_refuse_and_the_preview_stays(dock):
    labels = dock.viewer.add_labels(np.full((64, 80), 254, np.uint8), name="full")
    dock.panel.labels.select(labels)

    assert dock.accept() == []
    assert "uint8" in dock.panel.message.text()
    assert dock.harvest.total == 3
    assert (labels.data == 254).all()


def test_objects_go_to_the_plane_they_were_found_on(open_dock, find):
    stack = np.stack([np.zeros((64, 80), np.uint8), scene(), scene()])
    dock = open_dock(stack, scale=(3, 0.5, 0.5))
    dock.viewer.dims.set_current_step(0, 1)
    find(dock)
    dock.viewer.dims.set_current_step(0, 2)

    dock.accept()

    written = labels_of(dock).data
    assert written[1].any()
    assert not written[0].any()
    assert not written[2].any()


def test_on_a_big_plane_what_is_seen_is_segmented(open_dock, find):
    big = np.zeros((3000, 3000), np.uint8)
    big[1400:1464, 1500:1580] = scene()
    dock = open_dock(big)
    dock.viewer.layers[0].corner_pixels = np.array([[1390, 1490], [1470, 1590]])

    find(dock)
    ids = dock.accept()

    assert len(ids) == 3
    written = labels_of(dock).data
    assert written[1400 + LEFT[0], 1500 + LEFT[1]] != written[1400 + RIGHT[0], 1500 + RIGHT[1]]
    assert (written > 0).sum() == (scene() > 100).sum()


@pytest.fixture
def far_apart():
    """A big plane with the scene in two places."""
    big = np.zeros((2600, 2600), np.uint8)
    big[100:164, 100:180] = big[2400:2464, 2400:2480] = scene()
    return big


def test_all_of_a_big_plane_is_worked_through(open_dock, find, far_apart):
    dock = open_dock(far_apart)
    assert dock.panel.whole.isVisibleTo(dock)
    dock.panel.whole.setChecked(True)

    find(dock)

    assert dock.harvest.total == 6
    assert len(dock.accept()) == 6
    assert ((labels_of(dock).data > 0) == (far_apart > 100)).all()


def test_large_previews_are_coarse_and_clicks_exact(open_dock, find, far_apart, monkeypatch):
    monkeypatch.setattr(harvest, "MOST_SHOWN", 1 << 18)
    dock = open_dock(far_apart)
    dock.panel.whole.setChecked(True)
    find(dock)
    shown = dock.harvest.preview.values()
    assert shown.size <= 1 << 18
    assert len(np.unique(shown)) >= 5  # the four discs at least, and nothing

    drag(dock, (2400 + RIGHT[0], 2400 + RIGHT[1]))
    drag(dock, (2400 + SPECK[0], 2400 + SPECK[1]))

    assert len(dock.harvest.offered()) == 4
    dock.accept()
    written = labels_of(dock).data
    assert written[2400 + LEFT[0], 2400 + LEFT[1]] > 0
    assert written[2400 + RIGHT[0], 2400 + RIGHT[1]] == 0


def test_a_long_search_can_be_stopped(open_dock, qtbot, far_apart):
    dock = open_dock(far_apart)
    dock.panel.whole.setChecked(True)
    dock.look()
    assert dock.panel.look.text() == "Stop"

    dock.look_or_stop()
    qtbot.waitUntil(lambda: not dock.harvest.steps.running, timeout=20_000)

    assert dock.panel.message.text() == "cancelled"
    assert dock.harvest.total == 0
    assert dock.panel.look.text() == "Segment everything"


def test_a_plane_is_seen_as_its_image_is(open_dock, find):
    dock = open_dock(scene().astype(np.int16))
    choose_look(dock.viewer.layers["discs"], Look(window=(0, 600)))
    find(dock)
    assert dock.harvest.total == 0

    dock.choose_look(Look(window=(0, 300)))
    find(dock)
    dock.accept()

    assert labels_of(dock).metadata[ABOUT]["shown"] == {"window": [0.0, 300.0]}
    assert len(np.unique(labels_of(dock).data)) == 4


def test_channels_are_seen_as_one_picture(open_dock, find):
    both = scene()
    dock = open_dock(np.where(np.arange(80) < 40, both, 20).astype(np.uint8))
    dock.viewer.add_image(np.where(np.arange(80) >= 40, both, 20).astype(np.uint8), name="other")
    third = dock.viewer.add_image(both, name="third")
    assert dock.panel.channels.text() == "all 3 channels"
    third.visible = False
    dock.panel.image.select(dock.viewer.layers["other"])
    find(dock)
    assert dock.harvest.total == 1

    third.visible = True
    dock.panel.channels.setChecked(True)
    find(dock)

    assert dock.harvest.total == 3


@pytest.mark.parametrize(("kind", "values"), [("semantic", {0, 1}), ("panoptic", {0, 1, 2, 3})])
def test_maps_of_all_pixels_go_beside_the_objects(dock, kind, values):
    dock.panel.map.setCurrentIndex(dock.panel.map.findData(kind))

    dock.accept()

    labels = dock.viewer.layers[f"discs {kind}"]
    order = [layer.name for layer in dock.viewer.layers]
    assert order.index(f"discs {kind}") < order.index("discs labels")
    assert set(np.unique(labels.data)) == values
    assert ((labels.data > 0) == (scene() > 100)).all()
    assert set(labels.features["name"][1:]) == {"disc"}
    labels.undo()
    assert not labels.data.any()
    assert len(labels.features) == 1


def test_a_name_has_one_value_on_every_plane(open_dock, find):
    dock = open_dock(np.stack([scene(), scene()[:, ::-1]]))
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


def test_an_unknown_word_is_told(open_dock, find):
    dock = open_dock(scene())
    dock.panel.words.setText("disk, disc")

    find(dock)

    assert "no word of model" in dock.panel.message.text()
    assert dock.harvest.total == 0


def test_without_an_image_nothing_is_looked_for(make_napari_viewer):
    dock = EverythingWidget(make_napari_viewer())
    dock.look()
    assert "choose an image" in dock.panel.message.text()
    dock.release()


def test_removing_the_image_forgets_what_was_found(dock):
    dock.viewer.layers.remove("discs")

    assert dock.harvest.total == 0
    assert dock.accept() == []


def test_napari_s_close_button_ends_a_search(open_dock, qtbot, far_apart):
    dock = open_dock(far_apart)
    dock.panel.whole.setChecked(True)
    dock.look()

    dock.viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: not dock.harvest.steps.running, timeout=20_000)

    assert dock.harvest.total == 0
    assert dock._on_press not in dock.viewer.mouse_drag_callbacks
    assert not [layer for layer in dock.viewer.layers if is_ours(layer) and layer.visible]
    assert dock.harvest._shelf.gate.wait(5)


def test_a_dock_opened_again_uses_the_same_preview(dock, find):
    viewer, shelf = dock.viewer, dock.harvest._shelf
    before = list(viewer.layers)
    viewer.window.remove_dock_widget(dock)

    again = EverythingWidget(viewer, shelf)
    viewer.window.add_dock_widget(again, name="Everything")
    find(again)

    assert list(viewer.layers) == before
    assert again.harvest.preview.values()[LEFT] > 0
    again.release()
