"""Windows, views and evidence of the compact model: geometry that must be exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_seem.models.base import OUTSIDE
from napari_seem.models.compact import focus, pyramid, windows
from napari_seem.models.compact.network import FINE_GRID, GRID, CompactConfig, CompactNetwork
from napari_seem.models.compact.prompt_maps import canvas
from napari_seem.models.compact.prompt_maps.evidence import (
    MAPS,
    WindowPrompts,
    gather,
    geodesic_nearness,
)
from napari_seem.prompts import Box, Mask, Point, Polygon, Scribble


def level(height: int, width: int, scale: float = 1.0) -> pyramid.Level:
    """A level whose features hold their own positions."""
    rows, cols = -(-height // 4), -(-width // 4)
    coarse = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij"))
    fine = torch.stack(
        torch.meshgrid(torch.arange(2 * rows), torch.arange(2 * cols), indexing="ij")
    )
    return pyramid.Level(coarse.float(), fine.float(), (height, width), (scale, scale))


@pytest.mark.parametrize("shape", [(256, 256), (100, 300), (1, 700), (31, 33)])
def test_levels_halve_until_one_window_holds_the_image(shape):
    sizes = pyramid.level_shapes(shape)

    assert max(sizes[0]) <= pyramid.LARGEST
    assert max(sizes[-1]) <= pyramid.SMALLEST
    assert all(max(size) > pyramid.SMALLEST for size in sizes[:-1])


def test_full_size_window_is_cut_without_resampling():
    here = level(512, 512)

    coarse, fine = windows.cut(here.coarse, here.fine, windows.Window(10, 20, GRID))

    assert coarse[0, 0, 0] == 10
    assert coarse[1, 0, 0] == 20
    assert fine[0, -1, -1] == 2 * 10 + FINE_GRID - 1


def test_what_lies_outside_the_image_is_cut_as_zero():
    here = level(64, 64)

    coarse, _ = windows.cut(here.coarse + 1, here.fine, windows.Window(-4, -4, 24))

    assert (coarse[:, 0, 0] == 0).all()
    assert (coarse[:, GRID // 2, GRID // 2] > 0).all()


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_a_painted_window_lands_on_the_pixels_it_was_drawn_from(scale):
    size = 200
    truth = np.zeros((size, size), bool)
    truth[60:120, 70:110] = True
    here = level(round(size * scale), round(size * scale), scale)
    view = focus.around_extent([here], (60, 70, 120, 110), 1.5)

    grid = torch.from_numpy(np.where(view.sample(truth), 5.0, -5.0)).float()
    values, (y0, x0, y1, x1) = windows.paste(grid, view.window, truth.shape, here.scale)

    pasted = np.zeros_like(truth)
    pasted[y0:y1, x0:x1] = values.numpy() > 0
    overlap = (pasted & truth).sum() / (pasted | truth).sum()
    assert overlap > 0.95


def test_a_click_is_painted_around_its_own_cell():
    view = canvas.View(level(256, 256), windows.Window(0, 0, GRID))

    maps = canvas.draw([Point(100, 50), Point(10, 200, positive=False)], view, None)

    rows, cols = np.nonzero(maps[canvas.POSITIVE])
    assert (rows.mean(), cols.mean()) == (50, 25)
    assert len(rows) == canvas.CLICK_CELLS**2
    assert maps[canvas.NEGATIVE, 5, 100] == 1
    assert maps[canvas.VALID].all()


def test_regions_strokes_and_guesses_each_have_their_own_map():
    shape = (256, 256)
    view = canvas.View(level(*shape), windows.Window(0, 0, GRID))
    square = np.zeros(shape, bool)
    square[40:80, 40:80] = True
    corners = np.array([[40.0, 40], [40, 79], [79, 79], [79, 40]])

    box = canvas.draw([Box(40, 40, 80, 80)], view, None)
    lasso = canvas.draw([Polygon(corners)], view, None)
    guess = canvas.draw([Mask(square)], view, None)
    stroke = canvas.draw([Scribble(square)], view, None)
    forbidden = canvas.draw([Box(40, 40, 80, 80, positive=False)], view, None)

    assert box[canvas.BOX].sum() == lasso[canvas.LASSO].sum() == 20 * 20
    assert (guess[canvas.PREVIOUS] > 0).sum() == 20 * 20
    assert stroke[canvas.POSITIVE].sum() == 22 * 22  # strokes are drawn a cell wider
    assert forbidden[canvas.NEGATIVE].sum() == 20 * 20
    assert not forbidden[canvas.BOX].any()


@pytest.mark.parametrize(
    "area",
    [(20, 30, 40, 70), (0, 0, 90, 120), (25, 32, 30, 60), (35, 10, 60, 50), (70, 90, 90, 120)],
)
def test_a_part_of_an_image_reads_as_the_whole_image_would(rng, area):
    values = rng.normal(size=(20, 40)).astype(np.float32)
    whole = np.full((90, 120), OUTSIDE, np.float32)
    whole[20:40, 30:70] = values
    part = windows.PartLogits(values, (20, 30), (90, 120))
    y0, x0, y1, x1 = area

    assert np.array_equal(part.within(area), whole[y0:y1, x0:x1])
    rows, cols = np.array([0, y0, y0, y1 - 1, 89]), np.array([x0, x1 - 1, x1 - 1])
    assert np.array_equal(part.at(np.sort(rows), cols), whole[np.sort(rows)[:, None], cols])


def test_an_answer_knows_its_object_without_the_whole_image():
    values = np.full((20, 40), -3, np.float32)
    values[4:9, 5:17] = 2
    answer = windows.PartPrediction(windows.PartLogits(values, (20, 30), (90, 120)), 0.7)

    mask, corner = answer.cut_out()

    assert answer.bbox == (24, 35, 29, 47)
    assert (mask.all(), mask.shape, corner, answer.area) == (True, (5, 12), (24, 35), 60)
    assert np.argwhere(answer.mask).min(0).tolist() == [24, 35]
    assert np.array_equal(answer.logits > 0, answer.mask)
    assert not answer.logits.flags.writeable
    assert not answer.mask.flags.writeable
    assert repr(answer) == "Prediction(90 x 120, area=60, box=(24, 35, 29, 47), score=0.70)"


def test_windows_double_around_a_lone_click():
    config = CompactConfig()
    here = level(1024, 1024)
    coarse = torch.zeros(config.coarse_channels, 256, 256)
    coarse[config.coarse_slices["size"]] = 6.0
    levels = [
        pyramid.Level(coarse[:, :: 2**k, :: 2**k], here.fine, (1024 >> k, 1024 >> k), (0.5**k,) * 2)
        for k in range(3)
    ]

    candidates = focus.ladder(levels, (500, 500, 501, 501), config)
    sides = [c.view.window.side / c.view.level.scale[0] for c in candidates]

    assert sorted(sides) == [64, 128, 256, 512, 1024]
    assert [c.prior for c in candidates] == sorted((c.prior for c in candidates), reverse=True)
    assert sides[0] == 128  # the encoder guesses that the object is some 100 pixels wide


def test_geodesic_nearness_goes_around_a_wall_not_through_it():
    boundary = torch.zeros(1, 1, GRID, GRID)
    boundary[..., :48, 32] = 1
    seeds = torch.zeros(1, 2, GRID, GRID)
    seeds[0, 0, 5, 28] = 1

    near = geodesic_nearness(seeds, boundary)[0]

    assert near[0, 5, 28] == 1
    assert near[0, 5, 36] < near[0, 5, 20]  # equally far, but behind the wall
    assert not near[1].any()  # no negative stroke


def test_evidence_fills_exactly_the_channels_the_decoder_expects():
    config = CompactConfig(vocabulary=3)
    network = CompactNetwork(config).eval()
    coarse, fine = network.encoder(torch.randn(2, 3, 256, 256))
    prompts = WindowPrompts.blank(2, config, FINE_GRID)
    prompts.maps[0, MAPS.index("positive"), 60:64, 60:64] = 1

    evidence = gather(coarse, fine, prompts, config)
    logits, core, quality = network.decoder(
        coarse[:, config.coarse_slices["features"]], evidence, fine, torch.zeros(2, 3, 128, 128)
    )

    assert evidence.shape == (2, config.evidence, GRID, GRID)
    assert logits.shape == (2, FINE_GRID, FINE_GRID)
    assert core.shape == (2, GRID, GRID)
    assert quality.shape == (2,)
