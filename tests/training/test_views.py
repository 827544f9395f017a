"""Windows on crops: cut as the model cuts them, around the objects, with the click inside."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scenes import inside_disc, objects_of, seeded, windows_at

from napari_seem.models.compact import windows
from napari_seem.models.compact.network import COARSE_STRIDE, FINE_GRID, GRID
from napari_seem.training.objects import KINDS
from napari_seem.training.views import (
    FEW_CHANNELS,
    LADDER,
    context_of,
    cut,
    draw_windows,
    example_of,
    pushed,
)

CORNERS = [(0, 0), (-5, 3), (10, -8), (20, 30), (-3, -3), (31, 7)]
CELLS = [64, 16, 47, 40, 60, 23]
"""Windows within a crop of 64 cells, and windows that stick out of it on every side."""


@pytest.fixture
def found():
    return windows_at(CORNERS, CELLS, crops=2)


@pytest.mark.parametrize("channels", [3, FEW_CHANNELS + 1], ids=["sampled", "multiplied"])
def test_windows_are_cut_as_the_model_cuts_them(found, channels):
    seeded(0)
    coarse, fine = torch.randn(2, channels, 64, 64), torch.randn(2, channels, 128, 128)

    ours = cut(coarse, found, GRID), cut(fine, found, FINE_GRID, ratio=2)

    for index, (corner, cells) in enumerate(zip(CORNERS, CELLS, strict=True)):
        crop = index // 3
        window = windows.Window(*corner, cells)
        for mine, theirs in zip(ours, windows.cut(coarse[crop], fine[crop], window), strict=True):
            assert torch.allclose(mine[index], theirs, atol=1e-4)


@pytest.mark.parametrize("channels", [3, FEW_CHANNELS + 1], ids=["sampled", "multiplied"])
def test_coarser_windows_show_the_same_places(found, channels):
    rows, cols = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    maps = torch.stack([rows, cols, torch.ones(64, 64)] + [rows] * (channels - 3))
    maps = maps.expand(2, -1, -1, -1)

    seen = cut(maps, found, 32)

    centers = found.pixels(32) / COARSE_STRIDE - 0.5  # in coarse cells, centres at integers
    inner = (centers - found.corner[..., None] > 0) & (centers >= 0) & (centers <= 63)
    inner &= centers - found.corner[..., None] < found.cells[:, None, None] - 1
    for window, within, center in zip(seen, inner, centers, strict=True):
        here = within[0][:, None] & within[1][None, :]
        assert here.any()
        assert torch.allclose(window[0][here], center[0][:, None].expand(32, 32)[here], atol=1e-3)
        assert torch.allclose(window[1][here], center[1].expand(32, 32)[here], atol=1e-3)
        assert torch.allclose(window[2][here], torch.ones(()), atol=1e-5)


@pytest.mark.parametrize("channels", [3, FEW_CHANNELS + 1], ids=["sampled", "multiplied"])
def test_half_precision_moves_no_map(found, channels):
    row, col = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    grating = torch.sin(0.5 * row + 0.4 * col).expand(2, channels, 128, 128)

    exact = cut(grating, found, FINE_GRID, ratio=2)
    rough = cut(grating.bfloat16(), found, FINE_GRID, ratio=2)

    assert rough.dtype == torch.bfloat16
    assert (rough.float() - exact).abs().max() < 0.02  # a shift by a tenth of a cell were 0.06


def test_what_is_cut_hands_its_gradient_back(found):
    maps = torch.ones(2, 3, 64, 64, requires_grad=True)

    cut(maps, found, 32).sum().backward()

    assert maps.grad[1, 0, 20:60, 30:64].min() > 0  # a window lies there
    assert maps.grad[0, 0, 60, 60] > 0  # and the first one covers its whole crop


def test_corners_are_pushed_onto_the_crop_as_the_model_pushes_them():
    rng = np.random.default_rng(0)
    for side in (64, 128, 256):
        for _ in range(40):
            center, wanted = rng.uniform(-20, side + 20, 2), rng.uniform(30, 300)
            window = windows.square(tuple(center), wanted, (side, side))
            start = np.round(center / COARSE_STRIDE - window.cells / 2)

            corner = pushed(torch.from_numpy(start), torch.tensor(float(window.cells)), side)

            assert corner.tolist() == [window.row, window.col]


def test_places_are_the_inverse_of_pixels(found):
    for grid in (32, FINE_GRID):
        centers = found.pixels(grid)  # (N, 2, grid)
        for index in (0, 7, grid - 1):
            assert (found.place(centers[..., index], grid) == index).all()
    expected = windows.fine_centers(windows.Window(*CORNERS[2], CELLS[2]), 1)
    assert np.allclose(found.pixels(FINE_GRID)[2, 1], expected)


def test_the_size_of_a_window_is_told_as_the_model_tells_it(found):
    expected = [windows.relative_cells(windows.Window(0, 0, cells)) for cells in CELLS]

    assert np.allclose(found.relative(), expected)


def objects(*kinds: str, side: int = 128, radius: float = 11.0):
    """An object of every kind, each in a crop of its own, and somewhere else in it."""
    rng = np.random.default_rng(0)
    masks = np.stack(
        [inside_disc((side, side), *rng.uniform(radius, side - radius, 2), radius) for _ in kinds]
    )[:, None]
    picks = [rng.permutation(np.argwhere(mask[0]))[0] + 0.5 for mask in masks]
    return objects_of(masks, *kinds, clicks=np.array(picks)[:, None])


@pytest.mark.parametrize(("side", "radius"), [(64, 11.0), (128, 30.0), (256, 110.0)])
def test_windows_always_show_the_click(side, radius):
    drawn = objects(*KINDS * 40, side=side, radius=radius)
    seeded(0)

    found = draw_windows(drawn)

    assert torch.equal(found.crop, found.item)
    assert torch.equal(found.item, torch.arange(len(KINDS) * 40).repeat_interleave(LADDER))
    place = found.place(drawn.click.flatten(0, 1)[found.item], GRID)
    assert ((place >= 0) & (place < GRID)).all()
    assert (found.corner == found.corner.round()).all()
    assert (found.cells >= windows.CLOSEST).all()
    assert (found.cells <= max(windows.CLOSEST, min(GRID, side // 4 + side // 16))).all()
    moved = pushed(found.corner, found.cells, side)
    assert torch.equal(moved, found.corner)


def test_windows_of_regions_show_all_of_them_with_some_room():
    drawn = objects(*["box", "lasso", "mask"] * 30, side=256, radius=40.0)
    seeded(0)

    found = draw_windows(drawn)

    low, high = found.corner * COARSE_STRIDE, (found.corner + found.cells[:, None]) * COARSE_STRIDE
    for index, item in enumerate(found.item.tolist()):
        spots = torch.from_numpy(np.argwhere(drawn.mask[item, 0].numpy()) + 0.5)
        assert ((spots > low[index]) & (spots < high[index])).all()
    share = found.cells * COARSE_STRIDE / 80
    assert (share >= 1.25).all()
    assert (share <= 2.1).all()


def test_windows_of_a_click_are_small_or_large_and_close_looks_are_small():
    drawn = objects(*["click"] * 60, *["detail"] * 60, side=256, radius=50.0)
    seeded(0)

    share = (draw_windows(drawn).cells * COARSE_STRIDE / 100).view(2, -1)

    assert share[0].min() < 0.8  # the object runs out of its window
    assert share[0].max() > 2
    assert share[1].max() < 0.9
    assert (share.view(2, -1, LADDER).diff(dim=2) != 0).float().mean() > 0.5


def test_windows_of_words_show_at_least_half_a_crop():
    drawn = objects(*["word", "reference"] * 20, side=128)
    seeded(0)

    assert (draw_windows(drawn).cells * COARSE_STRIDE >= 64).all()


def test_examples_are_the_mean_embedding_of_their_region_in_the_mate():
    seeded(0)
    drawn = objects(*["reference"] * 4)
    coarse = torch.randn(4, 9, 32, 32)
    example = torch.rand(4, 1, 32, 32) < 0.1
    example[2] = False

    found = example_of(coarse, replace(drawn, example=example), slice(2, 7))

    for index, mate in enumerate((1, 0, 3, 2)):
        region = example[index, 0]
        expected = F.normalize(coarse[mate, 2:7][:, region].sum(1), dim=0)
        assert torch.allclose(found[index], expected, atol=1e-5)
    assert (found[2] == 0).all()


def test_prototypes_are_the_mean_embeddings_of_what_was_accepted():
    seeded(0)
    drawn = objects("click", "box")
    coarse = torch.randn(2, 9, 32, 32)
    accepted = torch.rand(2, 1, 8, 32, 32) < 0.05
    accepted[0, 0, 3:] = accepted[1] = False
    drawn = replace(drawn, accepted=accepted, accepted_side=torch.tensor([[4.5], [0.0]]))
    found = draw_windows(drawn)

    context = context_of(coarse, drawn, found, {"instance": slice(0, 4), "semantic": slice(4, 9)})

    assert context.known.sum(1).tolist() == [3] * LADDER + [0] * LADDER
    assert context.side.tolist() == [4.5] * LADDER + [0.0] * LADDER
    for number in range(3):
        region = accepted[0, 0, number]
        for ours, at in ((context.instance, slice(0, 4)), (context.semantic, slice(4, 9))):
            expected = F.normalize(coarse[0, at][:, region].sum(1), dim=0)
            assert torch.allclose(ours[0, number], expected, atol=1e-5)
            assert math.isclose(float(ours[1, number].norm()), 1, abs_tol=1e-5)


@pytest.mark.parametrize(("radius", "low", "high"), [(50.0, 0.5, 1.0), (11.0, 0.05, 0.3)])
def test_large_objects_are_often_seen_in_a_window_of_the_whole_crop(radius, low, high):
    drawn = objects(*["click"] * 200, radius=radius)
    seeded(0)

    found = draw_windows(drawn)

    whole = (found.cells * COARSE_STRIDE >= drawn.mask.shape[-1]).float().mean()
    assert low < whole < high
