"""Which image was worked on: identified by its content, found again among a file's arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path

import numpy as np

from ..errors import LogTrouble
from ..images import AnyArray, ArraySource
from ..io.files import open_image
from ..io.grid import Grid
from ..io.images import channels_last
from ..io.opened import Opened
from ..values import JsonObject

WHOLE = 16 << 20
"""Largest image, in bytes, whose pixels are all hashed; larger ones are sampled."""
PLANES_SAMPLED = 16
PIXELS_SAMPLED = 512


def fingerprint(image: ArraySource) -> str:
    """Compute a name for the content of an image: shape, type, and its pixels or a sample of them.

    Parameters
    ----------
    image : array-like of any shape
        numpy, dask, zarr; of a large one only a lattice of pixels on some planes is read.
    """
    shape = tuple(int(n) for n in image.shape)
    dtype = np.dtype(image.dtype)
    whole = prod(shape) * dtype.itemsize <= WHOLE
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((shape, dtype.newbyteorder("<").str)).encode())
    for part in [image[...]] if whole else _sample(image, shape):
        plain = np.ascontiguousarray(part, dtype.newbyteorder("<"))
        digest.update(plain.data)
    return ("whole-" if whole else "sample-") + digest.hexdigest()


def image_to_dict(
    image: ArraySource, name: str, source: str = "", rgb: bool = False
) -> dict[str, object]:
    """Describe an image of any shape by plain values that identify it."""
    return {
        "name": name, "source": source, "shape": [int(n) for n in image.shape],
        "dtype": np.dtype(image.dtype).str, "colours": bool(rgb),
        "fingerprint": fingerprint(image),
    }  # fmt: skip


class ImageFile:
    """An image file, whose arrays are compared with the images of a log.

    Parameters
    ----------
    path : Path
        Opened at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        opened = open_image(path)
        self.grid: Grid = opened.grid
        self._arrays = _arrays_of(opened)

    def find(self, description: JsonObject) -> ArraySource:
        """Return the array that a log describes: as people see it, or else as the file holds it.

        Raises
        ------
        LogTrouble
            The file holds another image.
        """
        try:
            return find(self._arrays, description, f"'{self.path}'")
        except LogTrouble:  # of a layer of napari's own reader, perhaps
            stored = _arrays_of(open_image(self.path, as_stored=True))
            return find([*self._arrays, *stored], description, f"'{self.path}'")


def _arrays_of(opened: Opened) -> list[ArraySource]:
    """Return what may be a layer of an image: all of it, channels last, or one channel."""
    arrays, axis = [opened.data], opened.channel_axis
    if axis is not None:
        arrays.append(channels_last(opened))
        for number in range(opened.data.shape[axis]):
            cut = (slice(None),) * axis + (number,)
            arrays.append(np.asarray(opened.data[cut]))
    elif opened.data.ndim == 3 and opened.data.shape[0] == 1:
        arrays.append(opened.data[0])
    return arrays


def find(arrays: Sequence[ArraySource], description: JsonObject, where: str) -> ArraySource:
    """Return the array, of any shape, that a log describes; `LogTrouble` where there is none."""
    alike = [array for array in arrays if list(array.shape) == description["shape"]]
    if not alike:
        shapes = " or ".join(dict.fromkeys(str(tuple(array.shape)) for array in arrays))
        raise LogTrouble(
            f"{where} has the shape {shapes}, the image of the log '{description['name']}' "
            f"{tuple(description['shape'])}; give the image that was worked on"
        )
    for array in alike:
        if fingerprint(array) == description["fingerprint"]:
            return array
    raise LogTrouble(
        f"{where} has the shape of the log's image '{description['name']}' but other pixels; give "
        "the image that was worked on, unchanged"
    )


def _sample(image: ArraySource, shape: tuple[int, ...]) -> Iterator[AnyArray]:
    """Yield a lattice of pixels on some planes (..., H, W), the same for every image of a shape."""
    lead = max(0, len(shape) - 2 - (shape[-1] <= 4))
    steps = tuple(
        slice(None, None, max(1, n // PIXELS_SAMPLED)) for n in shape[lead : lead + 2]
    )  # fmt: skip
    count = prod(shape[:lead])
    chosen = np.unique(np.linspace(0, count - 1, min(count, PLANES_SAMPLED)).astype(int))
    for number in chosen:
        index = tuple(int(i) for i in np.unravel_index(number, shape[:lead])) if lead else ()
        yield np.asarray(image[(*index, *steps)])
