"""`napari-seem segment --answer`: another answer to the prompts before it, replayed to the same."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from discs import disc_image

import napari_seem as ns
from napari_seem.cli import main
from napari_seem.io.files import read_labels

IMAGE = np.kron(disc_image()[0], np.ones((3, 3), np.uint8))
CLICK = ["--point", "96,60"]


@pytest.fixture
def segment(tmp_path):
    """Run the command with options: `segment(name, *options)` gives its exit code."""
    tifffile.imwrite(tmp_path / "discs.tif", IMAGE)

    def run(name, *options):
        out = tmp_path / f"{name}.tif"
        return main(["segment", str(tmp_path / "discs.tif"), "-o", str(out), *options])

    return run


def pixels(path):
    return np.asarray(read_labels(path)[0]) > 0


def test_the_second_answer_is_written_logged_and_replayed(segment, tmp_path):
    model = ns.load_model("compact")
    session = ns.Session(model, model.encode(IMAGE))
    session.add(ns.Point(96, 60))
    session.choose(1)
    last = session.add(ns.Point(10, 10, positive=False))

    assert segment("two", *CLICK, "--answer", "2", "--not-point", "10,10") == 0

    assert np.array_equal(pixels(tmp_path / "two.tif"), last.mask)
    log = tmp_path / "two.log.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["answers"] for line in lines if line["event"] == "commit"] == [[1]]
    assert main(["replay", str(log), "-o", str(tmp_path / "again.tif")]) == 0
    assert np.array_equal(pixels(tmp_path / "again.tif"), pixels(tmp_path / "two.tif"))


def test_the_best_answer_needs_no_number(segment, tmp_path):
    assert segment("plain", *CLICK) == segment("first", *CLICK, "--answer", "1") == 0

    assert np.array_equal(pixels(tmp_path / "plain.tif"), pixels(tmp_path / "first.tif"))
    assert "answers" not in (tmp_path / "first.log.jsonl").read_text()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([*CLICK, "--answer", "99"], "the prompts before it have"),
        (["--answer", "2", *CLICK], "stands after the prompts"),
        ([*CLICK, "--answer", "0"], "takes 1, 2, 3"),
        ([*CLICK, "--answer", "two"], "takes 1, 2, 3"),
    ],
)
def test_an_answer_that_is_not_there_is_refused(segment, tmp_path, capsys, options, reason):
    assert segment("none", *options) == 2

    assert reason in capsys.readouterr().err
    assert not (tmp_path / "none.tif").exists()
