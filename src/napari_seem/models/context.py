"""What was accepted before, and the models whose first answers it steers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Protocol, Self, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..checks import said
from ..errors import InvalidArgument
from ..values import JsonObject
from .base import BoolArray, Model

FEWEST = 4
"""Least number of accepted objects that steer.

Three may be alike by chance, which cost clicks on one of 23 training sets (358 first clicks). From
four on no set loses, and as much is gained in the mean (.032).
"""
WEIGHT, DOUBT, WIDTH = 0.2, 4, 3.0
"""Score units that an answer loses for each factor of two between its area and the mean; number of
objects, and standard deviation of log2 of their areas, with which it loses half of that.

These were found on the training images of `shared/data`, each fifth of the data sets held out.
"""
SHOWN, SPOTS = 8, 8
"""Objects that show how they look, the last ones, and pixels of each."""
SMALLEST = 16
"""Areas of fewer pixels count as slips."""


Spots = tuple[tuple[int, int], ...]
"""Pixels (y, x) of an object."""


@dataclass(frozen=True)
class Context:
    """Objects that were accepted before, of one kind: their sizes, and some pixels of theirs.

    A click says where an object is and not how large it is. A model that is given a context
    prefers answers of the size that was accepted before, where it is in doubt. Fewer than four
    objects change nothing; the more there are, and the more alike, the more they weigh. Weights of
    the second generation can also be shown how objects of the same image look (`of_masks`), which
    saves no clicks on images unlike those of their training: the docks give sizes alone.

    Attributes
    ----------
    count : int
        Number of objects.
    mean : float
        Mean of log2 of their areas in pixels of the image.
    spread : float
        Standard deviation of log2 of the areas.
    elsewhere : bool
        Some of them lie in other images, whose objects may be of other sizes: they weigh half.
    spots : tuple of tuple of (int, int)
        Pixels (y, x) inside of each of the last few objects of the image, by which a model may
        know how they look; may be empty.

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
    elsewhere: bool = False
    spots: tuple[Spots, ...] = ()

    @classmethod
    def of_areas(cls, areas: npt.ArrayLike, others: npt.ArrayLike = ()) -> Self:
        """Describe objects by their areas in pixels; those under 16 are left out.

        Parameters
        ----------
        areas : array-like (N,)
            Of the objects of the image.
        others : array-like (M,)
            Of those of other images with pixels of the same size; they count while the image has
            fewer than four.
        """
        logs, elsewhere = _logs(areas), _logs(others)
        few = logs.size < FEWEST and elsewhere.size > 0
        known = np.concatenate([logs, elsewhere]) if few else logs
        if not known.size:
            return cls()
        # rounded, so that a log holds the same value
        mean, spread = round(float(known.mean()), 4), round(float(known.std()), 4)
        return cls(int(known.size), mean, spread, few)

    @classmethod
    def of_masks(cls, masks: Sequence[BoolArray], others: npt.ArrayLike = ()) -> Self:
        """Describe objects of the image by their masks, bool (H, W), the last accepted last.

        `others` (M,) are areas on other images, as for `of_areas`.
        """
        context = cls.of_areas([float(np.sum(mask)) for mask in masks], others)
        spots = [spots_in(np.asarray(mask, bool)) for mask in masks[-SHOWN:]]
        return replace(context, spots=tuple(some for some in spots if some))

    @classmethod
    def from_dict(cls, values: JsonObject) -> Self:
        """Read back what `to_dict` gave; raises `InvalidArgument` for anything else."""
        try:
            numbers = int(values["count"]), float(values["mean"]), float(values["spread"])
            spots = tuple(
                tuple((int(y), int(x)) for y, x in one) for one in values.get("spots", ())
            )
            return cls(*numbers, bool(values.get("elsewhere", False)), spots)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise InvalidArgument(
                f"a context has 'count', 'mean' and 'spread', not {said(values)}; give what "
                "`Context.to_dict` returned"
            ) from None

    def to_dict(self) -> JsonObject:
        """Return the context as JSON can hold it."""
        values = asdict(self)
        return values if self.spots else {k: v for k, v in values.items() if k != "spots"}

    @property
    def steers(self) -> bool:
        """Whether there are enough objects."""
        return self.count >= FEWEST

    @property
    def weight(self) -> float:
        """Score units that an answer loses for each factor of two between its area and the mean."""
        trust = self.count / (self.count + DOUBT) / (1 + (self.spread / WIDTH) ** 2)
        return WEIGHT * trust * (0.5 if self.elsewhere else 1.0) if self.steers else 0.0

    def bonus(self, area: float) -> float:
        """Return what is added to the score of an answer of `area` pixels: 0 or less."""
        return -self.weight * abs(math.log2(max(area, 1.0)) - self.mean)

    def at_scale(self, factor: float) -> Context:
        """Return the sizes of the same objects in pixels that are `factor` times as long."""
        return replace(self, mean=self.mean - 2 * math.log2(factor), spots=())


def spots_in(mask: BoolArray) -> Spots:
    """Return some pixels of a mask (H, W), evenly spread over it row by row."""
    inside = np.flatnonzero(mask)
    if not inside.size:
        return ()
    some = inside[((np.arange(SPOTS) + 0.5) * inside.size / SPOTS).astype(int)]
    rows, columns = np.divmod(some, mask.shape[1])
    return tuple(zip(rows.tolist(), columns.tolist(), strict=True))


def _logs(areas: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return log2 of areas (N,), without those that are too small."""
    try:
        known = np.asarray(areas, float).reshape(-1)
    except (TypeError, ValueError):
        raise InvalidArgument(
            f"the areas of objects are {said(areas)}; give numbers of pixels"
        ) from None
    return np.log2(known[(known >= SMALLEST) & np.isfinite(known)])


@runtime_checkable
class ContextModel(Protocol):
    """A model whose first answers are steered by objects that were accepted before."""

    def with_context(self, context: Context | None) -> Self:
        """Return the same model, steered by accepted objects; None takes that back."""


AnyModel = TypeVar("AnyModel", bound=Model)


def in_context_of(model: AnyModel, context: Context | None) -> AnyModel:
    """Return a model that is steered by a context, or the same one where it takes none."""
    if context is None or not context.steers or not isinstance(model, ContextModel):
        return model
    return model.with_context(context)
