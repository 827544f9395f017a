"""What there is to look at: planes of arrays and files, none of them read before its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InvalidImage
from ..intensity import IntensityWindow, windowed
from ..io.files import open_image
from ..io.images import with_channels
from ..planes import Plane
from ..sources import PlanePixels, is_big
from .finding import PlaneRef

PLAIN = IntensityWindow()


@dataclass(frozen=True, eq=False)
class PlaneSource:
    """One plane to look at.

    Attributes
    ----------
    place : PlaneRef
    read : callable
        Gives its pixels, (H, W) or (H, W, C), or `PlanePixels` of a plane too big for one pass.
    """

    place: PlaneRef
    read: Callable[[], Any]


def plane_sources_of_array(
    array: Any, axis: int = 0, channels: bool = False, look: IntensityWindow = PLAIN,
    source: Any = None, title: str = "",
) -> list[PlaneSource]:  # fmt: skip
    """The planes of an image or a stack.

    Parameters
    ----------
    array : array-like of two or three axes, channels not counted
        numpy, dask, zarr, or anything else that slices.
    axis : int
        Along which the planes of a stack follow each other.
    channels : bool
        Whether the last axis is channels.
    look : IntensityWindow
        As which they are read.
    source, title
        See `PlaneRef`; by default the planes are told by their numbers.

    Raises
    ------
    InvalidImage
        An array of other axes.
    """
    shape = tuple(int(n) for n in array.shape)
    spatial = shape[: len(shape) - channels]
    if len(spatial) not in (2, 3) or 0 in shape:
        raise InvalidImage(
            f"images of two axes and stacks of three can be searched, channels not counted; got "
            f"the shape {shape}"
        )
    if len(spatial) == 2:
        planes = [Plane((None, None), (0, 1), channels)]
    else:
        planes = _planes_along(spatial, axis, channels)
    seen = windowed(array, look, channels)
    return [_plane_source(seen, plane, source, title) for plane in planes]


def plane_sources_of_file(
    path: Path, axis: int | None = None, look: IntensityWindow = PLAIN
) -> list[PlaneSource]:
    """The planes of an image file; a stack is cut along axis 0, or the one that is named.

    Raises
    ------
    FileTrouble, InvalidImage
        The file can't be read, or has other axes.
    """
    opened = open_image(path)
    array, channels = with_channels(opened, axis)
    return plane_sources_of_array(array, axis or 0, channels, look, path, path.name)


def plane_sources_of_files(
    paths: Sequence[Path], axis: int | None = None, look: IntensityWindow = PLAIN
) -> Iterator[PlaneSource]:
    """The planes of many files, each opened in its turn; reading one that can't be says so."""
    for path in paths:
        try:
            yield from plane_sources_of_file(path, axis, look)
        except Exception as error:  # noqa: BLE001  (readers of damaged files raise anything)
            yield broken(PlaneRef(path.name, path, Plane((None, None), (0, 1))), error)


def broken(place: PlaneRef, error: Exception) -> PlaneSource:
    """A plane that can't be read."""

    def read() -> Any:
        raise error

    return PlaneSource(place, read)


def _planes_along(shape: Sequence[int], axis: int, channels: bool) -> list[Plane]:
    if not -3 <= axis < 3:
        raise InvalidImage(f"there is no axis {axis} in a stack of shape {tuple(shape)}")
    return [Plane.across(axis, k, channels) for k in range(shape[axis % 3])]


def _plane_source(array: Any, plane: Plane, source: Any, title: str) -> PlaneSource:
    at = next((i for i in plane.index if i is not None), None)
    name = title if at is None else f"{title} plane {at}".strip()

    def read() -> Any:
        if is_big(plane.shape(array.shape)):
            return PlanePixels([[array]], plane)
        return plane.read(array)

    return PlaneSource(PlaneRef(name or "image", source, plane), read)
