"""Gradient steps on the weights of a lesson of the compact model.

The closed form is the start, and the fallback: steps are first taken on all examples but the last,
and are taken on all only if they label the last one better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ... import ridge
from ...in_context import Example, Kind, Tuned
from ..network import CompactConfig
from . import by_example
from .by_example import FittedLesson

STEPS = 80
RATE = 0.0005
PULL = 0.03
"""Weight of the squared distance from the closed form."""


def tune(
    examples: Sequence[Example], config: CompactConfig, kind: Kind, steps: int
) -> Iterator[Tuned]:
    """Learn from examples and improve by gradient; one or two examples keep the closed form.

    Yields
    ------
    Tuned
        Its lesson is the one to use once the iteration has come to its end.
    """
    lesson = by_example.learn(examples, config, kind)
    if len(examples) < 3:
        yield Tuned(1, 1, _loss(lesson, examples, config), lesson)
        return
    trial = by_example.learn(examples[:-1], config, kind)
    better = trial
    for step, loss, one in _steps(trial, examples[:-1], config, steps):
        better = one
        yield Tuned(step, 2 * steps, loss, lesson)
    if _overlap(better, examples[-1], config) <= _overlap(trial, examples[-1], config):
        yield Tuned(2 * steps, 2 * steps, _loss(lesson, examples, config), lesson)
        return
    for step, loss, one in _steps(lesson, examples, config, steps):
        yield Tuned(steps + step, 2 * steps, loss, one)


def _steps(
    lesson: FittedLesson, examples: Sequence[Example], config: CompactConfig, steps: int
) -> Iterator[tuple[int, float, FittedLesson]]:
    basis, y, importance = _places(lesson, examples, config)
    weights = lesson.weights.clone().requires_grad_()
    bias = lesson.bias.clone().requires_grad_()
    optimizer = torch.optim.Adam([weights, bias], lr=RATE)
    for step in range(1, steps + 1):
        with torch.enable_grad():
            loss = _objective(basis @ weights + bias, y, importance)
            pulled = loss + PULL * (weights - lesson.weights).square().sum()
            optimizer.zero_grad()
            pulled.backward()
            optimizer.step()
        fitted = replace(lesson, weights=weights.detach().clone(), bias=bias.detach().clone())
        yield step, float(loss.detach()), fitted


def _places(
    lesson: FittedLesson, examples: Sequence[Example], config: CompactConfig
) -> tuple[Tensor, Tensor, Tensor]:
    x, y, importance = by_example.samples(examples, config, lesson.kind, lesson.ids, lesson.scale)
    flat = (x - lesson.centre) / lesson.spread
    return ridge.basis_of(flat, lesson.projection, lesson.phase), y, importance


def _objective(answers: Tensor, y: Tensor, importance: Tensor) -> Tensor:
    """Sum cross-entropy and 1 - Dice of every class, of `answers` (N, K) and classes `y` (N,)."""
    logs = torch.log_softmax(answers * by_example.SHARPNESS, 1)
    truth = F.one_hot(y, answers.shape[1]).float()
    weight = (importance / importance.sum())[:, None]
    entropy = -(truth * logs * weight).sum()
    share = logs.exp()
    both = (share * truth * weight).sum(0)
    total = ((share + truth) * weight).sum(0)
    return 0.5 * entropy + (1 - (2 * both + 1e-4) / (total + 1e-4)).mean()


def _loss(lesson: FittedLesson, examples: Sequence[Example], config: CompactConfig) -> float:
    basis, y, importance = _places(lesson, examples, config)
    return float(_objective(basis @ lesson.weights + lesson.bias, y, importance))


def _overlap(lesson: FittedLesson, example: Example, config: CompactConfig) -> float:
    """Compute the mean IoU of the classes on one example."""
    shares = by_example.shares(lesson, example.embedding, config)
    labels = np.asarray(example.labels)
    if lesson.kind == "instance":
        found, truth, ids = (shares[0] < 0.5).astype(int), (labels > 0).astype(int), [1]
    else:
        found = np.array([0, *lesson.ids])[shares.argmax(0)]
        truth, ids = labels, [i for i in lesson.ids if (labels == i).any()]
    overlaps = [
        ((found == i) & (truth == i)).sum() / ((found == i) | (truth == i)).sum() for i in ids
    ]
    return float(np.mean(overlaps)) if overlaps else 0.0
