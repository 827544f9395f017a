"""What is asked for in a crop: whole ids, their words, areas and clicks, and their like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scenes import WORDS, bank_of, crops_of, discs, inside_disc, seeded, silhouette

from napari_seem.training import Picture, PictureBank
from napari_seem.training import objects as objects_module
from napari_seem.training.crops import OUTSIDE, Crops, draw_crops
from napari_seem.training.objects import KINDS, CropObjects, draw_objects, is_kind
from napari_seem.training.pictures import NO_WORD
from napari_seem.training.recipe import FIRST_PROMPTS

COUNT = 12


def mixed(seed: int) -> Picture:
    """Discs of both words and of none."""
    picture = discs(seed, side=160, count=9)
    names = {1: "disc", 2: "stone", 3: "disc", 4: "stone", 5: "disc", 6: "disc", 7: "stone"}
    return Picture(picture.image, picture.instances, names, "made/mixed")


@dataclass
class Asked:
    """One object that counts, in numpy."""

    kind: str
    clicked: bool
    mask: np.ndarray
    word: int
    full: float
    click: tuple[int, int]
    members: dict[int, np.ndarray]
    """The ids that the mask is made of, of labelled objects (0), of superpixels (1) or of both."""
    every: bool
    """Whether all of a word is asked for."""


@dataclass
class Drawn:
    bank: PictureBank
    crops: Crops
    objects: CropObjects

    def words(self, crop: int) -> np.ndarray:
        """Word of each pixel's labelled object."""
        ids = self.crops.ids[crop, 0].numpy()
        first = int(self.bank.first[0, self.crops.picture[crop]])
        table = self.bank.word.numpy()
        return np.where(ids > 0, table[np.maximum(first + ids - 1, 0)], NO_WORD)

    def areas(self, crop: int, layer: int, ids: np.ndarray) -> np.ndarray:
        first = int(self.bank.first[layer, self.crops.picture[crop]])
        scale = float(self.crops.scale[crop])
        return self.bank.area.numpy()[first + ids - 1] * scale**2

    def each(self) -> Iterator[tuple[int, int, Asked]]:
        """Crop, number within it, and the object, of those that count."""
        for crop, number in self.objects.counts.nonzero().tolist():
            yield crop, number, self.asked(crop, number)

    def asked(self, crop: int, number: int) -> Asked:
        o = self.objects
        mask, kind = o.mask[crop, number].numpy(), KINDS[int(o.kind[crop, number])]
        clicked = bool(o.clicked[crop, number])
        members = {}
        for layer in (0, 1):
            ids = self.crops.ids[crop, layer].numpy()
            some = np.unique(ids[mask])
            if some[0] > 0 and np.array_equal(np.isin(ids, some), mask):
                members[layer] = some
        return Asked(
            kind, clicked, mask, int(o.word[crop, number]), float(o.full[crop, number]),
            tuple(o.click[crop, number].tolist()), members,
            kind in ("word", "reference") and not clicked,
        )  # fmt: skip


@pytest.fixture(scope="module")
def drawn():
    bank = bank_of(mixed(0), mixed(1), mixed(2))
    seeded(0)
    crops = draw_crops(bank, 12, 96)
    return Drawn(bank, crops, draw_objects(bank, crops, COUNT))


def test_masks_are_made_of_few_whole_objects_or_all_of_a_word(drawn):
    sizes = {0: set(), 1: set()}
    for crop, _, asked in drawn.each():
        if asked.every:
            assert np.array_equal(asked.mask, drawn.words(crop) == asked.word)
        else:
            assert 1 <= min(len(ids) for ids in asked.members.values()) <= 3
        if len(asked.members) == 1 and not asked.every:
            ((layer, ids),) = asked.members.items()
            sizes[layer].add(len(ids))
    assert sizes[0] >= {1}
    assert sizes[1] >= {1, 2}


def test_all_members_of_an_object_have_its_word(drawn):
    for crop, _, asked in drawn.each():
        if 1 not in asked.members:
            assert set(drawn.words(crop)[asked.mask].tolist()) == {asked.word}
        if 0 not in asked.members:
            assert asked.word == NO_WORD


