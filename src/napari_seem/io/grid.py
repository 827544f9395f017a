"""Where the pixels of an array lie in the world, as a file states it, so that labels go back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import InvalidLabels
from ..images import ArraySource

FloatArray = npt.NDArray[np.float64]
STRAIGHT = 1e-6
"""Off-diagonal parts of a direction below this are rounding, not rotation."""

HIGHEST = 2**32 - 1
"""Largest id in formats that other programs read."""
STEP = 1 << 22
"""Pixels of labels that are counted at a time."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The grid of an image, without its channels.

    Attributes
    ----------
    shape : tuple of int
        Of the labels that lie on it.
    axes : tuple of str
        A letter per axis: t, z, y, x.
    matrix : float array (n + 1, n + 1)
        From array index to the world that a viewer shows: rows go down and columns right, so that y
        is posterior or south, and z inferior, where the file states a direction.
    units : tuple of str
        Of the world, an entry per axis, as pint writes them; "pixel" where nothing is known.
    format : str
        Of the file it came from, as in `napari_seem.io.formats.FORMATS`.
    native : mapping
        The file's own description, for a writer that makes the same grid to the last digit.
    moved : float array (n + 1, n + 1), optional
        As `matrix`, where a viewer shows the image elsewhere than its file says.
    """

    shape: tuple[int, ...]
    axes: tuple[str, ...]
    matrix: FloatArray = field(repr=False)
    units: tuple[str, ...]
    format: str = ""
    native: Mapping[str, Any] = field(default_factory=dict, repr=False)
    moved: FloatArray | None = field(default=None, repr=False)

    @classmethod
    def scaled(
        cls, shape: Sequence[int], axes: Sequence[str], spacing: Sequence[float],
        origin: Sequence[float] | None = None, units: Sequence[str] | None = None,
        file_format: str = "", native: Mapping[str, object] | None = None,
    ) -> Grid:  # fmt: skip
        """Create a grid whose axes are those of the world."""
        matrix = np.diag([*map(float, spacing), 1.0])
        if origin is not None:
            matrix[:-1, -1] = origin
        return cls(
            tuple(map(int, shape)), tuple(axes), matrix,
            tuple(units or ("pixel",) * len(shape)), file_format, native or {},
        )  # fmt: skip

    @classmethod
    def plain(cls, shape: Sequence[int]) -> Grid:
        """Create the grid of an array without a place in the world."""
        names = ("t", "z", "y", "x")[-len(shape) :] if len(shape) <= 4 else ()
        axes = names or tuple(f"axis{i}" for i in range(len(shape)))
        return cls.scaled(shape, axes, (1.0,) * len(shape))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Size of a pixel along every axis, in its unit."""
        return tuple(float(np.linalg.norm(self.matrix[:-1, axis])) for axis in range(self.ndim))

    @property
    def origin(self) -> tuple[float, ...]:
        """World position of the first pixel's centre."""
        return tuple(map(float, self.matrix[:-1, -1]))

    @property
    def shown(self) -> FloatArray:
        """The transform that a viewer shows it by, (n + 1, n + 1)."""
        return self.matrix if self.moved is None else self.moved

    @property
    def straight(self) -> bool:
        """Whether every axis of the array runs along one of the world."""
        linear = self.matrix[:-1, :-1]
        off = linear - np.diag(np.diag(linear))
        return bool(np.abs(off).max(initial=0) <= STRAIGHT * np.abs(linear).max())

    def to_dict(self) -> dict[str, object]:
        """Return axes, affine and units as plain values, for files that can't hold them."""
        return {"axes": list(self.axes), "affine": self.matrix.tolist(), "units": list(self.units)}

    def placed_by(self, values: object) -> Grid:
        """Return the grid with axes, affine and units that `to_dict` gave; itself for any other."""
        known = values if isinstance(values, Mapping) else {}
        matrix = np.asarray(known.get("affine", ()), float)
        axes, units = known.get("axes", ()), known.get("units", ())
        if matrix.shape != self.matrix.shape or not len(axes) == len(units) == self.ndim:
            return self
        return replace(self, axes=tuple(axes), matrix=matrix, units=tuple(units))

    def taken(self, order: Sequence[int]) -> Grid:
        """Return the grid of some of the axes, in an order of their own."""
        if list(order) == list(range(self.ndim)):
            return self
        inner = [*order, self.ndim]
        return replace(
            self, shape=tuple(self.shape[axis] for axis in order),
            axes=tuple(self.axes[axis] for axis in order), matrix=self.matrix[np.ix_(inner, inner)],
            units=tuple(self.units[axis] for axis in order),
        )  # fmt: skip

    @property
    def plane(self) -> Grid:
        """The grid of one plane: that of the last two axes."""
        inner = self.matrix[-3:, -3:]
        return Grid(self.shape[-2:], self.axes[-2:], inner, self.units[-2:])

    def layer_options(self) -> dict[str, object]:
        """Return the keyword arguments that put a napari layer onto the grid."""
        options: dict[str, Any] = {"units": self.units, "axis_labels": self.axes}
        if self.straight:
            return {
                **options, "scale": np.diag(self.shown)[:-1], "translate": self.shown[:-1, -1]
            }  # fmt: skip
        return {**options, "affine": self.shown}

    def check(self, labels: ArraySource) -> None:
        """Raise `InvalidLabels` for labels of any shape but the grid's, or that hold no ids."""
        if tuple(labels.shape) != self.shape:
            raise InvalidLabels(
                f"labels of shape {tuple(labels.shape)} do not lie on the image's grid "
                f"{self.shape}; write the labels that were made on this image, or resample them"
            )
        if np.dtype(labels.dtype).kind not in "ui":
            raise InvalidLabels(
                f"labels of dtype {labels.dtype} hold no ids; convert them to integers"
            )


