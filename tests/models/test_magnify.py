"""Small objects on larger images: looked at twofold magnified, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import napari_seem as ns
from napari_seem.embeddings import EmbeddingStore
from napari_seem.models.base import Embedding
from napari_seem.models.compact import focus, magnify, pyramid, windows
from napari_seem.models.compact.network import FINE_GRID
from napari_seem.models.compact.prompt_maps import canvas

SIZE = 700
ELLIPSES = [
    (2.5, 3.0, 5, 5), (40.3, 61.8, 5, 7), (120.0, 500.5, 6, 6), (333.3, 333.7, 8, 5),
    (402.6, 31.1, 7, 7), (510.2, 620.9, 5, 8), (611.5, 240.0, 6, 8), (696.4, 350.2, 6, 6),
    (350.5, 697.0, 5, 5), (696.5, 696.2, 6, 7), (200.9, 210.4, 8, 8), (80.1, 300.6, 7, 5),
]  # fmt: skip
"""Centres (y, x; pixel centres at integers) and diameters, some at the image's border."""


def inside(ellipse, shape=(SIZE, SIZE)):
    """Share of each pixel inside an ellipse, from 8 x 8 samples of it."""
    y, x, height, width = ellipse
    out = np.zeros(shape)
    rows = np.arange(max(0, int(y) - 6), min(shape[0], int(y) + 8))
    cols = np.arange(max(0, int(x) - 6), min(shape[1], int(x) + 8))
    finer = (np.arange(8) + 0.5) / 8 - 0.5
    down = ((rows[:, None] + finer).ravel() - y) / (height / 2)
    across = ((cols[:, None] + finer).ravel() - x) / (width / 2)
    hit = np.hypot(down[:, None], across[None]) <= 1
    share = hit.reshape(len(rows), 8, len(cols), 8).mean((1, 3))
    out[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1] = share
    return out


def box_of(mask):
    rows, cols = np.nonzero(mask)
    return ns.Box(rows.min(), cols.min(), rows.max() + 1, cols.max() + 1)


