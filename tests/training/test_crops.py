"""Crops: image and ids are read where they should be, to well under half a pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scenes import WORDS, bank_of, discs, inside_disc, seeded, silhouette
from scipy import ndimage

from napari_seem.training import Picture, PictureBank
from napari_seem.training import crops as crops_module
from napari_seem.training.crops import (
    OUTSIDE,
    alter,
    draw_crops,
    gather_ids,
    gather_image,
)
from napari_seem.training.pictures import mips

SIDE = 48


def turned(angle: float, scale: float, center: tuple[float, float], flip: int = 1) -> np.ndarray:
    """Where on the picture the pixels of a crop lie: (SIDE, SIDE, 2)."""
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = np.array([[cos, -sin * flip], [sin, cos * flip]]) / scale
    along = np.arange(SIDE) + 0.5 - SIDE / 2
    grid = np.stack(np.meshgrid(along, along, indexing="ij"), -1)
    return np.array(center) + grid @ matrix.T


def read(bank: PictureBank, picture: int, where: np.ndarray, scale: float = 1.0):
    """What one crop shows: normalised image (3, S, S) and ids (2, S, S)."""
    at, points = torch.tensor([picture]), torch.from_numpy(where)[None].float()
    image = gather_image(bank, at, points, torch.tensor([scale]))
    return image[0].numpy(), gather_ids(bank, at, points)[0].numpy()


@pytest.fixture(scope="module")
def coloured():
    rng = np.random.default_rng(0)
    picture = discs(5, side=90, count=5)
    smooth = ndimage.gaussian_filter(rng.normal(0, 400, (90, 70, 3)), (2, 2, 0)) + 128
    image = smooth.clip(0, 255).astype(np.uint8)
    return Picture(image, picture.instances[:, :70].copy(), {}, "made/coloured")


def bilinear(level: np.ndarray, row: float, col: float) -> np.ndarray:
    """Value of (H, W, C) at a point; pixel centres lie at halves and the edge is repeated."""
    top, left = math.floor(row - 0.5), math.floor(col - 0.5)
    down, right = row - 0.5 - top, col - 0.5 - left
    total = np.zeros(level.shape[2])
    for i, across in ((top, 1 - down), (top + 1, down)):
        for j, along in ((left, 1 - right), (left + 1, right)):
            y, x = np.clip(i, 0, level.shape[0] - 1), np.clip(j, 0, level.shape[1] - 1)
            total += across * along * level[y, x].astype(float)
    return total


@pytest.mark.parametrize(("scale", "level"), [(2.0, 0), (1.0, 0), (0.5, 1), (0.27, 2), (0.01, 3)])
@pytest.mark.parametrize("kind", ["grey", "coloured"])
def test_images_are_read_bilinearly_at_the_level_that_fits(coloured, kind, scale, level):
    grey = Picture(coloured.image[..., 0], coloured.instances, {}, "made/grey")
    bank = bank_of(coloured, grey)
    where = turned(0.4, scale, (50.0, 30.0))

    found, _ = read(bank, ("coloured", "grey").index(kind), where, scale)

    picture = coloured if kind == "coloured" else grey
    values = mips(picture.image)[level]
    small = picture.image[::2, ::2] / 255
    for i in range(0, SIDE, 5):
        for j in range(0, SIDE, 7):
            row, col = where[i, j] / 2**level
            value = (bilinear(values, row, col) / 255 - small.mean()) / (small.std() + 0.02)
            assert np.allclose(found[:, i, j], value, atol=2e-4)


def test_ids_are_those_of_the_pixel_that_holds_the_point(coloured):
    bank = bank_of(discs(0, group="made/before"), coloured)
    picture = bank.channels.tolist().index(3)
    where = turned(2.2, 0.7, (40.0, 40.0))

    _, found = read(bank, picture, where)

    rows, cols = np.floor(where).astype(int).transpose(2, 0, 1)
    there = (rows >= 0) & (rows < 90) & (cols >= 0) & (cols < 70)
    begin = int(bank.id_starts[picture])
    for kind in (0, 1):
        ids = bank.ids[kind, begin : begin + 90 * 70].view(90, 70).numpy()
        expected = np.where(there, ids[rows.clip(0, 89), cols.clip(0, 69)], OUTSIDE)
        assert np.array_equal(found[kind], expected)
    assert not there.all()


def border(mask: np.ndarray) -> np.ndarray:
    """Pixels on either side of the edge of a mask."""
    return ndimage.binary_dilation(mask) & ~ndimage.binary_erosion(mask, border_value=1)


@pytest.mark.parametrize("scale", [2.3, 1.0, 0.5, 0.25])
@pytest.mark.parametrize(("angle", "flip"), [(0.0, 1), (math.pi / 2, -1), (0.3, -1), (4.0, 1)])
def test_image_and_mask_do_not_shift_against_each_other(angle, scale, flip):
    row, col, radius = 102.0, 98.0, 13 / scale  # its middle stays there at every level
    bank = bank_of(silhouette(inside_disc((200, 200), row, col, radius)))
    mean, deviation = bank.moments[0].tolist()
    apart, astray = [], []
    for step in range(25):  # what a whole pixel is off evens out over all places in it
        within = (np.array(divmod(step, 5)) + 0.5) / 5
        where = turned(angle, scale, (row, col) + within * max(1, 1 / scale) + 1.5, flip)
        image, ids = read(bank, 0, where, scale)
        bright, inside = image[0] * deviation + mean > 0.5, ids[0] > 0
        truth = (where[..., 0] - row) ** 2 + (where[..., 1] - col) ** 2 < radius**2
        assert not ((bright != inside) & ~border(inside)).any()
        middles = [np.argwhere(mask).mean(0) for mask in (bright, inside, truth)]
        apart.append(middles[0] - middles[1])
        astray += [middles[0] - middles[2], middles[1] - middles[2]]
    assert np.abs(apart).max() < 0.4
    assert np.abs(np.mean(apart, 0)).max() < 0.1
    assert np.abs(np.mean(astray, 0)).max() < 0.1


@pytest.fixture
def plain(monkeypatch):
    """Leave colours as they are."""
    monkeypatch.setattr(crops_module, "alter", lambda image: image)


def test_drawn_crops_show_the_image_where_their_ids_are(plain):
    scene = np.zeros((220, 260), np.uint16)
    for number, (row, col, radius) in enumerate([(70, 80, 40), (150, 170, 55), (60, 200, 30)], 1):
        scene[inside_disc(scene.shape, row, col, radius)] = number
    bank = bank_of(silhouette(scene))
    seeded(0)

    crops = draw_crops(bank, 32, 64)

    mean, deviation = bank.moments[0].tolist()
    offs = []
    for image, ids in zip(crops.image.numpy(), crops.ids.numpy(), strict=True):
        inside, outside = ids[0] > 0, ids[0] == OUTSIDE
        bright = (image[0] * deviation + mean > 0.5) & ~outside
        far = ~(border(inside) | border(outside))
        assert not ((bright != inside) & far).any()
        assert (image[:, outside] == 0).all()
        if inside.sum() > 50:
            offs.append(np.argwhere(bright).mean(0) - np.argwhere(inside).mean(0))
    assert len(offs) > 20
    assert np.abs(np.mean(offs, 0)).max() < 0.05


def test_the_object_that_a_crop_is_put_around_is_in_view_at_a_fair_size(plain):
    scene = inside_disc((200, 200), 90.0, 110.0, 20.0)
    bank = bank_of(silhouette(scene))
    seeded(1)

    crops = draw_crops(bank, 64, 64, regions=0.0)

    seen = (crops.ids[:, 0] > 0).sum((1, 2))
    assert (seen > 0).all()
    apparent = bank.area[0].sqrt() * crops.scale
    assert (apparent <= 0.7 * 64 * 1.01).all()
    close = crops.scale > 1.001 * crops.scale.min()  # the others show the whole picture
    assert (apparent[close] >= 8 * 0.99).all()
    assert 0.5 < close.float().mean() < 1


def test_small_objects_are_seen_small_and_in_a_fifth_of_the_crops_with_all_of_the_picture():
    bank = bank_of(silhouette(inside_disc((400, 400), 200.0, 200.0, 9.0)))
    seeded(4)

    scale = draw_crops(bank, 400, 32, regions=0.0).scale

    whole = scale < 1.001 * 32 / (1.05 * 400)
    assert 0.14 < whole.float().mean() < 0.26
    apparent = bank.area[0].sqrt() * scale[~whole]
    assert apparent.min() >= 8 * 0.99
    assert (apparent < 12).float().mean() > 0.25


def test_an_object_in_the_corner_of_its_picture_is_mostly_in_view(plain):
    scene = np.zeros((200, 200), np.uint16)
    scene[:20, :20] = 1
    seeded(2)

    crops = draw_crops(bank_of(silhouette(scene)), 128, 64, regions=0.0)

    seen = (crops.ids[:, 0] > 0).sum((1, 2)) / (400 * crops.scale**2)
    assert (seen > 0.5).float().mean() > 0.8
    assert (crops.ids[:, 0] == OUTSIDE).float().mean() < 0.2


def test_scale_says_how_large_an_object_appears(plain, monkeypatch):
    monkeypatch.setattr(crops_module, "ELASTIC", 0.0)
    monkeypatch.setattr(crops_module, "FREE_TURN", 1.0)
    scene = inside_disc((300, 300), 150.0, 150.0, 40.0)
    bank = bank_of(silhouette(scene))
    seeded(3)

    crops = draw_crops(bank, 64, 64, regions=0.0)

    inside = crops.ids[:, 0] > 0
    whole = ~(inside[:, [0, -1]].flatten(1).any(1) | inside[..., [0, -1]].flatten(1).any(1))
    seen = inside.sum((1, 2))[whole].float()
    expected = bank.area[0] * crops.scale[whole] ** 2
    assert len(seen) > 15
    assert ((seen / expected).log().abs() < 0.04).all()


def test_crops_follow_the_seed():
    bank = bank_of(discs(0), discs(1))

    def crops(seed):
        seeded(seed)
        return vars(draw_crops(bank, 4, 64))

    first, again, other = crops(5), crops(5), crops(6)

    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["image"], other["image"])
    assert torch.isfinite(first["image"]).all()


def test_pictures_are_drawn_by_weight_and_in_pairs_of_one_group():
    groups = ["a", "b", "a", "c"]
    pictures = [discs(seed, side=60, count=2, group=g) for seed, g in enumerate(groups)]
    bank = PictureBank.build(pictures, WORDS, {"a": 1.0, "b": 2.0, "c": 1.0})
    seeded(0)

    crops = draw_crops(bank, 1024, 32)

    first, second = crops.picture.view(-1, 2).T
    assert torch.equal(bank.group[first], bank.group[second])
    shares = torch.bincount(bank.group[first]) / len(first)
    assert torch.allclose(shares, torch.tensor([0.25, 0.5, 0.25]), atol=0.06)
    alike = (first == second)[bank.group[first] == 0].float().mean()
    assert 0.45 < alike < 0.72  # either of two by chance, or the same on purpose


def test_some_crops_are_put_around_superpixels():
    scene = np.zeros((300, 300), np.uint16)
    scene[:8, :8] = 1
    rng = np.random.default_rng(0)
    image = ndimage.zoom(rng.integers(0, 255, (12, 12)), 25, order=0).astype(np.uint8)
    bank = bank_of(Picture(image, scene, {}, "made/corner"))
    seeded(0)

    def shown(regions):
        ids = draw_crops(bank, 64, 64, regions).ids[:, 0]
        return (ids > 0).flatten(1).any(1).float().mean()

    assert shown(0.0) > 0.75  # a fifth of the crops show the whole picture, wherever its object is
    assert shown(1.0) < 0.5


@pytest.mark.parametrize("kind", [0, 1])
def test_crops_are_put_around_objects_by_the_root_of_their_areas(kind):
    bank = bank_of(discs(0, count=3), discs(1, count=3), discs(2, count=3))
    seeded(0)

    for picture in range(3):
        count, first = int(bank.count[kind, picture]), int(bank.first[kind, picture])
        where = torch.full((4000,), picture)

        rows = crops_module._draw_objects(bank, where, torch.full((4000,), kind))

        found = torch.bincount(rows - first, minlength=count) / 4000
        roots = bank.area[first : first + count].sqrt()
        assert torch.allclose(found, roots / roots.sum(), atol=0.03)


def test_altered_images_keep_their_edges_in_place():
    image = torch.full((64, 3, 32, 32), -0.8)
    image[..., 13:] = 0.9
    seeded(0)

    altered = alter(image)

    assert torch.isfinite(altered).all()
    assert altered.abs().max() <= 5
    step = altered.mean((1, 2)).diff(dim=1).abs()  # (64, 31)
    off = (step.argmax(1) - 12).float()
    assert off.abs().max() <= 2  # the rim of a blur of five pixels
    assert off.mean().abs() < 0.1
    assert len(torch.unique(altered.mean((1, 2, 3)))) == 64