def test_neighbours_of_one_word_are_asked_for_together(monkeypatch):
    monkeypatch.setattr(objects_module, "UNION", (1.0, 1.0))
    monkeypatch.setattr(objects_module, "REGION_SHARE", 0.0)
    halves = np.zeros((64, 64), np.uint16)
    halves[:, :32], halves[:, 32:] = 1, 2
    plain = silhouette(halves)
    bank = PictureBank.build(
        [Picture(plain.image, plain.instances, names, group)
         for group, names in (("a", {1: "disc", 2: "disc"}), ("b", {1: "disc", 2: "stone"}))],
        WORDS, {"a": 1, "b": 1},
    )  # fmt: skip
    ids = np.broadcast_to(halves.astype(int), (2, 2, 64, 64)).copy()
    seeded(0)

    drawn = draw_objects(bank, crops_of(ids, [0, 1]), 24)

    whole = drawn.mask.flatten(2).all(2)
    single = ~is_kind(drawn.kind, "word", "reference")
    assert whole[0].float().mean() > 0.5
    assert not (whole & single)[1].any()
    assert (drawn.full[whole] == 64 * 64).all()
    assert (drawn.full[1][single[1]] == 32 * 64).all()


def test_objects_are_found_on_the_very_pixels_that_are_looked_at(monkeypatch):
    monkeypatch.setattr(objects_module, "UNION", (0.0, 0.0))
    stripes = np.zeros((64, 64), np.uint16)
    stripes[2::4] = 1  # one of four rows
    bank = bank_of(silhouette(stripes))
    ids = np.zeros((2, 2, 64, 64))
    ids[:] = stripes
    seeded(0)

    drawn = draw_objects(bank, crops_of(ids), 8)

    assert drawn.counts.all()
    assert (drawn.mask == torch.from_numpy(stripes > 0)).all()


def test_what_is_asked_for_together_is_not_accepted_yet(monkeypatch):
    monkeypatch.setattr(objects_module, "UNION", (1.0, 1.0))
    monkeypatch.setattr(objects_module, "REGION_SHARE", 0.0)
    bands = np.repeat(np.arange(1, 9), 8)[:, None].repeat(64, 1).astype(np.uint16)
    plain = silhouette(bands)
    bank = bank_of(Picture(plain.image, bands, dict.fromkeys(range(1, 9), "disc"), "made/bands"))
    seeded(0)

    drawn = draw_objects(bank, crops_of(np.stack([bands, bands])[:, None].repeat(2, 1)), 24)

    alone = ~is_kind(drawn.kind, "word", "reference")
    several = drawn.mask.sum((2, 3)) > 8 * 64
    both = drawn.accepted.any(2) & drawn.mask[:, :, 2::4, 2::4]
    assert (several & alone & drawn.accepted.flatten(2).any(2)).sum() > 5
    assert not both[alone].any()


def test_the_full_area_is_that_of_every_member_once(drawn):
    for crop, _, asked in drawn.each():
        seen = float(asked.mask.sum())
        whole = [drawn.areas(crop, *of).sum() for of in asked.members.items()]
        rim = asked.mask[[0, -1]].any() or asked.mask[:, [0, -1]].any()
        known = asked.every or not rim  # a crop that shows all of it need not be asked further
        expected = [seen] if known else [max(seen, area) for area in whole]
        assert any(asked.full == pytest.approx(area, rel=1e-4) for area in expected)


def test_clicks_lie_inside_their_object(drawn):
    for _, _, asked in drawn.each():
        row, col = asked.click
        assert row % 1 == col % 1 == 0.5
        assert asked.mask[int(row), int(col)]


def test_examples_are_objects_of_the_word_in_the_mate(drawn):
    small = drawn.crops.ids[:, 0, 2::4, 2::4].numpy()
    found = 0
    for crop, number, asked in drawn.each():
        example = drawn.objects.example[crop, number].numpy()
        mate = crop ^ 1
        named = drawn.words(mate)[2::4, 2::4] == asked.word
        assert example.any() == (asked.word != NO_WORD and named.any())
        assert example.any() or asked.kind != "reference"
        if example.any():
            found += 1
            (chosen,) = np.unique(small[mate][example])
            assert np.array_equal(example, small[mate] == chosen)
            assert named[example].all()
    assert found > 5


