"""The classes of an image's pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from ..images import AnyArray
from ..values import ArrayValue, listed, locked, read_only

ClassArray = npt.NDArray[np.uint16]


@dataclass(frozen=True, eq=False, repr=False)
class PixelClasses(ArrayValue):
    """The classes of a plane's pixels; `numpy.asarray` gives their ids.

    Attributes
    ----------
    ids : tuple of int
        The ids of the classes, sorted: the values of the scribbles.
    probabilities : float16 array (K, H, W)
        How likely each pixel is of each class, in the order of `ids`; read-only.
    names : mapping of int to str
        Names of the ids that have one.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> shares = np.float16([[[0.9, 0.2]], [[0.1, 0.8]]])
    >>> classes = ns.PixelClasses((1, 2), shares, {1: "vessel"})
    >>> classes.labels.tolist(), classes
    ([[1, 2]], PixelClasses(1 x 2, classes=[vessel, 2]))
    """

    ids: tuple[int, ...]
    probabilities: npt.NDArray[np.float16]
    names: Mapping[int, str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", read_only(self.probabilities))
        object.__setattr__(self, "names", MappingProxyType(dict(self.names)))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.probabilities.shape[1:]
        return height, width

    @cached_property
    def labels(self) -> ClassArray:
        """The id of the likeliest class of each pixel: uint16 (H, W), read-only."""
        return locked(np.array(self.ids, np.uint16)[self.probabilities.argmax(0)])

    @cached_property
    def uncertainty(self) -> npt.NDArray[np.float16]:
        """How near the second likeliest class is: float16 (H, W), read-only.

        1 less the difference of the two largest probabilities: 1 where they are the same.
        """
        first, second = (np.zeros(self.shape, np.float32) for _ in range(2))
        for one in self.probabilities.astype(np.float32):
            np.maximum(second, np.minimum(first, one), out=second)
            np.maximum(first, one, out=first)
        return locked((1 - (first - second)).astype(np.float16))

    def probability(self, class_id: int) -> npt.NDArray[np.float16]:
        """Return the probability (H, W) of a class."""
        return self.probabilities[self.ids.index(class_id)]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> AnyArray:
        return np.array(self.labels, dtype, copy=copy)

    def __repr__(self) -> str:
        named = [self.names.get(one) or one for one in self.ids]
        return f"PixelClasses({self.shape[0]} x {self.shape[1]}, classes={listed(named)})"
