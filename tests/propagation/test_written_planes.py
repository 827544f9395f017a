"""Labels written to an array as they come: the same results, little memory, many planes."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from encoding_once import encoding_once
from test_propagation import moving_discs

import napari_seem as ns
from napari_seem.errors import InvalidLabels
from napari_seem.propagation import Propagation, newcomers, propagate, results
from napari_seem.propagation.stack import Stack


@pytest.fixture(scope="module")
def model():
    return encoding_once(ns.load_model("compact", device="cpu"))


@pytest.fixture
def little_memory(monkeypatch):
    """StorageQuota for a single plane beside the array that is written to."""
    monkeypatch.setattr(results, "KEPT_BYTES", 1)


def empty(path, shape, dtype="uint16"):
    return zarr.create_array(path, shape=shape, dtype=dtype, chunks=(1, 32, 32), fill_value=0)


def told(work):
    return [
        (k, dict(r.scores), r.events, r.accepted, r.score) for k, r in sorted(work.results.items())
    ]


@pytest.mark.parametrize("method", ["model", "shape", "copy"])
def test_results_are_the_same_as_without_an_array(model, tmp_path, little_memory, method):
    frames, truth = moving_discs()
    seeds = {1: truth[1], 7: truth[7]}
    out = empty(tmp_path / "l.zarr", frames.shape)

    plain = propagate(model, frames, seeds, method=method)
    written = propagate(model, frames, seeds, method=method, out=out)

    assert written.labels is out
    np.testing.assert_array_equal(out[:], plain.labels)
    np.testing.assert_array_equal(np.asarray(written), plain.labels)
    assert told(written) == told(plain)
    assert written.to_review() == plain.to_review()


def test_a_stopped_run_is_corrected_and_gone_on_with_as_without_an_array(
    model, tmp_path, little_memory
):
    frames, truth = moving_discs()
    out = empty(tmp_path / "l.zarr", frames.shape)
    works = [
        Propagation(model, frames, {0: truth[0]}, find_new=True, out=target)
        for target in (None, out)
    ]

    for work in works:
        for result in work.run():
            if result.index == 5:
                break
    np.testing.assert_array_equal(out[:], works[0].labels)
    assert not out[6:].any()

    assert works[0].correct(2, truth[2]) == works[1].correct(2, truth[2]) == [1, 3, 4, 5]
    assert not out[3:].any()
    assert not out[1].any()
    for work in works:
        work.accept(0)
        for _ in work.run():
            pass
    np.testing.assert_array_equal(out[:], works[0].labels)
    assert told(works[0]) == told(works[1])


@pytest.mark.parametrize("axis", [1, 2])
def test_planes_are_written_along_any_axis(tmp_path, axis):
    frames, truth = moving_discs()
    volume, labels = np.moveaxis(frames, 0, axis), np.moveaxis(truth, 0, axis)
    out = np.zeros(volume.shape, np.uint8)

    plain = propagate(None, volume, {4: labels.take(4, axis)}, axis, method="shape")
    written = propagate(None, volume, {4: labels.take(4, axis)}, axis, method="shape", out=out)

    assert written.labels is out
    np.testing.assert_array_equal(out, plain.labels)


def test_few_planes_stay_in_memory(tmp_path, monkeypatch):
    frames, truth = moving_discs(count=40, step=1)
    plane = 4 * 72 * 72
    monkeypatch.setattr(results, "KEPT_BYTES", 3 * plane)
    work = Propagation(
        None, frames, {0: truth[0], 39: truth[39]}, method="shape",
        out=empty(tmp_path / "l.zarr", frames.shape),
    )  # fmt: skip

    most = max(work._done.nbytes for _ in work.run())

    assert plane <= most <= 3 * plane
    assert len(work.results) == 40


def test_an_object_that_is_renamed_is_renamed_in_the_array(tmp_path, little_memory):
    frames, truth = moving_discs()
    kept = [
        results.Results(Stack(frames, 0), out)
        for out in (None, empty(tmp_path / "l.zarr", frames.shape))
    ]
    for store in kept:
        for k in range(9):
            event = results.Event("new", 5, k)
            store[k] = results.PlaneResult(k, truth[k], {1: 1.0, 5: 0.5}, (event,))
        assert store.highest == 5
        assert newcomers.renumber(store, {5: 2}) == list(range(9))

    assert set(np.unique(kept[1].out[:])) == {0, 1, 2}
    for k in range(9):
        np.testing.assert_array_equal(kept[0][k].labels, kept[1][k].labels)
        assert kept[0][k].scores == kept[1][k].scores
    np.testing.assert_array_equal(kept[0].whole(), kept[1].whole()[:])


@pytest.mark.parametrize("find_new", [False, True])
def test_looking_for_new_objects_gives_the_same_in_an_array(
    model, tmp_path, little_memory, find_new
):
    frames, truth = moving_discs(step=1)
    seeds = {k: np.where(truth[k] == 1, 1, 0) for k in (0, 8)}
    frames[truth == 5] = 190
    for k in (0, 1, 7, 8):  # the second disc is there in between only
        frames[k][truth[k] == 5] = 60
    out = empty(tmp_path / "l.zarr", frames.shape)

    plain = propagate(model, frames, seeds, find_new=find_new)
    written = propagate(model, frames, seeds, find_new=find_new, out=out)

    assert any(event.kind == "new" for event in plain.events) == find_new
    np.testing.assert_array_equal(out[:], plain.labels)
    assert told(written) == told(plain)


@pytest.mark.parametrize(
    ("out", "said"),
    [
        (np.zeros((9, 72, 71), np.uint8), "own size"),
        (np.zeros((9, 72, 72), np.float32), "cannot hold object ids"),
        (np.broadcast_to(np.zeros(1, np.uint8), (9, 72, 72)), "read-only"),
    ],
)  # fmt: skip
def test_an_array_that_cannot_take_labels_is_refused(out, said):
    frames, truth = moving_discs()

    with pytest.raises(InvalidLabels, match=said):
        propagate(None, frames, {0: truth[0]}, method="copy", out=out)


def test_an_id_that_the_array_cannot_hold_is_told_before_anything_is_written():
    frames, truth = moving_discs()
    out = np.zeros(frames.shape, np.uint8)

    with pytest.raises(InvalidLabels, match="1500"):
        propagate(None, frames, {0: truth[0] * 300}, method="copy", out=out)
    assert not out.any()


def test_a_zarr_array_opened_for_reading_and_a_dask_array_are_refused(tmp_path):
    import dask.array

    frames, truth = moving_discs()
    empty(tmp_path / "l.zarr", frames.shape)

    for out in (
        zarr.open_array(tmp_path / "l.zarr", mode="r"),
        dask.array.zeros(frames.shape, dtype=int),
    ):
        with pytest.raises(InvalidLabels, match=r"read-only|dask"):
            propagate(None, frames, {0: truth[0]}, method="copy", out=out)


def test_the_planes_to_do_come_nearest_to_a_seed_first():
    frames = np.zeros((1000, 4, 4), np.uint8)
    seed = np.ones((4, 4), np.int32)
    work = Propagation(None, frames, {100: seed, 700: seed}, method="copy", within=(50, 980))

    pending = work.pending

    expected = sorted(
        set(range(50, 980)) - {100, 700}, key=lambda k: (min(abs(k - 100), abs(k - 700)), k)
    )
    assert pending == expected
    assert [result.index for result in work.run()] == expected


@pytest.mark.parametrize("low", [(), (4,), (4, 6), (2, 8), (6,), (1, 9)])
def test_nothing_is_carried_on_over_a_plane_of_a_low_score(low):
    from napari_seem.propagation.order import reachable

    seeds = np.array([3, 7])
    indices = np.array([k for k in range(11) if k not in (*low, 3, 7)])

    reached = reachable(indices, seeds, np.array(low, int))

    def leads(seed, k):
        return not any(min(seed, k) < one < max(seed, k) for one in low)

    by_hand = [
        any(leads(max(side, key=lambda s: -abs(s - k)), k)
            for side in ([s for s in (3, 7) if s < k], [s for s in (3, 7) if s > k]) if side)
        for k in indices
    ]  # fmt: skip
    assert reached.tolist() == by_hand
