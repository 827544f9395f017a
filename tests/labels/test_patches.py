"""Changed pixels are told exactly, whatever the array; what is damaged is refused."""

from __future__ import annotations

import numpy as np
import pytest

from napari_seem.errors import LogTrouble
from napari_seem.labels.patches import Patch, pack_ids, pack_mask, unpack_ids, unpack_mask
from napari_seem.labels.snapshot import LabelSnapshot, digest_of


def some_area(rng, shape):
    low = [int(rng.integers(0, n)) for n in shape]
    return tuple(slice(a, int(rng.integers(a, n)) + 1) for a, n in zip(low, shape, strict=True))


@pytest.mark.parametrize("shape", [(300, 270), (5, 300, 513), (2, 3, 70, 80), (1, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_patches_of_a_shadow_rebuild_what_was_painted(rng, shape, dtype):
    labels, rebuilt = np.zeros(shape, dtype), np.zeros(shape, dtype)
    shadow = LabelSnapshot(shape)
    for _ in range(12):
        area = some_area(rng, shape)
        part = labels[area]
        labels[area] = np.where(rng.random(part.shape) < 0.5, rng.integers(0, 4), part)
        patch = Patch.from_dict(shadow.take(labels, area).to_dict())
        assert patch.count == (labels != rebuilt).sum()
        patch.apply(rebuilt)
        assert np.array_equal(labels, rebuilt)
    assert not shadow.take(labels).count
    assert digest_of(labels) == digest_of(rebuilt.astype(np.int64))


def test_a_shadow_looks_at_its_area_only(rng):
    labels = np.zeros((4, 600, 600), np.uint16)
    shadow = LabelSnapshot(labels.shape)
    labels[1, 550, 550] = labels[2, 10, 10] = 5

    assert shadow.take(labels, (slice(1, 2), slice(500, 600), slice(500, 600))).count == 1
    assert shadow.take(labels).count == 1


def test_a_change_of_type_is_no_change_of_labels(rng):
    labels = rng.integers(0, 200, (40, 50)).astype(np.uint8)
    shadow = LabelSnapshot(labels.shape)
    shadow.take(labels)

    assert not shadow.take(labels.astype(np.int32)).count
    wider = labels.astype(np.int32)
    wider[3, 4] = 70_000
    assert shadow.take(wider).count == 1


def test_one_long_run_is_written_whole():
    labels = np.zeros((3000, 3000), np.uint8)
    Patch.of(np.ones(labels.shape, bool), np.full(labels.shape, 7)).apply(labels)

    assert (labels == 7).all()


@pytest.mark.parametrize(
    "text", ["", "no base64!", "AAAA", Patch.empty().to_dict()[:-6] + "AAAA=="]
)
def test_damaged_patches_are_refused(text):
    with pytest.raises(LogTrouble, match="damaged"):
        Patch.from_dict(text)


def test_a_patch_of_a_larger_array_is_refused():
    patch = Patch.of(np.ones((5, 5), bool), np.ones((5, 5)))
    with pytest.raises(LogTrouble, match="25 of labels that have 16"):
        patch.apply(np.zeros((4, 4)))


def test_masks_and_ids_come_back(rng):
    mask, ids = rng.random((30, 41)) < 0.3, rng.integers(0, 5, (7, 9))

    assert np.array_equal(unpack_mask(pack_mask(mask)), mask)
    assert np.array_equal(unpack_ids(pack_ids(ids)), ids)
    with pytest.raises(LogTrouble, match="damaged"):
        unpack_mask({"shape": [3], "runs": pack_mask(mask)["runs"]})


def test_digests_tell_labels_apart(rng):
    labels = rng.integers(0, 3, (2, 40, 50))
    other = labels.copy()
    other[1, 39, 49] += 1

    assert digest_of(labels) != digest_of(other)
    assert digest_of(labels) != digest_of(labels.reshape(2, 50, 40))
    assert digest_of(np.zeros((2, 0))) == digest_of(np.zeros((2, 0)))
