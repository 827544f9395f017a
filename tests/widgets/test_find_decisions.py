"""The Find dock in a real viewer: accepting, rejecting, taking back, in layers and files."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from skimage.io import imsave

from napari_seem.commands.replay import replay
from napari_seem.edits import ObjectTable
from napari_seem.labels.log import read_log
from napari_seem.sources.identity import ImageFile
from napari_seem.viewer.coordinates import full_data
from napari_seem.viewer.documents import document_of
from napari_seem.viewer.files import save_labels
from napari_seem.viewer.label_layers.targets import HOME
from napari_seem.widgets.find.dock import KEYS
from napari_seem.widgets.find.findings import BY_PLACE, State
from napari_seem.widgets.find.panel import FOLDER, IMAGES
from napari_seem.widgets.stack.dock import StackWidget


def states(dock):
    return [str(entry.state) for entry in dock.findings.entries]


def written(dock, name="discs labels"):
    return np.asarray(dock.viewer.layers[name].data)


def press(qtbot, dock, key, modifier=Qt.KeyboardModifier.NoModifier):
    qtbot.keyClick(dock.panel.view, key, modifier)


def test_accepted_findings_are_objects_with_their_names(find_on, found, volume, discs, qtbot):
    dock = find_on(volume)
    dock.search("disc")
    found(dock)
    dock.panel.sort.setCurrentText(BY_PLACE)
    dock.panel.view.setCurrentIndex(dock.findings.index(0))

    press(qtbot, dock, Qt.Key.Key_K)
    press(qtbot, dock, Qt.Key.Key_K)

    labels = written(dock)
    np.testing.assert_array_equal(labels[0] > 0, discs[1] > 0)
    assert not labels[1:].any()
    table = ObjectTable.from_features(dock.viewer.layers["discs labels"].features)
    assert [(i, r.name, r.score, r.model) for i, r in table.items()] == [
        (1, "disc", 0.99, "compact"), (2, "disc", 0.98, "compact"),
    ]  # fmt: skip
    assert states(dock).count("accepted") == 2
    assert dock.findings.entries[dock.panel.view.number].finding.place.position == 1

    layer = dock.viewer.layers["discs labels"]
    layer.undo()
    assert written(dock).max() == 1
    assert states(dock).count("accepted") == 1
    assert len(ObjectTable.from_features(layer.features)) == 1
    layer.redo()
    assert states(dock).count("accepted") == 2
    layer.undo()
    layer.undo()
    assert not written(dock).any()
    assert states(dock).count("accepted") == 0


def test_rejected_ones_stay_out_and_the_next_is_chosen(find_on, found, volume, qtbot):
    dock = find_on(volume)
    dock.search("disc")
    found(dock)
    dock.panel.view.setCurrentIndex(dock.findings.index(0))
    first = dock.panel.view.number

    press(qtbot, dock, Qt.Key.Key_J)

    assert dock.findings.entries[first].state == State.REJECTED
    assert dock.panel.view.number == dock.findings.shown()[1]
    dock.accept_all()
    assert states(dock).count("accepted") == 8

    press(qtbot, dock, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert states(dock).count("open") == 8
    assert not written(dock).any()
    press(qtbot, dock, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert states(dock).count("open") == 9
    press(qtbot, dock, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert "Nothing to undo" in dock.panel.message.text()


def test_accepting_all_takes_what_scores_enough(find_on, found, volume):
    dock = find_on(volume)
    dock.search("disc")
    found(dock)
    dock.panel.least.setValue(0.99)

    dock.accept_all()

    labels = written(dock)
    assert [len(np.unique(plane)) - 1 for plane in labels] == [1] * 6
    assert sorted(np.unique(labels)) == list(range(7))


@pytest.mark.parametrize("overwrite", [False, True])
def test_other_objects_keep_their_pixels_unless_told_otherwise(
    find_on, found, volume, discs, overwrite
):
    dock = find_on(volume)
    mine = np.zeros(volume.shape, np.uint16)
    mine[0, :, :20] = 7
    dock.viewer.add_labels(mine, name="mine")
    dock.panel.labels.setCurrentText("mine")
    dock.panel.overwrite.setChecked(overwrite)
    dock.search("disc")
    found(dock)

    dock.accept_all()

    labels = written(dock, "mine")
    inside = discs[1][:, :20] == 1
    assert (labels[0, :, :20][inside] == 7).all() != overwrite
    assert (labels[0, :, :20][~inside] == 7).all()
    assert labels[0].max() >= 8


def test_what_is_labelled_already_is_told_and_ends_nothing(find_on, found, volume):
    dock = find_on(volume)
    mine = np.zeros(volume.shape, np.uint16)
    mine[0] = 7
    dock.viewer.add_labels(mine, name="mine")
    dock.panel.labels.setCurrentText("mine")
    dock.search("disc")
    found(dock)

    dock.accept_all()

    assert (written(dock, "mine")[0] == 7).all()
    assert states(dock).count("accepted") == 7
    assert "7 written" in dock.panel.message.text()
    assert "belongs to another" in dock.panel.message.text()


def test_all_images_of_the_viewer_get_layers_of_their_own(find_on, found, discs):
    dock = find_on()
    dock.viewer.add_image(discs[0], name="first")
    dock.viewer.add_image(discs[0][:, :40], name="second", scale=(2, 3))
    dock.panel.scope.setCurrentText(IMAGES)
    dock.search("disc")
    found(dock)
    assert dock.findings.rowCount() == 3

    dock.accept_all()

    assert len(np.unique(written(dock, "first labels"))) == 3
    assert tuple(dock.viewer.layers["second labels"].scale) == (2, 3)
    dock.viewer.layers.remove("first")
    dock.go_to(0)
    assert "closed" in dock.panel.message.text()


def folder_of(tmp_path, discs):
    imsave(tmp_path / "a.png", discs[0], check_contrast=False)
    (tmp_path / "b.png").write_text("no picture")
    tifffile.imwrite(tmp_path / "c.tif", np.stack([discs[0]] * 3), imagej=True,
                     metadata={"axes": "ZYX"})  # fmt: skip
    return tmp_path


def test_a_folder_is_searched_and_its_label_files_are_written(
    find_on, found, discs, tmp_path, qtbot
):
    dock = find_on()
    dock.panel.scope.setCurrentText(FOLDER)
    dock.panel.folder.setText(str(folder_of(tmp_path, discs)))
    dock.search("disc")
    found(dock)
    assert dock.findings.rowCount() == 8
    assert "b.png" in dock.panel.message.text()

    dock.panel.sort.setCurrentText(BY_PLACE)
    dock.panel.view.setCurrentIndex(dock.findings.index(0))
    dock.accept()
    found(dock)
    path = tmp_path / "labels" / "a_labels.tif"
    np.testing.assert_array_equal(tifffile.imread(path) == 1, discs[1] == 1)
    dock.accept_all()
    found(dock)
    assert set(np.unique(tifffile.imread(path))) == {0, 1, 2}
    stack = tifffile.imread(tmp_path / "labels" / "c_labels.tif")
    assert len(np.unique(stack)) == 7
    objects = json.loads(path.with_suffix(".json").read_text())["objects"]
    assert [(o["index"], o["name"], o["score"]) for o in objects] == [
        (1, "disc", 0.99), (2, "disc", 0.98),
    ]  # fmt: skip

    dock.take_back()
    found(dock)
    assert set(np.unique(tifffile.imread(path))) == {0, 1}
    assert not tifffile.imread(tmp_path / "labels" / "c_labels.tif").any()
    assert states(dock).count("accepted") == 1


def test_a_file_is_opened_where_one_goes_there(find_on, found, discs, tmp_path, qtbot):
    dock = find_on()
    dock.panel.scope.setCurrentText(FOLDER)
    dock.panel.folder.setText(str(folder_of(tmp_path, discs)))
    dock.search("disc")
    found(dock)
    dock.panel.sort.setCurrentText(BY_PLACE)

    dock.go_to(dock.findings.shown()[0])
    qtbot.waitUntil(lambda: "a" in dock.viewer.layers, timeout=20_000)
    dock.go_to(dock.findings.shown()[-1])
    qtbot.waitUntil(lambda: "c" in dock.viewer.layers, timeout=20_000)

    assert dock.viewer.dims.current_step[0] == 2
    assert not dock.viewer.layers["a"].visible
    assert dock.preview.values().any()
    dock.go_to(dock.findings.shown()[0])
    assert dock.viewer.layers["a"].visible
    assert len([layer for layer in dock.viewer.layers if layer.name.startswith("a")]) == 1


def test_a_label_file_of_another_grid_is_left_as_it_is(find_on, found, discs, tmp_path):
    dock = find_on()
    imsave(tmp_path / "a.png", discs[0], check_contrast=False)
    (tmp_path / "labels").mkdir()
    path = tmp_path / "labels" / "a_labels.tif"
    tifffile.imwrite(path, np.zeros((5, 5), np.uint8))
    dock.panel.scope.setCurrentText(FOLDER)
    dock.panel.folder.setText(str(tmp_path))
    dock.search("disc")
    found(dock)
    dock.accept_all()
    found(dock)

    assert tifffile.imread(path).shape == (5, 5)
    assert "accepted" not in states(dock)
    assert "(5, 5)" in dock.panel.message.text()


def test_another_word_begins_a_list_of_its_own_and_labels_stay(find_on, found, volume, slow):
    slow.vocabulary = lambda: ("disc", "plate")
    dock = find_on(volume)
    dock.search("disc")
    found(dock)
    dock.accept_all()
    before = written(dock).copy()

    dock.search("plate")
    found(dock)

    assert dock.findings.rowCount() == 9
    assert set(states(dock)) == {"open"}
    np.testing.assert_array_equal(written(dock), before)
    dock.viewer.layers["discs labels"].undo()
    assert set(states(dock)) == {"open"}


def test_the_dock_used_last_has_the_keys(find_on, found, volume):
    from napari.utils.key_bindings import coerce_keybinding

    dock = find_on(volume)
    carry = StackWidget(dock.viewer, dock.model_cache)
    dock.search("disc")
    found(dock)
    accept = coerce_keybinding(KEYS["accept"])
    dock.go_to(dock.findings.shown()[0])

    dock.viewer.keymap[accept](dock.viewer)
    assert states(dock).count("accepted") == 1

    carry.carry()
    dock.viewer.keymap[accept](dock.viewer)
    assert states(dock).count("accepted") == 1
    carry.release()
    dock.viewer.keymap[accept](dock.viewer)
    assert states(dock).count("accepted") == 2
    dock.release()
    assert not any(coerce_keybinding(key) in dock.viewer.keymap for key in KEYS.values())


def test_what_was_accepted_can_be_replayed_by_the_model(find_on, found, volume, slow, tmp_path):
    dock = find_on(volume)
    dock.search("disc")
    found(dock)
    dock.panel.sort.setCurrentText(BY_PLACE)
    dock.go_to(dock.findings.shown()[1])
    dock.accept()
    dock.accept_all()
    labels = dock.viewer.layers["discs labels"]
    tifffile.imwrite(tmp_path / "discs.tif", volume, imagej=True, metadata={"axes": "ZYX"})

    log = save_labels(labels, tmp_path / "out.tif")[-1]
    picture = ImageFile(tmp_path / "discs.tif")
    done = replay(read_log(log)[-1], picture.find, lambda name: slow)

    np.testing.assert_array_equal(done.labels, np.asarray(labels.data))
    events = document_of(labels).log.events
    asked = [event for event in events if event["event"] == "segment"]
    assert [event["numbers"] for event in asked][:2] == [[2], [1]]
    assert all(event["words"] == ["disc"] and event["content"] for event in asked)


def test_labels_of_a_very_wide_image_are_written_and_taken_back_on_disk(find_on, found, tmp_path):
    image = np.full((60, 17_000), 20, np.uint8)
    image[20:40, 8000:8030] = 220
    dock = find_on()
    layer = dock.viewer.add_image(image, name="discs")
    layer.metadata = {**layer.metadata, HOME: tmp_path}
    dock.search("disc")
    found(dock)
    dock.accept_all()

    labels = dock.viewer.layers["discs labels"]
    assert np.array_equal(np.asarray(full_data(labels)) == 1, image == 220)
    assert states(dock) == ["accepted"]
    dock.take_back()
    assert not np.asarray(full_data(labels)).any()
    assert states(dock) == ["open"]
