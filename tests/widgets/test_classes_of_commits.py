"""The class that commits belong to, one object over planes and images, and saving."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from canvas import SHIFT, press
from discs import DiscModel, disc_image
from napari.settings import get_plugin_settings
from npe2 import PluginManifest
from qtpy.QtWidgets import QFileDialog

from napari_seem.labels.journal import logs_folder
from napari_seem.labels.log import read_log
from napari_seem.viewer.documents import document_of
from napari_seem.widgets.annotate.dock import AnnotateWidget

LEFT, RIGHT = (32, 20), (32, 58)


@pytest.fixture
def commit(settle):
    """Click on an image and commit: `commit(dock, at)`; gives the id."""

    def write(dock, at):
        dock.annotator.prompt_layers.points.add(at)
        settle(dock)
        return dock.commit()

    return write


@pytest.fixture
def stack(docked):
    return docked(np.stack([disc_image()[0]] * 3))


def known(labels, label_id):
    record = document_of(labels).table[label_id]
    return record.name, record.concept


def shown(dock):
    box = dock.panel.classes
    return [box.itemText(row) for row in range(box.count())], box.currentText()


def colour_shown(dock):
    picture = dock.panel.classes.itemIcon(dock.panel.classes.currentIndex()).pixmap(12, 12)
    return picture.toImage().pixelColor(5, 5).name()


def test_commits_belong_to_the_active_class_until_another_is_chosen(dock, commit, qtbot):
    dock.panel.classes.setFocus()
    qtbot.keyClicks(dock.panel.classes.lineEdit(), "cell")
    press(dock.panel.classes.lineEdit(), "Return")
    commit(dock, LEFT)
    commit(dock, RIGHT)
    labels = dock.annotator.labels
    assert known(labels, 1) == known(labels, 2) == ("cell", "cell")
    assert colour_shown(dock) == document_of(labels).palette.of("cell")

    dock.committing.choose_class("nucleus")
    dock.panel.name.setText("the large one")
    dock.annotator.overwrite = True
    commit(dock, RIGHT)
    assert known(labels, 3) == ("the large one", "nucleus")
    assert colour_shown(dock) == document_of(labels).palette.of("nucleus")
    assert shown(dock) == (["nucleus", "cell", "no class"], "nucleus")


@pytest.mark.window
def test_the_key_steps_from_the_class_used_last_to_those_before(dock, commit):
    window = dock.viewer.window._qt_window
    dock.panel.overwrite.setChecked(True)
    for name in ("a", "b", "c"):
        dock.committing.choose_class(name)
        commit(dock, RIGHT)
    dock.viewer.layers.selection.active = dock.annotator.labels
    stepped = []
    for _ in range(4):
        press(window, "G", SHIFT)
        stepped.append(shown(dock)[1])
    assert stepped == ["b", "a", "", "c"]


def test_classes_of_labels_are_offered_in_their_colours(dock, commit):
    labels = dock.viewer.add_labels(np.zeros((64, 80), np.uint16), name="mine")
    labels.features = {"index": [0, 4], "name": ["background", "x"], "concept": ["", "spleen"]}
    dock.annotator.choose_labels(labels)
    dock.annotator.classes.step()

    assert shown(dock) == (["spleen", "no class"], "spleen")
    assert colour_shown(dock) == document_of(labels).palette.of("spleen")
    commit(dock, LEFT)
    assert known(labels, 5) == ("spleen", "spleen")


def test_a_class_has_one_colour_on_all_images(dock, commit):
    for name in ("first", "second"):
        dock.committing.choose_class(name)
    commit(dock, LEFT)
    first = dock.annotator.labels
    dock.annotator.choose_image(dock.viewer.add_image(disc_image()[0], name="other"))
    commit(dock, LEFT)
    other = dock.annotator.labels

    assert other is not first
    colours = [document_of(one).palette.of("second") for one in (first, other)]
    assert colours[0] == colours[1] != document_of(first).palette.with_classes(["x"]).of("x")


def test_going_on_is_one_object_on_three_planes(stack, commit):
    dock = stack
    dock.committing.choose_class("liver")
    commit(dock, (1, *RIGHT))
    dock.committing.go_on()
    assert dock.panel.commit.text() == "Add to object 1 'liver'"
    for plane in (0, 2):
        dock.viewer.dims.set_point(0, plane)
        assert commit(dock, (plane, *LEFT)) == 1
    labels = dock.annotator.labels
    assert [np.unique(plane[plane > 0]).tolist() for plane in labels.data] == [[1]] * 3
    assert known(labels, 1) == ("liver", "liver")

    dock.committing.go_on()
    assert commit(dock, (2, *RIGHT)) == 2
    assert (labels.data[2] == 1).any()


def test_going_on_may_begin_with_the_next_commit_and_while_it_waits(stack, model, settle):
    dock = stack
    model.go.clear()
    dock.panel.name.setText("aorta")
    for plane in range(3):
        dock.viewer.dims.set_point(0, plane)
        dock.annotator.prompt_layers.points.add((plane, *LEFT))
        dock.commit()
        if plane == 0:
            dock.committing.go_on()  # with the object that waits
    model.go.set()
    settle(dock)

    labels = dock.annotator.labels
    assert np.unique(labels.data).tolist() == [0, 1]
    assert all(plane.any() for plane in labels.data)
    assert known(labels, 1)[0] == "aorta"


def test_going_on_keeps_id_and_name_over_images_but_joins_no_other_object(dock, commit):
    commit(dock, LEFT)
    dock.panel.name.setText("aorta")
    commit(dock, RIGHT)
    dock.committing.go_on()
    viewer = dock.viewer
    dock.annotator.choose_image(viewer.add_image(disc_image()[0], name="second"))
    assert commit(dock, LEFT) == 2
    assert known(dock.annotator.labels, 2)[0] == "aorta"

    dock.annotator.choose_image(viewer.add_image(disc_image()[0], name="third"))
    taken = viewer.add_labels(np.where(disc_image()[1] == 1, 2, 0).astype(np.uint8))
    taken.features = {"index": [0, 2], "name": ["background", "vein"]}
    dock.annotator.choose_labels(taken)
    assert commit(dock, RIGHT) is None
    assert "is another one than object 2 'aorta'" in dock.panel.message.text()
    assert set(np.unique(taken.data[:, 40:])) == {0}


def test_an_object_that_is_undone_is_not_gone_on_with(dock, commit):
    dock.committing.choose_class("aorta")
    commit(dock, LEFT)
    dock.committing.go_on()
    assert dock.panel.commit.text() == "Add to object 1 'aorta'"

    dock.annotator.undo()
    assert "object 1" not in dock.panel.commit.text()
    dock.annotator.redo()
    assert dock.panel.commit.text() == "Add to object 1 'aorta'"
    dock.annotator.undo()
    dock.clear()
    dock.committing.choose_class("vein")
    assert known(dock.annotator.labels, commit(dock, RIGHT)) == ("vein", "vein")


def test_ctrl_z_with_nothing_left_says_so(dock):
    dock.panel.message.say("something of before")
    dock.annotator.timeline.undo()
    assert dock.panel.message.text() == "Nothing to undo."
    dock.annotator.timeline.redo()
    assert dock.panel.message.text() == "Nothing to redo."


def test_another_class_ends_going_on(dock, commit):
    dock.committing.choose_class("liver")
    commit(dock, LEFT)
    dock.committing.go_on()
    dock.committing.choose_class("spleen")

    assert not dock.panel.go_on.isChecked()
    assert commit(dock, RIGHT) == 2


def test_a_picked_up_object_stays_in_its_class_and_can_be_gone_on_with(stack, commit, settle):
    dock = stack
    dock.committing.choose_class("liver")
    commit(dock, (1, *LEFT))
    dock.committing.choose_class("spleen")
    dock.annotator.objects.pick((1, *LEFT))
    settle(dock)
    dock.committing.go_on(True)
    assert dock.commit() == 1
    dock.viewer.dims.set_point(0, 2)
    assert commit(dock, (2, *RIGHT)) == 1
    assert known(dock.annotator.labels, 1) == ("liver", "liver")


def test_the_class_of_a_commit_is_replayable(dock, commit):
    dock.committing.choose_class("cell")
    commit(dock, LEFT)

    (log,) = logs_folder().glob("*.log.jsonl")
    line = next(e for e in read_log(log)[0].events if e["event"] == "commit")
    assert (line["concept"], line["colour"]) == ("cell", "#e69f00")


@pytest.mark.window
def test_save_asks_once_and_then_saves_to_that_file(dock, commit, monkeypatch, tmp_path, qtbot):
    asked = []

    def ask(parent, title, start, kinds):
        asked.append(start)
        return str(tmp_path / "mine.tif"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    dock.committing.save()
    assert "commit an object first" in dock.panel.message.text()
    dock.annotator.image.metadata = {"napari-seem source": "/data/scan.tif"}
    commit(dock, LEFT)
    dock.committing.save()
    said = f"1 object of 'discs labels' saved: {tmp_path / 'mine.tif'}"
    qtbot.waitUntil(lambda: dock.panel.message.text().startswith(said), timeout=20_000)
    commit(dock, RIGHT)
    press(dock.viewer.window._qt_window, "S", SHIFT)
    qtbot.waitUntil(lambda: dock.panel.message.text().startswith("2 objects of"), timeout=20_000)

    assert asked == ["/data/discs labels.tif"]
    assert np.array_equal(tifffile.imread(tmp_path / "mine.tif"), dock.annotator.labels.data)
    assert len(json.loads((tmp_path / "mine.json").read_text())["objects"]) == 2

    labels = dock.annotator.labels
    converted = {"napari-seem source": str(tmp_path / "image.tif")}  # what the image had
    for known in (converted, {"napari-seem saved": str(tmp_path / "gone" / "mine.tif")}):
        labels.metadata = known
        dock.panel.message.say("")
        dock.committing.save()
        qtbot.waitUntil(lambda: "mine.tif" in dock.panel.message.text(), timeout=20_000)
    assert len(asked) == 3
    assert not (tmp_path / "image.tif").exists()


def test_save_waits_for_commits_that_wait(dock, model, settle, monkeypatch, tmp_path, qtbot):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine.tif"), ""))
    model.go.clear()
    dock.annotator.prompt_layers.points.add(LEFT)
    dock.commit()
    dock.committing.save()
    assert not (tmp_path / "mine.tif").exists()
    model.go.set()
    qtbot.waitUntil(lambda: "1 object of" in dock.panel.message.text(), timeout=20_000)
    assert tifffile.imread(tmp_path / "mine.tif").any()


def test_a_save_that_fails_says_why(dock, commit, monkeypatch, tmp_path, qtbot):
    place = tmp_path / "no folder" / "mine.tif"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(place), ""))
    commit(dock, LEFT)
    dock.committing.save()
    qtbot.waitUntil(lambda: "no folder" in dock.panel.message.text(), timeout=20_000)


def test_keys_for_the_left_hand_work_on_every_layer(
    make_napari_viewer, plugin_settings, npe2pm, qtbot
):
    npe2pm.register(PluginManifest.from_distribution("napari-seem"))
    get_plugin_settings("napari-seem").annotate.key_preset = "left hand"
    viewer = make_napari_viewer()
    viewer.add_image(disc_image()[0], name="discs")
    dock = AnnotateWidget(viewer, loader=lambda name: DiscModel())
    viewer.window.add_dock_widget(dock, name="Annotate")
    canvas = viewer.window._qt_viewer.canvas.native
    for layer in (*viewer.layers, viewer.add_labels(np.zeros((64, 80), np.uint8))):
        viewer.layers.selection.active = layer
        mode = layer.mode
        press(canvas, "Q")
        assert dock.panel.negative.isChecked(), layer
        press(canvas, "Q")
        press(canvas, "G")
        press(canvas, "W", SHIFT)
        assert dock.panel.go_on.isChecked(), layer
        press(canvas, "W", SHIFT)
        assert not dock.panel.go_on.isChecked(), layer
        assert layer.mode == mode
        for key, tool in {
            "D": "point",
            "R": "box",
            "F": "scribble",
            "C": "lasso",
            "E": "pick",
        }.items():
            viewer.layers.selection.active = layer
            press(canvas, key, SHIFT)
            assert dock.tool == tool, (layer, key)
    dock.use_tool("point")
    dock.annotator.prompt_layers.points.add(LEFT)
    qtbot.waitUntil(lambda: not dock.annotator.runner.busy, timeout=20_000)
    press(canvas, "W")
    assert (dock.annotator.labels.data == 1).any()
    dock.release()
