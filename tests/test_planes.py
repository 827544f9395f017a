"""A plane reads and writes its own pixels of an N-D array, in either display order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_seem.planes import Plane


class Counting:
    """An array that counts the elements that are read."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.read = array, 0

    def __getitem__(self, key):
        part = self.array[key]
        self.read += part.size
        return part


ORDERS = list(itertools.permutations(range(3), 2))


@pytest.mark.parametrize("axes", ORDERS)
def test_a_block_lands_on_the_pixels_that_were_read(axes, rng):
    volume = rng.integers(0, 99, (5, 6, 7))
    plane = Plane.of(volume.shape, axes, at=3)
    shown = plane.read(volume)
    mask = np.zeros(shown.shape, bool)
    mask[1:3, 2:5] = True

    offset, block = plane.place(mask[1:3, 2:5], (1, 2))
    volume[tuple(slice(o, o + s) for o, s in zip(offset, block.shape, strict=True))][block] = -1

    assert shown.shape == plane.shape(volume.shape)
    assert np.array_equal(plane.read(volume) == -1, mask)
    assert (volume == -1).sum() == mask.sum()


@pytest.mark.parametrize("axes", ORDERS)
def test_points_go_to_the_array_and_back(axes, rng):
    volume = rng.random((5, 6, 7))
    plane = Plane.of(volume.shape, axes, at=2)

    point = plane.to_array(1, 4)

    assert volume[tuple(point.astype(int))] == plane.read(volume)[1, 4]
    assert plane.to_plane(point) == (1, 4)
    assert plane.holds(point)
    away = point.copy()
    away[next(i for i, at in enumerate(plane.index) if at is not None)] += 1
    assert not plane.holds(away)


def test_only_the_plane_is_read():
    volume = Counting(np.zeros((64, 20, 30)))

    Plane.of((64, 20, 30), at=9).read(volume)

    assert volume.read == 20 * 30


def test_dask_is_read_as_numpy(rng):
    da = pytest.importorskip("dask.array")
    volume = rng.random((4, 5, 6))

    part = Plane.of(volume.shape, (2, 0), at=1).read(da.from_array(volume, chunks=2))

    assert isinstance(part, np.ndarray)
    assert np.array_equal(part, volume[:, 1].T)


def test_channels_stay_last(rng):
    volume = rng.random((4, 5, 6, 3))
    plane = Plane((1, None, None), (2, 1), channels=True)

    assert np.array_equal(plane.read(volume), volume[1].transpose(1, 0, 2))


def test_the_key_tells_planes_apart():
    planes = [Plane.of((4, 5, 6), axes, at) for axes in ORDERS for at in (0, 1)]

    assert len({plane.key() for plane in planes}) == len(planes)


def test_axes_must_be_the_open_ones():
    with pytest.raises(ValueError, match="open axes"):
        Plane((0, None, None), (0, 1))
