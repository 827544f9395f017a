"""Labels carried through stacks by the shipped model, and what goes wrong on the way."""

from __future__ import annotations

import numpy as np
import pytest
from encoding_once import encoding_once
from scipy import ndimage

import napari_seem as ns
from benchmarks.propagate import dice
from benchmarks.stacks import phantoms
from napari_seem.errors import InvalidImage, InvalidLabels, UnsupportedPrompt
from napari_seem.propagation import Propagation, propagate


@pytest.fixture(scope="module")
def model():
    return encoding_once(ns.load_model("compact", device="cpu"))


@pytest.fixture(scope="module")
def body():
    """A body through 16 small planes: (volume, labels)."""
    case = next(phantoms(seed=3))
    return case.volume[4:36:2, ::2, ::2], case.labels[4:36:2, ::2, ::2]


def moving_discs(count=9, size=72, step=4):
    """Frames (T, H, W) with two bright discs that move apart; ids 1 and 5."""
    rng = np.random.default_rng(1)
    labels = np.zeros((count, size, size), np.int32)
    rows, columns = np.mgrid[:size, :size]
    for t in range(count):
        labels[t][(rows - 22) ** 2 + (columns - 18 - step * t) ** 2 <= 81] = 1
        labels[t][(rows - 52) ** 2 + (columns - 54 + step * t) ** 2 <= 64] = 5
    grey = np.where(labels == 1, 190, np.where(labels == 5, 150, 60))
    return np.clip(grey + rng.normal(0, 6, labels.shape), 0, 255).astype(np.uint8), labels


def test_three_seeds_beat_the_interpolation_of_outlines(model, body):
    volume, truth = body
    seeds = {k: truth[k] for k in (1, 8, 14)}

    carried = propagate(model, volume, seeds)
    outlines = propagate(None, volume, seeds, method="shape")

    assert carried.labels.shape == volume.shape
    assert carried.labels.dtype == np.int32
    assert dice(carried.labels > 0, truth > 0) > 0.9
    assert dice(carried.labels > 0, truth > 0) > dice(outlines.labels > 0, truth > 0)


def test_seed_planes_stay_as_they_were_given(model, body):
    volume, truth = body
    carried = propagate(model, volume, {2: truth[2], 9: truth[9]}, within=(0, 11))

    np.testing.assert_array_equal(carried.labels[2], truth[2])
    np.testing.assert_array_equal(carried.labels[9], truth[9])
    assert carried.results[2].accepted
    assert not carried.labels[11:].any()
    assert set(carried.results) == set(range(11))


def test_ids_are_kept_while_objects_pass_each_other(model):
    frames, truth = moving_discs()

    labels = propagate(model, frames, {0: truth[0]}).labels

    assert set(np.unique(labels)) == {0, 1, 5}
    for number in (1, 5):
        assert dice(labels == number, truth == number) > 0.85


@pytest.fixture(scope="module")
def forward(model):
    """Carried along the first axis."""
    frames, truth = moving_discs()
    return propagate(model, frames, {4: truth[4]})


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_any_axis_is_carried_along(model, forward, axis):
    frames, truth = moving_discs()
    volume, labels = np.moveaxis(frames, 0, axis), np.moveaxis(truth, 0, axis)

    turned = propagate(model, volume, {4: labels.take(4, axis)}, axis)

    np.testing.assert_array_equal(np.moveaxis(turned.labels, axis, 0), forward.labels)


