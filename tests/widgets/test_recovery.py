"""What was not saved comes back in the next window, and no window closes over it without a word."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox
from recovery_kills import kill_windows

from napari_seem.commands.recovery import recoveries
from napari_seem.io.files import read_labels
from napari_seem.labels.journal import logs_folder
from napari_seem.labels.plans import recolour, rename_object
from napari_seem.viewer.coordinates import affine_matrix
from napari_seem.viewer.documents import document_of, is_unsaved
from napari_seem.viewer.label_layers.features import table_of
from napari_seem.viewer.label_layers.palette import palette_of
from napari_seem.viewer.metadata import SOURCE, note_saved
from napari_seem.widgets._shared.models.cache import model_cache_of
from napari_seem.widgets._shared.recovery import RecoveryWindow
from napari_seem.widgets._shared.watch import watch_of
from napari_seem.widgets.annotate.dock import AnnotateWidget
from napari_seem.widgets.annotate.sessions import unfinished

KINDS = QMessageBox.StandardButton
SCALE = {"scale": (2.0, 0.5), "translate": (5.0, 7.0), "units": ("um", "um")}


SOON = 50
"""Milliseconds after a prompt until it is in the log."""


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Prompts are kept sooner than where somebody works."""
    monkeypatch.setattr(unfinished, "KEPT_AFTER", SOON)


@pytest.fixture
def crash(tmp_path, monkeypatch, qtbot):
    """The program dies: its logs are as they are now, and nobody has them open."""

    def crash():
        qtbot.wait(2 * SOON)
        after = tmp_path / "after"
        shutil.copytree(logs_folder(), after)
        monkeypatch.setenv("NAPARI_SEEM_LOGS", str(after))
        return after

    return crash


@pytest.fixture
def offered(open_viewer, put_in, model, qtbot):
    """The next start: a viewer with the dock, and the window that offers what was not saved."""
    docks = []

    def start():
        viewer = open_viewer()
        dock = AnnotateWidget(viewer, loader=lambda name: model)
        put_in(viewer, dock, "Annotate")
        docks.append(dock)
        watch_of(viewer).look_for_lost(None)
        offer = watch_of(viewer).offer
        if offer is not None:
            qtbot.waitUntil(lambda: not offer.steps.running, timeout=20_000)
        return dock, watch_of(viewer).offer

    yield start
    for dock in docks:
        qtbot.waitUntil(lambda dock=dock: not dock.annotator.runner.busy, timeout=20_000)
        dock.release()


def click(dock, discs, number=1):
    dock.annotator.prompt_layers.points.add(np.argwhere(discs[1] == number).mean(0).round())


def test_all_of_it_comes_back_in_the_next_window(docked, discs, settle, crash, offered, qtbot):
    dock = docked(discs[0], **SCALE)
    click(dock, discs)
    settle(dock)
    dock.annotator.classes.choose("cell")
    dock.commit()
    labels = dock.annotator.labels
    document = document_of(labels)
    document.apply(rename_object(document.table, 1, "left"))
    document.apply(recolour(["cell"], "#123456"))
    labels.paint((3, 3), 2)
    click(dock, discs, 2)
    settle(dock)
    crash()

    again, offer = offered()
    (row,) = offer.rows
    assert row.text.text().splitlines()[:2] == ["discs labels", "on discs"]
    assert row.text.text().splitlines()[3:] == ["2 objects", "1 prompt not committed"]
    assert not row.picture.pixmap().isNull()
    again.viewer.add_image(discs[0], name="discs", **SCALE)
    row.back.click()
    qtbot.waitUntil(lambda: watch_of(again.viewer).offer is None, timeout=20_000)
    settle(again)

    back = again.annotator.labels
    assert back.name == "discs labels"
    assert np.array_equal(back.data, labels.data)
    assert back.data.dtype == labels.data.dtype
    assert (table_of(back)[1].name, table_of(back)[1].class_name) == ("left", "cell")
    assert palette_of(back).colours == {"cell": "#123456"}
    assert np.allclose(affine_matrix(back), affine_matrix(labels))
    assert back.units == labels.units
    assert np.array_equal(again.annotator.prediction.mask, discs[1] == 2)
    assert is_unsaved(back)


def test_what_was_brought_back_is_safe_from_the_next_crash(
    dock, discs, settle, crash, offered, qtbot
):
    click(dock, discs)
    settle(dock)
    dock.commit()
    logs = crash()
    again, offer = offered()
    again.viewer.add_image(discs[0], name="discs")
    offer.all.click()
    qtbot.waitUntil(lambda: watch_of(again.viewer).offer is None, timeout=20_000)

    assert recoveries(logs) == []  # the former one is closed, the new one is written
    shutil.copytree(logs, logs.with_name("later"))
    (found,) = recoveries(logs.with_name("later"))
    assert np.array_equal(found.read().labels > 0, discs[1] == 1)


