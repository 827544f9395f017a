"""The ridge regression on random Fourier features, worked on in pieces."""

from __future__ import annotations

import pytest
import torch

from napari_seem.models import ridge


@pytest.fixture
def problem():
    """Features, projection, phase, targets and importances of more samples than one piece."""
    generator = torch.Generator().manual_seed(0)
    count = 2 * ridge.PIECE + 77
    return (
        torch.randn(count, 12, generator=generator) * 3,
        torch.randn(12, 32, generator=generator) / 4,
        torch.rand(32, generator=generator),
        torch.rand(count, 3, generator=generator),
        torch.rand(count, generator=generator) + 0.1,
    )


def test_answers_are_those_of_the_whole_basis(problem):
    x, projection, phase, _, _ = problem
    weights = torch.randn(12 + 32 + 1, 3, generator=torch.Generator().manual_seed(1))

    plain = ridge.basis_of(x, projection, phase) @ weights

    torch.testing.assert_close(
        ridge.answers(x, projection, phase, weights), plain, atol=1e-3, rtol=1e-4
    )


def test_pieces_are_solved_as_one(problem):
    x, projection, phase, target, importance = problem
    basis = ridge.basis_of(x, projection, phase)

    found = ridge.solve(basis.split(ridge.PIECE), target, importance)

    whole, weight = basis.double(), (importance / importance.sum()).double()[:, None]
    gram = whole.T @ (whole * weight)
    gram += torch.eye(len(gram), dtype=torch.float64) * ridge.RIDGE * gram.diagonal().mean()
    expected = torch.linalg.solve(gram, (whole * weight).T @ target.double())
    torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-3)
