"""What a propagation is given and gives: checked before work, kept when it is cancelled."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import napari_seem as ns
from napari_seem.errors import InvalidArgument, InvalidImage, InvalidLabels
from napari_seem.propagation import Propagation, propagate

LABELS = np.zeros((40, 40), np.int32)
LABELS[8:24, 8:24], LABELS[26:36, 26:36] = 2, 5
STACK = np.random.default_rng(0).normal(60, 4, (6, 40, 40)) + 20 * LABELS


@pytest.fixture(scope="module")
def model():
    return ns.load_model("compact", device="cpu")


@pytest.mark.parametrize("seeds", [
    {1: LABELS}, {-5: LABELS}, {np.int64(1): LABELS.astype(np.uint8)}, {1.0: LABELS.tolist()},
    np.stack([LABELS * (k == 1) for k in range(6)]),
])  # fmt: skip
def test_seeds_of_every_form_give_the_same(seeds):
    work = propagate(None, STACK, seeds, method="shape")

    assert [k for k, plane in work.results.items() if plane.accepted] == [1]
    np.testing.assert_array_equal(np.asarray(work)[1], LABELS)


@pytest.mark.parametrize(("seeds", "said"), [
    (None, "a mapping of planes"), ([(0, LABELS)], "a mapping of planes"), ("a.tif", "a mapping"),
    (LABELS, r"shape \(40, 40\)"), (STACK[:5].astype(int), "label array of the stack's shape"),
    ({}, "no seed plane"), ({0: LABELS * 0}, "no seed plane"), ({0: None}, "NoneType"),
    ({0: LABELS.astype(float)}, "not integers"), ({0: LABELS * np.nan}, "not integers"),
    ({0: -LABELS}, "negative"), ({0: LABELS[1:]}, "shape"), ({0: np.dstack([LABELS] * 3)}, "shape"),
    ({0: LABELS, -6: LABELS}, "are both plane 0"), ({6: LABELS}, "no plane 6"),
    ({0: STACK[0].astype(np.uint16)}, "pixels of an image"),
    ({0: LABELS.astype(np.int64) << 40}, "number the objects up to"),
])  # fmt: skip
def test_seeds_that_can_t_be_meant_are_refused(model, seeds, said):
    with pytest.raises(InvalidLabels, match=said):
        Propagation(model, STACK, seeds)


@pytest.mark.parametrize("key", ["0", 0.5, None, True, (0,)])
def test_planes_are_whole_numbers(model, key):
    with pytest.raises(InvalidArgument, match="whole number"):
        Propagation(model, STACK, {key: LABELS})


@pytest.mark.parametrize(("volume", "said"), [
    (None, "NoneType"), ("a.tif", "a str"), ([STACK[0]], "numpy.stack"), (STACK[0], "three axes"),
    (STACK[:0], "no pixel"), (np.zeros((2, 3, 4, 5)), "three axes"),
    (STACK.astype(str), "convert it"), (STACK * 1j, "magnitude"),
])  # fmt: skip
def test_volumes_that_are_none_are_refused(model, volume, said):
    with pytest.raises(InvalidImage, match=said):
        propagate(model, volume, {0: LABELS})


@pytest.mark.parametrize(("keywords", "error", "said"), [
    ({"kind": "foo"}, InvalidArgument, "semantic, instance"),
    ({"method": "modell"}, InvalidArgument, "did you mean 'model'"),
    ({"method": None}, InvalidArgument, "model, shape, copy"),
    ({"axis": 3}, InvalidImage, "give 0, 1 or 2"), ({"axis": "z"}, InvalidArgument, "whole number"),
    ({"within": 3}, InvalidArgument, "one past the last"),
    ({"within": (0, 1, 2)}, InvalidArgument, "one past the last"),
    ({"within": (0, "3")}, InvalidArgument, "whole number"),
    ({"within": (4, 2)}, InvalidLabels, "can't be labelled"),
    ({"find_new": "no"}, InvalidArgument, "True or False"),
    ({"stop_below": float("nan")}, InvalidArgument, "finite number"),
    ({"stop_below": 40}, InvalidArgument, "from 0 to 1"),
    ({"cache": True}, InvalidArgument, "an EmbeddingCache"),
    ({"out": LABELS}, InvalidLabels, "the stack has"),
    ({"out": [1]}, InvalidLabels, "the stack has"),
    ({"progress": 3}, InvalidArgument, "True for a bar"),
])  # fmt: skip
def test_options_that_can_t_be_meant_are_refused(model, keywords, error, said):
    with pytest.raises(error, match=said):
        propagate(model, STACK, {0: LABELS}, **keywords)


@pytest.mark.parametrize(("wrong", "said"), [
    (None, "needs a model"), ("compact", "load_model"), (STACK, "is no model"),
])  # fmt: skip
def test_what_is_no_model_is_refused(wrong, said):
    with pytest.raises(InvalidArgument, match=said):
        propagate(wrong, STACK, {0: LABELS})


def test_an_exception_of_the_progress_keeps_what_was_done(model):
    class Enough(Exception):
        pass

    told = []

    def stop(done, total, what):
        told.append((done, total, what))
        if done == 3:
            raise Enough

    out = np.zeros(STACK.shape, np.uint16)
    with pytest.raises(Enough):
        propagate(model, STACK, {0: LABELS}, out=out, progress=stop)
    assert [plane.any() for plane in out] == [True] * 4 + [False] * 2
    assert told == [(n, 5, "propagate") for n in range(4)]

    work = Propagation(model, STACK, {0: LABELS})
    with pytest.raises(Enough):
        for _ in work.run(stop):
            pass
    assert sorted(work.results) == [0, 1, 2, 3]
    assert "done=4 of 6" in repr(work)
    assert [plane.index for plane in work.run()] == [4, 5]


def test_what_is_accepted_must_be_done(model):
    work = Propagation(model, STACK, {0: LABELS})
    with pytest.raises(InvalidLabels, match="run the propagation first"):
        work.accept(3)
    with pytest.raises(InvalidLabels, match="negative"):
        work.correct(3, -LABELS)


def test_results_are_values(model):
    work = propagate(model, STACK[:3], {0: LABELS}, out=np.zeros((3, 40, 40), np.uint8))
    plane = work.results[1]

    for other in (copy.deepcopy(work), pickle.loads(pickle.dumps(work))):
        np.testing.assert_array_equal(other.labels, work.labels)
        assert other.results == work.results
    for other in (copy.copy(plane), pickle.loads(pickle.dumps(plane))):
        assert other == plane
        np.testing.assert_array_equal(np.asarray(other), plane.labels)
    assert plane != work.results[2]
    assert repr(plane).startswith("PlaneResult(plane=1, ids=[2, 5], score=0.")
    assert repr(work).endswith("done=3 of 3, ids=[2, 5])")


def test_huge_ids_take_no_memory(model):
    labels = np.where(LABELS == 2, 2_000_000_000, LABELS)
    work = propagate(model, STACK[:2], {0: labels})
    assert set(np.unique(work.labels[1])) == {0, 5, 2_000_000_000}
