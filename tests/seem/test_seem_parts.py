"""Parts of SEEM against what they stand for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchmarks import roof, seem
from napari_seem import Box, Point, Polygon, Scribble
from napari_seem.models.seem import outputs, prompting
from napari_seem.models.seem.attention import Attention
from napari_seem.models.seem.convolution import Conv3x3, normalise_
from napari_seem.models.seem.strokes import MAX_POINTS, points_of, sample


@pytest.mark.parametrize("queries", [3, 40])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_that_of_torch_for_few_and_many_queries(queries: int, masked: bool) -> None:
    torch.manual_seed(0)
    ours = Attention(64, 4)
    theirs = torch.nn.MultiheadAttention(64, 4, batch_first=True)
    ours.in_proj_bias.data.normal_()
    theirs.load_state_dict(ours.state_dict())
    query, key, value = torch.randn(queries, 64), torch.randn(90, 64), torch.randn(90, 64)
    mask = torch.rand(queries, 90) > 0.5 if masked else None
    expected, _ = theirs(query, key, value, attn_mask=None if mask is None else ~mask)
    torch.testing.assert_close(ours(query, key, value, mask), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(8, 8), (33, 50), (129, 64), (130, 131)])
@pytest.mark.parametrize("bias", [False, True])
def test_quick_convolution_is_convolution(size: tuple[int, int], bias: bool) -> None:
    torch.manual_seed(0)
    layer = Conv3x3(32, 48, bias=bias)
    x = torch.randn(1, 32, *size)
    expected = F.conv2d(x, layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(x), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize(("size", "same"), [((64, 64), True), ((132, 40), True), ((62, 64), False)])
def test_a_quick_convolution_may_use_its_input(size: tuple[int, int], same: bool) -> None:
    torch.manual_seed(0)
    layer, x = Conv3x3(32, 32), torch.randn(1, 32, *size)
    expected = F.conv2d(x, layer.weight, layer.bias, padding=1)
    x = x.contiguous(memory_format=torch.channels_last)
    found = layer(x)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)
    assert (found.data_ptr() == x.data_ptr()) is same


def test_a_quick_convolution_sees_that_its_weights_are_others() -> None:
    torch.manual_seed(0)
    with torch.inference_mode(False):
        layer = Conv3x3(8, 8, bias=False).requires_grad_(False)
    x = torch.randn(1, 8, 40, 40)
    before = layer(x.clone())
    layer.weight.mul_(2)
    torch.testing.assert_close(layer(x.clone()), 2 * before, atol=2e-5, rtol=0)
    layer.weight = torch.nn.Parameter(layer.weight * 2)
    torch.testing.assert_close(layer(x), 4 * before, atol=4e-5, rtol=0)


@pytest.mark.parametrize("last", [False, True])
def test_normalising_in_place_is_group_norm(last: bool) -> None:
    torch.manual_seed(0)
    norm = torch.nn.GroupNorm(4, 24)
    norm.weight.data.normal_()
    norm.bias.data.normal_()
    x = torch.randn(1, 24, 31, 40) * 3 + 2
    x = x.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
    expected, memory = F.relu(norm(x)), x.data_ptr()
    found = normalise_(x, norm, relu=True)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)
    assert (found.data_ptr() == memory) is last


def test_samples_are_those_of_grid_sample() -> None:
    torch.manual_seed(0)
    features, points = torch.randn(7 * 9, 5), torch.rand(20, 2)
    grid = (2 * points - 1).flip(1)[None, None]
    volume = features.mT.unflatten(1, (7, 9))[None]
    expected = F.grid_sample(volume, grid, align_corners=True)[0, :, 0].mT
    torch.testing.assert_close(sample(features, (7, 9), points), expected)


def test_points_are_bounded_and_the_same_at_every_call() -> None:
    mask = torch.ones(40, 50, dtype=torch.bool)
    points = points_of(mask)
    assert points is not None
    assert len(points) == MAX_POINTS
    assert len(points.unique(dim=0)) == MAX_POINTS
    assert torch.equal(points, points_of(mask))
    assert points_of(~mask) is None


def test_prompts_are_drawn_where_they_are_in_the_resized_image() -> None:
    shape, resized, padded = (50, 100), (100, 200), (128, 224)
    prompts = [Box(10, 20, 20, 40), Point(0, 0, positive=False)]
    positive = prompting.drawn(prompts, shape, resized, padded, positive=True)
    assert positive is not None
    assert positive.shape == padded
    assert positive.sum() == 20 * 40
    assert positive[20:40, 40:80].all()
    negative = prompting.drawn(prompts, shape, resized, padded, positive=False)
    assert negative is not None
    assert 0 < negative.sum() <= 9


def test_small_prompts_survive_shrinking() -> None:
    shape, resized = (400, 400), (40, 40)
    line = np.zeros(shape, dtype=bool)
    line[:, 203] = True
    triangle = Polygon(np.array([[101, 101], [101, 103], [103, 101]]))
    for prompt in (Scribble(line), triangle, Box(33, 33, 35, 34), Point(399, 0)):
        drawn = prompting.drawn([prompt], shape, resized, resized, positive=True)
        assert drawn is not None
        assert drawn.any()
    scribble = prompting.resize_mask(line, resized)
    assert scribble[:, 20].all()
    assert scribble.sum() == 40


def test_panoptic_regions_share_out_the_image() -> None:
    classes = torch.full((4, 3), -5.0)
    classes[0, 0] = classes[1, 1] = classes[2, 1] = 5.0  # a thing, and stuff in two parts
    classes[3, 2] = 5.0  # background
    masks = torch.full((4, 8, 8), -9.0)
    masks[0, :, :4] = masks[1, :, 2:6] = masks[2, :, 6:] = masks[3] = 9.0
    frame = outputs.OutputSizes((32, 32), (32, 32), (32, 32))
    names = ("cat", "sky")
    found = outputs.panoptic(classes, masks, frame, names, {"sky"}, threshold=0.5, visible=0.3)
    assert sorted(str(instance.label) for instance in found) == ["cat", "sky"]
    assert sum(instance.area for instance in found) > 0.9 * 32 * 32
    strict = outputs.panoptic(classes, masks, frame, names, {"sky"}, threshold=0.5, visible=0.8)
    assert sum(instance.area for instance in strict) < sum(instance.area for instance in found)
    semantic = outputs.semantic(classes, masks, frame)
    assert (semantic[:, :6] == 1).all()
    assert (semantic[:, 26:] == 2).all()


def test_the_bench_puts_its_times_beside_those_of_the_authors() -> None:
    times = {"encode": (0.9, 1.8), "turn": (0.1, 0.2), "segment": (2.0, 4.0)}
    steps = seem._beside(times, seem.AUTHORS["seem-focal-t"][512])
    assert steps["encode, times faster"] == 2
    assert steps["turn, times faster"] == 6
    assert steps["segment, processor"] == 4


def test_the_bench_counts_products_by_the_part_that_asks_for_them() -> None:
    with torch.inference_mode(False), torch.no_grad():
        network = torch.nn.Sequential(torch.nn.Linear(64, 100), torch.nn.ReLU())
        parts = roof.Parts({"first": network[0]})
        with roof.Recorder(parts) as recorder:
            network(torch.ones(500, 64)) @ torch.ones(100, 50)
        alone = recorder.replay()
    assert recorder.operations == {"first": 2 * 500 * 64 * 100, roof.REST: 2 * 500 * 100 * 50}
    assert set(alone) == {"first", roof.REST}
    assert parts.seconds["first"] > 0
