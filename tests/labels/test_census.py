"""Objects are counted plane by plane, and found again by the boxes that are known of them."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from napari_seem.labels import census as module
from napari_seem.labels.census import Census, count, count_planes, only_on
from napari_seem.planes import Plane


def counted(data):
    census = Census(data.shape)
    for batch in count_planes(data, census.missing()):
        for index, found in batch.items():
            census.put(index, found)
    return census


@pytest.fixture
def volume(rng):
    """Ids 0 to 6 in boxes of a (2, 3, 20, 30) array."""
    data = np.zeros((2, 3, 20, 30), np.uint16)
    for label_id in range(1, 7):
        t, z, y, x = (int(rng.integers(n)) for n in (2, 3, 15, 25))
        data[t, z : z + 2, y : y + 4, x : x + 5] = label_id
    return data


def test_areas_planes_and_places_are_those_of_the_array(volume):
    census = counted(volume)

    objects = census.objects()
    assert census.complete
    assert {i: f.area for i, f in objects.items()} == {
        int(i): int((volume == i).sum()) for i in np.unique(volume) if i
    }
    for label_id, found in objects.items():
        y0, x0, y1, x1 = found.box
        here = volume[found.index] == label_id
        assert here.sum() == max((plane == label_id).sum() for plane in volume.reshape(6, 20, 30))
        assert here[y0:y1, x0:x1].sum() == here.sum()
        assert here[y0].any() and here[y1 - 1].any() and here[:, x0].any()  # noqa: PT018


def test_blocks_hold_every_pixel_and_skip_planes_without_any(volume):
    blocks = counted(volume).blocks([2, 5])

    inside = np.zeros(volume.shape, bool)
    for block in blocks:
        inside[block] = True
    wanted = np.isin(volume, (2, 5))
    assert inside[wanted].all()
    assert len(blocks) == wanted.any((2, 3)).sum()


def test_planes_are_counted_again_after_they_were_forgotten(volume):
    census = counted(volume)
    volume[1, 2] = 9
    census.forget([(1, 2)])
    assert not census.complete
    assert census.missing() == [(1, 2)]

    for batch in count_planes(volume, census.missing()):
        for index, found in batch.items():
            census.put(index, found)
    assert census.objects()[9].area == 600


def test_strips_of_a_large_plane_are_counted_as_one(tmp_path, monkeypatch, rng):
    monkeypatch.setattr(module, "STRIP", 90)  # three rows at a time
    data = rng.integers(0, 5, (20, 30)).astype(np.uint8)
    stored = zarr.create_array(tmp_path / "labels.zarr", data=data, chunks=(8, 8))

    objects = counted(stored).objects()

    assert {i: f.area for i, f in objects.items()} == {
        i: int((data == i).sum()) for i in range(1, 5)
    }
    rows = np.flatnonzero((data == 3).any(1))
    assert (objects[3].box[0], objects[3].box[2]) == (rows[0], rows[-1] + 1)


@pytest.mark.parametrize("full", [False, True])
def test_very_high_ids_need_no_table_of_all_ids(full):
    values = np.full((6, 6), 4_000_000_001 if full else 0, np.uint32)
    values[2:4, 1:5] = 4_000_000_000

    found = count(values)

    assert found.ids.tolist() == [4_000_000_000] + [4_000_000_001] * full
    assert found.areas.tolist() == [8] + [28] * full
    assert found.boxes[0].tolist() == [2, 1, 4, 5]


def test_background_and_negative_values_are_no_objects():
    assert count(np.full((3, 3), -1)).ids.size == 0
    assert count(np.array([[-1, 0], [2, 2]])).areas.tolist() == [2]
    assert counted(np.zeros((2, 4, 4), np.uint8)).objects() == {}
    assert Census((0, 5, 5)).complete


def test_objects_that_lie_on_one_plane_only_are_known(volume):
    for plane in (Plane((1, 2, None, None), (2, 3)), Plane((None, 1, 5, None), (3, 0))):
        here = {int(i) for i in np.unique(plane.read(volume)) if i}
        others = volume.copy()
        plane.read(others)[...] = 0

        assert only_on(volume, plane, here) == {i for i in here if not (others == i).any()}