def overlap(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


@pytest.fixture(scope="module")
def model():
    return ns.load_model("compact", device="cpu")


@pytest.fixture(scope="module")
def image():
    """Small bright ellipses, anti-aliased, and a large dark disc, on noise."""
    light = sum(inside(ellipse) for ellipse in ELLIPSES)
    rows, cols = np.mgrid[:SIZE, :SIZE]
    light = light * 70 - 40 * (np.hypot(rows - 480, cols - 430) < 50)
    noise = np.random.default_rng(0).normal(90, 10, light.shape)
    return np.clip(light + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def truths():
    return [inside(ellipse) >= 0.5 for ellipse in ELLIPSES]


@pytest.fixture(scope="module")
def embedding(model, image):
    return model.encode(image)


@pytest.fixture(scope="module")
def older(embedding):
    """As versions before made it: without pixels."""
    tensors = {name: t for name, t in embedding.tensors.items() if name != magnify.PIXELS}
    return replace(embedding, tensors=tensors, meta={"sizes": embedding.meta["sizes"]})


def patch_around(ellipse, shape=(SIZE, SIZE)):
    """A magnified level without an encoder: its features hold their places in the whole level."""
    y, x, height, width = ellipse
    corner = [magnify._span(at + 0.5, size)[0] for at, size in zip((y, x), shape, strict=True)]
    ends = [magnify._span(at + 0.5, size)[1] for at, size in zip((y, x), shape, strict=True)]
    coarse, fine = (
        torch.stack(
            torch.meshgrid(
                *(torch.arange(2 * a // stride, -(-2 * b // stride))
                  for a, b in zip(corner, ends, strict=True)), indexing="ij",
            )
        ).float()
        for stride in (4, 2)
    )  # fmt: skip
    level = pyramid.Level(
        coarse, fine, (2 * shape[0], 2 * shape[1]), (2, 2), (corner[0] // 2, corner[1] // 2)
    )
    extent = y - height / 2 + 0.5, x - width / 2 + 0.5, y + height / 2 + 0.5, x + width / 2 + 0.5
    return level, tuple(np.clip(extent, 0, SIZE))


@pytest.mark.parametrize("ellipse", ELLIPSES)
def test_a_magnified_view_shows_the_features_of_its_own_place(ellipse):
    level, extent = patch_around(ellipse)

    view = focus.around_extent([level], extent, 1.45, windows.CLOSEST)
    coarse, _ = view.features()

    for axis in (0, 1):
        places = view.pixels(axis)
        np.testing.assert_array_equal(view.cells(places, axis), np.arange(FINE_GRID))
        at_coarse = (places + 0.5) * 2 / 4 - 0.5  # where the whole level has these places
        seen = np.repeat(coarse[axis].numpy().mean(1 - axis), 2)
        well_inside = slice(16, -16)
        assert np.abs(seen - at_coarse)[well_inside].max() <= 0.5


@pytest.mark.parametrize("ellipse", ELLIPSES)
def test_what_is_decoded_in_a_magnified_view_lands_on_the_right_pixels(ellipse):
    level, extent = patch_around(ellipse)
    view = focus.around_extent([level], extent, 1.45, windows.CLOSEST)
    y, x, height, width = ellipse
    down, across = (view.pixels(0) - y) / (height / 2), (view.pixels(1) - x) / (width / 2)
    drawn = (5 * (1 - np.hypot(down[:, None], across[None]))).astype(np.float32)

    values, (y0, x0, y1, x1) = view.paste(drawn, (SIZE, SIZE))
    pasted = np.zeros((SIZE, SIZE), bool)
    pasted[y0:y1, x0:x1] = values.numpy() > 0

    truth = inside(ellipse) >= 0.5
    assert overlap(pasted, truth) > 0.85
    for mine, true in zip(np.nonzero(pasted), np.nonzero(truth), strict=True):
        assert abs(mine.mean() - true.mean()) < 0.5


def test_only_windows_within_the_patch_are_looked_at_magnified():
    level, extent = patch_around(ELLIPSES[3])
    whole = pyramid.Level(torch.zeros(1, 176, 176), torch.zeros(1, 352, 352), (SIZE, SIZE), (1, 1))
    center = (extent[0] + extent[2]) / 2, (extent[1] + extent[3]) / 2

    chosen = [
        focus.view_around([level, whole], (center[0] + off, center[1]), side, windows.CLOSEST).level
        is level
        for off, side in [(0, 12), (0, 40), (0, 100), (100, 12)]
    ]

    assert chosen == [True, True, False, False]
    closest = focus.view_around([level, whole], center, 12, windows.CLOSEST)
    assert closest.window.cells == windows.CLOSEST


def test_small_boxes_are_answered_better_magnified(model, embedding, older, truths):
    near, far = (
        [overlap(model.predict(e, [box_of(t)]).mask, t) for t in truths] for e in (embedding, older)
    )

    assert np.mean(near) > np.mean(far)
    assert np.mean(near) > 0.7


def test_magnified_answers_lie_where_the_objects_are(model, embedding, truths):
    for truth in truths:
        found = model.predict(embedding, [box_of(truth)]).mask
        for mine, true in zip(np.nonzero(found), np.nonzero(truth), strict=True):
            assert abs(mine.mean() - true.mean()) < 1


def test_later_turns_are_magnified_with_the_patch_of_the_turn_before(
    model, embedding, older, truths
):
    truth = truths[4]
    first = model.predict(embedding, [box_of(truth)])
    patch = embedding.scratch[magnify.LAST]
    prompts = [box_of(truth), ns.Point(402, 34)]

    second = model.predict(embedding, prompts, first.memory)
    anew = model.predict(replace(embedding), prompts, first.memory)

    assert embedding.scratch[magnify.LAST] is patch
    np.testing.assert_array_equal(second.logits, anew.logits)
    assert second.score == anew.score
    assert second.score != model.predict(older, prompts, first.memory).score


def test_everything_else_is_answered_as_before_to_the_last_bit(model, embedding, older):
    """Lone clicks and strokes, larger regions, and what is only forbidden."""
    stroke, region = np.zeros((2, SIZE, SIZE), bool)
    stroke[400:405, 29:33] = True
    region[440:520, 390:470] = True
    click = ns.Point(402.6, 31.1)
    questions = [
        [click], [ns.Scribble(stroke)], [ns.Mask(region)], [click, ns.Point(402, 60, False)],
        [ns.Box(395, 24, 417, 40)], [ns.Box(400, 20, 404, 41)],
        [ns.Polygon(np.array([[430.0, 380], [430, 480], [530, 480], [530, 380]]))],
        [click, ns.Box(300, 0, 310, 8, positive=False)], [ns.Text("nucleus")],
    ]  # fmt: skip

    for prompts in questions:
        embedding.scratch.clear()
        now, before = (model.predict(e, prompts) for e in (embedding, older))
        np.testing.assert_array_equal(now.logits, before.logits)
        assert now.score == before.score
        assert not embedding.scratch
    large = model.predict(embedding, [ns.Mask(region)]).memory
    now, before = (model.predict(e, [ns.Point(440, 430)], large) for e in (embedding, older))
    np.testing.assert_array_equal(now.logits, before.logits)


def test_a_click_after_an_empty_answer_does_not_say_how_large(model, embedding, older):
    empty = np.full((SIZE, SIZE), -12, np.float32)

    now, before = (model.predict(e, [ns.Point(402, 31)], empty) for e in (embedding, older))

    np.testing.assert_array_equal(now.logits, before.logits)


def test_embeddings_from_disk_magnify_alike(model, embedding, truths, tmp_path):
    store = EmbeddingStore(tmp_path)
    store.put(("m", "c"), embedding)
    kept = store.get(("m", "c"))

    for truth in truths[:3]:
        fresh, read = (model.predict(e, [box_of(truth)]) for e in (embedding, kept))
        np.testing.assert_array_equal(fresh.logits, read.logits)
    assert kept.scratch
    assert kept.tensors[magnify.PIXELS].dtype == torch.uint8
    assert kept.meta == embedding.meta


def test_a_part_is_magnified_as_bright_as_the_whole(model, image):
    rgb = np.repeat(image[:520, :90, None], 3, 2)
    shown = np.where(rgb > 128, rgb, rgb // 2)  # a part that is darker than its whole
    whole, part = model.encode(rgb), model.encode_part(shown, rgb)

    assert part.meta[magnify.BRIGHTNESS] == whole.meta[magnify.BRIGHTNESS]
    assert model.encode(shown).meta[magnify.BRIGHTNESS] != whole.meta[magnify.BRIGHTNESS]
    assert np.array_equal(part.tensors[magnify.PIXELS].numpy(), shown)


def test_pixels_are_kept_only_where_they_would_show_more(model):
    rgb = np.zeros((600, 520, 3), np.uint8)
    kept = magnify.with_pixels(Embedding("m", (600, 520), {}), rgb, (0.0, 1.0), "cpu")
    rgb += 9

    assert kept.nbytes == rgb.nbytes
    assert not kept.tensors[magnify.PIXELS].any()  # later changes of the image don't reach it
    for shape in [(512, 300), (2049, 20)]:
        small_or_huge = Embedding("m", shape, {})
        pixels = np.zeros((*shape, 3), np.uint8)
        assert magnify.with_pixels(small_or_huge, pixels, (0.0, 1.0), "cpu") is small_or_huge
    assert magnify.PIXELS not in model.encode(np.zeros((64, 512), np.uint8)).tensors


@pytest.mark.parametrize("shape", [(513, 1), (3, 701), (601, 65), (700, 64)])
def test_narrow_images_are_magnified(model, shape):
    rng = np.random.default_rng(0)
    embedding = model.encode(rng.integers(0, 255, shape, dtype=np.uint8))

    for y, x in [(0, 0), (shape[0] - 2, shape[1] - 2), (shape[0] // 2, shape[1] // 2)]:
        box = ns.Box(max(0, y), max(0, x), min(y + 4, shape[0]), min(x + 4, shape[1]))
        found = model.predict(embedding, [box])
        assert embedding.scratch
        assert found.logits.shape == shape
        assert np.isfinite(found.logits).all()


def test_views_on_whole_levels_show_all_of_it():
    whole = pyramid.Level(torch.zeros(1, 8, 8), torch.zeros(1, 16, 16), (32, 32), (1, 1))

    assert canvas.View(whole, windows.Window(-20, -20, 64)).shown
