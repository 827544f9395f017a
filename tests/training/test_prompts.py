"""Prompts lie where a person would put them, and are painted as the model paints them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scenes import discs_on_grid, inside_disc, objects_of, seeded, windows_at

from napari_seem.models.compact import windows
from napari_seem.models.compact.network import FINE_GRID, GRID
from napari_seem.models.compact.prompt_maps import canvas
from napari_seem.models.compact.prompt_maps.evidence import ContextVectors
from napari_seem.models.compact.pyramid import Level
from napari_seem.prompts import Point
from napari_seem.training.crops import OUTSIDE
from napari_seem.training.prompts import (
    BOX,
    LASSO,
    POSITIVE,
    PREVIOUS,
    VALID,
    as_prompts,
    begin,
    boxes,
    coarsened,
    roughened,
    strokes,
)
from napari_seem.training.sampling import depth
from napari_seem.training.views import draw_windows

SIDE = 128


def scene(*kinds: str, spot: tuple[float, float] = (60.0, 70.0), radius: float = 20.0):
    """A crop for each kind, with a disc and the picture's edge at column 100."""
    mask = inside_disc((SIDE, SIDE), *spot, radius)
    mask[:, 100:] = False
    ids = np.where(mask, 1, 0)[None, None].repeat(len(kinds), 0).repeat(2, 1)
    ids[..., 100:] = OUTSIDE
    masks = mask[None, None].repeat(len(kinds), 0)
    return objects_of(masks, *kinds), torch.from_numpy(ids).long()


def view_of(window: windows.Window, shape: tuple[int, int] = (SIDE, SIDE)) -> canvas.View:
    blank = torch.zeros(1, 1, 1)
    return canvas.View(Level(blank, blank, shape, (1.0, 1.0)), window)


@pytest.mark.parametrize("grid", [32, 64])
def test_truth_is_the_nearest_pixel_of_the_crop(grid):
    drawn, ids = scene("box", "box")
    found = windows_at([(5, 9), (-3, 14)], [17, 30], crops=2)

    round_ = begin(drawn, ids, found, grid)

    fine, mask = 2 * grid, drawn.mask[0, 0].numpy()
    for index, (corner, cells) in enumerate([((5, 9), 17), ((-3, 14), 30)]):
        for row in range(0, fine, 5):
            for col in range(0, fine, 3):
                y, x = ((at + (k + 0.5) * cells / fine) * 4
                        for at, k in zip(corner, (row, col), strict=True))  # fmt: skip
                there = 0 <= y < SIDE and 0 <= x < 100
                assert round_.valid[index, row, col] == there
                assert round_.target[index, row, col] == (there and mask[int(y), int(x)])


def test_the_full_area_is_counted_in_cells_of_the_window():
    drawn, ids = scene("click", "click")
    drawn = replace(drawn, full=torch.tensor([[5000.0], [1.0]]))
    found = windows_at([(0, 0), (8, 10)], [32, 16], crops=2)

    round_ = begin(drawn, ids, found, GRID)

    assert round_.full[0] == 5000  # a cell is a pixel there
    assert round_.full[1] == round_.target[1].sum()  # never less than what is seen


def test_windows_without_the_object_count_nothing():
    drawn, ids = scene("click", "click")
    found = windows_at([(0, 0), (8, 10)], [32, 16], crops=2)

    far = begin(drawn, ids, replace(found, corner=torch.tensor([[0.0, 0], [22, 0]])), GRID)
    none = begin(replace(drawn, counts=torch.tensor([[True], [False]])), ids, found, GRID)

    assert not far.target[1].any()
    assert far.counts.tolist() == none.counts.tolist() == [1, 0]


@pytest.mark.parametrize("click", [(60.5, 70.5), (45.5, 60.5), (67.5, 83.5)])
@pytest.mark.parametrize(("corner", "cells"), [((0, 0), 32), ((8, 10), 16), ((7, -2), 23)])
def test_clicks_are_painted_as_the_model_paints_them(click, corner, cells):
    drawn, ids = scene("click")
    drawn = replace(drawn, click=torch.tensor([[click]]))

    ours = begin(drawn, ids, windows_at([corner], [cells], crops=1), GRID).maps[0]

    view = view_of(windows.Window(*corner, cells))
    theirs = canvas.draw([Point(click[0] - 0.5, click[1] - 0.5)], view, None)
    assert np.array_equal(ours[POSITIVE], theirs[POSITIVE])
    assert ours[POSITIVE].any()
    on_crop = view_of(windows.Window(*corner, cells), (SIDE, 100))
    assert np.array_equal(ours[VALID], canvas.draw([], on_crop, None)[VALID])


def test_a_click_on_the_coarser_grid_covers_the_same_place():
    drawn, ids = scene("click")
    found = windows_at([(8, 10)], [20], crops=1)

    fine, coarse = (begin(drawn, ids, found, grid).maps[0, POSITIVE] for grid in (64, 32))

    middles = [np.argwhere(m.numpy() > 0).mean(0) + 0.5 for m in (fine, coarse)]
    assert np.abs(middles[0] / 2 - middles[1]).max() <= 0.5
    assert coarse.sum() == 9