def test_accepted_objects_have_the_word_and_are_no_part_of_the_target(drawn):
    small = drawn.crops.ids[:, 0, 2::4, 2::4].numpy()
    some = 0
    for crop, number, asked in drawn.each():
        masks = drawn.objects.accepted[crop, number].numpy()
        sides = []
        for mask in masks[masks.any((1, 2))]:
            (chosen,) = np.unique(small[crop][mask])
            assert np.array_equal(mask, small[crop] == chosen)
            assert set(drawn.words(crop)[2::4, 2::4][mask].tolist()) == {asked.word}
            assert asked.word != NO_WORD
            if not asked.every:
                assert not (mask & asked.mask[2::4, 2::4]).any()
            sides.append(0.5 * np.log2(drawn.areas(crop, 0, np.array([chosen]))[0]))
        if sides:
            some += 1
            side = float(drawn.objects.accepted_side[crop, number])
            assert side == pytest.approx(np.mean(sides), abs=1e-4)
    assert some > 3


def test_words_and_references_need_a_word(drawn):
    kinds = drawn.objects.kind
    spoken = is_kind(kinds, "word", "reference")

    assert spoken.any()
    assert (drawn.objects.word[spoken] != NO_WORD).all()
    assert drawn.objects.clicked[is_kind(kinds, "click")].all()
    assert not drawn.objects.clicked[is_kind(kinds, "scribble", "detail")].any()
    regions = drawn.objects.clicked[is_kind(kinds, "box", "lasso", "mask")].float().mean()
    assert 0 < regions < 0.4


def test_a_word_with_a_click_means_the_object_under_it(drawn, monkeypatch):
    monkeypatch.setattr(objects_module, "WITH_CLICK", 1.0)
    monkeypatch.setattr(objects_module, "UNION", (0.0, 0.0))
    seeded(0)

    again = Drawn(drawn.bank, drawn.crops, draw_objects(drawn.bank, drawn.crops, COUNT))

    spoken = [asked for _, _, asked in again.each() if asked.kind in ("word", "reference")]
    assert spoken
    assert all(asked.clicked and len(asked.members[0]) == 1 for asked in spoken)


def test_first_prompts_are_as_frequent_as_the_recipe_says():
    large = inside_disc((96, 96), 48.0, 48.0, 40.0)
    plain = silhouette(large)
    bank = bank_of(Picture(plain.image, plain.instances, {1: "disc"}, "made/one"))
    ids = np.broadcast_to(large.astype(int), (64, 2, 96, 96)).copy()
    seeded(0)

    drawn = draw_objects(bank, crops_of(ids), 16)

    known = drawn.kind[drawn.word != NO_WORD]
    shares = torch.bincount(known, minlength=len(KINDS)) / len(known)
    assert torch.allclose(shares, torch.tensor(list(FIRST_PROMPTS.values())), atol=0.06)


def test_only_large_objects_are_looked_at_closely(drawn):
    for _, _, asked in drawn.each():
        if asked.kind == "detail":
            rows, cols = np.nonzero(asked.mask)
            assert max(np.ptp(rows), np.ptp(cols)) + 1 >= 96 / 4


def test_nothing_is_learned_where_there_is_nothing():
    bank = bank_of(discs(0), discs(1))
    ids = np.zeros((4, 2, 64, 64), int)
    ids[1] = OUTSIDE
    ids[2:, :, 20:24, 20:24] = 1  # too few pixels
    seeded(0)

    drawn = draw_objects(bank, crops_of(ids), 4)

    assert not drawn.counts.any()
    assert all(torch.isfinite(part).all() for part in vars(drawn).values())


def test_small_objects_are_asked_for_nearly_as_often_as_large_ones(monkeypatch):
    monkeypatch.setattr(objects_module, "REGION_SHARE", 0.0)
    monkeypatch.setattr(objects_module, "UNION", (0.0, 0.0))
    scene = np.zeros((96, 96), np.uint16)
    scene[4:14, 4:14], scene[20:90, 20:90] = 1, 2
    bank = bank_of(silhouette(scene))
    seeded(0)

    drawn = draw_objects(bank, crops_of(np.broadcast_to(scene.astype(int), (8, 2, 96, 96))), 64)

    small = drawn.mask[:, :, 8, 8].float().mean()
    assert 0.25 < small < 0.5  # by area it were 0.02