def test_strokes_on_labels_that_no_dock_knows_come_back(dock, crash, qtbot):
    layer = dock.viewer.add_labels(np.zeros((64, 80), np.uint8), name="mine")
    layer.brush_size = 9
    for n in range(1, 6):
        layer.paint((10 * n, 30), n)
        QApplication.processEvents()

    (found,) = recoveries(crash())
    assert (found.labels, found.image) == ("mine", "discs")
    assert np.array_equal(found.read().labels, layer.data)


def test_prompts_on_an_image_without_labels_come_back(dock, discs, settle, crash, offered, qtbot):
    click(dock, discs)
    click(dock, discs, 2)
    settle(dock)
    crash()

    again, offer = offered()
    (row,) = offer.rows
    again.viewer.add_image(discs[0], name="discs")
    row.back.click()
    qtbot.waitUntil(lambda: watch_of(again.viewer).offer is None, timeout=20_000)
    settle(again)

    assert again.annotator.labels is None
    assert np.array_equal(again.annotator.prediction.mask, discs[1] > 0)


def test_commits_that_waited_come_back_and_are_written(
    dock, discs, model, settle, crash, offered, qtbot
):
    click(dock, discs, 2)
    settle(dock)
    dock.commit()
    model.go.clear()
    click(dock, discs)
    dock.annotator.commits.press("late")
    assert len(dock.annotator.commits.waiting) == 1
    crash()
    model.go.set()
    settle(dock)

    again, offer = offered()
    again.viewer.add_image(discs[0], name="discs")
    offer.all.click()
    qtbot.waitUntil(lambda: watch_of(again.viewer).offer is None, timeout=20_000)
    qtbot.waitUntil(lambda: not again.annotator.commits.waiting, timeout=20_000)

    labels = again.annotator.labels
    assert np.array_equal(labels.data > 0, discs[1] > 0)
    assert table_of(labels)[2].name == "late"


@pytest.mark.window
def test_commits_that_wait_when_the_dock_closes_are_written_when_it_is_opened_again(
    dock, discs, model, settle, qtbot
):
    viewer = dock.viewer
    model.go.clear()
    click(dock, discs)
    dock.annotator.commits.press("late")
    viewer.window.remove_dock_widget(dock)
    model.go.set()

    again = AnnotateWidget(viewer, loader=lambda name: model)
    viewer.window.add_dock_widget(again, name="Annotate")
    qtbot.waitUntil(lambda: again.annotator.labels is not None, timeout=20_000)
    settle(again)
    qtbot.waitUntil(lambda: not again.annotator.commits.waiting, timeout=20_000)
    assert table_of(again.annotator.labels)[1].name == "late"
    again.release()


def test_what_is_saved_closed_or_worked_on_is_not_offered(dock, discs, settle, tmp_path, offered):
    click(dock, discs)
    settle(dock)
    dock.commit()

    assert offered()[1] is None  # it is open in this window


def answer(qtbot, button):
    """Press a button of the question that comes up; gives the texts that it had."""
    said = []

    def press():
        box = QApplication.activeModalWidget()
        if box is None:
            QTimer.singleShot(20, press)
            return
        said.append(box.text())
        box.button(button).click()

    QTimer.singleShot(20, press)
    return said


def close(dock):
    """What the x of the window does; whether it closes."""
    event = QCloseEvent()
    window = dock.window()
    assert event.type() == QEvent.Type.Close
    QApplication.sendEvent(window, event)
    return event.isAccepted()


def test_a_window_does_not_close_over_unsaved_labels_without_a_word(
    shown, settle, qtbot, tmp_path, monkeypatch
):
    dock, _ = shown
    dock.viewer.add_labels(np.zeros((4, 4), int), name="others").data[0] = 1
    click(dock, (None, np.kron(np.eye(2, dtype=int), np.ones((32, 40), int))))
    settle(dock)
    dock.commit()
    labels = dock.annotator.labels
    note_saved(labels, tmp_path / "out.tif")

    said = answer(qtbot, KINDS.Cancel)
    assert not close(dock)
    assert said == ["Changes of 'low labels' were not saved."]
    assert dock.window().isVisible()
    assert recoveries(logs_folder()) == []

    closed = []
    with monkeypatch.context() as patch:
        patch.setattr(dock.window(), "close", lambda: closed.append(is_unsaved(labels)))
        answer(qtbot, KINDS.Save)
        assert not close(dock)  # not before it is written
        qtbot.waitUntil(lambda: closed == [False], timeout=20_000)
    assert np.array_equal(read_labels(tmp_path / "out.tif")[0], labels.data)


