"""Muon: momentum whose matrices are brought close to orthogonal before each step.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; scaled so that a
step has the size of one of AdamW's (Liu et al. 2025, arXiv 2502.16982, equation 4).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5
ADAMW_SIZE = 0.2


class Muon(torch.optim.Optimizer):
    """Muon for weights of two and more dimensions; all but the first are taken together.

    Parameters
    ----------
    parameters : iterable of Tensor
    lr, momentum, weight_decay : float
        As for AdamW, whose rate and decay can be kept.
    """

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        """Set up the optimizer for parameters (M, ...), each of two or more dimensions."""
        super().__init__(
            list(parameters), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            moving = [p for p in group["params"] if p.grad is not None]
            moving.sort(key=_matrix_shape)
            for shape, alike in groupby(moving, _matrix_shape):
                self._step_together(list(alike), shape, group)

    def _step_together(
        self, alike: list[Tensor], shape: tuple[int, int], group: dict[str, Any]
    ) -> None:
        """Step parameters of one matrix shape (M, N) together."""
        directions = []
        for parameter in alike:
            state = self.state[parameter]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
            gradient = parameter.grad
            assert gradient is not None
            state["momentum"].lerp_(gradient, 1 - group["momentum"])
            ahead = gradient.lerp(state["momentum"], group["momentum"])
            directions.append(ahead.reshape(shape))
        updates = orthogonal(torch.stack(directions))
        size = ADAMW_SIZE * max(shape) ** 0.5
        for parameter, update in zip(alike, updates, strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(update.reshape(parameter.shape), alpha=-group["lr"] * size)


def orthogonal(matrices: Tensor) -> Tensor:
    """Approximate the nearest (semi-)orthogonal matrices: (B, M, N) -> (B, M, N) float32.

    Five steps of a quintic Newton-Schulz iteration; singular values end near 1. A step multiplies
    by a polynomial in the Gram matrix, and these commute: all of them are computed on the small
    Gram matrix, and the whole is multiplied once.
    """
    x = matrices.float()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    gram = x @ x.mT
    same = torch.eye(gram.shape[1], device=x.device)
    factor = same.expand_as(gram)
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        step = a * same + b * gram + c * gram @ gram
        factor = step @ factor
        gram = step @ step @ gram
    out = factor @ x
    return out.mT if tall else out


def _matrix_shape(parameter: Tensor) -> tuple[int, int]:
    """Return the shape (M, N) of a parameter (M, ...) as a matrix."""
    return parameter.shape[0], parameter[0].numel()
