"""The planes of an image along one axis, read one at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..planes import Plane
from .source import PlaneSource


@dataclass(frozen=True, eq=False)
class StackSource:
    """The planes of an image along one axis; other axes stay where they are.

    It is read as `stack[k, :, :]` by what propagates labels through arrays.

    Attributes
    ----------
    source : PlaneSource
        One of its planes.
    axis : int
        Of the image's array, along which the planes follow each other.
    """

    source: PlaneSource
    axis: int

    @property
    def plane(self) -> Plane:
        """The plane that was shown when the stack was made."""
        return self.source.plane

    @property
    def shape(self) -> tuple[int, ...]:
        """Planes, height, width and, for colour, channels."""
        image = self.source.input.images[0]
        channels = self.source.input.levels[0][0].shape[len(image.shape) :]
        return image.shape[self.axis], *self.source.shape, *(int(n) for n in channels)

    @property
    def position(self) -> int:
        """The number of the plane that was shown when the stack was made."""
        at = self.plane.index[self.axis]
        assert at is not None
        return at

    def at(self, number: int) -> Plane:
        """A plane of the stack, in the image's array."""
        index = tuple(number if i == self.axis else at for i, at in enumerate(self.plane.index))
        return replace(self.plane, index=index)

    def source_at(self, number: int) -> PlaneSource:
        """A plane of the stack, to be segmented."""
        return self.source.at(self.at(number), f"plane {number}")

    def __getitem__(self, where: Any) -> npt.NDArray[np.generic]:
        return self.source_at(int(where[0])).read()
