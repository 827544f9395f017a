"""Encoding image files in advance, for opening them in napari later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..errors import InvalidImage, NapariSeemError
from ..images import AnyArray
from ..intensity import IntensityWindow, windowed
from ..io.files import open_image
from ..io.images import with_channels
from ..planes import Plane
from .ahead import Ready, StorageQuota, encode_ahead
from .keys import Encoder
from .memory import EmbeddingCache

Planes = tuple[tuple[int, int], int, Callable[[int], AnyArray]]
PLAIN = IntensityWindow()


def encode_files(
    model: Encoder, paths: Sequence[Path], cache: EmbeddingCache, axis: int | None = None,
    look: IntensityWindow = PLAIN, too_big: Callable[[tuple[int, int]], bool] = lambda _: False,
) -> Iterator[tuple[Path, int, Ready]]:  # fmt: skip
    """Encode files plane by plane; planes that are encoded already are left as they are.

    Parameters
    ----------
    model : Encoder
    paths : sequence of Path
    cache : EmbeddingCache
    axis, look
        See `planes_of`.
    too_big : callable
        Whether planes of a size (H, W) are never encoded as one; such files fail.

    Yields
    ------
    path, planes of the file, Ready
        A file that can't be read fails as a whole, with plane -1.

    Raises
    ------
    StoreTrouble
        The rest does not fit, or the disk can't be written to.
    """
    room = StorageQuota(cache)
    for path in paths:
        try:
            shape, count, read = planes_of(path, axis, look)
            if too_big(shape):
                raise InvalidImage(
                    f"planes of {shape[0]} x {shape[1]} pixels are encoded in parts, where they "
                    "are clicked on"
                )
        except (NapariSeemError, OSError) as error:
            yield path, 0, Ready(-1, "failed", problem=str(error))
            continue
        for ready in encode_ahead(model, read, range(count), cache, room=room):
            yield path, count, ready


def planes_of(path: Path, axis: int | None = None, look: IntensityWindow = PLAIN) -> Planes:
    """Return the planes of an image file: their size (H, W), their number, and their reader.

    Parameters
    ----------
    path : Path
    axis : int, optional
        Along which the planes follow each other; by default axis 0 of a stack.
    look : IntensityWindow
        The mapping by which they are read.

    Raises
    ------
    FileTrouble, InvalidImage
        The file can't be read, or has other axes.
    """
    opened = open_image(path)
    array, channels = with_channels(opened, axis)
    seen, spatial = windowed(array, look, channels), array.ndim - channels
    if spatial == 2:
        plane = Plane.of(array.shape[:2])
        return plane.shape(array.shape), 1, lambda _: plane.read(seen)
    if spatial != 3:
        raise InvalidImage(
            f"'{path}' has the shape {array.shape}; give images of two axes or stacks of three, "
            "channels not counted"
        )
    along = axis or 0
    if not -3 <= along < 3:
        raise InvalidImage(f"there is no axis {axis} in '{path}' of shape {array.shape}")
    size = Plane.across(along, 0).shape(array.shape)
    return size, int(array.shape[along % 3]), lambda k: Plane.across(along, k, channels).read(seen)
