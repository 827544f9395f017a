"""Images that are encoded where a turn looks at them answer as those encoded as wholes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import napari_seem as ns
from napari_seem.embeddings import EmbeddingCache, EmbeddingStore
from napari_seem.models.base import LazyEncoder
from napari_seem.models.compact import pyramid
from napari_seem.models.compact.words.concept import directions
from napari_seem.sources import TiledModel
from napari_seem.sources.source import open_plane, source_of_array

TOLERANCE = 0.01
"""Mean deviation of features in units of their own."""


@pytest.fixture(scope="module")
def model():
    """The compact model in float32: bfloat16 rounds parts and wholes differently."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_seem.models.compact.model.compute_type", lambda _: torch.float32)
        return ns.load_model("compact", device="cpu")


def picture(shape, seed=0, radius=18):
    """Bright discs on noise; return it with the middles (y, x) of the discs."""
    rng = np.random.default_rng(seed)
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    light = rng.normal(80, 10, shape)
    middles = rng.uniform((0, 0), np.array(shape) - 1, (40, 2))
    for (y, x), size in zip(middles, rng.uniform(0.5, 1.5, 40) * radius, strict=True):
        light[np.hypot(rows - y, cols - x) < size] += rng.uniform(50, 90)
    return light.clip(0, 255).astype(np.uint8), middles


@pytest.fixture(scope="module")
def large(model):
    """(image, middles of its discs, its embedding as a whole)."""
    image, middles = picture((1000, 760))
    return image, middles, model.encode(image)


def differing(one, other):
    """Share of the pixels of an answer that another lacks or has besides."""
    return (one.mask != other.mask).sum() / max(1, other.mask.sum())


def encoded(lazy):
    """Number of parts of each level, and whether one of them is all of it."""
    return [(len(level.parts), any(p.corner is None for p in level.parts)) for level in lazy.levels]


def test_features_of_a_part_are_those_of_the_whole(model, large):
    image, _, encoded_whole = large
    whole = pyramid.levels(encoded_whole)[0]
    for box in ((100, 80, 164, 144), (0, 0, 30, 64), (236, 130, 250, 190)):
        level = model.encode_lazily(image).levels[0]
        part = level.part(box)
        top, left = part.corner
        height, width = part.coarse.shape[-2:]
        assert part.holds(box)
        assert height * width < whole.coarse[0].numel() / 2
        for name, k in (("coarse", 1), ("fine", 2)):
            mine = getattr(part, name).float()
            rows, cols = slice(k * top, k * (top + height)), slice(k * left, k * (left + width))
            theirs = getattr(whole, name).float()[:, rows, cols]
            assert mine.shape == theirs.shape
            assert float((mine - theirs).abs().mean() / theirs.std()) < TOLERANCE


@pytest.mark.parametrize(
    "shape",
    [pytest.param((1000, 760), marks=pytest.mark.long), (1300, 90), (40, 64), (500, 130)],
)
def test_a_click_is_answered_as_on_the_whole(model, shape):
    image, middles = picture(shape)
    whole = model.encode(image)
    last = np.array(shape) - 1
    places = [middles[0], (0.0, 0.0), (last[0], last[1] / 2)]
    for place in places:
        lazy, prompts, memories = model.encode_lazily(image), [], (None, None)
        for prompt in (ns.Point(*place), ns.Point(*(last - place), positive=False)):
            prompts.append(prompt)
            mine = model.predict(lazy, prompts, memories[0])
            theirs = model.predict(whole, prompts, memories[1])
            assert differing(mine, theirs) < 0.01
            memories = mine.memory, theirs.memory


def test_a_click_encodes_what_its_windows_show_and_the_next_one_there_nothing(model):
    image, _ = picture((1300, 200))
    lazy = model.encode_lazily(image)
    assert encoded(lazy) == [(0, False)] * 4
    model.predict(lazy, [ns.Point(300, 100)])
    before = [level.parts for level in lazy.levels]
    assert encoded(lazy)[:2] == [(1, False), (1, False)]
    model.predict(lazy, [ns.Point(304, 96)])
    assert [level.parts for level in lazy.levels] == before
    model.predict(lazy, [ns.Point(1100, 100)])
    assert encoded(lazy)[0] == (2, False)


