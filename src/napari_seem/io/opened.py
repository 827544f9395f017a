"""An image from a file: its pixels, its grid, and its channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..edits import ObjectTable
from ..images import ArraySource
from .grid import Grid


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
    """

    name: str
    data: ArraySource = field(repr=False)
    table: ObjectTable
    grid: Grid
    about: Mapping[str, Any] = field(default_factory=dict)
    levels: tuple[ArraySource, ...] = field(default=(), repr=False)
