"""What the encoder learns from a whole crop: targets and losses against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scenes import WORDS, bank_of, crops_of, discs, inside_disc, little_network, seeded
from scipy import ndimage

from napari_seem.models.compact.network import CompactNetwork
from napari_seem.training import Picture, dense
from napari_seem.training.crops import OUTSIDE, draw_crops
from napari_seem.training.dense import (
    boundary_target,
    centre_nearness,
    dense_losses,
    entropy,
    largest_of,
    relative_depth,
)
from napari_seem.training.pictures import NO_WORD


@pytest.fixture
def ids():
    """Two touching squares, a disc that runs out of the crop, and the picture's edge."""
    out = np.zeros((64, 64), int)
    out[16:48, 8:24], out[16:48, 24:40] = 1, 2
    out[inside_disc((64, 64), 4.0, 50.0, 9.0)] = 5
    out[:, 60:] = OUTSIDE
    return torch.from_numpy(out)[None]


def test_boundaries_are_where_ids_change_but_not_at_the_edge_of_the_picture(ids):
    found = boundary_target(ids)[0].numpy()

    plain = ids[0].numpy()
    for row in range(32):
        for col in range(32):
            here = False
            for y in (2 * row, 2 * row + 1):
                for x in (2 * col, 2 * col + 1):
                    around = plain[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
                    here |= len(np.unique(around)) > 1 and around.min() >= 0
            assert found[row, col] == here
    assert found[16, 12] == 1  # between the squares
    assert not found[:, 30:].any()


def test_depth_is_relative_to_the_deepest_cell_of_its_instance(ids):
    found = relative_depth(ids)[0].numpy()

    plain = ids[0].numpy()
    for number in (1, 2, 5):
        inside = plain == number
        padded = np.pad(inside, 1, "edge")  # the crop's edge is no edge of the object
        steps = ndimage.distance_transform_cdt(padded, "chessboard")[1:-1, 1:-1] - 0.5
        assert np.allclose(found[inside], (steps / steps[inside].max())[inside])
    assert (found[plain <= 0] == 0).all()
    assert found[30, 15] == 1
    assert found[30, 9] < 0.3


def test_nearness_is_one_at_the_centroid_and_small_far_from_it(ids):
    found = centre_nearness(ids)[0].numpy()

    plain = ids[0].numpy()
    for number in (1, 2, 5):
        spots = np.argwhere(plain == number)
        off = np.sqrt(((spots - spots.mean(0)) ** 2).sum(1))
        expected = 1 - off / (off.max() + 1)
        assert np.allclose(found[plain == number], expected, atol=1e-5)
    assert (found[plain <= 0] == 0).all()


def test_the_largest_value_is_looked_up_by_instance():
    ids = torch.tensor([[[1, 1, 7], [0, OUTSIDE, 7]], [[1, 1, 1], [2, 2, 2]]])
    values = torch.tensor([[[1.0, 3, 2], [9, 8, 4]], [[0, 1, 5], [1, 1, 0]]])

    found = largest_of(values, ids)

    assert found.tolist() == [[[3, 3, 4], [9, 9, 4]], [[5, 5, 5], [1, 1, 1]]]


def test_entropy_is_a_weighted_mean():
    seeded(0)
    logits, target = torch.randn(2, 5, 5), torch.rand(2, 5, 5)
    weight = torch.rand(2, 5, 5) * 9

    p = torch.sigmoid(logits).double()
    each = -(target * p.log() + (1 - target) * (1 - p).log())
    expected = (each * weight).sum() / weight.sum()

    assert torch.allclose(entropy(logits, target, weight).double(), expected)
    assert entropy(logits, target, 0 * weight) == 0


def spread(numbers: list[int], dim: int = 16) -> torch.Tensor:
    """Unit vectors of a map: (1, dim, 1, len(numbers)); the same number gives the same one."""
    return F.one_hot(torch.tensor(numbers), dim).float().T[None, :, None]


@pytest.fixture
def network():
    seeded(0)
    return CompactNetwork(little_network())


def test_instances_are_told_apart_by_their_mean_embeddings(network):
    ids = torch.tensor([[[0, 0, 1, 1, 2, OUTSIDE]]])
    embedding = spread([0, 0, 1, 1, 2, 3])
    everywhere = torch.arange(6)[None]

    def loss(embedding):
        return dense._instance_loss(network, embedding, ids, everywhere)

    scale = math.exp(network.temperature[0].item())
    apart = math.log(math.exp(scale) + 2) - scale  # cosine 1 to the own mean, 0 to two others
    assert loss(embedding).item() == pytest.approx(apart, abs=1e-6)
    assert loss(spread([0] * 6)).item() == pytest.approx(math.log(3), rel=1e-4)
    mixed = spread([0, 1, 1, 1, 2, 3])
    assert loss(mixed) > loss(embedding)
    assert dense._instance_loss(network, embedding, 0 * ids, everywhere) == 0  # just one


def test_instances_are_sampled_alike_however_large():
    ids = torch.ones(1, 32, 32, dtype=torch.long)
    ids[:, :4, :4], ids[:, 28:] = 2, OUTSIDE
    area = torch.where(ids == 2, 16 * 16.0, 16.0 * (28 * 32 - 16))
    seeded(0)

    first = [ids.flatten()[dense._sample(ids, area)[0, 0]] for _ in range(300)]
    chosen = dense._sample(ids, area)

    assert 0.4 < np.mean([one == 2 for one in first]) < 0.6
    assert chosen.shape[1] == dense.SAMPLES
    assert (ids.flatten()[chosen] != OUTSIDE).all()
    assert len(chosen.unique()) == dense.SAMPLES


def named(partial: bool = False) -> Picture:
    instances = np.zeros((16, 16), np.uint16)
    instances[:8, :8], instances[8:, :8], instances[:8, 8:] = 1, 2, 3
    image = np.zeros((16, 16), np.uint8)
    return Picture(image, instances, {1: "disc", 2: "stone"}, f"made/{partial}", partial)


@pytest.mark.parametrize("partial", [False, True])
def test_words_follow_the_formula(network, partial):
    bank = bank_of(named(partial))
    ids = torch.tensor([[[1, 2, 3, 0, OUTSIDE, 1]]])
    words = torch.tensor([[[0, 1, NO_WORD, NO_WORD, NO_WORD, 0]]])
    crops = crops_of(np.zeros((1, 2, 4, 4)))
    seeded(1)
    embedding = F.normalize(torch.randn(1, 32, 1, 6), dim=1)

    found = dense._semantic_loss(network, embedding, words, ids, crops, bank)

    vectors = F.normalize(network.words, dim=1)
    scale, bias = network.temperature[1].exp(), network.word_bias
    logits = (scale * embedding[0, :, 0].T @ vectors.T + bias).detach().double().numpy()
    target = words.flatten().tolist()
    used = [0, 1, 5] if partial else [0, 1, 2, 3, 5]
    which = [np.log(np.exp(logits[i]).sum()) - logits[i][target[i]] for i in (0, 1, 5)]
    each = [
        np.log1p(np.exp(-logits[i][word] if target[i] == word else logits[i][word]))
        for i in used for word in (0, 1)
    ]  # fmt: skip
    assert found.item() == pytest.approx(np.mean(which) + 2 * np.mean(each), rel=1e-4)


def test_words_that_a_group_does_not_label_are_no_ones_fault(network):
    picture = named()
    only = Picture(picture.image, picture.instances, {1: "disc"}, "made/only")
    bank = bank_of(only)
    ids = torch.tensor([[[1, 3, 0]]])
    words = torch.tensor([[[0, NO_WORD, NO_WORD]]])
    crops = crops_of(np.zeros((1, 2, 4, 4)))
    embedding = F.normalize(torch.randn(1, 32, 1, 3), dim=1)

    dense._semantic_loss(network, embedding, words[..., 1:], ids[..., 1:], crops, bank).backward()

    assert network.word_bias.grad[0] > 0
    assert network.word_bias.grad[1] == 0


def test_every_head_is_judged_where_it_can_be(network):
    whole, part = discs(0), discs(1)
    part = Picture(part.image, part.instances, part.names, "made/part", partial=True)
    bank = bank_of(whole, part, words=WORDS)
    seeded(0)
    crops = draw_crops(bank, 8, 64)
    crops.ids[2:5, :, 30:] = OUTSIDE
    with torch.no_grad():
        coarse, fine = network.encoder(crops.image)

    losses = dense_losses(network, coarse, fine, crops, bank)

    at = network.config.coarse_slices
    small = crops.ids[:, 0, 2::4, 2::4].numpy()
    there, inside = small != OUTSIDE, small > 0
    partial = bank.partial[crops.picture].numpy()[:, None, None]

    def plain(logits, target, weight):
        p = 1 / (1 + np.exp(-logits.double().numpy()))
        each = -target * np.log(p) - (1 - target) * np.log(1 - p)
        return (each * weight).sum() / weight.sum()

    sure = there & (inside | ~partial)
    foreground = coarse[:, at["foreground"]][:, 0]
    assert np.isclose(
        losses["foreground"], plain(foreground, inside.astype(float), sure), rtol=1e-4
    )
    depth = relative_depth(torch.from_numpy(small)).numpy()
    assert np.isclose(
        losses["distance"], plain(coarse[:, at["distance"]][:, 0], depth, there), rtol=1e-4
    )
    near = centre_nearness(torch.from_numpy(small)).numpy()
    assert np.isclose(
        losses["centre"], plain(coarse[:, at["centre"]][:, 0], near, there), rtol=1e-4
    )
    target = boundary_target(crops.ids[:, 0]).numpy()
    weight = (crops.ids[:, 0, ::2, ::2] != OUTSIDE).numpy() * (1 + 3 * target)
    border = fine[:, network.config.fine_slices["boundary"]][:, 0]
    assert np.isclose(losses["boundary"], plain(border, target, weight), rtol=1e-4)
    first = bank.first[0, crops.picture].numpy()[:, None, None]
    scale = crops.scale.numpy()[:, None, None]
    area = bank.area.numpy()[np.maximum(first + small - 1, 0)] * scale**2
    off = np.abs(coarse[:, at["size"]][:, 0].numpy() - 0.5 * np.log2(np.maximum(area, 1)))
    smooth = np.where(off < 0.5, off**2, off - 0.25)
    assert np.isclose(losses["size"], smooth[inside].mean(), rtol=1e-4)
    assert losses.keys() <= {"instance", "semantic", "size", "boundary", "distance", "foreground",
                             "centre"}  # fmt: skip
    assert all(torch.isfinite(loss) and loss > 0 for loss in losses.values())
