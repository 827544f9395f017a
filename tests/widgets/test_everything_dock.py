"""The Everything dock in a real viewer: preview, filters, clicks, merges, one step to write."""

from __future__ import annotations

import numpy as np
import pytest
from discs import DiscModel
from everything_scene import LEFT, NOTHING, RIGHT, SPECK, drag, labels_of, scene
from qtpy.QtCore import Qt

from napari_seem.models.running.patience import checkpoint
from napari_seem.widgets.everything.dock import EverythingWidget


def test_all_objects_are_shown_before_anything_is_written(everything):
    assert everything.review.total == 3
    assert len(everything.viewer.layers) == 2  # the image and the preview
    assert len(np.unique(everything.review.preview.values())) == 4
    assert everything.panel.accept.text() == "Accept 3 of 3"


def test_accepting_is_one_step_with_names_scores_and_model(everything):
    ids = everything.accept()

    labels = labels_of(everything)
    assert ids == [1, 2, 3]
    assert list(labels.features["name"])[1:] == ["disc"] * 3
    assert (labels.features["score"][1:] > 0.9).all()
    assert list(labels.features["model"])[1:] == ["compact"] * 3
    assert not everything.review.preview.values().any()
    assert everything.viewer.layers.selection.active is labels

    labels.undo()
    assert not labels.data.any()
    assert len(labels.features) == 1
    labels.redo()
    assert set(np.unique(labels.data)) == {0, 1, 2, 3}


def test_filters_act_on_the_preview_at_once(everything):
    everything.panel.smallest.setValue(20)
    assert everything.panel.accept.text() == "Accept 2 of 3"
    assert everything.review.preview.values()[SPECK] == 0

    everything.panel.smallest.setValue(0)
    everything.panel.largest.setValue(20)
    assert [i.area for i in everything.review.offered().values()] == [9]

    everything.panel.largest.setValue(0)
    everything.panel.score.value = 0.985
    assert everything.panel.accept.text() == "Accept 1 of 3"


def test_names_are_offered_and_filter(everything):
    item = everything.panel.names.item(0)
    assert item.text() == "disc   3"

    item.setCheckState(Qt.CheckState.Unchecked)

    assert everything.panel.accept.text() == "Accept 0 of 3"
    assert not everything.panel.accept.isEnabled()


def test_a_click_puts_an_object_away_and_back(everything):
    drag(everything, LEFT)
    assert len(everything.review.offered()) == 2
    assert everything.review.preview.values()[LEFT] == 255  # faint, to be clicked back

    drag(everything, LEFT)
    assert len(everything.review.offered()) == 3

    drag(everything, LEFT)
    drag(everything, NOTHING)
    everything.accept()
    assert labels_of(everything).data[LEFT] == 0
    assert labels_of(everything).data[RIGHT] > 0


def test_a_stroke_with_shift_makes_one_of_several(everything):
    drag(everything, LEFT, RIGHT, modifiers=("Shift",))

    assert everything.review.total == 2
    assert getattr(everything.viewer, "scene", everything.viewer).camera.mouse_pan
    everything.accept()
    data = labels_of(everything).data
    assert data[LEFT] == data[RIGHT] > 0
    assert data[SPECK] not in (0, data[LEFT])


def test_a_drag_without_shift_moves_the_picture_only(everything):
    drag(everything, LEFT, RIGHT)

    assert len(everything.review.offered()) == 3


def test_clicks_and_merges_can_be_taken_back(everything):
    drag(everything, SPECK)
    drag(everything, LEFT, RIGHT, modifiers=("Shift",))

    everything.review.step_back()
    assert len(everything.review.offered()) == 2
    everything.review.step_back()
    assert len(everything.review.offered()) == 3
    assert not everything.panel.back.isEnabled()


def test_clicks_belong_to_other_layers_where_these_are_selected(everything):
    everything.viewer.layers.selection.active = everything.viewer.layers["discs"]

    drag(everything, LEFT)

    assert len(everything.review.offered()) == 3


def test_other_objects_keep_their_pixels(everything):
    labels = everything.viewer.add_labels(np.zeros((64, 80), np.uint8), name="mine")
    labels.data[28:36, 16:24] = 9
    everything.panel.labels.select(labels)

    ids = everything.accept()

    assert ids == [10, 11, 12]
    assert (labels.data[28:36, 16:24] == 9).all()


def test_labels_without_room_refuse_and_the_preview_stays(everything):
    labels = everything.viewer.add_labels(np.full((64, 80), 254, np.uint8), name="full")
    everything.panel.labels.select(labels)

    assert everything.accept() == []
    assert "uint8" in everything.panel.message.text()
    assert everything.review.total == 3
    assert (labels.data == 254).all()


def test_an_unknown_word_is_reported(open_everything, find):
    dock = open_everything(scene())
    dock.panel.words.setText("disk, disc")

    find(dock)

    assert "no word of model" in dock.panel.message.text()
    assert dock.review.total == 0


def test_a_search_is_left_while_the_model_is_at_work(open_everything, find, monkeypatch):
    """A grid of clicks takes minutes, all of them one step."""
    dock, segment = open_everything(scene()), DiscModel.segment
    reached = []

    def stopped(model, embedding, names=None):
        dock.review.steps.stop()
        checkpoint()
        reached.append(True)
        return segment(model, embedding, names)

    monkeypatch.setattr(DiscModel, "segment", stopped)
    find(dock)
    assert not reached
    assert dock.panel.look.isEnabled()
    assert "cancelled" in dock.panel.message.text().lower()
    monkeypatch.setattr(DiscModel, "segment", segment)
    find(dock)
    assert dock.review.total == 3


def test_without_an_image_nothing_is_looked_for(open_viewer):
    dock = EverythingWidget(open_viewer())
    dock.look()
    assert "Choose an image" in dock.panel.message.text()
    dock.release()


def test_removing_the_image_forgets_what_was_found(everything):
    everything.viewer.layers.remove("discs")

    assert everything.review.total == 0
    assert everything.accept() == []


@pytest.mark.window
def test_a_dock_opened_again_uses_the_same_preview(everything, find):
    viewer, model_cache = everything.viewer, everything.review._model_cache
    before = list(viewer.layers)
    viewer.window.remove_dock_widget(everything)

    again = EverythingWidget(viewer, model_cache)
    viewer.window.add_dock_widget(again, name="Everything")
    find(again)

    assert list(viewer.layers) == before
    assert again.review.preview.values()[LEFT] > 0
    again.release()
