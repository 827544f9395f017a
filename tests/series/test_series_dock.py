"""The Series dock in a real viewer, with real files and keys."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tifffile
from discs import DiscModel, disc_image
from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.io.files import read_labels, write_labels
from napari_seem.prompts import Box, Point, Polygon
from napari_seem.series.marks import DONE, IN_WORK, SKIPPED, TO_DO
from napari_seem.series.opening import open_in
from napari_seem.series.series import Series
from napari_seem.viewer.documents import logs_folder
from napari_seem.viewer.roles import is_ours
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.series.dock import SeriesWidget
from napari_seem.widgets.series.panel import KEEP

IMAGE, TRUTH = disc_image()


@pytest.fixture
def folder(tmp_path):
    for number in range(4):
        tifffile.imwrite(tmp_path / f"d{number}.tif", IMAGE + np.uint8(number))
    return tmp_path


@pytest.fixture
def open_on(make_napari_viewer, qtbot):
    """`open_on(folder)` gives the docks Annotate and Series; the first image is shown."""
    docks = []

    def make(folder, show=False, **options):
        viewer = make_napari_viewer(show=show)
        model = DiscModel()
        annotate = AnnotateWidget(viewer, loader=lambda _: model)
        series = SeriesWidget(viewer)
        for dock, name in ((annotate, "Annotate"), (series, "Series")):
            viewer.window.add_dock_widget(dock, name=name)
        docks.extend((series, annotate))
        if folder is not None:
            series.open_files([folder], **options)
            settle(qtbot, series)
        return annotate, series

    yield make
    for dock in docks:
        if isalive(dock):
            dock.release()


def settle(qtbot, dock):
    """Wait until what is asked for is shown, and encoded."""
    player = dock.player
    qtbot.waitUntil(lambda: not player.loader.busy and not player.ahead.steps.running)


def click(qtbot, annotate, y, x):
    """Put a point as the point tool does, and wait for its mask."""
    annotate.annotator.prompt_layers.points.add([(y, x)])
    qtbot.waitUntil(lambda: not annotate.annotator.runner.busy)


def shown(dock):
    return dock.player.shown.images[0].name


def press(dock, key, modifier=Qt.KeyboardModifier.AltModifier):
    QTest.keyClick(dock.viewer.window._qt_viewer.canvas.native, key, modifier)


def test_a_folder_is_labelled_with_one_key_between_two_images(open_on, folder, qtbot):
    annotate, dock = open_on(folder, name="anna")
    for number in range(4):
        assert shown(dock) == f"d{number}"
        assert annotate.annotator.image is dock.player.shown.images[0]
        click(qtbot, annotate, 32, 20)
        annotate.commit()
        press(dock, Qt.Key.Key_D)
        settle(qtbot, dock)
    dock.release()

    series = Series.of_files([folder], annotator="ben")
    assert series.within((DONE,)) == [0, 1, 2, 3]
    assert {mark.annotator for mark in series.marks.values()} == {"anna"}
    assert sum(series.counts().values()) == 4
    for number in range(4):
        labels, _ = read_labels(folder / "labels" / f"d{number}_labels.tif")
        assert np.array_equal(labels > 0, TRUTH == 1)
        assert (folder / "labels" / f"d{number}_labels.log.jsonl").exists()
    assert "done 4 of 4" in dock.panel.bar.format()
    assert "done or skipped" in dock.panel.message.text()


def test_keys_go_on_back_and_skip(open_on, folder, qtbot):
    _, dock = open_on(folder)
    for key, name in ((Qt.Key.Key_Right, "d1"), (Qt.Key.Key_S, "d2"), (Qt.Key.Key_Left, "d1")):
        press(dock, key)
        settle(qtbot, dock)
        assert shown(dock) == name
    assert [dock.player.series.mark_of(k).state for k in range(3)] == [TO_DO, SKIPPED, TO_DO]
    assert not (folder / "labels" / "d0_labels.tif").exists()  # it was only looked at


def test_only_one_image_and_one_set_of_prompt_layers_is_there(open_on, folder, qtbot):
    annotate, dock = open_on(folder)
    layers = list(annotate.annotator.prompt_layers.layers)
    for _ in range(3):
        dock.series_next()
        settle(qtbot, dock)
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


def test_prompts_left_unfinished_are_there_again(open_on, folder, qtbot):
    annotate, dock = open_on(folder)
    click(qtbot, annotate, 32, 20)
    shapes = annotate.annotator.prompt_layers.shapes
    shapes.add_rectangles(np.array([[10, 4], [10, 38], [50, 38], [50, 4]]))
    shapes.add_polygons(np.array([[2.0, 2], [2, 9], [9, 9]]))
    qtbot.waitUntil(lambda: not annotate.annotator.runner.busy)
    before = annotate.annotator.work.session.prompts
    dock.series_next()
    settle(qtbot, dock)
    assert annotate.annotator.work is None or not annotate.annotator.work.session.prompts
    dock.series_previous()
    settle(qtbot, dock)
    qtbot.waitUntil(lambda: not annotate.annotator.runner.busy)

    after = annotate.annotator.work.session.prompts
    assert [type(p) for p in after] == [Point, Box, Polygon]
    assert [p.uid for p in after] == [p.uid for p in before]
    assert (after[1].y0, after[1].x1) == (before[1].y0, before[1].x1)
    assert len(annotate.annotator.prompt_layers.points.data) == 1
    assert len(shapes.data) == 2
    assert annotate.annotator.prediction is not None


def test_names_and_ids_go_on_where_another_person_stopped(open_on, folder, qtbot):
    labels = folder / "labels" / "d0.nii.gz"
    labels.parent.mkdir()
    table = ObjectTable({7: ObjectRecord("left", concept="disc")})
    write_labels(labels, np.where(TRUTH == 1, 7, 0).astype(np.uint16), table=table)
    annotate, dock = open_on(folder)
    click(qtbot, annotate, 32, 58)
    assert annotate.commit() == 8
    dock.release()

    data, table = read_labels(labels)
    assert sorted(np.unique(data)) == [0, 7, 8]
    assert table[7].concept == "disc"
    assert not (folder / "labels" / "d0_labels.tif").exists()


def test_strokes_are_saved_by_themselves(open_on, folder, qtbot):
    _, dock = open_on(folder)
    layer = dock.player.shown.labels
    layer.data_setitem((np.array([3, 3]), np.array([4, 5])), 2)
    assert dock.player.series.mark_of(0).state == IN_WORK
    dock.player.save()
    dock.player.saver.wait(0)

    saved, _ = read_labels(folder / "labels" / "d0_labels.tif")
    assert saved[3, 4] == 2
    assert Series.of_files([folder]).counts() == {"": 1}


def test_closing_the_window_saves(open_on, folder):
    _, dock = open_on(folder, show=True)
    dock.player.shown.labels.data_setitem((np.array([3]), np.array([4])), 2)
    dock.viewer.close()

    assert read_labels(folder / "labels" / "d0_labels.tif")[0][3, 4] == 2


def test_labels_that_somebody_else_wrote_meanwhile_stay(open_on, folder, qtbot):
    _, dock = open_on(folder, name="anna")
    theirs = folder / "labels" / "d0_labels.tif"
    theirs.parent.mkdir(exist_ok=True)
    write_labels(theirs, (TRUTH == 2).astype(np.uint16))
    dock.player.shown.labels.data_setitem((np.array([3]), np.array([4])), 2)
    dock.player.save()
    qtbot.waitUntil(lambda: "somebody else" in dock.panel.message.text())

    assert np.array_equal(read_labels(theirs)[0] > 0, TRUTH == 2)
    assert read_labels(folder / "labels" / "d0_labels-anna.tif")[0][3, 4] == 2


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
    dock.series_skip()
    settle(qtbot, dock)

    assert shown(dock) == "d2"
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
    _, dock = open_on(folder)
    dock.comparison.begin(theirs)
    qtbot.waitUntil(lambda: not dock.comparison.steps.running)
    settle(qtbot, dock)

    assert "1 of 2" in dock.panel.disagreements.text()
    assert "only yours" in dock.panel.disagreements.text()
    center = tuple(dock.viewer.scene.camera.center)[-2:]
    assert np.hypot(center[0] - 32, center[1] - 58) < 2
    assert "d0 ben" in dock.viewer.layers
    dock.comparison.step(1)
    settle(qtbot, dock)
    assert shown(dock) == "d2"
    assert "only theirs" in dock.panel.disagreements.text()
    assert "d0 ben" not in dock.viewer.layers


def test_after_a_crash_everything_is_there_again(open_on, folder, tmp_path, qtbot):
    annotate, dock = open_on(folder, name="anna")
    click(qtbot, annotate, 32, 20)
    annotate.panel.name.setText("left")
    annotate.commit()
    labels = dock.player.shown.labels
    labels.data_setitem((np.array([3, 3]), np.array([4, 5])), 9)
    click(qtbot, annotate, 32, 58)
    dock.player.saver.wait(0)
    assert not (folder / "labels" / "d0_labels.tif").exists()  # not saved yet
    after = tmp_path.with_name("after")  # what a machine that dies now leaves
    shutil.copytree(folder, after)
    logs = shutil.copytree(logs_folder(), after / "logs")

    found = open_in(Series.of_files([after]), 0, logs)
    assert np.array_equal(found.labels, labels.data)
    assert found.table[1].name == "left"
    (line,) = found.prompts
    assert [(one["y"], one["x"]) for one in line["prompts"]] == [(32, 58)]
    assert "brought back" in found.recovered
    assert "commit" in (after / "labels" / "d0_labels.log.jsonl").read_text()
    elsewhere = open_in(Series.of_files([after]), 0, after / "no logs here")
    assert elsewhere.labels is None
