"""Running work as docks show it: a row that moves only when the work does, with Cancel."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
from qtpy.QtGui import QMovie
from qtpy.QtWidgets import QLabel, QProgressBar

from napari_seem.widgets._shared.background.progress import Progress, ProgressRow
from napari_seem.widgets._shared.background.runner import Job, LatestRunner
from napari_seem.widgets._shared.background.steps import Steps
from napari_seem.widgets.menus.files import open_path


@pytest.fixture
def shown(qtbot):
    """Show a row of a progress: `shown(progress)`."""

    def show(progress: Progress) -> ProgressRow:
        row = ProgressRow(progress)
        qtbot.addWidget(row)
        return row

    return show


def rows_of(widget) -> list[ProgressRow]:
    return [row for row in widget.findChildren(ProgressRow) if not row.isHidden()]


def movies_of(window) -> list[QMovie]:
    found = [label.movie() for label in window.findChildren(QLabel)]
    return [movie for movie in found if movie is not None]


@pytest.mark.window
def test_nothing_moves_by_itself_while_planes_are_searched(find_on, slow, volume, found, qtbot):
    dock = find_on(volume)
    window = dock.viewer.window._qt_window
    slow.hold()
    dock.search("disc")
    slow.let(1)
    qtbot.waitUntil(lambda: len(slow.looked) == 1, timeout=20_000)

    (row,) = rows_of(dock)
    assert row.progress.title == "Looking for disc"
    assert movies_of(window)
    assert all(movie.state() != QMovie.MovieState.Running for movie in movies_of(window))
    assert all(bar.maximum() > 0 for bar in window.findChildren(QProgressBar))

    row.cancel.click()
    assert not row.cancel.isEnabled()
    slow.let(1)
    found(dock)
    assert len(slow.looked) <= 2
    assert "press Find to continue" in dock.panel.message.text()
    assert not rows_of(dock)


def test_a_row_shows_how_much_is_done(qtbot, shown):
    progress = Progress(None)
    row = shown(progress)
    assert row.isHidden()

    progress.start("Labelling", 4)
    progress.show_done(3)
    qtbot.waitUntil(lambda: row.bar.format() == "3 of 4")
    assert row.bar.value() == 0.75 * row.bar.maximum()

    progress.end()
    assert row.isHidden()


def test_where_the_end_is_unknown_a_row_says_so_and_has_no_bar(shown):
    progress = Progress(None)
    row = shown(progress)
    progress.start("Reading the image")

    assert row.title.text() == "Reading the image\N{HORIZONTAL ELLIPSIS} 0 s"
    assert row.bar.isHidden()


def test_a_row_is_drawn_a_few_times_a_second_and_at_the_end(qtbot, shown):
    progress, drawn = Progress(None), []
    row = shown(progress)
    row.bar.valueChanged.connect(drawn.append)
    progress.start("Counting", 1000)
    for done in range(1, 1001):
        progress.show_done(done)

    qtbot.waitUntil(lambda: row.bar.format() == "1000 of 1000")
    assert len(drawn) <= 3


def test_cancel_stops_steps_and_keeps_what_is_done(qtbot, shown):
    steps, let, done, outcomes = Steps(None), threading.Semaphore(0), [], []
    steps.stepped.connect(done.append)
    steps.ended.connect(outcomes.append)
    row = shown(steps.progress)

    def work():
        for number in range(10):
            assert let.acquire(timeout=20)
            yield number

    steps.start("Ten steps", 10, work)
    let.release()
    qtbot.waitUntil(lambda: done == [0], timeout=20_000)
    row.cancel.click()
    let.release()
    qtbot.waitUntil(lambda: not steps.running, timeout=20_000)

    assert outcomes == ["stopped"]
    assert done in ([0], [0, 1])
    assert row.isHidden()


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), ValueError("no number")])
def test_steps_end_with_what_went_wrong(qtbot, error):
    steps, outcomes = Steps(None, str), []
    steps.ended.connect(outcomes.append)

    def work():
        yield 0
        raise error

    steps.start("Steps", 2, work)
    qtbot.waitUntil(lambda: not steps.running, timeout=20_000)
    assert outcomes == [str(error)]


def test_the_outcome_of_a_cancelled_job_is_dropped(qtbot, shown):
    runner, let, heard = LatestRunner(), threading.Event(), []
    row = shown(runner.progress)
    runner.submit(
        Job(lambda: let.wait(20), heard.append, heard.append, "A job", lambda: heard.append("no"))
    )
    row.cancel.click()
    let.set()
    qtbot.waitUntil(lambda: not runner.busy, timeout=20_000)

    assert heard == ["no"]


def test_a_file_that_is_read_shows_in_the_status_bar(
    make_napari_viewer, qtbot, tmp_path, monkeypatch
):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "image.tif", np.zeros((8, 8), np.uint8))
    viewer = make_napari_viewer(show=True)
    bar = viewer.window._qt_window.statusBar()

    open_path(viewer, tmp_path / "image.tif")
    (row,) = bar.findChildren(ProgressRow)
    assert row.progress.title == "image.tif"
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=20_000)
    qtbot.waitUntil(lambda: not bar.findChildren(ProgressRow), timeout=20_000)


def test_what_is_left_is_told_by_the_steps_so_far(qtbot, shown, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(
        "napari_seem.widgets._shared.background.progress.time.monotonic", lambda: now[0]
    )
    progress = Progress(None)
    row = shown(progress)
    progress.start("Embedding", 12)
    assert progress.left is None

    now[0] += 8
    progress.show_done(1)  # 8 seconds, in which a model was loaded
    assert progress.left == pytest.approx(88)
    now[0] += 4
    progress.show_done(3)
    assert progress.left == pytest.approx(18)  # 2 seconds a step since
    qtbot.waitUntil(lambda: row.bar.format() == "3 of 12, about 20 s left")
    progress.show_done(11)
    qtbot.waitUntil(lambda: row.bar.format() == "11 of 12, a few seconds left")
    progress.end()


def test_a_job_that_reports_its_steps_ends_when_it_is_cancelled(qtbot, shown):
    runner, done, dropped, go = LatestRunner(), [], [], threading.Event()
    row = shown(runner.progress)
    steps = []

    def work():
        for step in range(1000):
            runner.report(step, 1000)
            steps.append(step)
            if step:
                assert go.wait(20)

    runner.submit(Job(work, done.append, done.append, "Learning", lambda: dropped.append(True)))
    qtbot.waitUntil(lambda: runner.progress.total == 1000, timeout=20_000)
    row.cancel.click()
    go.set()
    qtbot.waitUntil(lambda: bool(dropped), timeout=20_000)
    assert not done
    assert len(steps) == 2
    runner.close()


ENDS_AT_WORK = """
import time
from qtpy.QtWidgets import QApplication
from napari_seem.widgets._shared.background.runner import Job, LatestRunner
app, runner = QApplication([]), LatestRunner()
runner.submit(Job(lambda: time.sleep(0.5), print, print))
QApplication.processEvents()
time.sleep(0.1)
QApplication.processEvents()
"""


@pytest.mark.long
def test_a_program_that_ends_at_work_ends_in_order():
    ended = subprocess.run([sys.executable, "-c", ENDS_AT_WORK], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