def named_axes(values: object) -> list[str] | None:
    """Return the letters of the axes that `Grid.to_dict` gave; None for anything else."""
    axes = values.get("axes") if isinstance(values, Mapping) else None
    letters = isinstance(axes, list) and all(isinstance(axis, str) for axis in axes)
    return axes if letters else None


class LabelsLike(Protocol):
    """A value that `numpy.asarray` makes labels of."""

    def __array__(self) -> npt.NDArray[np.generic]: ...


def checked_ids(labels: ArraySource | LabelsLike, any_size: bool = True) -> ArraySource:
    """Return labels (..., H, W) to be written; `InvalidLabels` for what is no array.

    Unless ids of `any_size` can be written, they are at most `HIGHEST`.
    """
    if isinstance(labels, np.ndarray) and labels.dtype.kind == "i" and labels.min(initial=0) < 0:
        raise InvalidLabels("negative ids can't be written; object ids are numbered from 1")
    if all(hasattr(labels, name) for name in ("shape", "dtype", "__getitem__")):
        shape = tuple(getattr(labels, "shape"))  # noqa: B009
        if len(shape) < 2 or 0 in shape:
            raise InvalidLabels(f"labels of shape {shape} are no image; give (H, W), or more axes")
        wide = isinstance(labels, np.ndarray) and labels.dtype.itemsize > 2
        if wide and not any_size and labels.max(initial=0) > HIGHEST:  # type: ignore[union-attr]
            raise InvalidLabels(
                f"the format holds no id above {HIGHEST}; number the objects anew, or write .tif"
            )
        return labels  # type: ignore[return-value]
    if not hasattr(labels, "__array__"):
        raise InvalidLabels(f"labels can't be a {type(labels).__name__}; give an integer array")
    return checked_ids(np.asarray(labels), any_size)


def arranged(labels: npt.NDArray[np.integer], grid: Grid) -> tuple[npt.NDArray[np.integer], Grid]:
    """Return labels and their grid with the axes in the order that files want.

    That is (t, others, z, y, x), where the others are axes without a common name.

    Parameters
    ----------
    labels : integer array on the grid
    grid : Grid
    """
    order = arranged_axes(grid)
    return labels.transpose(order), grid.taken(order)


def arranged_axes(grid: Grid) -> list[int]:
    """Return the axes of a grid in the order of `arranged`."""
    ranks = {"t": 0, "z": 2, "y": 3, "x": 4}
    return sorted(range(grid.ndim), key=lambda axis: ranks.get(grid.axes[axis], 1))


def narrowest(labels: npt.NDArray[np.integer], least: int = 8) -> npt.NDArray[np.integer]:
    """Convert labels to the smallest unsigned type of at least `least` bits that holds their ids.

    Parameters
    ----------
    labels : integer array of any shape (...)
    least : int
        Bits.

    Raises
    ------
    InvalidLabels
        For negative ids.
    """
    if labels.dtype.kind == "i" and labels.min(initial=0) < 0:
        raise InvalidLabels("negative ids can't be written; object ids are numbered from 1")
    highest = int(labels.max(initial=0))
    for bits in (8, 16, 32, 64):
        if bits >= least and highest < 2**bits:
            return labels.astype(f"uint{bits}", copy=False)
    raise InvalidLabels(f"the id {highest} is too large for any label file")


def ids_in(labels: npt.NDArray[np.integer]) -> set[int]:
    """Return the ids above 0 in labels of any shape (...)."""
    found: set[int] = set()
    flat = labels.ravel(order="K")  # as it lies in memory
    for start in range(0, flat.size, STEP):
        part = flat[start : start + STEP]
        few = int(part.max(initial=0)) < STEP and int(part.min(initial=0)) >= 0
        ids = np.flatnonzero(np.bincount(part.astype(np.intp))) if few else np.unique(part)
        found.update(ids.astype(int).tolist())
    return {one for one in found if one > 0}