def test_colour_video_works_the_same_way(model):
    frames, truth = moving_discs()
    video = np.stack([frames, 255 - frames, frames // 2], -1)

    labels = np.asarray(propagate(model, video, {4: truth[4]}))

    assert labels.shape == frames.shape
    assert dice(labels == 1, truth == 1) > 0.8


def test_sixteen_bit_planes_share_one_window(model):
    frames, truth = moving_discs()
    frames = frames.astype(np.uint16) * 20 + 1000
    frames[5] = np.where(truth[5] == 1, frames[5], frames[5].min())  # a plane of another range

    labels = propagate(model, frames, {4: truth[4]}).labels

    assert dice(labels[5] == 1, truth[5] == 1) > 0.8


def test_planes_come_nearest_to_a_seed_first_and_one_at_a_time(model, body):
    volume, truth = body
    work = Propagation(model, volume, {3: truth[3], 10: truth[10]})
    assert work.pending[:5] == [2, 4, 9, 11, 1]

    first = next(iter(work.run()))

    assert first.index == 2
    assert set(work.results) == {2, 3, 10}
    assert set(first.scores) == {1}
    assert 0 < first.score <= 1


def test_what_was_done_before_a_cancel_stays_and_is_gone_on_from(model, body):
    volume, truth = body
    whole = propagate(model, volume, {7: truth[7]}).labels
    work = Propagation(model, volume, {7: truth[7]})
    for result in work.run():
        if result.index == 10:
            break
    done = set(work.results)

    rest = [result.index for result in work.run()]

    assert not done & set(rest)
    np.testing.assert_array_equal(work.labels, whole)


def test_a_correction_does_only_what_depends_on_it_again(model, body):
    volume, truth = body
    work = propagate(model, volume, {2: truth[2], 8: truth[8]})
    before = work.results

    stale = work.correct(5, truth[5])

    assert stale == [3, 4, 6, 7]
    assert [result.index for result in work.run()] == [3, 4, 6, 7]
    assert all(work.results[k] is before[k] for k in (0, 1, 9, 10, 15))
    np.testing.assert_array_equal(work.labels[5], truth[5])


def test_an_object_that_ends_is_noticed(model):
    frames, truth = moving_discs(step=1)
    gone = truth.copy()
    gone[6:][gone[6:] == 5] = 0
    rng = np.random.default_rng(2)
    ground = np.clip(60 + rng.normal(0, 6, frames.shape), 0, 255).astype(np.uint8)
    frames = np.where((truth == 5) & (gone == 0), ground, frames)

    work = propagate(model, frames, {4: gone[4]})

    ended = [event for event in work.events if event.kind == "ended" and event.id == 5]
    assert [event.plane for event in ended] == [6]
    assert not (work.labels[7:] == 5).any()
    assert 6 in work.to_review()[:3]


def test_an_object_that_splits_is_noticed(model):
    frames, truth = moving_discs(step=1)
    halves = truth.copy()
    halves[6:, :, 22:28][halves[6:, :, 22:28] == 1] = 0
    frames = np.where((truth == 1) & (halves == 0), 60, frames).astype(np.uint8)

    work = propagate(model, frames, {4: halves[4]})

    assert ("split", 1) in {(event.kind, event.id) for event in work.events}


def test_new_objects_are_found_when_asked_for(model):
    frames, truth = moving_discs(step=1)
    seeds = {4: np.where(truth[4] == 5, 0, truth[4])}
    later = {k: np.where(truth[k] == 5, 0, truth[k]) for k in range(9)}
    frames = frames.copy()
    for k in range(5):  # the second disc appears in plane 5
        frames[k][truth[k] == 5] = 60
    frames[truth == 5] = np.where(frames[truth == 5] == 60, 60, 190)

    quiet = propagate(model, frames, seeds)
    curious = propagate(model, frames, seeds, find_new=True)

    assert set(np.unique(quiet.labels)) == {0, 1}
    found = np.unique(curious.labels[8])
    assert len(found) == 3
    assert dice(curious.labels[8] == found[2], truth[8] == 5) > 0.7
    assert dice(curious.labels[8] == 1, later[8] == 1) > 0.8
    assert any(event.kind == "new" and event.plane == 5 for event in curious.events)


@pytest.mark.parametrize("value", [0, 77, np.nan])
def test_a_plane_without_anything_to_see_is_bridged_with_a_low_score(model, body, value):
    volume, truth = body
    volume = volume.astype(np.float32)
    volume[7] = value

    work = propagate(model, volume, {4: truth[4], 11: truth[11]}, within=(4, 12))

    assert dice(work.labels[7] > 0, truth[7] > 0) > 0.8
    assert work.to_review()[0] == 7


def test_a_lazy_stack_is_read_plane_by_plane(model, body):
    volume, truth = body

    class Lazy:
        shape = volume.shape
        asked: list[tuple] = []  # noqa: RUF012

        def __getitem__(self, where):
            self.asked.append(where)
            return volume[where]

    propagate(model, Lazy(), {2: truth[2]}, within=(0, 5))

    assert all(isinstance(where[0], int) and where[0] < 5 for where in Lazy.asked)


def test_copies_and_shapes_need_no_model(body):
    volume, truth = body
    copied = propagate(None, volume, {3: truth[3]}, method="copy")

    np.testing.assert_array_equal(copied.labels[9], truth[3])
    assert copied.scores[9] < copied.scores[4] < 1


def test_scores_tell_worse_planes_from_better_ones(model, body):
    volume, truth = body
    work = propagate(model, volume, {8: truth[8]})

    real = {k: dice(work.labels[k] > 0, truth[k] > 0) for k in work.scores}
    worst = work.to_review()[:3]
    assert np.mean([real[k] for k in worst]) < np.mean(list(real.values()))


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"seeds": {}}, InvalidLabels, "no seed plane has a label"),
        ({"seeds": {2: np.zeros((80, 80), int)}}, InvalidLabels, "label at least one object"),
        ({"seeds": {99: np.ones((80, 80), int)}}, InvalidLabels, "no plane 99: the stack has 16"),
        ({"seeds": {2: np.ones((4, 5), int)}}, InvalidLabels, r"shape \(4, 5\)"),
        ({"seeds": {2: np.ones((80, 80))}}, InvalidLabels, "whole numbers"),
        ({"seeds": {2: -np.ones((80, 80), int)}}, InvalidLabels, "negative"),
        ({"volume": np.zeros((8, 8))}, InvalidImage, "three axes"),
        ({"volume": np.zeros((4, 8, 8, 7))}, InvalidImage, "three axes"),
        ({"axis": 3}, InvalidImage, "no axis 3"),
        ({"within": (3, 99)}, InvalidLabels, "can't be labelled"),
        ({"method": "magic"}, ValueError, "model, shape, copy"),
    ],
)
def test_bad_input_is_named(model, body, change, error, told):
    volume, truth = body
    given = {"volume": volume, "seeds": {2: truth[2]}, "axis": 0} | change
    with pytest.raises(error, match=told):
        Propagation(model, given.pop("volume"), given.pop("seeds"), given.pop("axis"), **given)


