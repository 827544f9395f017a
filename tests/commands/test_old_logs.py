"""Logs that version 1 wrote are read as those of today, and lead to the labels of then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from discs import DiscModel, disc_image

from napari_seem.commands.replay import replay
from napari_seem.labels.log import read_log

LOGS = sorted((Path(__file__).parents[1] / "data" / "logs_of_version_1").glob("*.log.jsonl"))


def labels_of(log):
    return tifffile.imread(log.with_name(log.name.replace(".log.jsonl", ".tif")))


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name.partition(".")[0])
def test_the_labels_of_then_come_out(log):
    (session,) = read_log(log)

    found = replay(session)

    assert np.array_equal(found.labels, labels_of(log))
    assert session.events[0]["event"] == "open"
    assert session.events[-1]["event"] == "save"


@pytest.mark.parametrize("name", ["session", "strokes", "words"])
def test_models_do_again_what_they_did_then(name):
    log = next(log for log in LOGS if log.name.startswith(name))
    image, _ = disc_image()

    found = replay(read_log(log)[0], lambda line: image, lambda name: DiscModel())

    assert not found.differences
    assert found.redone >= 1
    assert np.array_equal(found.labels, labels_of(log))