def test_labels_that_were_never_saved_are_saved_beside_their_image(
    shown, qtbot, tmp_path, monkeypatch
):
    dock, _ = shown
    layer = dock.viewer.layers["low"]
    layer.metadata = {**layer.metadata, SOURCE: str(tmp_path / "low.tif")}
    dock.viewer.add_labels(np.zeros((64, 80), np.uint8), name="mine").paint((5, 5), 1)
    QApplication.processEvents()
    asked, closed = [], []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (asked.append(a[2]), a[2:])[1])
    with monkeypatch.context() as patch:
        patch.setattr(dock.window(), "close", lambda: closed.append(True))
        answer(qtbot, KINDS.Save)
        assert not close(dock)
        qtbot.waitUntil(lambda: bool(closed), timeout=20_000)

    assert asked == [str(tmp_path / "mine.tif")]
    assert read_labels(tmp_path / "mine.tif")[0].max() == 1


def test_a_script_closes_a_window_without_a_question(make_napari_viewer, model, monkeypatch):
    viewer = make_napari_viewer(show=True)
    dock = AnnotateWidget(viewer, loader=lambda name: model)
    viewer.window.add_dock_widget(dock, name="Annotate")
    monkeypatch.setattr(QMessageBox, "exec", lambda *_: pytest.fail("a question"))
    viewer.add_labels(np.zeros((64, 80), int)).paint((5, 5), 1)
    QApplication.processEvents()
    assert len(watch_of(viewer).unsaved()) == 1

    viewer.close()


def test_all_that_was_not_saved_is_listed_also_what_was_removed(dock, qtbot):
    layer = dock.viewer.add_labels(np.zeros((64, 80), int), name="mine")
    layer.paint((5, 5), 1)
    QApplication.processEvents()
    dock.viewer.layers.remove(layer)
    assert recoveries(logs_folder()) == []

    window = RecoveryWindow(dock.viewer, lambda *_: None, every=True)
    gate = model_cache_of(dock.viewer).gate
    gate.shut(window)  # a person waits for an answer: that goes first
    window.look()
    qtbot.wait(300)
    assert not window.rows
    gate.open(window)
    qtbot.waitUntil(lambda: len(window.rows) == 1, timeout=20_000)
    window.rows[0].back.click()
    qtbot.waitUntil(lambda: "mine" in dock.viewer.layers, timeout=20_000)
    assert np.array_equal(dock.viewer.layers["mine"].data, layer.data)


@pytest.mark.long
def test_windows_that_are_killed_lose_at_most_the_last_step(tmp_path):
    assert kill_windows(tmp_path, 5, 1, 6, shown=False) == []


def test_two_windows_bring_the_same_labels_back_once(dock, discs, settle, crash, offered, qtbot):
    click(dock, discs)
    settle(dock)
    dock.commit()
    logs = crash()
    (first, one), (second, two) = offered(), offered()
    for again, offer in ((first, one), (second, two)):
        again.viewer.add_image(discs[0], name="discs")
        offer.all.click()
        qtbot.waitUntil(lambda offer=offer: not offer.rows, timeout=20_000)

    assert "discs labels" in first.viewer.layers
    assert "discs labels" not in second.viewer.layers
    assert "Another window" in two.message.text()
    assert not two.all.isVisible()
    assert recoveries(logs, every=True) == []  # one is worked on, the other lives on in it


def test_labels_brought_back_without_their_image_still_know_it(dock, crash, offered, qtbot):
    dock.viewer.add_labels(np.zeros((64, 80), np.uint8), name="mine").paint((5, 5), 1)
    QApplication.processEvents()
    logs = crash()
    _, offer = offered()
    offer.all.click()
    qtbot.waitUntil(lambda: not offer.rows, timeout=20_000)
    shutil.copytree(logs, logs.with_name("later"))

    (found,) = recoveries(logs.with_name("later"))
    assert (found.labels, found.image) == ("mine", "discs")


@pytest.mark.parametrize("closes", [True, False])
def test_discarded_labels_are_dropped_only_where_napari_does_close(
    shown, qtbot, monkeypatch, crash, closes
):
    dock, _ = shown
    window = dock.window()
    dock.viewer.add_labels(np.zeros((64, 80), np.uint8), name="mine").paint((5, 5), 1)
    QApplication.processEvents()
    window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    with monkeypatch.context() as patch:  # as where a person answers napari's own question
        patch.setattr(window, "closeEvent", lambda event: event.setAccepted(closes))
        answer(qtbot, KINDS.Discard)
        window.close()

    assert window.isVisible() != closes
    assert [found.labels for found in recoveries(crash())] == ([] if closes else ["mine"])
