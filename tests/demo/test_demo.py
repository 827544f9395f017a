"""The demonstration, on one sample: a real window, a hand, and what it leaves behind."""

from __future__ import annotations

import json

import numpy as np
import tifffile

from napari_seem.demo import run
from napari_seem.demo.script import TASKS


def test_the_demonstration_writes_labels_pictures_and_a_table(qapp, tmp_path, monkeypatch, capsys):
    coins = tuple(task for task in TASKS if task.sample == "coins")
    monkeypatch.setattr(run, "TASKS", coins)
    monkeypatch.setattr(run, "PICTURED", "coins")

    assert run.play(tmp_path) == 0

    labels = tifffile.imread(tmp_path / "coins-labels.tif")
    assert set(np.unique(labels)) == {0, 1, 2}
    assert {path.name for path in tmp_path.iterdir()} == {
        "coins-labels.tif", "coins-overlay.png", "window.png", "results.md", "results.json",
    }  # fmt: skip
    rows = json.loads((tmp_path / "results.json").read_text())
    assert [row["objects"] for row in rows] == [1, 1]
    assert all(row["pixels"] > 300 for row in rows)
    assert "not known" in capsys.readouterr().out  # no truth, no claim
