"""An image from a file: its pixels, its grid, and its channels."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..edits import ObjectTable
from ..errors import FileTrouble
from ..images import AnyArray, ArraySource
from .grid import Grid
from .guard import reading

if TYPE_CHECKING:
    from dask.array import Array

Stamp = tuple[int, int, int]
"""Number, size and time of a file, by which another one is told."""


@dataclass(frozen=True, eq=False)
class Opened:
    """An image that was opened.

    Attributes
    ----------
    name : str
        Short, for people.
    levels : tuple of array-like
        The image at full size and, where the file has them, at smaller ones; unread where the file
        is large. Axes are those of the grid, and the channels.
    grid : Grid
        Of the full size, channels left out.
    channel_axis : int or None
        Of the arrays; None where there are no channels.
    channels : tuple of str
        Their names, as far as the file has them.
    about : mapping
        Further facts of the file that a person may want to know: modality, nodata, warnings, and
        the "window" (low, high) of intensities that the file wants to be shown.
    """

    name: str
    levels: tuple[ArraySource, ...] = field(repr=False)
    grid: Grid
    channel_axis: int | None = None
    channels: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> ArraySource:
        """The image at full size."""
        return self.levels[0]

    @property
    def rgb(self) -> bool:
        """Whether the channels are the colours of an ordinary picture: last, three or four, 8-bit.

        Three bands of 16 bits are not, nor is a fourth band of infrared: they are shown one by one.
        """
        if self.channel_axis != self.data.ndim - 1 or self.data.dtype != "uint8":
            return False
        fourth = self.channels[3] if len(self.channels) > 3 else "alpha"
        return self.data.shape[-1] == 3 or (self.data.shape[-1] == 4 and fourth == "alpha")


@dataclass(frozen=True, eq=False)
class OpenedLabels:
    """Labels that were opened, with all that their file says of them.

    Attributes
    ----------
    name : str
        Short, for people.
    data : integer array-like (y, x), (z, y, x) or (t, z, y, x)
    table : ObjectTable
    grid : Grid
        Where they lie.
    about : mapping
        Provenance: image, model, intensity window, and the colours of classes.
    levels : tuple of array-like
        The labels at smaller sizes, the full size first; only of OME-Zarr.
    note : str
        What a person is to be told of how ids were made of the file's pixels.
    """

    name: str
    data: ArraySource = field(repr=False)
    table: ObjectTable
    grid: Grid
    about: Mapping[str, Any] = field(default_factory=dict)
    levels: tuple[ArraySource, ...] = field(default=(), repr=False)
    note: str = ""

    def fitted(self, axes: Sequence[str] | None, shape: Sequence[int] | None) -> OpenedLabels:
        """Return the labels with the axes of an image, where nothing but their order differs.

        Axes of length one are left out or added. What doesn't fit is returned as it is.

        Parameters
        ----------
        axes : sequence of str or None
            Of the image, as of a `Grid`; None where nobody knows.
        shape : tuple of int or None
            Of the image.
        """
        own, sizes = self.grid.axes, self.grid.shape
        axes = own if axes is None else tuple(axes)
        sources = [own.index(name) if name in own else None for name in axes]
        found = [1 if axis is None else sizes[axis] for axis in sources]
        gone = [axis for axis in range(len(own)) if axis not in sources]
        named = all(sizes[axis] == 1 for axis in gone) and len(set(axes)) == len(axes)
        if not named or (shape is not None and found != list(shape)):
            if shape is None or [n for n in sizes if n > 1] != [n for n in shape if n > 1]:
                return self
            long = iter([axis for axis, n in enumerate(sizes) if n > 1])
            sources = [next(long) if n > 1 else None for n in shape]
        if sources == list(range(len(own))):
            return self
        if shape is None and None in sources:
            return self
        levels = tuple(_picked(level, sources) for level in self.levels)
        data = levels[0] if levels else _picked(self.data, sources)
        grid = self.grid.taken([axis for axis in sources if axis is not None])
        return replace(self, data=data, grid=grid, levels=levels)


class FileArray:
    """An array in a file, whose parts are copied out of it when they are asked for.

    The file is mapped for each part anew: Windows replaces no file that is. A map ends the process
    by a signal where the file has been cut, so that its size and time are looked at before.

    Parameters
    ----------
    path : Path
    dtype : data type
        As stored; parts come in the byte order of this machine.
    shape : tuple of int
        As stored.
    offset : int
        Of the first pixel in the file, in bytes.
    order : str
        "C" where the last axis runs fastest, "F" where the first one does.
    axes : tuple of int, optional
        The stored axes in the order in which the array has them.
    """

    def __init__(
        self, path: Path, dtype: npt.DTypeLike, shape: Sequence[int], offset: int,
        order: str = "C", axes: Sequence[int] | None = None,
    ) -> None:  # fmt: skip
        self.path = path
        self._stored = np.dtype(dtype), tuple(map(int, shape)), int(offset), order
        self._axes = tuple(range(len(shape))) if axes is None else tuple(axes)
        self._stamp = stamp_of(path)
        self.dtype = self._stored[0].newbyteorder("=")
        self.shape = tuple(self._stored[1][axis] for axis in self._axes)
        self.ndim = len(self.shape)
        self.size = prod(self.shape)
        self.nbytes = self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def transpose(self, *axes: Any) -> FileArray:
        """Return the array with its axes in another order; nothing is read."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        chosen = order or range(self.ndim)[::-1]
        dtype, shape, offset, kind = self._stored
        turned = FileArray(
            self.path, dtype, shape, offset, kind, [self._axes[axis] for axis in chosen]
        )
        turned._stamp = self._stamp
        return turned

    def __getitem__(self, index: Any) -> AnyArray:
        """Read a part; `FileTrouble` where the file has changed since it was opened."""
        with reading(self.path, remedy="open it again"):
            check_unchanged(self.path, self._stamp)
            dtype, shape, offset, order = self._stored
            mapped = np.memmap(self.path, dtype, "r", offset, shape, order)  # type: ignore[call-overload]
            return np.array(mapped.transpose(self._axes)[index], self.dtype)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> AnyArray:
        """Read everything."""
        return np.asarray(self[...], dtype)


def lazy(data: ArraySource) -> Array:
    """Wrap an array on disk, of any shape, in a dask array, which reads parts when needed."""
    import dask.array

    if isinstance(data, dask.array.Array):
        return data
    return dask.array.from_array(data, chunks=getattr(data, "chunks", "auto"))


def _picked(data: ArraySource, sources: Sequence[int | None]) -> ArraySource:
    """Return an array of any shape with some of its axes, unread.

    Others have one entry, and None is new.
    """
    array: Any = data if isinstance(data, np.ndarray) else lazy(data)
    kept = [axis for axis in sources if axis is not None]
    gone = [axis for axis in range(array.ndim) if axis not in kept]
    array = array.transpose([*gone, *kept])[(0,) * len(gone)]
    return array[tuple(None if axis is None else slice(None) for axis in sources)]


def stamp_of(path: Path) -> Stamp:
    """Return what of a file changes with its content; raises `OSError`."""
    facts = os.stat(path)
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def check_unchanged(path: Path, stamp: Stamp) -> None:
    """Raise `FileTrouble` where a file is no longer as it was, and `OSError` where it is gone."""
    if stamp_of(path) != stamp:
        raise FileTrouble(f"'{path}' has changed while it was open; open it again")
