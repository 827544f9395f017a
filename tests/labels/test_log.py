"""The log as a file: whole, readable, refused with the reason where it is not what it should be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_seem.commands.replay import replay
from napari_seem.errors import FileTrouble, LogTrouble
from napari_seem.labels.journal import Journal
from napari_seem.labels.log import SessionLog, log_path, read_log, write_log
from napari_seem.labels.prompt_values import prompts_from_dict, prompts_to_dict
from napari_seem.labels.recorder import Recorder
from napari_seem.planes import Plane
from napari_seem.prompts import Box, Mask, Point, Polygon, Scribble, Text
from napari_seem.sources.identity import image_to_dict


@pytest.fixture
def session():
    """Events of a small session, and the labels they lead to."""
    labels = np.zeros((3, 20, 30), np.uint16)
    labels[0, :4, :4] = 9
    rows = {"9": {"name": "old", "score": None}}
    recorder = Recorder(labels, "cells", dict(rows))
    entry = {"event": "commit"}
    with recorder.writing(entry, labels, rows=lambda: dict(rows)):
        labels[1, 5:9, 5:9] = 1
        rows["1"] = {"name": "a", "score": 0.5}
        del rows["9"]
        entry["ids"] = [1]
    labels[2, 0] = 4
    return recorder.saved(labels, "cells.tif"), labels


@pytest.fixture
def log(session, tmp_path):
    return write_log(tmp_path / "cells.log.jsonl", session[0])


def test_a_log_is_lines_of_plain_json_that_replay(log, session):
    lines = [json.loads(line) for line in log.read_text().splitlines()]

    assert [line["event"] for line in lines] == ["open", "commit", "external", "save"]
    assert [line["n"] for line in lines] == [1, 2, 3, 4]
    assert lines[0]["version"] == 2
    assert lines[1]["pixels"] == 16
    assert lines[1]["objects"] == {"1": {"name": "a", "score": 0.5}, "9": None}
    found = replay(read_log(log)[0])
    assert np.array_equal(found.labels, session[1])
    assert found.labels.dtype == np.uint16
    assert [label_id for label_id, _ in found.table.items()] == [1]


def test_an_event_inside_another_is_part_of_it():
    labels = np.zeros((8, 8), np.uint8)
    recorder = Recorder(labels)
    with recorder.writing({"event": "merge"}, labels), recorder.writing({"event": "x"}, labels):
        labels[2] = 1

    assert [event["event"] for event in recorder.events] == ["open", "merge"]


def test_what_changes_nothing_is_no_event_and_an_error_leaves_what_was_done():
    labels = np.zeros((8, 8), np.uint8)
    recorder = Recorder(labels)
    with recorder.writing({"event": "commit"}, labels):
        pass

    def fail():
        with recorder.writing({"event": "commit"}, labels):
            labels[1] = 1
            labels[8] = 1

    with pytest.raises(IndexError):
        fail()

    assert [event["event"] for event in recorder.events] == ["open", "commit"]
    assert np.array_equal(replay(SessionLog(recorder.saved(labels, "x"))).labels, labels)


def damaged(log, change):
    lines = log.read_text().splitlines()
    log.write_text("\n".join(change(lines)) + "\n")
    return log


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: [lines[0], lines[1][:50], *lines[2:]], "line 2 .* is damaged"),
        (lambda lines: [lines[0], *lines[2:]], "event 3, where 2 should be"),
        (lambda lines: lines[1:], "first line must be 'open'"),
        (lambda lines: [], "is empty"),
        (lambda lines: ["[1, 2]"], "not an event"),
        (lambda lines: [lines[0].replace('"version": 2', '"version": 99')], "version 99"),
        (lambda lines: [lines[0].replace("napari-seem log", "diary")], "not of a napari-seem log"),
    ],
)
def test_a_log_that_is_not_whole_is_refused_with_the_reason(log, change, told):
    with pytest.raises(LogTrouble, match=told):
        read_log(damaged(log, change))


def test_pixels_that_were_tampered_with_are_noticed(log):
    def swap(lines):
        event = json.loads(lines[2])
        event["patch"] = json.loads(lines[1])["patch"]
        return [*lines[:2], json.dumps(event), lines[3]]

    (session,) = read_log(damaged(log, swap))
    with pytest.raises(LogTrouble, match="do not lead to the labels that were saved"):
        replay(session)


def test_a_missing_or_binary_file_is_no_log(tmp_path):
    with pytest.raises(LogTrouble, match="there is no file"):
        read_log(tmp_path / "absent.log.jsonl")
    (tmp_path / "x.jsonl").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(LogTrouble, match="not text"):
        read_log(tmp_path / "x.jsonl")


def test_a_line_that_was_not_finished_is_left_out(log):
    log.write_text(log.read_text() + '{"n": 5, "eve')

    (session,) = read_log(log)

    assert session.cut_off
    assert len(session.events) == 4


def test_what_cannot_be_read_stays_when_a_session_is_added(log, session, tmp_path):
    other = [{**session[0][0], "session": "else"}, *session[0][1:]]
    log.write_text("scribbled by somebody\n" + log.read_text())

    write_log(log, other)

    lines = log.read_text().splitlines()
    assert lines[0] == "scribbled by somebody"
    assert len(lines) == 1 + 2 * len(session[0])


def test_a_folder_that_is_not_there_leaves_no_half_log(session, tmp_path):
    with pytest.raises(FileTrouble):
        write_log(tmp_path / "absent" / "x.log.jsonl", session[0])
    assert not list(tmp_path.iterdir())


def test_the_image_is_told_by_the_way_from_the_log_or_by_its_name(tmp_path, monkeypatch):
    home = tmp_path / "home" / "anna"
    monkeypatch.setattr(Path, "home", lambda: home)
    labels = np.zeros((4, 4), np.uint8)

    def source(image, folder):
        folder.mkdir(parents=True, exist_ok=True)
        recorder = Recorder(labels)
        recorder.image(image_to_dict(labels, "x", str(image)))
        log = write_log(folder / "x.log.jsonl", recorder.events)
        return read_log(log)[0].events[1]["source"]

    assert source(home / "data/a.tif", home / "data/labels") == "../a.tif"
    assert source(home / "data/a.tif", home / "out") == "../data/a.tif"
    assert source(home / "a.tif", tmp_path / "out") == "a.tif"
    assert source(home / "a.tif", home / "1/2/3") == "a.tif"


def test_a_journal_that_cannot_be_written_says_so_and_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    warnings = []
    journal = Journal(tmp_path / "file" / "x.log.jsonl", warnings.append)
    labels = np.zeros((4, 4), np.uint8)
    recorder = Recorder(labels, journal=lambda _: journal)

    for value in (1, 2):
        with recorder.writing({"event": "commit"}, labels):
            labels[0, value] = value

    assert len(recorder.events) == 3
    assert len(warnings) == 1
    assert "can't be written" in warnings[0]


def test_labels_that_are_only_looked_at_leave_no_journal(tmp_path):
    journal = Journal(tmp_path / "x.log.jsonl")
    labels = np.zeros((4, 4), np.uint8)
    recorder = Recorder(labels, journal=lambda _: journal)
    assert not journal.path.exists()

    with recorder.writing({"event": "commit"}, labels):
        labels[0, 0] = 1

    assert [event["event"] for event in read_log(journal.path)[0].events] == ["open", "commit"]


def test_logs_lie_beside_labels(tmp_path):
    assert log_path(tmp_path / "a.nii.gz").name == "a.log.jsonl"
    assert log_path(tmp_path / "a.ome.tif").name == "a.log.jsonl"
    assert log_path(tmp_path / "a.zarr").name == "a.log.jsonl"


def test_prompts_and_planes_come_back_as_they_were(rng):
    stroke = rng.random((9, 12)) < 0.3
    prompts = [
        Point(1 / 3, 2.5), Point(0, 1, positive=False), Box(0.1, 0.2, 5, 6),
        Polygon(rng.random((5, 2)) * 9), Scribble(stroke), Mask(stroke, corner=(3, 4)),
        Text("Zellkern μ"),
    ]  # fmt: skip

    back = prompts_from_dict(json.loads(json.dumps(prompts_to_dict(prompts))))

    assert [type(one) for one in back] == [type(one) for one in prompts]
    for one, other in zip(prompts, back, strict=True):
        for name in (*one.__slots__, "uid"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
    plane = Plane((None, 4, None), (2, 0))
    assert Plane.from_dict(plane.to_dict()) == plane
    with pytest.raises(LogTrouble, match="damaged"):
        prompts_from_dict([{"kind": "point", "positive": True}])
    with pytest.raises(ValueError, match="open axes"):
        Plane.from_dict({"at": [0, None], "rows": 0, "columns": 1})
