"""Objects carried by a model's memory: in which order, from what, and how much is kept."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from remembering import RememberingModel, discs

import napari_seem as ns
from napari_seem.errors import UnsupportedPrompt
from napari_seem.propagation import Propagation, propagate


@pytest.fixture
def model() -> RememberingModel:
    return RememberingModel()


def test_objects_are_followed_both_ways_from_any_plane(model):
    volume, truth = discs(24)

    work = propagate(model, volume, {9: truth[9]})

    np.testing.assert_array_equal(work.labels, truth)
    assert all(0.5 < score <= 1 for score in work.scores.values())
    assert set(work.to_review()) == set(range(24)) - {9}
    assert sorted(model.encoded) == list(range(24))


def test_planes_between_two_seeds_are_done_before_those_of_the_next_gap(model):
    volume, truth = discs(20)
    work = Propagation(model, volume, {k: truth[k] for k in (2, 8, 14)})

    assert work.pending[:8] == [1, 15, 0, 16, 17, 18, 19, 3]
    assert work.pending[7:12] == [3, 7, 4, 6, 5]
    assert Propagation(model, volume, {9: truth[9]}).pending[:4] == [8, 10, 7, 11]


def test_labelled_planes_on_both_sides_and_six_behind_are_looked_back_on(model):
    volume, truth = discs(30)
    seeds = {k: truth[k] for k in (0, 20, 24, 27)}

    work = propagate(model, volume, seeds)

    np.testing.assert_array_equal(work.labels, truth)
    for looked in model.recalled[9]:  # 20 and 24 lie ahead, 27 is the third on its side
        assert [behind for given, behind in looked if given] == [-15, -11, 9]
        assert [behind for given, behind in looked if not given] == [1, 2, 3, 4, 5, 6, 7, 8]
    for looked in model.recalled[19]:  # from above: nothing was tracked in between
        assert looked == [(True, -19), (True, 1), (True, 5)]


def test_only_planes_between_corrected_ones_are_done_again(model):
    volume, truth = discs(16)
    work = propagate(model, volume, {2: truth[2], 12: truth[12]})
    kept = work.results
    better = np.where(truth[7] == 8, 8, 0)
    model.recalled.clear()

    stale = work.correct(7, better)
    again = [plane.index for plane in work.run()]

    assert sorted(again) == stale == [3, 4, 5, 6, 8, 9, 10, 11]
    assert all(work.results[k] is kept[k] for k in (0, 1, 13, 14, 15))
    assert sorted(model.recalled) == stale
    np.testing.assert_array_equal(work.labels[6], truth[6])  # erased from one plane only


def test_an_accepted_plane_is_remembered_by_its_labels(model):
    volume, truth = discs(12)
    work = Propagation(model, volume, {0: truth[0]}, within=(0, 7))
    list(work.run())

    work.accept(6)
    work.limit((0, 12))
    list(work.run())

    assert all((True, 1) in looked for looked in model.recalled[7])
    np.testing.assert_array_equal(work.labels, truth)


def test_an_object_that_is_gone_ends_and_may_be_ended_by_a_person(model):
    volume, truth = discs(14)
    volume[8:][truth[8:] == 3] = 20
    work = propagate(model, volume, {2: truth[2]})

    assert [(e.kind, e.id, e.plane) for e in work.events] == [("ended", 3, 8)]
    assert set(np.unique(work.labels[9:])) == {0, 8}
    assert work.end(8, 10) == [11, 12, 13]
    assert not work.labels[11:].any()
    assert sorted(work.reopen(8, 10)) == [11, 12, 13]
    list(work.run())
    assert set(np.unique(work.labels[11:])) == {0, 8}


def test_planes_that_are_encoded_are_not_encoded_again(model):
    volume, truth = discs(10)
    cache = ns.EmbeddingCache()
    first = ns.propagate(model, volume, {4: truth[4]}, within=(2, 7), cache=cache)
    assert sorted(model.encoded) == [2, 3, 4, 5, 6]

    first.limit(None)
    list(first.run())
    ns.propagate(model, volume, {4: truth[4]}, cache=cache)

    assert sorted(model.encoded) == list(range(10))


def test_memory_does_not_grow_with_the_stack(model):
    """Of two objects: six planes tracked last on both sides, some labelled ones, no more."""
    volume, truth = discs(1)
    volume, truth = np.repeat(volume, 300, 0), np.repeat(truth, 300, 0)
    work = Propagation(model, volume, {k: truth[k] for k in range(20, 300, 40)})

    kept = [len(model.remembered) for _ in work.run()]

    np.testing.assert_array_equal(work.labels, truth)
    assert max(kept) <= 2 * (2 * 6 + 2 * 4 + 1)
    assert max(kept[:100]) == max(kept)


def test_a_run_goes_on_in_another_program(model, tmp_path):
    """What was remembered is lost with the first one, and is remembered anew from the labels."""
    volume, truth = discs(20)
    record = tmp_path / "run.jsonl"
    for plane in Propagation(model, volume, {0: truth[0]}).run(resume=record):
        if plane.index == 11:
            break
    later = RememberingModel()

    work = propagate(later, volume, {0: truth[0]}, resume=record)

    np.testing.assert_array_equal(work.labels, truth)
    assert sorted(later.encoded) == [0, *range(6, 20)]
    assert {behind for given, behind in later.recalled[12][0] if not given} == {1, 2, 3, 4, 5, 6}


def test_a_pickled_run_goes_on(model):
    volume, truth = discs(12)
    work = Propagation(model, volume, {4: truth[4]})
    for plane in work.run():
        if plane.index == 7:
            break

    copy = pickle.loads(pickle.dumps(work))
    list(copy.run())

    np.testing.assert_array_equal(copy.labels, truth)


def test_planes_without_contrast_are_filled_by_their_neighbours(model):
    volume, truth = discs(12)
    volume[5:7] = 0
    work = propagate(model, volume, {2: truth[2]})

    assert set(np.unique(work.labels[6])) == {0, 3, 8}
    assert max(work.scores[5], work.scores[6]) < min(work.scores[4], work.scores[3])
    np.testing.assert_array_equal(work.labels[11], truth[11])
    assert 5 not in model.recalled


def test_pieces_of_an_object_become_daughters(model):
    """From then on each is remembered by itself, from the plane where it appeared."""
    rows, columns = np.mgrid[:40, :60]
    truth = np.zeros((9, 40, 60), np.int32)
    for t in range(9):
        apart = 4 * max(0, t - 3)
        for side in (-1, 1):
            truth[t][np.hypot(rows - 20, columns - 30 - side * (5 + apart)) < 8] = 1
    volume = np.where(truth > 0, 200, 20).astype(np.uint8)
    volume[:, 0, 0] = np.arange(9)

    work = propagate(model, volume, {0: truth[0]}, divide=True)

    assert work.parents == {2: 1, 3: 1}
    assert set(np.unique(work.labels[8])) == {0, 2, 3}
    born = min(k for k, plane in work.results.items() if 2 in plane.scores)
    assert {(True, 8 - born)} == {one for looked in model.recalled[8] for one in looked if one[0]}


def test_a_big_plane_is_encoded_coarsely_as_one(model):
    truth = np.zeros((3, 40, 2100), np.int32)
    truth[:, 10:30, 1900:2000] = 1
    volume = np.where(truth > 0, 200, 20).astype(np.uint8)
    shapes = []

    class Coarse(RememberingModel):
        def encode(self, image, channels=None):
            shapes.append(image.shape)
            full = np.repeat(np.repeat(image, 2, 0), 2, 1)[:40, :2100]
            return super().encode(full)

    work = propagate(Coarse(), volume, {0: truth[0]})

    np.testing.assert_array_equal(work.labels, truth)
    assert set(shapes) == {(20, 1050)}


def test_new_objects_are_not_looked_for(model):
    volume, truth = discs(4)
    with pytest.raises(UnsupportedPrompt, match=r"can't look for new objects.*compact"):
        Propagation(model, volume, {0: truth[0]}, find_new=True)
