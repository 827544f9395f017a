"""One 2-D cut of an array of any number of axes, read and written without touching the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from .checks import check_type, said, whole_number
from .errors import InvalidArgument, InvalidLabels
from .values import JsonObject

if TYPE_CHECKING:
    from .images import Sliceable

BoolArray = npt.NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Plane:
    """A cut through an array.

    Attributes
    ----------
    index : tuple of int or None
        Position along every axis of the array that is not shown; None along the two shown.
    axes : (int, int)
        The array axes shown as rows and as columns, in this order; (2, 0) is allowed.
    channels : bool
        Whether the array has one more, last axis of channels, which every read keeps.
    spacing : (float, float)
        Size of a pixel along rows and columns, in whatever unit the image has.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> volume = np.arange(24).reshape(2, 3, 4)
    >>> ns.Plane.across(0, 1).read(volume).shape
    (3, 4)
    >>> ns.Plane.across(-1, 2).read(volume)
    array([[ 2,  6, 10],
           [14, 18, 22]])
    """

    index: tuple[int | None, ...]
    axes: tuple[int, int]
    channels: bool = False
    spacing: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        try:
            shown = tuple(i for i, position in enumerate(self.index) if position is None)
            fits = shown == tuple(sorted(self.axes))
        except TypeError:
            fits = False
        if not fits:
            raise InvalidArgument(
                f"axes {said(self.axes)} are not the open axes of index {said(self.index)}; give "
                "None in the index along the two shown axes only"
            )

    @classmethod
    def of(cls, shape: Sequence[int], axes: tuple[int, int] | None = None, at: int = 0) -> Plane:
        """The plane over `axes` (by default the last two) of an array, `at` elsewhere."""
        ndim = len(shape)
        shown = axes or (ndim - 2, ndim - 1)
        return cls(tuple(None if i in shown else at for i in range(ndim)), shown)

    @classmethod
    def across(cls, axis: int, at: int, channels: bool = False) -> Plane:
        """Plane number `at` along an axis of an array of three; -1 is the last axis."""
        along = axis % 3
        rows, columns = (i for i in range(3) if i != along)
        return cls(tuple(at if i == along else None for i in range(3)), (rows, columns), channels)

    def to_dict(self) -> dict[str, object]:
        """The plane as plain values: `at` is null along the axes of `rows` and `columns`."""
        at = [None if position is None else int(position) for position in self.index]
        return {"at": at, "rows": int(self.axes[0]), "columns": int(self.axes[1])}

    @classmethod
    def from_dict(cls, values: JsonObject, channels: bool = False) -> Plane:
        """Read back what `to_dict` gave; raises `KeyError`, `TypeError` or `ValueError`."""
        index = tuple(None if at is None else int(at) for at in values["at"])
        return cls(index, (int(values["rows"]), int(values["columns"])), channels)

    @property
    def ndim(self) -> int:
        """Axes of the array, channels not counted."""
        return len(self.index)

    @property
    def transposed(self) -> bool:
        """Whether rows run along a later axis of the array than columns."""
        return self.axes[0] > self.axes[1]

    def key(self) -> tuple[object, ...]:
        """What tells this plane from others of the same array; hashable."""
        return self.index, self.axes

    def shape(self, array_shape: Sequence[int]) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(array_shape[self.axes[0]]), int(array_shape[self.axes[1]])

    def read(
        self, array: Sliceable, area: tuple[int, int, int, int] | None = None, step: int = 1
    ) -> npt.NDArray[Any]:
        """The plane's pixels as numpy, (H, W) or (H, W, C); only they are read.

        Parameters
        ----------
        array : array-like
            numpy, dask, zarr, or anything else that slices.
        area : (y0, x0, y1, x1), optional
            Half-open; by default the whole plane.
        step : int
            Take every so many pixels along rows and columns.
        """
        slices = list(self._slices())
        if area is not None or step != 1:
            y0, x0, y1, x1 = area or (0, 0, *self.shape(array.shape))
            slices[self.axes[0]], slices[self.axes[1]] = slice(y0, y1, step), slice(x0, x1, step)
        part = np.asarray(array[tuple(slices)])
        if not self.transposed:
            return part
        return np.swapaxes(part, 0, 1)

    def place(
        self, mask: npt.NDArray[Scalar], corner: tuple[int, int] = (0, 0)
    ) -> tuple[tuple[int, ...], npt.NDArray[Scalar]]:
        """A mask of the plane, or other values of it, as a block of the array.

        Parameters
        ----------
        mask : (h, w) array
        corner : (y, x)
            Where the mask's first pixel lies in the plane.

        Returns
        -------
        offset : tuple of int
            First index of the block along every axis of the array.
        block : array of the mask's dtype, with one axis per axis of the array
        """
        offset = [0 if position is None else int(position) for position in self.index]
        offset[self.axes[0]], offset[self.axes[1]] = corner
        shape = [1] * self.ndim
        shape[self.axes[0]], shape[self.axes[1]] = mask.shape
        block = mask.T if self.transposed else mask
        return tuple(offset), block.reshape(shape)

    def block(self, area: tuple[int, int, int, int]) -> tuple[slice, ...]:
        """Slices of a half-open part (y0, x0, y1, x1) of the plane, one for every array axis."""
        out = [slice(at or 0, (at or 0) + 1) for at in self.index]
        y0, x0, y1, x1 = area
        out[self.axes[0]], out[self.axes[1]] = slice(y0, y1), slice(x0, x1)
        return tuple(out)

    def to_array(self, y: float, x: float) -> npt.NDArray[np.float64]:
        """Array coordinates of a point of the plane."""
        out = np.array([0.0 if position is None else position for position in self.index])
        out[list(self.axes)] = y, x
        return out

    def to_plane(self, point: Sequence[float] | npt.NDArray[np.float64]) -> tuple[float, float]:
        """Return row and column in the plane of a point (N,) in array coordinates."""
        return float(point[self.axes[0]]), float(point[self.axes[1]])

    def holds(self, point: Sequence[float] | npt.NDArray[np.float64]) -> bool:
        """Return whether a point (N,) in array coordinates is on the plane, within half a pixel."""
        return all(
            position is None or abs(coordinate - position) <= 0.5
            for position, coordinate in zip(self.index, point, strict=True)
        )

    def _slices(self) -> tuple[object, ...]:
        return tuple(slice(None) if position is None else position for position in self.index)


def plane_of_labels(
    shape: Sequence[int], offset: Sequence[int] | None = None, plane: Plane | None = None
) -> Plane:
    """Return where in labels of `shape` the plane of an image lies: over their last two axes.

    Parameters
    ----------
    shape : sequence of int
    offset : sequence of int, optional
        Where its first pixel lies; needed for labels of more than two axes.
    plane : Plane, optional
        The plane itself, which may run along other axes.

    Raises
    ------
    InvalidLabels
        The labels have more axes and nothing is named, or other axes than what is named.
    InvalidArgument
        Both `offset` and `plane` are given, or `offset` holds no whole numbers.
    """
    axes = len(shape)
    if plane is not None:
        check_type(plane, Plane, "plane", "a napari_seem.Plane, such as Plane.across(0, 5)")
    if offset is not None and (isinstance(offset, str) or not isinstance(offset, Sequence)):
        raise InvalidArgument(
            f"offset is {said(offset)}; give whole numbers, one for each axis of the labels"
        )
    if plane is not None and offset is not None:
        raise InvalidArgument("both offset and plane are given; give one of them")
    if plane is None and offset is None and axes != 2:
        example = ", ".join(["plane number", *["0"] * (axes - 1)])
        raise InvalidLabels(
            f"the labels of shape {tuple(shape)} have {axes} axes and the image is one "
            f"plane; name it by offset=({example}) or by plane"
        )
    if offset is not None and len([whole_number(o, "the offset", 0) for o in offset]) != axes:
        raise InvalidLabels(
            f"offset {tuple(offset)} has {len(offset)} numbers but the labels have {axes} axes; "
            "give one for each"
        )
    if plane is not None and plane.ndim != axes:
        raise InvalidLabels(
            f"the plane is one of {plane.ndim} axes but the labels have {axes}; give labels of the "
            "image's own axes"
        )
    return plane or Plane.of(shape)


def boxes(labels: npt.NDArray[np.integer]) -> Iterator[tuple[int, tuple[slice, slice]]]:
    """Yield each positive value of labels (h, w), and its bounding box."""
    from scipy import ndimage

    values, packed = np.unique(labels, return_inverse=True)
    packed = packed.reshape(labels.shape) + (1 if values[0] else 0)
    places = ndimage.find_objects(packed)
    for value, place in zip(values[values > 0], places, strict=True):
        yield int(value), place
