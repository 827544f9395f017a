"""The bench of waiting times prints its tables, with what they were measured on."""

from __future__ import annotations

import gc
import json

import pytest

from benchmarks import main
from benchmarks.latency import start, window
from benchmarks.latency.clicks import FIRST, LATER, in_dock
from benchmarks.latency.scene import scene
from benchmarks.latency.window import floor


@pytest.fixture(autouse=True)
def _no_person(monkeypatch):
    """Rest less between clicks than a person does; the figures are not looked at."""
    monkeypatch.setattr(window, "PAUSE", 50)


@pytest.mark.long
def test_the_model_alone_is_measured_and_told_with_the_machine(tmp_path, capsys):
    figures, page = tmp_path / "figures.json", tmp_path / "page.md"

    asked = ["latency", "--sizes", "96", "--repeats", "1", "--parts", "headless"]
    assert main([*asked, "--json", str(figures), "--table", str(page)]) == 0

    told = json.loads(figures.read_text())
    known = {"processor", "instruction set", "number type", "threads of a turn"}
    assert known <= {*told["machine"]}
    value = {row["what"]: row["value"] for row in told["rows"]}
    assert value["headless: encode"] > 0
    assert value["headless: later turn, beside a spinner over alone"] > 0
    assert "| 96 | headless: first turn |" in page.read_text()
    assert capsys.readouterr().out.strip() in page.read_text()


@pytest.mark.long
def test_clicks_in_the_dock_are_measured_beside_a_session_and_napari_alone():
    image = scene(96)

    clicks = in_dock("compact", image, 1)

    assert (len(clicks.frames[FIRST]), len(clicks.frames[LATER])) == (1, 2)
    for times in (clicks.worker, clicks.session, clicks.session_all, clicks.busy):
        assert min(times[FIRST] + times[LATER]) > 0
    assert max(clicks.worker[FIRST]) < max(clicks.frames[FIRST])
    assert "ms" in clicks.slowest
    assert min(floor(image, 1, clicks.width)) > 0
    assert_no_window_is_left()


def test_the_first_click_is_measured():
    assert_told(start._here(96, "compact", "ready", 0.1))
    assert_no_window_is_left()


@pytest.mark.long  # the test above measures the same without starting a process
def test_the_first_click_is_measured_in_a_fresh_process():
    assert_told(start.started(96, "compact", "ready", 0.1))


def assert_no_window_is_left():
    from napari._qt.qt_viewer import QtViewer

    gc.collect()
    assert not QtViewer._instances


def assert_told(figures):
    assert figures["first click"] > 0
    assert figures["longest standstill"] >= 0


def test_an_unknown_part_is_refused():
    with pytest.raises(SystemExit):
        main(["latency", "--parts", "weather"])
