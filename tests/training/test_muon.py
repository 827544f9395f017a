"""Muon's steps: near orthogonal, of the size of AdamW's, in the direction of the momentum."""

from __future__ import annotations

import pytest
import torch
from scenes import seeded

from napari_seem.training.muon import ADAMW_SIZE, Muon, orthogonal


def matrices(*shape: int) -> torch.Tensor:
    """Random matrices whose singular values lie within an order of magnitude."""
    seeded(0)
    left, values, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    return left * torch.linspace(1, 0.1, values.shape[-1]) @ right


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 6, 20), (2, 30, 7)])
@pytest.mark.parametrize("size", [1e-4, 1.0, 1e3])
def test_directions_stay_and_singular_values_come_near_one(shape, size):
    given = size * matrices(*shape)

    found = orthogonal(given)

    left, _, right = torch.linalg.svd(given, full_matrices=False)
    inner = left.mT @ found @ right.mT  # the values, on its diagonal
    values = inner.diagonal(dim1=1, dim2=2)
    assert (inner - torch.diag_embed(values)).abs().max() < 1e-3
    assert values.min() > 0.6
    assert values.max() < 1.25


def test_a_gradient_of_zero_moves_nothing():
    assert not orthogonal(torch.zeros(2, 4, 5)).any()


def test_a_step_goes_against_the_gradient_and_has_the_size_of_one_of_adamw():
    seeded(0)
    weight = torch.nn.Parameter(torch.randn(12, 4, 3, 3))
    before = weight.detach().clone()
    weight.grad = torch.randn_like(weight)

    Muon([weight], lr=0.1).step()

    moved = before - weight.detach()
    assert (moved * weight.grad).sum() > 0
    assert moved.square().mean().sqrt() == pytest.approx(0.1 * ADAMW_SIZE, rel=0.25)
    assert torch.allclose(
        moved.view(12, 36), 0.1 * ADAMW_SIZE * 6 * orthogonal(weight.grad.view(1, 12, 36))[0],
        atol=1e-6,
    )  # fmt: skip


def test_equal_shapes_are_stepped_together_as_each_would_be_alone():
    seeded(0)
    grads = [torch.randn(shape) for shape in ((8, 4, 3, 3), (8, 36), (5, 7), (8, 4, 3, 3))]

    def stepped(numbers):
        weights = [torch.nn.Parameter(torch.ones_like(grads[i])) for i in numbers]
        optimizer = Muon(weights, lr=0.01, weight_decay=0.1)
        for _ in range(3):
            for weight, i in zip(weights, numbers, strict=True):
                weight.grad = grads[i].clone()
            optimizer.step()
        return weights

    together = stepped(range(4))

    for i in range(4):
        assert torch.allclose(together[i], stepped([i])[0], atol=1e-6)


def test_weights_without_a_gradient_stay():
    seeded(0)
    moving, still = (torch.nn.Parameter(torch.ones(4, 4)) for _ in range(2))
    moving.grad = torch.randn(4, 4)

    Muon([moving, still], lr=0.1, weight_decay=0.5).step()

    assert (still == 1).all()
    assert (moving != 1).all()
