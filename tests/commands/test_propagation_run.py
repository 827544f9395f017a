"""A propagation of labels, without a viewer."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from napari_seem.commands.files import new_document
from napari_seem.commands.propagation import Propagate, PropagationRun
from napari_seem.commands.workspace import Workspace
from napari_seem.planes import Plane
from napari_seem.sources.source import source_of_array
from napari_seem.sources.stack import StackSource


class CountedReads:
    """Labels that count how often each plane along the first axis is read."""

    def __init__(self, labels: np.ndarray) -> None:
        self.labels, self.reads = labels, Counter()
        self.shape, self.dtype, self.ndim = labels.shape, labels.dtype, labels.ndim

    def __getitem__(self, key):
        self.reads[key[0] if isinstance(key[0], int) else key[0].start] += 1
        return self.labels[key]

    def __setitem__(self, key, values):
        self.labels[key] = values


@pytest.fixture
def labels() -> CountedReads:
    values = np.zeros((7, 24, 24), np.uint16)
    values[0, 4:12, 4:12] = values[6, 8:16, 8:16] = 3
    return CountedReads(values)


def run_on(labels, scratch=None) -> PropagationRun:
    """A propagation between the labelled planes by their outlines."""
    document = new_document(labels, "labels", logged=False, empty=False)
    stack = StackSource(source_of_array(np.zeros(labels.shape, np.uint8), Plane.across(0, 0)), 0)
    command = Propagate(images=[], windows=[], run="1", axis=0, method="shape", within=(0, 7))
    return PropagationRun(Workspace(document), stack, command, scratch)


def test_labels_on_disk_are_seeds_without_being_kept_in_memory(labels, tmp_path):
    run = run_on(labels, tmp_path / "labels.zarr")

    run.begin()
    assert run.planned == 5
    assert max(labels.reads.values()) == 1  # to see whether anything is labelled there
    for result in run.run():
        run.apply(result)
    run.close()

    assert (labels.labels == 3).any(axis=(1, 2)).all()


def test_planes_become_what_they_were_before_the_run(labels):
    before = labels.labels.copy()
    run = run_on(labels)

    run.begin()
    for result in run.run():
        run.apply(result)
    assert not np.array_equal(labels.labels, before)

    assert run.restore() == 5
    assert np.array_equal(labels.labels, before)


def test_what_was_changed_since_stays_when_a_run_is_taken_back(labels):
    run = run_on(labels)
    run.begin()
    for result in run.run():
        run.apply(result)
    labels.labels[2, 20:23, 20:23] = 5  # beside the object, and upon it
    labels.labels[3, 8:10, 8:10] = 5
    assert (labels.labels[3] == 3).any()

    run.restore()

    assert (labels.labels == 5).sum() == 13
    assert not (labels.labels[1:6] == 3).any()
