"""What a person does with the Annotate dock, in a real viewer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.prompts import Box, Mask, Point, Polygon, Scribble
from napari_seem.viewer.drawing.tools import COLOURS
from napari_seem.viewer.label_layers.features import set_table, table_of

FIRST, SECOND = 1, 2


def middle(labels: np.ndarray, number: int) -> np.ndarray:
    return np.argwhere(labels == number).mean(0).round()


def points(dock):
    return dock.annotator.prompt_layers.points


def test_a_click_shows_the_object_in_the_preview(dock, discs, settle):
    dock.use_tool("point")
    points(dock).add(middle(discs[1], FIRST))
    settle(dock)

    assert np.array_equal(dock.annotator.preview.values() > 0, discs[1] == FIRST)
    assert dock.panel.status.text().startswith("turn 1")
    assert not dock.annotator.preview.layer.editable


def test_commit_writes_the_next_free_id_and_one_undo_takes_it_back(dock, discs, settle):
    for number in (FIRST, SECOND):
        points(dock).add(middle(discs[1], number))
        settle(dock)
        dock.panel.name.setText(f"disc {number}")
        assert dock.commit() == number

    labels = dock.annotator.labels
    assert np.array_equal(labels.data, discs[1])
    assert list(labels.features["name"]) == ["background", "disc 1", "disc 2"]
    assert list(labels.features["prompts"]) == [0, 1, 1]
    assert len(points(dock).data) == 0

    labels.undo()
    assert np.array_equal(labels.data, np.where(discs[1] == FIRST, 1, 0))
    labels.redo()
    assert np.array_equal(labels.data, discs[1])


def test_every_drawn_thing_becomes_its_prompt(dock, discs, settle):
    layers = dock.annotator.prompt_layers
    row, col = middle(discs[1], FIRST)
    layers.shapes.add_rectangles([[row - 9, col - 9], [row + 9, col + 9]])
    layers.shapes.add_polygons(
        [[row - 8, col - 8], [row - 8, col + 8], [row + 8, col + 8], [row + 8, col - 8]]
    )
    layers.shapes.add_paths([[row, col - 4], [row, col + 4]])
    with layers.scribbles.block_history():
        layers.scribbles.paint((row, col), 1)
    settle(dock)

    kinds = [type(prompt) for prompt in dock.annotator.work.session.prompts]
    assert kinds == [Box, Polygon, Scribble, Scribble]
    assert dock.annotator.work.session.prompts[0] == Box(row - 8.5, col - 8.5, row + 9.5, col + 9.5)


def test_undo_and_redo_move_the_points_with_the_session(dock, discs, settle):
    first, second = middle(discs[1], FIRST), middle(discs[1], SECOND)
    points(dock).add(first)
    settle(dock)
    points(dock).add(second)
    settle(dock)

    dock.annotator.undo()
    settle(dock)
    assert np.array_equal(points(dock).data, [first])
    assert np.array_equal(dock.annotator.prediction.mask, discs[1] == FIRST)

    dock.annotator.redo()
    settle(dock)
    assert np.array_equal(points(dock).data, [first, second])
    assert np.array_equal(dock.annotator.prediction.mask, discs[1] > 0)


def test_deleting_one_point_takes_only_that_prompt_back(dock, discs, settle):
    for number in (FIRST, SECOND):
        points(dock).add(middle(discs[1], number))
        settle(dock)
    points(dock).selected_data = {0}
    points(dock).remove_selected()
    settle(dock)

    assert dock.annotator.work.session.prompts == (Point(*middle(discs[1], SECOND)),)
    assert np.array_equal(dock.annotator.prediction.mask, discs[1] == SECOND)


def test_moving_a_point_keeps_its_sign(dock, discs, settle):
    points(dock).add(middle(discs[1], FIRST))
    dock.annotator.set_positive(False)
    points(dock).add(middle(discs[1], SECOND))
    dock.annotator.set_positive(True)
    moved = points(dock).data.copy()
    moved[1] += 2
    points(dock).data = moved
    settle(dock)

    signs = [prompt.positive for prompt in dock.annotator.work.session.prompts]
    assert signs == [True, False]


def test_the_sign_shows_in_colour_and_buttons(dock):
    dock.toggle_polarity()

    assert dock.panel.negative.isChecked()
    assert points(dock).current_face_color == f"{COLOURS[False]}ff"
    assert dock.annotator.prompt_layers.scribbles.selected_label == 2

    dock.toggle_polarity()
    assert dock.panel.positive.isChecked()


def test_existing_labels_stay_unless_overwrite_is_ticked(dock, discs, settle):
    labels = dock.viewer.add_labels(np.zeros(discs[1].shape, np.uint8), name="mine")
    row, col = middle(discs[1], FIRST).astype(int)
    labels.data[row : row + 3, col : col + 3] = 7
    dock.annotator.choose_labels(labels)

    points(dock).add((row - 4, col))
    settle(dock)
    assert dock.commit() == 8
    assert (labels.data == 7).sum() == 9

    labels.undo()
    dock.panel.overwrite.setChecked(True)
    points(dock).add((row - 4, col))
    settle(dock)
    dock.commit()
    assert (labels.data == 7).sum() == 0


def test_an_existing_object_is_reopened_whatever_made_it_and_replaced(dock, discs, settle):
    labels = dock.viewer.add_labels(np.zeros(discs[1].shape, np.uint16), name="by hand")
    row, col = middle(discs[1], FIRST).astype(int)
    labels.data[row - 3 : row + 30, col - 3 : col + 3] = 5  # a brush that ran out of the disc
    labels.data[0, 0] = 9
    set_table(labels, ObjectTable({5: ObjectRecord("cell", concept="round")}))
    dock.annotator.choose_labels(labels)

    assert dock.annotator.objects.pick((row, col)) == 5
    settle(dock)
    assert isinstance(dock.annotator.work.session.prompts[0], Mask)
    assert dock.panel.commit.text() == "Replace object 5"

    dock.annotator.undo()
    points(dock).add((row, col))
    settle(dock)
    assert dock.commit() == 5
    assert np.array_equal(labels.data == 5, discs[1] == FIRST)
    assert labels.data[0, 0] == 9
    assert dock.panel.name.text() == ""
    assert (table_of(labels)[5].name, table_of(labels)[5].concept) == ("cell", "round")
    labels.undo()
    assert (labels.data == 5).sum() == 33 * 6


def test_a_word_proposes_and_take_all_writes_in_one_step(dock, discs, settle):
    dock.find_word("disc")
    settle(dock)
    assert dock.proposals.total == 2

    dock.panel.threshold.setValue(1.0)
    assert dock.proposals.offered() == []
    dock.panel.threshold.setValue(0.5)
    assert len(dock.take_all()) == 2

    labels = dock.annotator.labels
    assert np.array_equal(labels.data > 0, discs[1] > 0)
    assert len(np.unique(labels.data)) == 3
    labels.undo()
    assert not labels.data.any()


def test_single_proposals_are_taken_by_a_click(dock, discs, settle):
    dock.find_word("disc")
    settle(dock)

    assert dock.proposals.take_at((0, 0)) is None
    assert dock.proposals.take_at(middle(discs[1], SECOND)) == 1
    assert np.array_equal(dock.annotator.labels.data == 1, discs[1] == SECOND)
    assert len(dock.proposals.offered()) == 1


def test_an_unknown_word_offers_the_nearest_ones(dock, settle):
    dock.find_word("disk")
    settle(dock)

    assert "disk" in dock.panel.message.text()
    assert dock.panel._suggestions.itemAt(0).widget().text() == "disc"


def test_tools_put_the_right_layer_into_the_right_mode(dock):
    layers = dock.annotator.prompt_layers
    expected = {
        "point": (layers.points, "add"),
        "box": (layers.shapes, "add_rectangle"),
        "lasso": (layers.shapes, "add_polygon_lasso"),
        "scribble": (layers.scribbles, "paint"),
        "pick": (layers.points, "pan_zoom"),
    }
    for tool, (layer, mode) in expected.items():
        dock.use_tool(tool)
        assert dock.viewer.layers.selection.active is layer
        assert str(layer.mode) == mode
        assert dock.panel.tools[tool].isChecked()


def test_keys_work_and_are_given_back(dock):
    assert "G" in {str(key) for key in dock.viewer.keymap}
    dock.release()
    assert "G" not in {str(key) for key in dock.viewer.keymap}


def test_help_and_keys_are_shown_offline(dock):
    dock.panel.show_help()

    window = dock.panel._help_window
    assert window.isVisible()
    assert (
        "Commit the object"
        in window.findChild(type(window.layout().itemAt(0).widget())).toPlainText()
    )
    window.close()


def test_the_manifest_offers_dock_and_samples(make_napari_viewer):
    from npe2 import PluginManager

    viewer = make_napari_viewer()
    plugin = PluginManager.instance().get_manifest("napari-seem")
    shown = [widget.display_name for widget in plugin.contributions.widgets]
    assert {"Annotate", "Models", "Objects"} <= set(shown)
    assert len(plugin.contributions.sample_data) == 6

    _, dock = viewer.window.add_plugin_dock_widget("napari-seem", "Annotate")
    viewer.open_sample("napari-seem", "coins")
    assert dock.annotator.image.name == "Coins"
    dock.release()


def test_a_guessed_name_is_written_only_when_it_was_taken(dock, discs, settle, model, monkeypatch):
    predict = model.predict
    monkeypatch.setattr(
        model, "predict", lambda *given: replace(predict(*given), label="disc & co")
    )
    for taken in (False, True):
        points(dock).add(middle(discs[1], SECOND if taken else FIRST))
        settle(dock)
        assert "disc &amp; co?" in dock.panel.status.text()
        if taken:
            dock.panel.status.linkActivated.emit("name")
        dock.commit()
        assert not dock.panel.status.text()
    assert list(dock.annotator.labels.features["name"]) == ["background", "", "disc & co"]
