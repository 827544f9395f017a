"""The known planes beside one that is to be labelled, and what they let expect."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..images import AnyArray, Window, to_rgb
from . import shapes
from .motion import moves
from .results import PlaneResult
from .shapes import Shape
from .stack import Stack, has_contrast


class Beside:
    """The nearest known planes of a plane.

    Parameters
    ----------
    index : int
        Of the plane between them.
    results : mapping of int to PlaneResult
    known : collection of int
        Planes of `results` that may be looked at.
    forward : bool
        Look only at the one below, where there is one: what comes later knows nothing of what has
        not divided yet.
    """

    def __init__(
        self, index: int, results: Mapping[int, PlaneResult], known: Collection[int], forward: bool
    ) -> None:
        self.index, self.forward = index, forward
        self._results, self._known = results, known
        self.below = max((k for k in known if k < index), default=None)
        self.above = min((k for k in known if k > index), default=None)
        if forward and self.below is not None:
            self.above = None

    @property
    def planes(self) -> list[int]:
        """The known planes, one or two."""
        return [k for k in (self.below, self.above) if k is not None]

    def expected(self, moved: Mapping[int, tuple[float, float]] | None = None) -> dict[int, Shape]:
        """Interpolate the objects of both planes, or extrapolate those of the only one.

        Objects that a person erased from one of them are expected from the planes beyond.

        Parameters
        ----------
        moved : mapping of int to (dy, dx), optional
            As of `shapes.expected`.
        """
        results = [self._results[k] for k in self.planes]
        if self.below is None or self.above is None:
            found = shapes.expected(results[0].labels, None, moved=moved)
        else:
            share = (self.index - self.below) / (self.above - self.below)
            found = shapes.expected(results[0].labels, results[1].labels, share)
        erased = {number for result in results for number in result.erased}
        further = [k for k in self._known if k not in self.planes or not self._results[k].erased]
        if not erased or not further:
            return found
        rest = Beside(self.index, self._results, further, self.forward).expected()
        return {i: shape for i, shape in found.items() if i not in erased} | {
            i: shape for i, shape in rest.items() if i in erased
        }

    def moved(
        self, stack: Stack, window: Window | None, image: AnyArray
    ) -> dict[int, tuple[float, float]] | None:
        """Estimate how far objects moved to the plane from its only known neighbour.

        `image` is (H, W) or (H, W, C); None where that can't be told.
        """
        if len(self.planes) != 1 or abs(self.planes[0] - self.index) > 1:
            return None
        before = stack.read(self.planes[0])
        if not has_contrast(before):
            return None
        outlines = shapes.outlines(self._results[self.planes[0]].labels)
        return moves(to_rgb(before, window), to_rgb(image, window), outlines)
