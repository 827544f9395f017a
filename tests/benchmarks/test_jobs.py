"""The annotator's ten jobs are done by raw mouse and key events, and come out right."""

from __future__ import annotations

import json

import pytest

from benchmarks import main
from benchmarks.jobs.hand import Hand
from benchmarks.jobs.run import JOBS, do


@pytest.mark.long
def test_coins_are_labelled_saved_and_opened_again(make_napari_viewer, tmp_path):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.setGeometry(0, 0, 1366, 768)
    hand = Hand(viewer)
    hand.rest(0.3)
    viewer.window._qt_window.activateWindow()

    row = do("coins", hand, tmp_path, most=4)

    assert not row["broke"]
    assert row["right"], row["text"]
    assert row["text"].startswith("4 of 4 objects")
    assert 15 < row["actions"] <= 20
    assert 0 < row["program"] <= row["seconds"]
    objects = json.loads((tmp_path / "coins.json").read_text())["objects"]
    assert [one["name"] for one in objects] == ["drachma"] * 4


@pytest.mark.long
@pytest.mark.needs_shared
@pytest.mark.parametrize("name", sorted(JOBS))
def test_every_job_comes_out_right(name, tmp_path):
    table = tmp_path / "table.md"

    assert main(["jobs", "--only", name, "-o", str(table)]) == 0

    row = table.read_text().splitlines()[2]
    assert row.startswith(f"| {JOBS[name][0]} |")
    assert "WRONG" not in row
