"""What was accepted before, and the models whose first answers it steers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..checks import said
from ..errors import InvalidArgument
from .base import Model

FEWEST = 3
"""Least number of accepted objects that steer."""
WIDEST = 3.0
"""Largest standard deviation of log2 of the areas with which they steer."""
WEIGHT = 0.1
"""Score units that an answer loses for each factor of two between its area and the mean.

These were found on the training images of `shared/data`, each data set held out in turn.
"""
SMALLEST = 16
"""Areas of fewer pixels count as slips."""


@dataclass(frozen=True)
class Context:
    """The sizes of objects that were accepted before, of one kind, in one image or several.

    A click says where an object is and not how large it is. A model that is given a context
    prefers answers of the size that was accepted before, where it is in doubt. Few objects, and
    objects of very different sizes, change nothing.

    Attributes
    ----------
    count : int
        Number of objects.
    mean : float
        Mean of log2 of their areas in pixels of the image.
    spread : float
        Standard deviation of log2 of the areas.

    Examples
    --------
    >>> import napari_seem as ns
    >>> context = ns.Context.of_areas([90, 100, 110, 120])
    >>> context.steers, ns.Context.of_areas([100]).steers
    (True, False)
    """

    count: int = 0
    mean: float = 0.0
    spread: float = 0.0

    @classmethod
    def of_areas(cls, areas: npt.ArrayLike) -> Self:
        """Describe objects by their areas in pixels, shape (N,); those under 16 are left out."""
        try:
            known = np.asarray(areas, float).reshape(-1)
        except (TypeError, ValueError):
            raise InvalidArgument(
                f"the areas of objects are {said(areas)}; give numbers of pixels"
            ) from None
        logs = np.log2(known[(known >= SMALLEST) & np.isfinite(known)])
        if not logs.size:
            return cls()
        # rounded, so that a log holds the same value
        return cls(int(logs.size), round(float(logs.mean()), 4), round(float(logs.std()), 4))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` gave; raises `InvalidArgument` for anything else."""
        try:
            found = cls(int(values["count"]), float(values["mean"]), float(values["spread"]))
        except (KeyError, TypeError, ValueError):
            raise InvalidArgument(
                f"a context has 'count', 'mean' and 'spread', not {said(values)}; give what "
                "`Context.to_dict` returned"
            ) from None
        return found

    def to_dict(self) -> dict[str, float]:
        """Return the context as JSON can hold it."""
        return asdict(self)

    @property
    def steers(self) -> bool:
        """Whether there are enough objects, of sizes that are near enough to one another."""
        return self.count >= FEWEST and self.spread <= WIDEST

    def bonus(self, area: float) -> float:
        """Return what is added to the score of an answer of `area` pixels: 0 or less."""
        return -WEIGHT * abs(math.log2(max(area, 1.0)) - self.mean) if self.steers else 0.0

    def at_scale(self, factor: float) -> Context:
        """Return the context of the same objects in pixels that are `factor` times as long."""
        return Context(self.count, self.mean - 2 * math.log2(factor), self.spread)


@runtime_checkable
class ContextModel(Model, Protocol):
    """A model whose first answers objects that were accepted before steer."""

    def with_context(self, context: Context | None) -> Self:
        """Return the same model, steered by accepted objects; None takes that back."""


AnyModel = TypeVar("AnyModel", bound=Model)


def in_context_of(model: AnyModel, context: Context | None) -> AnyModel:
    """Return a model that is steered by a context, or the same one where it takes none."""
    if context is None or not context.steers or not isinstance(model, ContextModel):
        return model
    return model.with_context(context)
