"""Cells that divide in a synthetic video: daughters, parents, and the ids that later seeds give."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from encoding_once import encoding_once

import napari_seem as ns
from napari_seem.labels.lineage import centres, graph_of, track_points
from napari_seem.propagation import propagate
from napari_seem.propagation.families import families, halved
from napari_seem.samples import video


@pytest.fixture(scope="module")
def model():
    return encoding_once(ns.load_model("compact", device="cpu"))


@pytest.fixture(scope="module")
def cells():
    return video(seed=0, shape=(15, 112, 112), count=4)


@pytest.fixture(scope="module")
def carried(model, cells):
    return propagate(model, cells.image, {0: cells.truth[0]}, divide=True)


def found_as(labels, truth):
    """For every frame: true id -> id of the object that covers it best, 0 below an IoU of 0.5."""
    frames = []
    for found, true in zip(labels, truth, strict=True):
        frame = {}
        for number in np.unique(true)[1:]:
            ids, counts = np.unique(found[true == number], return_counts=True)
            best = int(ids[counts.argmax()])
            union = ((found == best) | (true == number)).sum()
            frame[int(number)] = best if best and counts.max() > 0.5 * union else 0
        frames.append(frame)
    return frames


def test_every_division_is_found_and_links_are_kept(carried, cells):
    frames = found_as(carried.labels, cells.truth)
    links = [
        (now[i], then[i]) for now, then in pairwise(frames) for i in now if i in then
    ]  # fmt: skip
    true = {}
    for daughter, parent in cells.parents.items():
        born = int(np.flatnonzero((cells.truth == daughter).any((1, 2)))[0])
        if born + 2 < len(frames):  # a gap of a pixel is seen a frame later
            true[frames[born + 2][daughter]] = frames[born - 1][parent]

    assert len(true) == 4
    assert carried.parents == true
    assert sum(one == other != 0 for one, other in links) >= 0.9 * len(links)


def test_a_mother_is_gone_when_her_daughters_begin(carried):
    first, last = {}, {}
    for frame, labels in enumerate(carried.labels):
        for number in np.unique(labels)[1:]:
            first.setdefault(int(number), frame)
            last[int(number)] = frame
    assert all(last[parent] < first[child] for child, parent in carried.parents.items())


@pytest.fixture(scope="module")
def fast():
    return video(seed=3, shape=(9, 112, 112), count=3, apart=22)


@pytest.mark.parametrize("find_new", [False, True])
def test_daughters_that_are_apart_at_once_have_their_mother(model, fast, find_new):
    seeds = {2: fast.truth[2]}
    work = ns.Propagation(model, fast.image, seeds, divide=True, find_new=find_new)
    planes = [plane.index for plane in work.run()]
    first = dict(work.parents)
    frames = found_as(work.labels, fast.truth)
    true = {frames[-1][daughter]: parent for daughter, parent in fast.parents.items()}

    assert first == true
    assert len(true) == 6
    assert len(planes) == 8

    work.correct(3, fast.truth[3])
    list(work.run())

    assert sorted(work.parents.values()) == sorted(true.values())


def test_one_labelled_cell_has_no_daughters_among_its_neighbours(model, fast):
    one = fast.parents[max(fast.parents)]
    seed = np.where(fast.truth[2] == one, one, 0)

    work = propagate(model, fast.image, {2: seed}, within=(2, 9), divide=True)

    frames = found_as(work.labels, fast.truth)
    own = {d for d, parent in fast.parents.items() if parent == one}
    assert work.parents == {frames[-1][d]: one for d in own}


def discs(*cells):
    """Labels (80, 120) of discs: (id, column, radius)."""
    rows, columns = np.ogrid[:80, :120]
    labels = np.zeros((80, 120), np.int32)
    for number, column, radius in cells:
        labels[np.hypot(rows - 40, columns - column) < radius] = number
    return labels


def family(before, after, new):
    mothers = halved(after, before, [1, 2])
    return families(after, before, new, mothers)


def test_a_new_object_beside_a_cell_that_did_not_divide_has_no_mother():
    before = discs((1, 40, 10))
    new = discs((7, 58, 7))

    assert family(before, discs((1, 40, 10)), new) == {}
    assert family(before, discs((1, 31, 8)), discs((7, 49, 8))) == {7: 1}
    assert family(before, discs((1, 40, 8)), discs((7, 90, 8))) == {}  # out of reach
    assert family(before, discs(), new) == {}  # gone, and only one new


def test_every_new_object_has_one_mother():
    before = discs((1, 30, 10), (2, 66, 10))

    found = family(before, discs((2, 58, 8)), discs((7, 20, 8), (8, 40, 8), (9, 76, 8)))

    assert found == {7: 1, 8: 1, 9: 2}


def test_along_depth_an_object_that_forks_stays_one(model, cells):
    work = propagate(model, cells.image[:11], {0: cells.truth[0]}, divide=False)

    assert not work.parents
    assert set(np.unique(work.labels)) == set(np.unique(cells.truth[0]))
    assert any(event.kind == "split" for event in work.events)


def test_a_later_seed_gives_the_daughters_their_ids(model, cells):
    last = cells.truth[-1]
    old = np.isin(last, cells.truth[0])
    late = np.where(old, last, last + 100)
    work = ns.Propagation(model, cells.image, {0: cells.truth[0], 14: late}, divide=True)

    planes = [plane.index for plane in work.run()]

    assert planes[:13] == list(range(1, 14))  # in the order of time
    assert len(planes) > 13  # planes whose ids changed come again
    assert set(np.unique(work.labels)) == set(np.unique(cells.truth[0])) | set(np.unique(late))
    known = {child - 100: parent for child, parent in work.parents.items()}
    assert known == {i: parent for i, parent in cells.parents.items() if (last == i).any()}


def test_daughters_that_a_person_labels_get_their_parent(model, cells):
    one = max(cells.parents)
    born = int(np.flatnonzero((cells.truth == one).any((1, 2)))[0])
    seeds = {born - 3: cells.truth[born - 3], born: cells.truth[born]}

    work = propagate(model, cells.image, seeds, within=(born - 3, born + 1), divide=True)

    assert {i: cells.parents[i] for i in (one - 1, one)}.items() <= work.parents.items()


def test_new_ids_begin_where_they_are_told_to(model, cells, carried):
    born = min(plane for plane, result in carried.results.items() if result.events)
    seed, planes = {born - 2: carried.labels[born - 2]}, cells.image[: born + 3]

    work = propagate(model, planes, seed, within=(born - 2, born + 3), divide=True, first_id=50)

    assert min(carried.parents) == cells.truth[0].max() + 1
    assert min(work.parents) == 50
    assert pickle.loads(pickle.dumps(work)).parents == work.parents


def test_a_propagation_is_written_as_tracks(carried, tmp_path):
    path = ns.write_labels(tmp_path / "res_track.txt", carried)[0]

    assert ns.check_tracks(path) == []
    labels, table = ns.read_labels(path)
    np.testing.assert_array_equal(labels, carried.labels)
    assert {i: row.parent for i, row in table.items() if row.parent} == carried.parents


def test_centres_are_those_of_scipy():
    from scipy import ndimage

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (5, 6, 7))
    ids, middle = centres(labels)
    points = track_points(labels, 3)

    np.testing.assert_array_equal(ids, [1, 2, 3])
    np.testing.assert_allclose(middle, ndimage.center_of_mass(labels > 0, labels, [1, 2, 3]))
    np.testing.assert_allclose(points[:, :2], [[1, 3], [2, 3], [3, 3]])
    assert graph_of(points, {2: 1, 3: 9}) == {2: [1]}
