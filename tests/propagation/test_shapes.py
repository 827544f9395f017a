"""What two labelled planes let expect between and beyond them."""

from __future__ import annotations

import numpy as np

from napari_seem.propagation import shapes


def disc(y, x, radius, number=1, size=80):
    rows, columns = np.mgrid[:size, :size]
    return np.where((rows - y) ** 2 + (columns - x) ** 2 <= radius**2, number, 0).astype(np.int32)


def area(labels, number=1):
    return int((labels == number).sum())


def test_half_way_between_two_discs_lies_the_disc_between_them():
    expected = shapes.expected(disc(30, 30, 8), disc(50, 40, 16), 0.5)

    labels = shapes.paint(expected, (80, 80))
    rows, columns = np.nonzero(labels)
    assert abs(rows.mean() - 40) < 1
    assert abs(columns.mean() - 35) < 1
    assert abs(area(labels) - np.pi * 12**2) < 0.08 * np.pi * 12**2


def test_at_the_ends_the_known_planes_come_out_as_they_are():
    below, above = disc(30, 30, 8), disc(34, 31, 12)

    for share, plane in ((0.0, below), (1.0, above)):
        labels = shapes.paint(shapes.expected(below, above, share), (80, 80))
        np.testing.assert_array_equal(labels, plane)


def test_an_object_that_one_plane_lacks_shrinks_towards_it():
    below, above = disc(40, 40, 16), np.zeros((80, 80), np.int32)

    areas = [
        area(shapes.paint(shapes.expected(below, above, share), (80, 80)))
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert areas[0] == area(below)
    assert areas == sorted(areas, reverse=True)
    assert areas[2] < 0.5 * areas[0]
    assert areas[-1] == 0


def test_beyond_the_last_plane_an_object_is_where_it_moved_to():
    expected = shapes.expected(disc(30, 30, 8), None, moved={1: (5.0, -3.0)})

    np.testing.assert_array_equal(shapes.paint(expected, (80, 80)), disc(35, 27, 8))


def test_an_object_that_moved_out_of_the_picture_is_expected_nowhere():
    expected = shapes.expected(disc(40, 74, 4), None, moved={1: (0.0, 20.0)})

    assert not shapes.paint(expected, (80, 80)).any()


def test_neighbours_keep_their_ids_and_do_not_overlap():
    both = np.where(disc(40, 30, 10) > 0, 1, disc(40, 52, 11, 2))

    labels = shapes.paint(shapes.expected(both, both, 0.3), (80, 80))
    np.testing.assert_array_equal(labels, both)
