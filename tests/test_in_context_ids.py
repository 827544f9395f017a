"""What becomes of the examples' ids: classes keep theirs, objects of one kind are numbered."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from PIL import Image

import napari_seem as ns
from napari_seem.cli import main

LABELS = np.zeros((64, 64), np.uint8)
LABELS[8:20, 8:20], LABELS[40:54, 36:54] = 2, 7
IMAGE = np.where(LABELS == 2, 120, np.where(LABELS == 7, 230, 30)).astype(np.uint8)


@pytest.fixture(scope="module")
def model():
    return ns.load_model("compact")


def test_classes_keep_their_ids(model, caplog):
    assert set(ns.label_like(model, (IMAGE, LABELS), IMAGE).scores) == {2, 7}
    assert not caplog.records


def test_objects_are_numbered_from_1_and_that_is_said(model, caplog):
    found = ns.label_like(model, (IMAGE, LABELS), IMAGE, "instance")
    assert set(found.scores) == set(range(1, len(found.scores) + 1))
    assert "the examples' ids [2, 7] are not kept" in caplog.text
    assert "'semantic'" in caplog.text


def test_examples_that_number_their_objects_need_no_word(model, caplog):
    ns.label_like(model, (IMAGE, np.minimum(LABELS, 3) // 2 + (LABELS > 2)), IMAGE, "instance")
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


def test_the_command_line_says_it_too(tmp_path, caplog):
    Image.fromarray(IMAGE).save(tmp_path / "i.png")
    Image.fromarray(LABELS).save(tmp_path / "l.png")
    like = ["label-like", str(tmp_path / "i.png"), "-o", str(tmp_path / "out"), "--example",
            str(tmp_path / "i.png"), str(tmp_path / "l.png")]  # fmt: skip
    assert main([*like, "--kind", "instance"]) == 0
    assert "ids [2, 7] are not kept" in caplog.text
    assert main([*like, "--kind", "semantic"]) == 0
    assert set(np.unique(ns.read_labels(tmp_path / "out" / "i_labels.tif")[0])) == {0, 2, 7}
