"""The Series dock: what is kept of the work on an image, and found again."""

from __future__ import annotations

import shutil

import numpy as np
from series_docks import TRUTH, click, settle

from napari_seem.edits import ObjectRecord, ObjectTable
from napari_seem.io.files import read_labels, write_labels
from napari_seem.labels.journal import logs_folder
from napari_seem.prompts import Box, Point, Polygon
from napari_seem.series.marks import IN_WORK
from napari_seem.series.opening import open_in
from napari_seem.series.series import Series
from napari_seem.widgets.menus.files import save_to


def test_prompts_left_unfinished_are_there_again(open_on, folder, qtbot):
    annotate, dock = open_on(folder)
    click(qtbot, annotate, 32, 20)
    shapes = annotate.annotator.prompt_layers.shapes
    shapes.add_rectangles(np.array([[10, 4], [10, 38], [50, 38], [50, 4]]))
    shapes.add_polygons(np.array([[2.0, 2], [2, 9], [9, 9]]))
    qtbot.waitUntil(lambda: not annotate.annotator.runner.busy, timeout=20_000)
    before = annotate.annotator.work.session.prompts
    dock.series_next()
    settle(qtbot, dock)
    assert annotate.annotator.work is None or not annotate.annotator.work.session.prompts
    dock.series_previous()
    settle(qtbot, dock)
    qtbot.waitUntil(lambda: not annotate.annotator.runner.busy, timeout=20_000)

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


def test_saving_by_the_annotate_dock_is_no_conflict(open_on, folder, qtbot):
    annotate, dock = open_on(folder)
    click(qtbot, annotate, 32, 20)
    annotate.commit()
    annotate.committing.save()
    assert "saved to" in annotate.panel.message.text()
    click(qtbot, annotate, 32, 58)
    annotate.commit()
    dock.player.saver.wait(0)
    said = []  # and by the menu
    path = folder / "labels" / "d0_labels.tif"
    save_to(dock.player.shown.labels, path, lambda text, _: said.append(text))
    qtbot.waitUntil(lambda: bool(said), timeout=20_000)
    dock.player.shown.dirty = True
    dock.player.save_now()

    inside = sorted(path.name for path in (folder / "labels").glob("*.tif"))
    assert inside == ["d0_labels.tif"]
    assert np.array_equal(read_labels(folder / "labels" / inside[0])[0], TRUTH)


def test_closing_the_window_saves(open_on, folder):
    _, dock = open_on(folder, window=True)
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


def test_after_a_crash_everything_is_there_again(open_on, folder, tmp_path, qtbot):
    annotate, dock = open_on(folder, name="anna")
    click(qtbot, annotate, 32, 20)
    annotate.panel.name.setText("left")
    annotate.commit()
    labels = dock.player.shown.labels
    labels.data_setitem((np.array([3, 3]), np.array([4, 5])), 9)
    click(qtbot, annotate, 32, 58)
    qtbot.waitUntil(lambda: not annotate.annotator.prompt_log.changed)
    dock.player.saver.wait(0)
    assert not (folder / "labels" / "d0_labels.tif").exists()  # not saved yet
    after = tmp_path.with_name("after")  # what a machine that dies now leaves
    shutil.copytree(folder, after)
    logs = shutil.copytree(logs_folder(), after / "logs")

    found = open_in(Series.of_files([after]), 0, logs)
    assert np.array_equal(found.labels.data, labels.data)
    assert found.labels.table[1].name == "left"
    (line,) = found.prompts
    assert [(one["y"], one["x"]) for one in line["prompts"]] == [(32, 58)]
    assert "brought back" in found.recovered
    assert "commit" in (after / "labels" / "d0_labels.log.jsonl").read_text()
    elsewhere = open_in(Series.of_files([after]), 0, after / "no logs here")
    assert elsewhere.labels is None
