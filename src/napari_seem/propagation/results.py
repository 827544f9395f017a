"""What a propagation says of a plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from .shapes import IntArray


@dataclass(frozen=True)
class Event:
    """Something to look at: object `id` 'ended', 'split' or is 'new' in a plane."""

    kind: Literal["ended", "split", "new"]
    id: int
    plane: int


@dataclass(frozen=True, eq=False)
class PlaneResult:
    """One plane of a propagation.

    Attributes
    ----------
    index : int
        Position along the propagated axis.
    labels : int32 (H, W)
        Rows and columns in the order of the array's axes.
    scores : mapping of int to float
        How sure each expected object is, 0..1; 0 for one that ended here.
    events : tuple of Event
    accepted : bool
        A seed, or a plane that a person corrected.
    """

    index: int
    labels: IntArray = field(repr=False)
    scores: Mapping[int, float]
    events: tuple[Event, ...] = ()
    accepted: bool = False

    @property
    def score(self) -> float:
        """Mean over the objects; 1 where there is nothing to be unsure of."""
        return float(np.mean(list(self.scores.values()))) if self.scores else 1.0
