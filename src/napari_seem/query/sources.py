"""Planes of arrays and files to be searched, none of them read before its turn."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ..checks import as_path, as_paths, check_flag, check_type, whole_number
from ..errors import InvalidImage
from ..intensity import IntensityWindow
from ..io.files import open_image
from ..io.images import MOST_CHANNELS, image_files, with_channels
from ..planes import Plane
from ..sources.source import ImageInput, ImageSource, PlaneSource
from .finding import PlaneRef

if TYPE_CHECKING:
    from ..images import ArraySource

PLAIN = IntensityWindow()
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unreadable:
    """A file that can't be read.

    Attributes
    ----------
    ref : PlaneRef
    problem : str
        Why.
    """

    ref: PlaneRef
    problem: str


def plane_ref(source: PlaneSource) -> PlaneRef:
    """Where something is looked for."""
    return PlaneRef(source.title or "image", source.source, source.plane)


def plane_sources_of_array(
    array: ArraySource, axis: int = 0, channels: bool = False, look: IntensityWindow = PLAIN,
    source: Hashable = None, title: str = "",
) -> list[PlaneSource]:  # fmt: skip
    """Return the planes of an image or a stack, to be searched.

    Parameters
    ----------
    array : array-like (H, W) or (Z, H, W), with channels (H, W, C) or (Z, H, W, C)
        numpy, dask, zarr, or anything else that slices; planes lie along `axis`, here 0.
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
    InvalidArgument
        An axis, a window or `channels` of another type.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> [source.title for source in ns.plane_sources_of_array(np.zeros((2, 32, 32)), title="a")]
    ['a plane 0', 'a plane 1']
    """
    if isinstance(array, str) or not (hasattr(array, "shape") and hasattr(array, "dtype")):
        raise InvalidImage(
            f"a {type(array).__name__} can't be searched; give an array (H, W) or (Z, H, W)"
        )
    if np.dtype(array.dtype).kind not in "buif":
        raise InvalidImage(f"an image of dtype {array.dtype} can't be searched; convert it first")
    axis, channels = whole_number(axis, "axis"), check_flag(channels, "channels")
    check_type(look, IntensityWindow, "look", "an IntensityWindow")
    shape = tuple(int(n) for n in array.shape)
    spatial = shape[: len(shape) - channels]
    if len(spatial) not in (2, 3) or 0 in shape:
        raise InvalidImage(
            f"images of two axes and stacks of three can be searched, channels not counted; give "
            f"one of them, not the shape {shape}"
        )
    if len(spatial) == 2:
        planes = [Plane((None, None), (0, 1), channels)]
    else:
        planes = _planes_along(spatial, axis, channels)
    image = ImageSource([array], channels, title, str(source or ""))
    first = PlaneSource(ImageInput((image,), (look,)), planes[0], source=source)
    return [replace(first, plane=plane, title=_title(title, plane)) for plane in planes]


def plane_sources_of_file(
    path: str | PathLike[str], axis: int | None = None, look: IntensityWindow = PLAIN
) -> list[PlaneSource]:
    """The planes of an image file; a stack is cut along axis 0, or the one that is named.

    Raises
    ------
    FileTrouble, InvalidImage
        The file can't be read, or has other axes.
    """
    path = as_path(path)
    opened = open_image(path)
    array, channels = with_channels(opened, axis)
    return plane_sources_of_array(array, axis or 0, channels, look, path, path.name)


def plane_sources_of_files(
    paths: str | PathLike[str] | Iterable[str | PathLike[str]], axis: int | None = None,
    look: IntensityWindow = PLAIN,
) -> Iterator[PlaneSource | Unreadable]:  # fmt: skip
    """Return the planes of one or many files, each opened in its turn.

    Parameters
    ----------
    paths : path, or iterable of paths
        Image files, OME-Zarr or DICOM folders, or folders of image files; text or Path.
    axis, look
        As for `plane_sources_of_array`; an axis takes three axes for a stack.

    Yields
    ------
    PlaneSource, or Unreadable
        The latter for a file that can't be read, with the reason; it ends nothing.

    Examples
    --------
    >>> import napari_seem as ns
    >>> [found.problem for found in ns.plane_sources_of_files("absent.tif")]
    ["there is no file 'absent.tif'; check its name"]
    """
    return _of_files(image_files(as_paths(paths)), axis, look)


def _of_files(
    paths: Iterable[Path], axis: int | None, look: IntensityWindow
) -> Iterator[PlaneSource | Unreadable]:
    for path in paths:
        try:
            yield from plane_sources_of_file(path, axis, look)
        except Exception as error:  # noqa: BLE001  (readers of damaged files raise anything)
            ref = PlaneRef(path.name, path, Plane((None, None), (0, 1)))
            yield Unreadable(ref, str(error) or type(error).__name__)


def as_sources(given: object) -> Iterable[PlaneSource | Unreadable]:
    """Return planes to be searched, given alone or several, as planes, arrays or paths.

    Arrays are (H, W), (H, W, C) with at most 32 channels, or stacks (Z, H, W).
    """
    if isinstance(given, (PlaneSource, Unreadable, str, PathLike)) or hasattr(given, "shape"):
        return list(_sources(given))
    if not isinstance(given, Iterable):
        raise _unsearchable(given)
    if isinstance(given, Sequence):
        return [source for one in given for source in _sources(one)]
    return (source for one in given for source in _sources(one))


def _sources(one: object) -> Iterator[PlaneSource | Unreadable]:
    if isinstance(one, (PlaneSource, Unreadable)):
        yield one
    elif isinstance(one, (str, PathLike)):
        yield from plane_sources_of_files(one)
    elif hasattr(one, "shape"):
        colour = len(one.shape) == 3 and one.shape[-1] <= MOST_CHANNELS
        yield from plane_sources_of_array(cast("ArraySource", one), channels=colour)
    else:
        raise _unsearchable(one)


def _unsearchable(given: object) -> InvalidImage:
    return InvalidImage(
        f"a {type(given).__name__} can't be searched; give images, paths, or what "
        "plane_sources_of_array and plane_sources_of_files return"
    )


def _planes_along(shape: Sequence[int], axis: int, channels: bool) -> list[Plane]:
    if not -3 <= axis < 3:
        raise InvalidImage(
            f"there is no axis {axis} in a stack of shape {tuple(shape)}; give 0, 1 or 2"
        )
    return [Plane.across(axis, k, channels) for k in range(shape[axis % 3])]


def _title(title: str, plane: Plane) -> str:
    at = next((i for i in plane.index if i is not None), None)
    return title if at is None else f"{title} plane {at}".strip()
