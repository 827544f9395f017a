"""Objects that a person erased from a plane, and objects that a person says end."""

from __future__ import annotations

import numpy as np
import pytest
from encoding_once import encoding_once

import napari_seem as ns
from napari_seem.errors import InvalidArgument, InvalidLabels


@pytest.fixture(scope="module")
def model():
    return encoding_once(ns.load_model("compact", device="cpu"))


def run(work):
    for _ in work.run():
        pass
    return work


def areas(work, number):
    return [int((plane == number).sum()) for plane in work.labels]


@pytest.mark.parametrize("seeds", [(0,), (0, 11)])
def test_an_emptied_plane_does_not_empty_its_neighbours(model, rods, seeds):
    volume, labels = rods
    work = run(ns.Propagation(model, volume, {k: labels[k] for k in seeds}))

    work.correct(6, np.zeros_like(labels[6]))
    run(work)

    assert areas(work, 1)[6] == areas(work, 2)[6] == 0
    others = [k for k in range(12) if k != 6]
    assert all(85 < areas(work, 1)[k] < 115 for k in others)
    assert all(125 < areas(work, 2)[k] < 165 for k in others)


def test_one_object_erased_from_a_plane_is_carried_past_it(model, rods):
    volume, labels = rods
    work = run(ns.Propagation(model, volume, {0: labels[0]}))

    work.correct(6, np.where(labels[6] == 2, 2, 0))
    run(work)

    assert work.results[6].erased == {1}
    assert areas(work, 1)[6] == 0
    assert all(85 < areas(work, 1)[k] < 115 for k in (5, 7, 11))
    work.correct(6, labels[6])
    assert not work.results[6].erased


@pytest.mark.parametrize(("after", "left"), [(True, range(7)), (False, range(6, 12))])
def test_an_object_that_ends_is_not_carried_beyond_again(model, rods, after, left):
    volume, labels = rods
    seed = 3 if after else 9
    work = run(ns.Propagation(model, volume, {seed: labels[seed]}))

    changed = work.end(1, 6, after)

    assert set(changed) == set(range(12)) - set(left)
    assert np.flatnonzero(areas(work, 1)).tolist() == list(left)
    assert all(areas(work, 2))
    work.correct(8 if after else 4, np.where(labels[8] == 2, 2, 0))  # planes are done again
    run(work)
    assert np.flatnonzero(areas(work, 1)).tolist() == list(left)
    work.reopen(1, 6, after)
    run(work)
    assert len(np.flatnonzero(areas(work, 1))) > len(left)


def test_an_end_reaches_to_the_next_plane_that_a_person_labelled(model, rods):
    volume, labels = rods
    work = ns.Propagation(model, volume, {0: labels[0], 9: labels[9]})

    assert work.end(1, 4) == []
    run(work)

    assert np.flatnonzero(areas(work, 1)).tolist() == [0, 1, 2, 3, 4, 9, 10, 11]


def test_what_makes_no_sense_is_refused(model, rods):
    work = ns.Propagation(model, rods[0], {0: rods[1][0]})
    with pytest.raises(InvalidLabels, match="there is no plane 12"):
        work.end(1, 12)
    with pytest.raises(InvalidArgument):
        work.end(0, 3)
    with pytest.raises(InvalidArgument):
        work.end(1, 3, after="yes")
    with pytest.raises(InvalidArgument):
        ns.Propagation(model, rods[0], {0: rods[1][0]}, divide="yes")
