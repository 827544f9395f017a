"""In-context tuning (Wang et al. 2023, section 3.4): the prompt is fitted, the network frozen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from ..in_context import Tuned

if TYPE_CHECKING:
    from .model import SegGPTLesson, SegGptModel

STEPS = 40
RATE = 0.02
BETA = 0.01
"""Parameter of the smooth L1 loss, as in the authors' training."""


def tune(model: SegGptModel, lesson: SegGPTLesson, steps: int) -> Iterator[Tuned]:
    """Fit the prompt's pictures and paintings so that every example comes out as it is painted.

    The prompt starts as the first example. Each step paints one of the examples, in turn, by the
    prompt; the gradient of the smooth L1 loss goes to the prompt's pixels.

    Yields
    ------
    Tuned
        Its lesson has the best prompt so far, by the mean loss over all examples in turn.
    """
    images = lesson.images.to(model.device, model.compute)
    paintings = lesson.paintings[0].to(model.device, model.compute)
    prompt = images[:1].clone().requires_grad_()
    painted = paintings[:1].clone().requires_grad_()
    optimizer = torch.optim.Adam([prompt, painted], lr=RATE)
    recent: list[float] = []
    best, kept = float("inf"), lesson
    for step in range(1, steps + 1):
        at = (step - 1) % len(images)
        before = replace(
            lesson,
            images=prompt.detach().float().cpu(), paintings=[painted.detach().float().cpu()],
            palettes=lesson.palettes[:1],
        )  # fmt: skip
        with torch.enable_grad():
            answer = model.network(prompt, painted, images[at : at + 1], lesson.kind)
            loss = F.smooth_l1_loss(answer.float(), paintings[at].float(), beta=BETA)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        recent = [*recent, float(loss.detach())][-len(images) :]
        mean = sum(recent) / len(recent)
        if len(recent) == len(images) and mean < best:
            best, kept = mean, before
        yield Tuned(step, steps, mean, kept)