def test_each_kind_of_prompt_fills_its_own_map():
    kinds = ("click", "box", "scribble", "lasso", "mask", "detail", "reference", "word")
    drawn, ids = scene(*kinds)
    found = windows_at([(2, 5)] * len(kinds), [26] * len(kinds), crops=len(kinds))
    seeded(0)

    maps = begin(drawn, ids, found, GRID).maps

    filled = {kind: set(maps[i, :VALID].flatten(1).any(1).nonzero().flatten().tolist())
              for i, kind in enumerate(kinds)}  # fmt: skip
    assert filled == {
        "click": {POSITIVE}, "box": {BOX}, "scribble": {POSITIVE}, "lasso": {LASSO},
        "mask": {PREVIOUS}, "detail": {PREVIOUS}, "reference": set(), "word": set(),
    }  # fmt: skip
    invalid = maps[:, VALID] == 0
    assert invalid.any()
    assert (maps[:, PREVIOUS][invalid] == 0).all()
    target = begin(drawn, ids, found, GRID).target
    sure = maps[kinds.index("mask"), PREVIOUS].abs()
    assert 3 <= sure[sure > 0].min() <= sure.max() <= 6
    agree = (maps[kinds.index("mask"), PREVIOUS] > 0) == (target[0] > 0)
    assert agree.float().mean() > 0.9


def test_boxes_lie_around_the_object_up_to_some_carelessness():
    target = discs_on_grid(60)
    seeded(0)

    drawn = boxes(target)

    slack = []
    for mask, box in zip(target.numpy(), drawn.numpy(), strict=True):
        rows, cols = np.nonzero(mask)
        tall, wide = np.nonzero(box)
        assert box.sum() == (np.ptp(tall) + 1) * (np.ptp(wide) + 1)  # a full rectangle
        longest = max(np.ptp(rows), np.ptp(cols)) + 1
        edges = np.array([tall.min(), wide.min(), tall.max(), wide.max()])
        off = edges - [rows.min(), cols.min(), rows.max(), cols.max()]
        assert np.abs(off).max() <= 0.25 * longest
        slack.append(off / longest)
    assert np.abs(np.mean(slack, 0)).max() < 0.03  # as often too small as too large
    assert 0.02 < np.std(slack) < 0.07


def test_strokes_stay_inside_their_object():
    target = torch.cat([discs_on_grid(48), torch.zeros(1, FINE_GRID, FINE_GRID)])
    target[0] = 0
    target[0, 50, 20:100] = 1  # a line of one cell
    seeded(0)

    drawn = strokes(target, depth(target))

    assert ((drawn == 0) | (target == 1)).all()
    assert drawn[:-1].flatten(1).any(1).all()
    assert not drawn[-1].any()
    share = (drawn.sum((1, 2)) / target.sum((1, 2)).clamp(min=1))[1:-1]
    assert share.median() < 0.5  # lines, not fillings


def test_outlines_by_hand_overlap_their_object_well():
    target = discs_on_grid(60)
    seeded(0)

    rough = roughened(target, 0.35)

    both, either = (rough * target).sum((1, 2)), torch.maximum(rough, target).sum((1, 2))
    assert set(rough.unique().tolist()) == {0, 1}
    assert (both / either).median() > 0.85
    assert (both / either).min() > 0.5
    assert (rough != target).flatten(1).any(1).all()
    rows = torch.arange(FINE_GRID)[:, None]
    middles = [(mask * rows).sum((1, 2)) / mask.sum((1, 2)) for mask in (rough, target)]
    assert (middles[0] - middles[1]).mean().abs() < 0.5


def test_an_empty_mask_stays_empty():
    nothing = torch.zeros(8, FINE_GRID, FINE_GRID)
    seeded(0)

    assert not roughened(nothing, 0.6).any()
    assert not strokes(nothing, depth(nothing)).any()


def test_a_look_from_afar_has_mostly_the_right_sign():
    target = discs_on_grid(60)
    seeded(0)

    seen = coarsened(target)

    assert seen.abs().max() <= 1
    agree = ((seen > 0) == (target > 0)).float().mean((1, 2))
    assert agree.median() > 0.9
    assert agree.min() > 0.7
    assert len(seen[0].unique()) > 10  # unsure in places


def test_only_words_are_spoken_and_only_references_shown():
    kinds = ("click", "word", "reference", "box")
    drawn, ids = scene(*kinds)
    drawn = replace(drawn, word=torch.tensor([[1], [1], [0], [-1]]))
    seeded(0)
    found = draw_windows(drawn)
    round_ = begin(drawn, ids, found, 32)
    vectors = {"instance": torch.randn(4, 16), "semantic": torch.randn(4, 32)}
    words = torch.randn(2, 32)
    count = len(found.item)
    context = ContextVectors(
        torch.zeros(count, 8, 16), torch.zeros(count, 8, 32), torch.zeros(count, 8).bool(),
        torch.zeros(count),
    )  # fmt: skip

    class Config:
        semantic_dim = 32

    prompts = as_prompts(round_, drawn, found, vectors, words, Config, context)

    of = found.item.tolist()
    for index, kind in enumerate(kinds[item] for item in of):
        assert torch.equal(prompts.word[index], words[1] * (kind == "word"))
        for shown, vector in ((prompts.instance, "instance"), (prompts.semantic, "semantic")):
            assert torch.equal(shown[index], vectors[vector][of[index]] * (kind == "reference"))
    assert not prompts.other_semantic.any()
    assert prompts.maps is round_.maps
    assert torch.equal(prompts.cells, torch.log2(found.cells / GRID))
