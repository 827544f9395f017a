"""An array read plane by plane along one axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..checks import checked_labels, whole_number
from ..errors import InvalidArgument, InvalidImage, InvalidLabels
from ..images import AnyArray, Sliceable
from ..planes import Plane
from .shapes import IntArray


class Stack:
    """An array read plane by plane along one axis.

    Parameters
    ----------
    volume : array-like (..., H, W), or (..., H, W, C) with 3 or 4 channels
        Three axes, channels not counted.
    axis : int

    Raises
    ------
    InvalidImage
        An array of other axes.
    """

    def __init__(self, volume: Sliceable, axis: int) -> None:
        if isinstance(volume, str) or not (
            hasattr(volume, "shape") and hasattr(volume, "__getitem__")
        ):
            raise InvalidImage(
                f"a {type(volume).__name__} can't be propagated through; give an array of three "
                "axes, such as numpy.stack(planes)"
            )
        shape = tuple(int(n) for n in volume.shape)
        self.channels = len(shape) == 4 and shape[-1] in (3, 4)
        if len(shape) != 3 and not self.channels:
            raise InvalidImage(
                f"an array of shape {shape} can't be propagated through; give three axes, or four "
                "with 3 or 4 channels on the last"
            )
        dtype = getattr(volume, "dtype", None)
        if dtype is not None and np.dtype(dtype).kind not in "buif":
            raise InvalidImage(
                f"a stack of dtype {dtype} can't be shown to a model; convert it to integers or "
                "floats (of complex data take the magnitude)"
            )
        if 0 in shape:
            raise InvalidImage(f"the stack of shape {shape} holds no pixel; give another one")
        self.shape: tuple[int, ...] = shape[:3]
        axis = whole_number(axis, "axis")
        if not -3 <= axis < 3:
            raise InvalidImage(
                f"there is no axis {axis} in an array of shape {shape}; give 0, 1 or 2"
            )
        self.axis = axis % 3
        self.count = self.shape[self.axis]
        self._volume = volume

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Height and width of every plane."""
        return Plane.across(self.axis, 0).shape(self.shape)

    def read(self, index: int) -> AnyArray:
        """Read one plane, (H, W) or (H, W, C), and nothing else."""
        return Plane.across(self.axis, index, self.channels).read(self._volume)

    def slices(self, index: int) -> tuple[int | slice, ...]:
        """Return the index of a plane in the array."""
        return tuple(index if i == self.axis else slice(None) for i in range(3))

    def position(self, index: int) -> int:
        """Return a plane's index, counted from the end where it is negative."""
        number = whole_number(index, "the number of a plane")
        if not -self.count <= number < self.count:
            raise InvalidLabels(
                f"there is no plane {number}: the stack has {self.count} planes along axis "
                f"{self.axis}; number them from 0"
            )
        return number % self.count

    def checked(self, index: int, labels: AnyArray) -> IntArray:
        """Return seed labels (H, W) as int32; raises `InvalidLabels` for anything else."""
        what = f"the labels of plane {index}"
        return np.array(checked_labels(labels, self.plane_shape, what, "the planes"))

    def range(self, within: tuple[int, int] | None) -> tuple[int, int]:
        """Return first and last plane, half-open."""
        if within is None:
            return 0, self.count
        if not isinstance(within, Sequence) or len(within) != 2:
            raise InvalidArgument(
                f"within is {within!r}; give the first plane, and one past the last"
            )
        first, last = (whole_number(one, "a plane of within") for one in within)
        if not 0 <= first < last <= self.count:
            raise InvalidLabels(
                f"planes {first} to {last} (half-open) can't be labelled: the stack has 0 to "
                f"{self.count}"
            )
        return first, last


def has_contrast(image: AnyArray) -> bool:
    """Return whether a plane (H, W) or (H, W, C) is not constant, and not only NaN."""
    if image.dtype.kind == "f":
        image = image[np.isfinite(image)]
    return bool(image.size and image.min() < image.max())
