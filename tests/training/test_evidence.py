"""Evidence as training needs it: without asking what is there, on two grids, with context."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scenes import little_network, seeded

from napari_seem.models.compact.network import GRID, CompactConfig
from napari_seem.models.compact.prompt_maps import appearance
from napari_seem.models.compact.prompt_maps.evidence import (
    EXEMPLARS,
    ContextVectors,
    WindowPrompts,
    _exemplars,
    gather,
    geodesic_nearness,
)

SIMILAR, CONTEXT = slice(8, 16), slice(35, 40)
"""Channels of cosines to what is prompted, and of what was accepted before."""


@pytest.mark.parametrize("size", [3, 5, 7])
def test_blurring_is_the_mean_of_the_pixels_that_exist(size):
    seeded(0)
    image = torch.randn(2, 3, 17, 22)

    expected = F.avg_pool2d(image, size, 1, size // 2, count_include_pad=False)

    assert torch.allclose(appearance.blur(image, size), expected, atol=1e-5)


def test_exemplars_are_evenly_spread_over_what_is_marked():
    seeded(0)
    weight = torch.zeros(5, 300)
    for row, count in enumerate((1, 5, 40, 300)):
        weight[row, torch.randperm(300)[:count]] = 1

    index, known = _exemplars(weight)

    for row, marked in enumerate(weight):
        positions = marked.nonzero()[:, 0]
        if len(positions):
            picks = torch.linspace(0, len(positions) - 1, EXEMPLARS).round().long()
            assert torch.equal(index[row], positions[picks])
    assert known.tolist() == [[row < 4] * EXEMPLARS for row in range(5)]


@pytest.fixture
def paths():
    """Seeds of three windows, one of them without, and boundaries to go around."""
    seeded(0)
    seeds = torch.zeros(3, 2, GRID, GRID)
    seeds[0, 0, 30:33, 20:23] = seeds[1, 0, 5, 5] = seeds[1, 1, 60, 50] = 1
    boundary = torch.zeros(3, 1, GRID, GRID)
    boundary[0, 0, :44, 40:42] = 1
    boundary[1, 0, 10:50, 30:34] = 0.3
    return seeds, boundary


def test_paths_are_the_same_whether_or_not_one_asks_what_is_there(paths):
    asked = geodesic_nearness(*paths)
    not_asked = geodesic_nearness(*paths, skip_unmarked=False)

    assert torch.allclose(asked, not_asked, atol=1e-6)
    assert asked[0, 0].min() < 0.1 < asked[0, 0].max()


def test_paths_on_half_the_cells_stay_close(paths):
    full = geodesic_nearness(*paths)
    half = geodesic_nearness(*paths, grid=GRID // 2)
    small = geodesic_nearness(*(F.max_pool2d(part, 2) for part in paths), grid=GRID // 2)

    assert half.shape == full.shape
    assert (half - full).abs().mean() < 0.02
    assert (half - full).abs().max() < 0.3
    assert half[0, 0, 10, 50] < 0.5 * half[0, 0, 10, 20]  # the wall still holds
    assert torch.allclose(F.interpolate(small, scale_factor=2, mode="bilinear"), half)


def window(config: CompactConfig, batch: int = 3, grid: int = 32):
    """Random features with unit embeddings, as the encoder gives them."""
    coarse = torch.randn(batch, config.coarse_channels, grid, grid)
    for name in ("instance", "semantic"):
        at = config.coarse_slices[name]
        coarse[:, at] = F.normalize(coarse[:, at], dim=1)
    fine = torch.randn(batch, config.fine_channels, 2 * grid, 2 * grid)
    prompts = WindowPrompts.blank(batch, config, 2 * grid)
    prompts.maps[0, 0, 20:24, 30:36] = 1
    prompts.maps[1, 1, 40:50, 8:12] = prompts.maps[1, 0, 4:6, 4:6] = 1
    for name in ("instance", "semantic", "other_semantic", "word"):
        setattr(prompts, name, F.normalize(torch.randn_like(getattr(prompts, name)), dim=1))
    return coarse, fine, prompts


@pytest.mark.parametrize("grid", [32, 64])
def test_evidence_fills_the_channels_of_both_generations(grid):
    for config in (little_network(), CompactConfig.second_generation(2), CompactConfig()):
        seeded(0)
        coarse, fine, prompts = window(config, grid=grid)

        lazy, eager = (
            gather(coarse, fine, prompts, config, skip_unmarked=skip) for skip in (True, False)
        )
        border_and_image = gather(coarse, fine[:, -4:], prompts, config)

        assert lazy.shape == (3, config.evidence, grid, grid)
        assert torch.allclose(lazy, eager, atol=1e-5)
        assert torch.equal(lazy, border_and_image)


def test_likeness_is_the_cosine_to_what_is_prompted():
    config = little_network()
    seeded(0)
    coarse, fine, prompts = window(config)

    found = gather(coarse, fine, prompts, config)[:, SIMILAR].numpy()

    instance, semantic = (
        coarse[:, config.coarse_slices[name]].numpy() for name in ("instance", "semantic")
    )
    drawn = prompts.maps[:, :2].numpy().reshape(3, 2, 32, 2, 32, 2).max((3, 5)) > 0
    for row in range(3):
        here, there = drawn[row]

        def mean(maps, where):
            total = maps[:, where].sum(1)
            return total / max(np.linalg.norm(total), 1e-9)

        def best(where, embedding=instance[row]):
            chosen, _ = _exemplars(torch.from_numpy(where.ravel()[None]).float())
            cosines = embedding.reshape(len(embedding), -1)[:, chosen[0]].T @ embedding.reshape(
                len(embedding), -1
            )
            return cosines.max(0).reshape(32, 32) * where.any()

        other = prompts.other_semantic[row].numpy()
        vectors = [
            np.tensordot(mean(instance[row], here), instance[row], 1),
            best(here),
            np.tensordot(mean(semantic[row], here), semantic[row], 1),
            best(there),
            np.tensordot(mean(semantic[row], there) if there.any() else other, semantic[row], 1),
            np.tensordot(prompts.instance[row].numpy(), instance[row], 1),
            np.tensordot(prompts.semantic[row].numpy(), semantic[row], 1),
            np.tensordot(prompts.word[row].numpy(), semantic[row], 1),
        ]
        assert np.allclose(found[row], vectors, atol=1e-5)


def test_without_context_its_channels_are_zero():
    config = little_network()
    seeded(0)
    coarse, fine, prompts = window(config)
    nothing = ContextVectors(
        torch.randn(3, 4, 16), torch.randn(3, 4, 32), torch.zeros(3, 4).bool(), torch.zeros(3)
    )

    absent = gather(coarse, fine, prompts, config)
    unknown = gather(coarse, fine, replace(prompts, context=nothing), config)

    assert not absent[:, CONTEXT].any()
    assert torch.allclose(absent, unknown, atol=1e-6)


def test_context_tells_likeness_and_size_of_what_was_accepted():
    config = little_network()
    seeded(0)
    coarse, fine, prompts = window(config)
    context = ContextVectors(
        F.normalize(torch.randn(3, 4, 16), dim=2),
        F.normalize(torch.randn(3, 4, 32), dim=2),
        torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]]).bool(),
        torch.tensor([5.0, 0.0, 3.0]),
    )

    found = gather(coarse, fine, replace(prompts, context=context), config)[:, CONTEXT]

    at = config.coarse_slices
    for row, known in ((0, [0, 1]), (2, [1])):
        for channel, name in enumerate(("instance", "semantic")):
            vectors = getattr(context, name)[row, known]
            cosines = torch.einsum("dhw,nd->nhw", coarse[row, at[name]], vectors)
            assert torch.allclose(found[row, channel], cosines.amax(0), atol=1e-5)
        size = (coarse[row, at["size"]][0] - context.side[row]) / 2
        assert torch.allclose(found[row, 2], size, atol=1e-5)
        # log2 of an object's side over half the side of a window of 64 cells of 4 px, halved
        assert torch.allclose(found[row, 3], (context.side[row] - 7) / 2)
        assert (found[row, 4] == 1).all()
    assert not found[1].any()


def test_the_last_channel_is_the_nearness_to_the_centre():
    config = little_network()
    seeded(0)
    coarse, fine, prompts = window(config)

    found = gather(coarse, fine, prompts, config)[:, -1]

    assert torch.equal(found, torch.sigmoid(coarse[:, config.coarse_slices["centre"]])[:, 0])
