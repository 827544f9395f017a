"""The Series dock: from one image to the next, with real files and keys."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tifffile
from discs import DiscModel
from qtpy.QtCore import Qt
from series_docks import IMAGE, TRUTH, click, press, settle, shown

from napari_seem.io.files import read_labels, write_labels
from napari_seem.series.marks import DONE, SKIPPED, TO_DO
from napari_seem.series.series import Series
from napari_seem.viewer.roles import is_ours
from napari_seem.widgets.series.panel import KEEP


def test_a_folder_is_labelled_with_one_key_between_two_images(open_on, folder, qtbot):
    (folder / "d3.tif").unlink()
    annotate, dock = open_on(folder, window=True, name="anna")
    for name in ("d0", "d1"):
        assert shown(dock) == name
        assert annotate.annotator.image is dock.player.shown.images[0]
        click(qtbot, annotate, 32, 20)
        annotate.commit()
        press(dock, Qt.Key.Key_D)
        settle(qtbot, dock)
    for key, name in ((Qt.Key.Key_Left, "d1"), (Qt.Key.Key_Right, "d2"), (Qt.Key.Key_S, "d2")):
        press(dock, key)
        settle(qtbot, dock)
        assert shown(dock) == name
    assert "done or skipped" in dock.panel.message.text()
    assert dock.panel.bar.format() == "done 2 of 3, 1 skipped"
    dock.release()

    series = Series.of_files([folder], annotator="ben")
    assert series.within((DONE,)) == [0, 1]
    assert series.within((SKIPPED,)) == [2]
    assert {mark.annotator for mark in series.marks.values()} == {"anna"}
    assert sum(series.counts().values()) == 2
    for number in range(2):
        labels, _ = read_labels(folder / "labels" / f"d{number}_labels.tif")
        assert np.array_equal(labels > 0, TRUTH == 1)
        assert (folder / "labels" / f"d{number}_labels.log.jsonl").exists()


def test_images_that_are_only_looked_at_leave_nothing(open_on, folder, qtbot):
    _, dock = open_on(folder)
    for step in (dock.series_next, dock.series_next, dock.series_previous):
        step()
        settle(qtbot, dock)
    assert shown(dock) == "d1"
    assert dock.player.series.states()[TO_DO] == 4
    dock.release()
    assert not (folder / "labels").exists()


def test_only_one_image_and_one_set_of_prompt_layers_is_there(open_on, folder, qtbot):
    annotate, dock = open_on(folder)
    layers = list(annotate.annotator.prompt_layers.layers)
    for _ in range(3):
        dock.series_next()
        settle(qtbot, dock)
        points = annotate.annotator.prompt_layers.points
        assert dock.viewer.layers.selection.active is points  # the next click is a prompt
        assert points.mode == "add"
    kinds = [type(layer).__name__ for layer in dock.viewer.layers if not is_ours(layer)]

    assert kinds == ["Image", "Labels"]
    assert list(annotate.annotator.prompt_layers.layers) == layers
    assert dock.viewer.layers.index(layers[0]) > 1


def test_the_next_images_are_encoded_ahead_for_the_first_click(open_on, folder, qtbot):
    annotate, dock = open_on(folder)
    model = annotate.annotator.model_cache.model("compact")
    assert model.encoded == 2
    dock.series_next()
    settle(qtbot, dock)
    click(qtbot, annotate, 32, 20)

    assert annotate.annotator.prediction is not None
    assert model.encoded == 3  # the fourth image meanwhile, and not the second again


STACK = np.stack([IMAGE, IMAGE // 2, IMAGE])


@pytest.mark.parametrize("data", [STACK, np.stack([IMAGE] * 3, -1), STACK.astype(np.uint16) * 9],
                         ids=["stack", "colours", "16 bits"])  # fmt: skip
def test_what_is_encoded_ahead_is_what_is_asked_for(open_on, tmp_path, qtbot, data):
    for number in range(2):
        photometric = "rgb" if data.shape[-1] == 3 else "minisblack"
        image = data + data.dtype.type(number)
        tifffile.imwrite(tmp_path / f"s{number}.tif", image, photometric=photometric)
    annotate, dock = open_on(tmp_path)
    model = annotate.annotator.model_cache.model("compact")
    assert model.encoded == 1
    dock.series_next()
    settle(qtbot, dock)
    place = (1, 32, 20) if dock.player.shown.images[0].ndim == 3 else (32, 20)
    annotate.annotator.prompt_layers.points.add([place])
    qtbot.waitUntil(lambda: not annotate.annotator.runner.busy, timeout=20_000)

    assert annotate.annotator.work.session.prompts
    assert model.encoded == 1


def test_a_fast_hand_commits_and_goes_on_before_the_mask_is_there(open_on, folder, qtbot):
    held = threading.Event()
    model = DiscModel()
    predict = model.predict
    model.predict = lambda *given, **named: held.wait(20) and predict(*given, **named)
    annotate, dock = open_on(folder, model=model)
    annotate.annotator.prompt_layers.points.add([(32, 20)])
    annotate.commit()
    dock.series_done()
    dock.series_done()  # the next image is not there yet
    held.set()
    qtbot.waitUntil(lambda: dock.player.shown.index == 1)
    dock.player.saver.wait(0)

    assert np.array_equal(read_labels(folder / "labels" / "d0_labels.tif")[0] > 0, TRUTH == 1)
    assert dock.player.series.within((DONE,)) == [0]


def test_zoom_and_contrast_are_kept_where_it_is_wanted(open_on, folder, qtbot):
    _, dock = open_on(folder)
    camera = dock.viewer.scene.camera
    fitted = camera.zoom
    dock.panel.view.setCurrentText(KEEP)
    camera.zoom, camera.center = 3 * fitted, (0, 12, 20)
    dock.player.shown.images[0].contrast_limits = (10, 90)
    dock.series_next()
    settle(qtbot, dock)
    assert camera.zoom == pytest.approx(3 * fitted)
    assert tuple(camera.center)[-2:] == (12, 20)
    assert dock.player.shown.images[0].contrast_limits == [10, 90]

    dock.panel.view.setCurrentIndex(0)
    dock.series_next()
    settle(qtbot, dock)
    assert camera.zoom == pytest.approx(fitted)
    assert dock.player.shown.images[0].contrast_limits != [10, 90]


def test_a_broken_image_is_told_and_passed_over(open_on, folder, qtbot):
    (folder / "d1.tif").write_bytes(b"no image")
    _, dock = open_on(folder)
    dock.series_next()
    settle(qtbot, dock)
    assert "d1.tif" in dock.panel.message.text()
    assert dock.player.shown is None
    assert not any(layer.visible for layer in dock.viewer.layers if layer.name.startswith("d0"))
    dock.series_done()
    settle(qtbot, dock)
    assert shown(dock) == "d2"
    assert dock.player.series.mark_of(1).state == TO_DO
    dock.series_previous()
    settle(qtbot, dock)
    dock.series_skip()
    settle(qtbot, dock)

    assert shown(dock) == "d2"
    assert not any(layer.name.startswith("d0") for layer in dock.viewer.layers)
    assert dock.player.series.mark_of(1).state == SKIPPED


def test_filters_notes_and_the_list(open_on, folder, qtbot):
    _, dock = open_on(folder)
    dock.series_done()
    settle(qtbot, dock)
    dock.panel.note.setText("blurred")
    dock.panel.note.editingFinished.emit()
    dock.panel.filter.setCurrentText("done")
    texts = [dock.panel.list.item(k).text() for k in range(dock.panel.list.count())]
    assert [text[3:] for text in texts] == ["d0.tif", "d1.tif  \N{EM DASH} blurred"]
    dock.series_previous()
    settle(qtbot, dock)
    assert shown(dock) == "d0"
    dock.release()

    series = Series.of_files([folder])
    assert series.mark_of(1).note == "blurred"
    assert read_labels(folder / "labels" / "d0_labels.tif")[0].max() == 0  # done, with no object


def test_open_layers_are_a_series_too(open_on, tmp_path, qtbot):
    _, dock = open_on(None)
    for name in ("one", "two"):
        dock.viewer.add_image(IMAGE, name=name)
    dock.open_layers(tmp_path)
    settle(qtbot, dock)
    first = dock.player.shown.labels
    first.data_setitem((np.array([3]), np.array([4])), 1)
    dock.series_done()
    settle(qtbot, dock)

    visible = [layer.name for layer in dock.viewer.layers if layer.visible and not is_ours(layer)]
    assert visible == ["two", "two labels"]
    dock.series_previous()
    settle(qtbot, dock)
    assert dock.player.shown.labels is first
    assert first.visible
    assert read_labels(tmp_path / "one_labels.tif")[0][3, 4] == 1


def test_disagreements_are_stepped_through(open_on, folder, qtbot):
    mine, theirs = folder / "labels", folder / "ben"
    for home in (mine, theirs):
        home.mkdir()
    write_labels(mine / "d0_labels.tif", TRUTH.astype(np.uint16))
    write_labels(theirs / "d0_labels.tif", (TRUTH == 1).astype(np.uint16))
    write_labels(mine / "d2_labels.tif", (TRUTH == 1).astype(np.uint16))
    write_labels(theirs / "d2_labels.tif", TRUTH.astype(np.uint16))
    annotate, dock = open_on(folder)
    dock.comparison.begin(theirs)
    qtbot.waitUntil(lambda: not dock.comparison.steps.running)
    settle(qtbot, dock)

    assert "1 of 2" in dock.panel.disagreements.text()
    assert "only yours" in dock.panel.disagreements.text()
    center = tuple(dock.viewer.scene.camera.center)[-2:]
    assert np.hypot(center[0] - 32, center[1] - 58) < 2
    assert dock.viewer.layers["d0 ben"].contour > 0
    assert annotate.annotator.labels is dock.player.shown.labels  # theirs are not written to
    dock.comparison.step(1)
    settle(qtbot, dock)
    assert shown(dock) == "d2"
    assert "only theirs" in dock.panel.disagreements.text()
    assert "d0 ben" not in dock.viewer.layers


def test_the_next_image_waits_for_commits_that_wait(open_on, folder, qtbot, monkeypatch):
    annotate, series = open_on(folder, window=True)
    go, predict = threading.Event(), DiscModel.predict

    def held(self, *given):
        assert go.wait(20)
        return predict(self, *given)

    monkeypatch.setattr(DiscModel, "predict", held)
    annotate.annotator.prompt_layers.points.add([(32, 20)])
    annotate.commit()
    series.series_next()
    qtbot.waitUntil(lambda: not series.player.loader.busy)
    assert shown(series) == "d0"
    go.set()
    qtbot.waitUntil(lambda: shown(series) == "d1", timeout=20_000)
    series.series_previous()
    qtbot.waitUntil(lambda: shown(series) == "d0", timeout=20_000)

    assert (series.player.shown.labels.data[TRUTH == 1] == 1).all()
    annotate.committing.save()
    file = series.player.shown.file.path
    assert f"is saved to {file}" in annotate.panel.message.text()
    series.player.save_now()
    assert (read_labels(file)[0] == 1).any()
