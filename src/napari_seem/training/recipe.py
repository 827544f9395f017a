"""The schedule of a training: sizes by phase, chances of prompts, weights of losses."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

FIRST_PROMPTS = {
    "click": 0.36, "box": 0.24, "scribble": 0.10, "lasso": 0.06, "mask": 0.04, "detail": 0.08,
    "reference": 0.06, "word": 0.06,
}  # fmt: skip
"""Chance of each kind of first prompt."""
LOSSES = {
    "boundary": 1.0, "distance": 0.5, "centre": 0.3, "foreground": 0.5, "size": 0.3,
    "instance": 0.5, "semantic": 0.3, "mask": 1.5, "obeyed": 0.3, "core": 0.5, "quality": 0.4,
    "order": 0.2,
}  # fmt: skip
"""Weight of each loss in the sum that is minimised."""


@dataclass(frozen=True)
class Phase:
    """Sizes of the steps in a stretch of the training.

    Attributes
    ----------
    until : float
        Share of the time budget at which the phase ends.
    crop : int
        Side of the crops in pixels, a multiple of 32.
    grid : int
        Cells along a window in the decoder's core: 32 or 64.
    batch : int
        Crops a step, an even number.
    decode : bool
        Whether the decoder learns, too.
    refined : bool
        Whether borders are worked out on the fine grid.
    """

    until: float
    crop: int = 256
    grid: int = 64
    batch: int = 16
    decode: bool = True
    refined: bool = True

    def __post_init__(self) -> None:
        if self.crop % 32 or self.batch % 2 or self.grid not in (32, 64):
            raise ValueError(
                f"a phase of crops of {self.crop} px, batches of {self.batch} and a grid of "
                f"{self.grid} can't be run; give a crop of a multiple of 32, an even batch, and "
                "a grid of 32 or 64"
            )


@dataclass(frozen=True)
class Recipe:
    """A training from beginning to end.

    Attributes
    ----------
    phases : tuple of Phase
        In order; the last one ends at 1.
    objects : int
        Objects drawn in each crop.
    corrections : tuple of float
        How often a first prompt is followed by 0, 1, 2, ... rounds of corrections.
    rate, decay : float
        Highest learning rate, and weight decay.
    warm_up : int
        Steps in which the rate rises.
    average : float
        Decay of the running average of the weights.
    statistics : bool
        Whether batch norms follow the crops; else they keep the statistics that they begin with.
    losses : dict of str to float
    """

    phases: tuple[Phase, ...]
    objects: int = 2
    corrections: tuple[float, ...] = (0.48, 0.22, 0.12, 0.07, 0.05, 0.03, 0.02, 0.01)
    rate: float = 2e-3
    decay: float = 0.02
    warm_up: int = 50
    average: float = 0.995
    statistics: bool = True
    losses: dict[str, float] = field(default_factory=lambda: dict(LOSSES))

    def phase(self, progress: float) -> Phase:
        """Return the phase at a share `progress` of the time budget."""
        return next((p for p in self.phases if progress < p.until), self.phases[-1])

    def rate_at(self, progress: float, step: int) -> float:
        """Return the learning rate: a short rise, then half a cosine down to a hundredth."""
        warm = min(1.0, (step + 1) / self.warm_up)
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
        return self.rate * warm * max(cosine, 0.01)


TWO_CORES = Recipe(
    (
        Phase(0.06, crop=128, grid=32, batch=16, decode=False),
        Phase(0.50, crop=128, grid=32, batch=12, refined=False),
        Phase(0.72, crop=192, grid=32, batch=8),
        Phase(1.00, crop=256, grid=64, batch=4),
    )
)
"""Small crops and coarse windows first, since most is learned where it is cheap."""
FURTHER = Recipe(
    (
        Phase(0.40, crop=192, grid=32, batch=8),
        Phase(1.00, crop=256, grid=64, batch=4),
    ),
    rate=1e-3,
    warm_up=100,
    average=0.998,
    statistics=False,
)
"""For two cores that go on from finished weights: a lower rate, and no phase that undoes them."""
ONE_GPU = Recipe(
    (
        Phase(0.04, crop=128, grid=32, batch=512, decode=False),
        Phase(0.45, crop=128, grid=32, batch=384),
        Phase(0.75, crop=192, grid=32, batch=256),
        Phase(1.00, crop=256, grid=64, batch=128),
    ),
    rate=3e-3,
)
REHEARSAL = Recipe(
    (
        Phase(0.3, crop=64, grid=32, batch=4, decode=False),
        Phase(0.6, crop=64, grid=32, batch=4, refined=False),
        Phase(1.0, crop=96, grid=64, batch=2),
    ),
    warm_up=4,
)
"""Tiny sizes that pass through every stage in seconds."""
TUNING = Recipe(
    (Phase(1.0, crop=192, grid=64, batch=4),),
    corrections=(0.6, 0.2, 0.12, 0.08),
    rate=1e-3,
    warm_up=20,
    average=0.98,
    statistics=False,
)
"""Further training of finished weights on few pictures."""
