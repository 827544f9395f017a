"""Other answers to the same prompts on planes too big for one pass."""

from __future__ import annotations

import numpy as np
import pytest
from several_answers import SeveralAnswers

from napari_seem.prompts import Point
from napari_seem.session import Session
from napari_seem.sources.tiled import TiledModel

MIDDLE, RADIUS = (375, 400), 20

pytestmark = pytest.mark.usefixtures("small_frames")


@pytest.fixture
def model():
    return SeveralAnswers()


@pytest.fixture
def session(model):
    """On a plane of 750 x 750 pixels with one disc."""
    rows, cols = np.mgrid[:750, :750]
    inside = (rows - MIDDLE[0]) ** 2 + (cols - MIDDLE[1]) ** 2 <= RADIUS**2
    tiled = TiledModel(model)
    return Session(tiled, tiled.encode(np.where(inside, 220, 20).astype(np.uint8)))


def test_they_lie_in_the_plane_and_are_made_when_they_are_asked_for(session, model):
    first = session.add(Point(*MIDDLE))
    assert not model.decoded

    best, core, wide = session.alternatives

    assert best is first
    for one, radius in ((best, RADIUS), (core, RADIUS - 4), (wide, RADIUS + 4)):
        (y0, x0, y1, x1), (y, x) = one.bbox, MIDDLE
        assert (y0, x0, y1, x1) == (y - radius, x - radius, y + radius + 1, x + radius + 1)
    assert core.area < best.area < wide.area


def test_the_next_turn_goes_on_from_the_one_that_is_chosen(session):
    session.add(Point(*MIDDLE))
    session.choose(2)

    later = session.add(Point(MIDDLE[0], MIDDLE[1] + 5))

    assert later.memory.inner == (1, "wide", 2)


def test_what_goes_beyond_the_frame_is_left_out(session, model):
    model.reach = 750
    session.add(Point(*MIDDLE))

    assert [one.area for one in session.alternatives] == [session.best.area]
