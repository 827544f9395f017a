"""Journals: what is done is in a file at once, and what was not saved is found again."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from napari_seem.commands.recovery import left_behind, recoveries
from napari_seem.errors import FileTrouble
from napari_seem.labels.journal import Journal, clean_up, discard, is_live
from napari_seem.labels.log import read_log
from napari_seem.labels.recorder import Recorder

PLANE = {"at": [None, None], "rows": 0, "columns": 1}


@pytest.fixture
def begin(tmp_path):
    """Begin the log of labels: `begin(name)` gives the labels and the log."""

    def new(name="cells", shape=(8, 8)):
        labels = np.zeros(shape, np.uint8)
        file = tmp_path / f"{name}.log.jsonl"
        recorder = Recorder(labels, name, journal=lambda _: Journal(file))
        recorder.describe({"labels": name, "image": {"name": "a", "source": ""}})
        return labels, recorder

    return new


def change(labels, recorder, value=1):
    with recorder.writing({"event": "commit", "plane": PLANE, "prompts": []}, labels):
        labels[0, value] = value


def ended(recorder):
    """The program dies: the file is closed, and nothing more is written."""
    path = recorder.journal.path
    recorder.journal = None
    return path


def test_what_is_done_is_in_the_file_at_once_and_only_others_find_it_when_it_ended(begin, tmp_path):
    labels, recorder = begin()
    change(labels, recorder)
    path = tmp_path / "cells.log.jsonl"

    assert [e["event"] for e in read_log(path)[-1].events] == ["open", "commit"]
    assert is_live(path)
    assert recoveries(tmp_path) == []

    ended(recorder)
    (found,) = recoveries(tmp_path)
    assert (found.labels, found.image) == ("cells", "a")
    assert np.array_equal(found.read().labels, labels)


def test_another_program_sees_that_a_journal_is_written(begin, tmp_path):
    labels, recorder = begin()
    change(labels, recorder)
    script = (
        "import sys; from pathlib import Path; from napari_seem.labels.journal import is_live;"
        "print(is_live(Path(sys.argv[1])))"
    )

    def said():
        command = [sys.executable, "-c", script, str(tmp_path / "cells.log.jsonl")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert said() == "True"
    ended(recorder)
    assert said() == "False"


def test_what_was_saved_or_closed_is_found_no_more(begin, tmp_path):
    for name, end in (
        ("written", lambda log: log.written(len(log.events), "a.tif")),
        ("closed", lambda log: log.close()),
        ("only looked at", lambda log: None),
    ):
        labels, recorder = begin(name)
        if name != "only looked at":
            change(labels, recorder)
        end(recorder)
        ended(recorder)

    assert recoveries(tmp_path) == []
    assert [one.labels for one in recoveries(tmp_path, every=True)] == ["closed"]
    assert not (tmp_path / "only looked at.log.jsonl").exists()


def test_a_save_that_was_not_written_to_its_end_saves_nothing(begin, tmp_path):
    labels, recorder = begin()
    change(labels, recorder)
    recorder.saved(labels, "a.tif")  # as taken, before the file is written

    assert recorder.is_unsaved
    count = len(recorder.events)
    change(labels, recorder, 2)
    recorder.written(count, "a.tif")
    assert recorder.is_unsaved  # the change that came while it was written
    recorder.written(len(recorder.events), "a.tif")
    assert not recorder.is_unsaved
    ended(recorder)
    assert recoveries(tmp_path) == []


def test_prompts_come_back_but_for_those_that_were_committed(begin, tmp_path):
    labels, recorder = begin()
    points = [{"kind": "point", "positive": True, "uid": uid, "y": 1, "x": 2} for uid in "abc"]
    waiting = [{"prompts": [points[2]], "name": "", "concept": ""}]
    recorder.uncommitted({"image": "a", "plane": PLANE, "prompts": points[:2], "waiting": waiting})
    with recorder.writing({"event": "commit", "plane": PLANE, "prompts": points[:1]}, labels):
        labels[0, 0] = 1
    ended(recorder)

    (line,) = recoveries(tmp_path)[0].session.uncommitted
    assert [one["uid"] for one in line["prompts"]] == ["b"]
    assert line["waiting"] == waiting


def test_what_a_person_discards_is_offered_no_more_but_stays(begin, tmp_path):
    labels, recorder = begin()
    change(labels, recorder)
    path = ended(recorder)
    with path.open("a") as file:
        file.write('{"n": 3, "at"')  # cut off by the crash

    discard(path)

    assert recoveries(tmp_path) == []
    assert left_behind(tmp_path) == []
    (kept,) = recoveries(tmp_path, every=True)
    assert np.array_equal(kept.read().labels, labels)
    with pytest.raises(FileTrouble, match="can't be marked"):
        discard(tmp_path / "none.log.jsonl")


def test_old_and_large_journals_go_but_not_those_that_are_written(begin, tmp_path):
    written = []
    for number in range(5):
        labels, recorder = begin(str(number))
        change(labels, recorder)
        written.append((recorder, recorder.journal.path))
        os.utime(recorder.journal.path, (time.time() - 86400 * (40 - 10 * number),) * 2)
    live, dead = written[:1], written[1:]
    for recorder, _ in dead:
        ended(recorder)

    clean_up(tmp_path, days=25)
    assert [path.exists() for _, path in written] == [True, False, True, True, True]
    clean_up(tmp_path, most=dead[-1][1].stat().st_size)
    assert [path.exists() for _, path in written] == [True, False, False, False, True]
    assert is_live(live[0][1])


def test_a_disk_that_is_full_for_a_while_loses_nothing(begin, tmp_path, monkeypatch):
    labels, recorder = begin()
    change(labels, recorder)
    path = recorder.journal.path

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_seem.labels.journal._write", refuse)
    change(labels, recorder, 2)
    change(labels, recorder, 3)
    monkeypatch.undo()
    change(labels, recorder, 4)
    ended(recorder)

    assert np.array_equal(recoveries(tmp_path)[0].read().labels, labels)
    assert path.read_bytes().endswith(b"}\n")


@pytest.mark.skipif(sys.platform == "win32", reason="an open file can't be deleted there")
def test_a_log_that_is_deleted_in_mid_work_is_written_anew(begin, tmp_path):
    labels, recorder = begin()
    change(labels, recorder)
    recorder.journal.path.unlink()
    change(labels, recorder, 2)

    assert is_live(recorder.journal.path)
    ended(recorder)
    assert np.array_equal(recoveries(tmp_path)[0].read().labels, labels)


def test_it_is_synced_to_disk_after_a_while_and_when_labels_are_written(begin, monkeypatch):
    synced = []
    monkeypatch.setattr("napari_seem.labels.journal.SYNC_AFTER", 0.05)
    monkeypatch.setattr("os.fsync", synced.append)
    labels, recorder = begin()

    change(labels, recorder)
    assert synced == []
    until = time.monotonic() + 10
    while not synced and time.monotonic() < until:
        time.sleep(0.01)
    assert len(synced) == 1
    recorder.written(2, "a.tif")
    assert len(synced) == 2
    recorder.close()


def test_a_thousand_events_come_back_in_seconds(begin, tmp_path, rng):
    labels, recorder = begin(shape=(1024, 1024))
    for number in range(1000):
        y, x = rng.integers(0, 980, 2)
        with recorder.writing(
            {"event": "commit"}, labels, (slice(y, y + 40), slice(x, x + 40)),
        ):  # fmt: skip
            labels[y : y + 40, x : x + 40] = number % 250 + 1
    ended(recorder)

    begun = time.process_time()
    (found,) = recoveries(tmp_path)
    done = found.read()
    assert time.process_time() - begun < 5
    assert np.array_equal(done.labels, labels)
    assert done.picture().shape == (94, 94, 3)
