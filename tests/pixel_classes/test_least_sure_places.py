"""Where the next stroke is likely to help most."""

from __future__ import annotations

import numpy as np

from napari_seem.pixel_classes.places import CELLS, least_sure

NOTHING = np.zeros((0, 2), int)


def unsure_at(shape, row: int, column: int, value: float = 1.0):
    """A plane that is sure everywhere but in a box of 8 x 8 pixels."""
    out = np.zeros(shape, np.float16)
    out[row : row + 8, column : column + 8] = value
    return out


def test_places_cover_the_plane_once_from_the_least_sure():
    uncertainty = unsure_at((100, 70), 64, 20)

    places = least_sure(uncertainty, NOTHING)

    covered = np.zeros(uncertainty.shape, int)
    means = []
    for y0, x0, y1, x1 in places:
        covered[y0:y1, x0:x1] += 1
        means.append(uncertainty[y0:y1, x0:x1].astype(float).sum())
    assert (covered == 1).all()
    assert means == sorted(means, reverse=True)
    y0, x0, y1, x1 = places[0]
    assert 64 <= y0 < y1 <= 72
    assert 20 <= x0 < x1 <= 28


def test_places_with_strokes_come_later():
    uncertainty = unsure_at((64, 64), 8, 8) + unsure_at((64, 64), 40, 40, 0.75)

    places = least_sure(uncertainty, np.argwhere(uncertainty == 1))

    assert all(y0 >= 40 and x0 >= 40 for y0, x0, _, _ in places[:4])


def test_strokes_beside_the_plane_count_for_nothing():
    uncertainty = unsure_at((64, 64), 8, 8)
    outside = np.array([[-1, -1], [64, 3], [3, 64]])

    assert least_sure(uncertainty, outside) == least_sure(uncertainty, NOTHING)


def test_a_plane_of_a_few_pixels_has_places_of_one_pixel():
    places = least_sure(np.float16([[0, 0.5], [1, 0]]), NOTHING)

    assert places[:2] == [(1, 0, 2, 1), (0, 1, 1, 2)]
    assert len(places) == 4 < CELLS