def test_a_model_that_can_t_carry_is_refused(disc_model, body):
    volume, truth = body
    with pytest.raises(UnsupportedPrompt, match=r"'disc' can't carry objects.*compact.*sam2\.1"):
        Propagation(disc_model, volume, {2: truth[2]})


def test_many_touching_objects_keep_their_ids(model):
    rng = np.random.default_rng(0)
    centres = np.array([(y, x) for y in range(14, 90, 18) for x in range(14, 90, 18)])
    rows, columns = np.mgrid[:96, :96]
    truth = np.zeros((6, 96, 96), np.int32)
    for t in range(6):
        distance = np.stack([np.hypot(rows - y, columns - x - t) for y, x in centres])
        truth[t] = np.where(distance.min(0) < 8.6, distance.argmin(0) + 1, 0)
    inner = ndimage.grey_erosion(truth, (1, 3, 3)) == ndimage.grey_dilation(truth, (1, 3, 3))
    frames = np.where((truth > 0) & inner, 180, 70) + rng.normal(0, 6, truth.shape)

    work = propagate(model, np.clip(frames, 0, 255).astype(np.uint8), {0: truth[0]})

    assert work.kind == "instance"
    each = [dice(work.labels[5] == i, truth[5] == i) for i in range(1, len(centres) + 1)]
    assert np.mean(each) > 0.8


def test_nothing_is_carried_on_from_a_plane_of_a_low_score(model, body):
    volume, truth = body
    volume = volume.copy()
    volume[8] = 0  # blind, so of a low score

    work = propagate(model, volume, {5: truth[5]}, stop_below=0.3)

    assert set(work.results) == set(range(9))
    both = propagate(model, volume, {5: truth[5], 12: truth[12]}, stop_below=0.3)
    assert set(both.results) == set(range(16))


def test_an_accepted_plane_is_a_seed_and_nothing_is_lost(model, body):
    volume, truth = body
    work = propagate(model, volume, {4: truth[4]}, within=(0, 9))
    before = work.labels

    work.accept(7)

    assert not work.pending
    assert work.results[7].accepted
    assert 7 not in work.to_review()
    np.testing.assert_array_equal(work.labels, before)
    assert work.correct(8, truth[8]) == []
