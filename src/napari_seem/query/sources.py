"""Planes of arrays and files to be searched, none of them read before its turn."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InvalidImage
from ..intensity import IntensityWindow
from ..io.files import open_image
from ..io.images import with_channels
from ..planes import Plane
from ..sources.source import ImageInput, ImageSource, PlaneSource
from .finding import PlaneRef

if TYPE_CHECKING:
    from ..images import ArraySource

PLAIN = IntensityWindow()


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
    """The planes of an image or a stack.

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
    image = ImageSource([array], channels, title, str(source or ""))
    first = PlaneSource(ImageInput((image,), (look,)), planes[0], source=source)
    return [replace(first, plane=plane, title=_title(title, plane)) for plane in planes]


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
) -> Iterator[PlaneSource | Unreadable]:
    """The planes of many files, each opened in its turn; reading one that can't be says so."""
    for path in paths:
        try:
            yield from plane_sources_of_file(path, axis, look)
        except Exception as error:  # noqa: BLE001  (readers of damaged files raise anything)
            ref = PlaneRef(path.name, path, Plane((None, None), (0, 1)))
            yield Unreadable(ref, str(error) or type(error).__name__)


def _planes_along(shape: Sequence[int], axis: int, channels: bool) -> list[Plane]:
    if not -3 <= axis < 3:
        raise InvalidImage(f"there is no axis {axis} in a stack of shape {tuple(shape)}")
    return [Plane.across(axis, k, channels) for k in range(shape[axis % 3])]


def _title(title: str, plane: Plane) -> str:
    at = next((i for i in plane.index if i is not None), None)
    return title if at is None else f"{title} plane {at}".strip()
