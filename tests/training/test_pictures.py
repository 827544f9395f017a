"""The bank holds what the pictures hold: numbers, areas, words, places, halves and groups."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scenes import WORDS, bank_of, discs, silhouette

from napari_seem.models.compact.pyramid import brightness, normalize
from napari_seem.training import Picture, PictureBank
from napari_seem.training import pictures as pictures_module
from napari_seem.training.pictures import (
    LEVELS,
    NO_WORD,
    PIXELS_KEPT,
    SMALLEST_OBJECT,
    mips,
    superpixels,
)


def table(**objects: tuple[slice, slice]) -> np.ndarray:
    instances = np.zeros((40, 60), np.uint16)
    for name, where in objects.items():
        instances[where] = int(name.removeprefix("id"))
    return instances


@pytest.fixture
def odd_ids():
    """Objects 3 and 700, and 9, which is one pixel too small."""
    instances = table(
        id3=np.s_[2:10, 5:20], id700=np.s_[20:30, 30:50], id9=np.s_[35:36, : SMALLEST_OBJECT - 1]
    )
    names = {3: "stone", 700: "no word of the vocabulary", 9: "disc"}
    image = np.random.default_rng(0).integers(0, 255, (*instances.shape, 3)).astype(np.uint8)
    return Picture(image, instances, names, "made/odd")


def own_ids(bank: PictureBank, picture: int, kind: int) -> np.ndarray:
    height, width = bank.shapes[picture, 0].tolist()
    begin = int(bank.id_starts[picture])
    return bank.ids[kind, begin : begin + height * width].view(height, width).numpy()


def test_objects_are_numbered_without_gaps_and_small_ones_are_dropped(odd_ids):
    bank = bank_of(discs(0, group="made/first"), odd_ids)

    ids = own_ids(bank, 1, 0)
    assert np.array_equal(ids == 1, odd_ids.instances == 3)
    assert np.array_equal(ids == 2, odd_ids.instances == 700)
    assert np.array_equal(ids == 0, ~np.isin(odd_ids.instances, (3, 700)))
    assert bank.count[0, 1] == 2
    first = int(bank.first[0, 1])
    assert first == int(bank.count[0, 0])
    assert bank.area[first : first + 2].tolist() == [8 * 15, 10 * 20]
    assert bank.word[first : first + 2].tolist() == [WORDS.index("stone"), NO_WORD]


def test_tables_of_both_kinds_describe_the_id_maps():
    bank = bank_of(discs(0), discs(1), discs(2))

    row = 0
    for kind in (0, 1):
        for picture in range(len(bank)):
            ids = own_ids(bank, picture, kind)
            assert bank.first[kind, picture] == row
            assert bank.count[kind, picture] == ids.max()
            for number in range(1, ids.max() + 1):
                assert bank.area[row] == (ids == number).sum() >= SMALLEST_OBJECT
                rows, cols = bank.places[row].T.tolist()
                assert (ids[rows, cols] == number).all()
                row += 1
    assert row == len(bank.area) == len(bank.word) == len(bank.places)
    assert bank.places.shape[1] == PIXELS_KEPT
    assert (bank.word[int(bank.count[0].sum()) :] == NO_WORD).all()
    assert torch.allclose(bank.cumulative, bank.area.double().sqrt().cumsum(0))


def test_any_pixel_of_an_object_is_a_place_and_no_other(monkeypatch):
    monkeypatch.setattr(pictures_module, "PIXELS_KEPT", 500)
    instances = table(id1=np.s_[3:9, 5:10], id2=np.s_[9:14, 5:10], id3=np.s_[36:, 50:])

    places = bank_of(silhouette(instances)).places[:3]

    for number, spots in enumerate(places.tolist(), 1):
        assert {tuple(spot) for spot in spots} == set(map(tuple, np.argwhere(instances == number)))


@pytest.mark.parametrize("shape", [(33, 50, 3), (40, 40), (1, 20, 3), (3, 5)])
def test_each_level_is_the_mean_of_four_pixels_of_the_one_before(shape):
    image = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)

    levels = mips(image)

    assert len(levels) == LEVELS
    assert np.array_equal(levels[0].reshape(shape), image)
    for last, half in pairwise(levels):
        tall, wide = (max(1, size // 2) for size in last.shape[:2])
        assert half.shape[:2] == (tall, wide)
        for row in range(tall):
            for col in range(wide):
                block = last[2 * row : 2 * row + 2, 2 * col : 2 * col + 2].astype(float)
                assert np.abs(half[row, col] - block.mean((0, 1))).max() <= 0.5


def test_levels_lie_in_one_row_of_pixels(odd_ids):
    grey = discs(3)
    bank = bank_of(grey, odd_ids)

    assert bank.channels.tolist() == [1, 3]
    for picture, kept in enumerate((grey, odd_ids)):
        for level, expected in enumerate(mips(kept.image)):
            begin = int(bank.starts[picture, level])
            found = bank.pixels[begin : begin + expected.size].numpy()
            assert bank.shapes[picture, level].tolist() == list(expected.shape[:2])
            assert np.array_equal(found.reshape(expected.shape), expected)


def test_pictures_are_normalised_as_the_model_normalises_them(odd_ids):
    bank = bank_of(odd_ids)
    mean, deviation = bank.moments[0].tolist()

    ours = torch.from_numpy((odd_ids.image / 255 - mean) / deviation).permute(2, 0, 1)

    theirs = normalize(odd_ids.image, brightness(odd_ids.image))[0]
    assert torch.allclose(ours.float(), theirs, atol=1e-5)


def test_superpixels_cover_the_picture_and_keep_to_its_edges():
    image = np.full((60, 80), 30, np.uint8)
    image[:, 33:] = 220

    ids = superpixels(image, np.random.default_rng(0))

    assert ids.shape == image.shape
    assert set(np.unique(ids)) == set(range(ids.max() + 1))
    assert not set(np.unique(ids[:, :32])) & set(np.unique(ids[:, 34:]))


def test_superpixels_of_a_large_picture_are_as_large_as_it():
    image = np.random.default_rng(0).integers(0, 255, (390, 61, 3)).astype(np.uint8)

    assert superpixels(image, np.random.default_rng(0)).shape == (390, 61)


def test_pictures_of_a_group_lie_side_by_side_and_share_its_weight():
    groups = ["b", "a", "b", "unwanted", "b", "a"]
    pictures = [discs(seed, count=seed + 1, group=group) for seed, group in enumerate(groups)]

    bank = PictureBank.build(pictures, WORDS, {"a": 3.0, "b": 1.0, "missing": 5.0})

    assert bank.group.tolist() == [0, 0, 1, 1, 1]
    assert bank.group_first.tolist() == [0, 2]
    assert bank.group_count.tolist() == [2, 3]
    assert torch.allclose(bank.weights, torch.tensor([3 / 8] * 2 + [1 / 12] * 3))
    assert bank.count[0, :2].tolist() == [len(np.unique(pictures[i].instances)) - 1 for i in (1, 5)]


def test_words_are_annotated_wherever_their_group_has_them():
    bank = bank_of(
        discs(0, group="a"), discs(1, group="a", word="stone"),
        discs(2, group="b"), discs(3, group="b", word="no word of the vocabulary"),
    )  # fmt: skip

    assert bank.annotated.tolist() == [[True, True], [True, False]]


def test_pictures_that_are_labelled_in_part_are_marked():
    whole = discs(0)
    part = Picture(whole.image, whole.instances, whole.names, "made/part", partial=True)

    assert bank_of(whole, part).partial.tolist() == [False, True]


def test_a_picture_without_objects_still_has_superpixels():
    bank = bank_of(silhouette(np.zeros((30, 30), np.uint16)), discs(0))

    assert bank.count[0].tolist()[0] == 0
    assert bank.count[1, 0] >= 1


def test_no_picture_with_a_weight_is_an_error():
    with pytest.raises(ValueError, match="no picture to learn from"):
        PictureBank.build([discs(0)], WORDS, {"another/group": 1.0})


def test_the_bank_is_the_same_for_the_same_seed_however_it_is_built():
    def tensors(seed, workers=0):
        pictures = [discs(0), discs(1)]
        return vars(PictureBank.build(pictures, WORDS, {"made/discs": 1.0}, seed, workers))

    here, there, other = tensors(4), tensors(4, workers=1), tensors(5)

    assert all(torch.equal(here[name], there[name]) for name in here)
    assert not torch.equal(here["places"][: len(other["places"])], other["places"])