def test_an_object_larger_than_the_part_is_answered_from_more_of_the_plane(model):
    image = np.random.default_rng(0).normal(80, 10, (900, 900))
    rows, cols = np.ogrid[:900, :900]
    disc = np.hypot(rows - 458, cols - 442) < 350
    image[disc] += 70
    image = image.clip(0, 255).astype(np.uint8)
    lazy, whole = model.encode_lazily(image), model.encode(image)

    for click in (ns.Point(458, 442), ns.Point(165, 442), ns.Box(108, 92, 808, 792)):
        mine, theirs = model.predict(lazy, [click]), model.predict(whole, [click])
        assert differing(mine, theirs) < 0.01
    assert theirs.mask[disc].mean() > 0.9


def test_a_level_is_encoded_as_a_whole_once_its_parts_would_cost_as_much(model, large):
    image, _, encoded_whole = large
    level = model.encode_lazily(image).levels[0]
    boxes = [(y, x, y + 60, x + 60) for y in (0, 90, 190) for x in (0, 130)]
    for box in boxes:
        assert level.part(box).holds(box)
    (whole,) = level.parts
    assert whole.corner is None
    assert (whole.coarse == pyramid.levels(encoded_whole)[0].coarse).all()


def test_the_meaning_of_a_small_region_needs_no_whole_level(model, large):
    image, middles, encoded_whole = large
    rows, cols = np.ogrid[:1000, :760]
    mask = np.hypot(rows - middles[0][0], cols - middles[0][1]) < 12
    whole, lazy = pyramid.levels(encoded_whole)[0], model.encode_lazily(image).levels[0]
    config = model.network.config
    for mine, theirs in zip(
        directions(lazy, mask, config), directions(whole, mask, config), strict=True
    ):
        assert float(mine @ theirs) > 0.999
    assert [part.corner is None for part in lazy.parts] == [False]


def test_everything_is_found_as_on_the_whole(model):
    image, _ = picture((100, 80))
    lazy, whole = model.encode_lazily(image), model.encode(image)
    assert (model.segment(lazy).labels == model.segment(whole).labels).all()


def test_a_cache_keeps_parts_apart_and_forgets_them_when_the_whole_is_there(model, tmp_path):
    image, middles = picture((530, 90))
    store = EmbeddingStore(tmp_path)
    cache, noted, source = EmbeddingCache(store=store), [], source_of_array(image)
    first = open_plane(model, source, cache, on_part=lambda: noted.append(1))
    key = model.identity, first.content
    first.predict([ns.Point(*middles[0])])

    assert noted == [1]
    assert cache.is_begun(key)
    assert key not in cache
    assert cache.get(key) is None
    assert cache.nbytes == len(cache) == 0
    store.flush()
    assert store.get(key) is None
    again = open_plane(model, source, cache, on_part=lambda: noted.append(2))
    assert again.embedding is first.embedding

    whole = open_plane(model, source, cache)
    assert whole.embedding == model.encode(image)
    assert not cache.is_begun(key)
    later = open_plane(model, source, cache, on_part=lambda: noted.append(3))
    assert later.embedding is whole.embedding
    assert noted == [1, 2]


def test_a_cache_keeps_the_last_few_that_were_begun(model):
    cache = EmbeddingCache()
    for number in range(6):
        lazy = model.encode_lazily(np.full((40, 40), number, np.uint8))
        cache.get_or_begin(("m", str(number)), lambda lazy=lazy: lazy)
    assert [cache.is_begun(("m", str(number))) for number in range(6)] == [False] * 2 + [True] * 4
    cache.clear()
    assert not cache.is_begun(("m", "5"))


def test_a_model_that_can_not_is_given_the_whole(disc_model, disc_image):
    cache, noted = EmbeddingCache(), []
    source = source_of_array(disc_image[0])
    plane = open_plane(disc_model, source, cache, on_part=lambda: noted.append(1))
    assert not isinstance(disc_model, LazyEncoder)
    assert (disc_model.identity, plane.content) in cache
    assert noted == []


@pytest.mark.long
def test_a_frame_of_a_big_plane_is_encoded_where_a_turn_looks_and_then_as_a_whole(model):
    image, middles = picture((2100, 2100))
    click = ns.Point(*min(middles, key=lambda at: np.abs(at - 1000).max()))
    cache, noted = EmbeddingCache(), []
    parts = TiledModel(model, cache, on_part=lambda: noted.append(1))
    plane = parts.encode(image)
    mine = parts.predict(plane, [click])
    assert len(cache) == 0
    assert noted == [1]

    tiled = TiledModel(model, cache)
    tiled.encode_begun(plane)
    assert len(cache) == 1
    theirs = tiled.predict(plane, [click])
    assert len(cache) == 1
    assert theirs.area > 0
    assert differing(mine, theirs) < 0.01
    parts.predict(plane, [click])
    assert noted == [1]
