"""Image files encoded ahead, for whoever opens them in napari later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..errors import InvalidImage, NapariSeemError
from ..io.images import MOST_CHANNELS, read_array
from ..planes import Plane
from .ahead import Ready, Room, encode_ahead
from .keys import Encoder
from .memory import EmbeddingCache

Planes = tuple[int, Callable[[int], npt.NDArray[Any]]]


def encode_files(
    model: Encoder, paths: Sequence[Path], cache: EmbeddingCache, axis: int | None = None
) -> Iterator[tuple[Path, int, Ready]]:
    """Encode files plane by plane; what is there already is left as it is.

    Parameters
    ----------
    model : Encoder
    paths : sequence of Path
    cache : EmbeddingCache
    axis : int, optional
        Along which every file is a stack; see `planes_of`.

    Yields
    ------
    path, planes of the file, Ready
        A file that can't be read fails as a whole, with plane -1.

    Raises
    ------
    StoreTrouble
        The rest does not fit, or the disk can't be written to.
    """
    room = Room(cache)
    for path in paths:
        try:
            count, read = planes_of(path, axis)
        except (NapariSeemError, OSError) as error:
            yield path, 0, Ready(-1, "failed", problem=str(error))
            continue
        for ready in encode_ahead(model, read, range(count), cache, room=room):
            yield path, count, ready


def planes_of(path: Path, axis: int | None = None) -> Planes:
    """The planes of an image file as napari shows them: how many, and what reads one.

    Parameters
    ----------
    path : Path
    axis : int, optional
        Along which the planes follow each other. Without it an image of two axes, or of three of
        which the last is short (channels), is one plane; other files are stacks along axis 0.

    Raises
    ------
    InvalidImage
        The file can't be read, or has no such axis.
    """
    array = read_array(path)
    if axis is None:
        if array.ndim == 2 or (array.ndim == 3 and array.shape[-1] <= MOST_CHANNELS):
            return 1, lambda _: array
        axis = 0
    channels = array.ndim == 4 and array.shape[-1] in (3, 4)
    if array.ndim != 3 and not channels:
        raise InvalidImage(
            f"'{path}' has the shape {array.shape}; give an image of two axes, or a stack of three "
            "(four with 3 or 4 channels last)"
        )
    if not -3 <= axis < 3:
        raise InvalidImage(f"there is no axis {axis} in '{path}' of shape {array.shape}")
    along = axis % 3
    first, second = (i for i in range(3) if i != along)

    def read(number: int) -> npt.NDArray[Any]:
        index = tuple(number if i == along else None for i in range(3))
        return Plane(index, (first, second), channels).read(array)

    return int(array.shape[along]), read
