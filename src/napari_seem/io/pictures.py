"""Photographs and other pictures: colours as people see them, turned as their cameras say."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import FileTrouble
from ..images import AnyArray, ArraySource
from ..values import JsonObject
from .grid import Grid
from .guard import reading
from .opened import Opened, lazy

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Convert = Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]]
"""Makes colours (..., 3) of pixels."""
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".jp2", ".avif", ".tga")
"""Endings of pictures that are read here; others are tried as well."""
MOST = 1 << 32
"""Bytes of all frames of a picture that are read at most."""
TURN = "orientation"
"""Key of the facts of an image: the EXIF orientation, 2 to 8, by which it was turned."""
_TAG = 0x0112
_MOVING = ("GIF", "PNG", "WEBP", "AVIF")
_NAMES = ("red", "green", "blue", "alpha")
_REMEDIES = {
    ".heic": "save it as JPEG or PNG, or let the phone take 'most compatible' photographs",
    ".psd": "save it as TIFF or PNG", ".svg": "it holds shapes and no pixels; export it as PNG",
    ".pdf": "it is a document; export its pages as PNG or TIFF",
    ".npy": "load it by numpy.load and give the array, or save it as TIFF",
    ".cr2": "develop it to TIFF", ".czi": "export it as OME-TIFF", ".nd2": "export it as OME-TIFF",
    ".lif": "export it as OME-TIFF",
}  # fmt: skip
_SAME = {
    ".heif": ".heic", ".hif": ".heic", ".npz": ".npy", ".cr3": ".cr2", ".nef": ".cr2",
    ".arw": ".cr2", ".dng": ".cr2", ".orf": ".cr2", ".rw2": ".cr2", ".raf": ".cr2",
    ".oib": ".czi", ".oif": ".czi", ".vsi": ".czi", ".mrxs": ".czi",
}  # fmt: skip


def is_refused(path: Path) -> bool:
    """Return whether a file's name ends in a format of images that can't be read here."""
    kind = path.suffix.lower()
    return _SAME.get(kind, kind) in _REMEDIES


def refuse_others(path: Path) -> None:
    """Raise `FileTrouble` for a file whose name ends in a format that can't be read here."""
    if is_refused(path):
        kind = path.suffix.lower()
        remedy = _REMEDIES[_SAME.get(kind, kind)]
        raise FileTrouble(f"'{path}' is of a format that can't be read here ({kind}); {remedy}")


def open_picture(path: Path, as_stored: bool = False) -> Opened:
    """Open a PNG, JPEG, GIF, WebP or another picture that Pillow reads.

    Palettes, CMYK and YCbCr become colours, gray with transparency becomes gray, frames become
    planes of time, and a photograph is turned as its EXIF orientation says.

    Parameters
    ----------
    path : Path
    as_stored : bool
        Leave palettes and the orientation as the file holds them.

    Raises
    ------
    FileTrouble
        A damaged file, or one of another format.
    """
    from PIL import Image, UnidentifiedImageError

    refuse_others(path)
    with reading(path, "as an image"):
        try:
            with Image.open(path) as picture:
                data, step = _frames(path, picture, as_stored)
                turn = 1 if as_stored else _orientation(picture)
        except UnidentifiedImageError as error:
            raise FileTrouble(
                f"'{path}' can't be read as an image: it is damaged, or of a format that is not "
                "known here; copy it again, or save it as TIFF or PNG"
            ) from error
        except Image.DecompressionBombError as error:
            raise FileTrouble(
                f"'{path}' claims too many pixels for a picture ({error}); save it as tiled TIFF"
            ) from error
    colour = data.shape[-1] in (3, 4) and data.ndim == 3 + (step is not None)
    about: JsonObject = {}
    first = int(step is not None)
    if turn > 1:
        data, about[TURN] = turned(data, turn, first), turn
    shape = data.shape[: first + 2]
    axes, sizes, units = ("y", "x"), [1.0, 1.0], ["pixel", "pixel"]
    if step is not None:
        axes, sizes = ("t", *axes), [step or 1.0, *sizes]  # type: ignore[assignment]
        units = ["s" if step else "pixel", *units]
    grid = Grid.scaled(shape, axes, sizes, units=units)
    names = _NAMES[: data.shape[-1]] if colour else ()
    return Opened(path.stem, (data,), grid, first + 2 if colour else None, names, about)


def _frames(path: Path, picture: Picture, as_stored: bool) -> tuple[AnyArray, float | None]:
    """Read all frames of a picture, (H, W) or (H, W, C), or (T, H, W) and so on.

    The step of time is None for a single frame, and 0 where it is not known or not even.
    """
    count = int(getattr(picture, "n_frames", 1)) if picture.format in _MOVING else 1
    if count == 1:
        return _pixels(picture, as_stored), None
    if count * picture.width * picture.height * 4 > MOST:
        raise FileTrouble(f"'{path}' has {count} frames, too many to be read; save it as TIFF")
    frames, steps = [], set()
    for number in range(count):
        picture.seek(number)
        picture.load()
        steps.add(float(picture.info.get("duration", 0)) / 1000)
        frames.append(np.asarray(picture.convert("RGB")))
    data = np.stack(frames)
    if (data == data[..., :1]).all():
        data = data[..., 0]
    return data, steps.pop() if len(steps) == 1 else 0.0


def _pixels(picture: Picture, as_stored: bool) -> AnyArray:
    """Return the pixels of a frame as people see them: (H, W), (H, W, 3) or (H, W, 4)."""
    mode = picture.mode
    if mode == "P" and not as_stored:
        mode = "RGBA" if "transparency" in picture.info else "RGB"
    elif mode in ("LA", "La"):
        mode = "L"
    elif mode in ("CMYK", "YCbCr", "LAB", "HSV", "PA", "RGBX", "RGBa"):
        mode = "RGBA" if mode in ("PA", "RGBa") else "RGB"
    deep = picture.mode == "I" and picture.format == "PNG"  # 16 bits, of older Pillow
    data = np.asarray(picture if mode == picture.mode else picture.convert(mode))
    return data.astype(np.uint16) if deep else data


def turned(data: Any, orientation: int, first: int = 0) -> Any:
    """Turn an image as its EXIF orientation says.

    Parameters
    ----------
    data : array (..., H, W, ...)
        Of numpy or dask.
    orientation : int
        1 to 8.
    first : int
        The axis of the rows; that of the columns follows.

    Returns
    -------
    array (..., H, W, ...), or (..., W, H, ...) for orientations from 5
    """
    if orientation >= 5:
        data = data.swapaxes(first, first + 1)
    rows, columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    flipped = [slice(None, None, -1 if back else 1) for back in (rows, columns)]
    return data[(slice(None),) * first + tuple(flipped)]


def orientation_of(path: Path) -> int:
    """Return the EXIF orientation of a photograph, 1 to 8; 1 for any other file."""
    from PIL import Image

    with suppress(FileTrouble), reading(path), Image.open(path) as picture:
        return _orientation(picture)
    return 1


def _orientation(picture: Picture) -> int:
    found = int(picture.getexif().get(_TAG, 1) or 1)
    return found if found in range(2, 9) else 1


def coloured(data: ArraySource, convert: Convert, more: bool = False) -> ArraySource:
    """Apply a conversion of colours to an image, part by part where it is not in memory.

    Parameters
    ----------
    data : array (..., H, W) or (..., H, W, C)
    convert : callable
        From such an array to uint8 (..., H, W, 3).
    more : bool
        The colours are a new axis.
    """
    if isinstance(data, np.ndarray):
        return convert(data)  # type: ignore[no-any-return]
    source: Any = lazy(data)
    if more:
        found = source.map_blocks(
            convert, dtype=np.uint8, chunks=(*source.chunks, (3,)), new_axis=source.ndim
        )
    else:
        source = source.rechunk({source.ndim - 1: -1})
        found = source.map_blocks(convert, dtype=np.uint8, chunks=(*source.chunks[:-1], (3,)))
    return found  # type: ignore[no-any-return]


def of_palette(colours: npt.NDArray[np.integer]) -> Convert:
    """Return the conversion of indices to colours, given a TIFF colour map (3, N)."""
    table = np.asarray(colours).T
    if table.max(initial=0) > 255:
        table = table >> 8
    return lambda indices: table.astype(np.uint8)[np.minimum(indices, len(table) - 1)]


def of_cmyk(inks: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[np.uint8]:
    """Convert inks (..., 4), uint8 or uint16, to colours (..., 3)."""
    white = 255 - (inks >> 8 * (inks.dtype.itemsize - 1)).astype(np.uint16)
    return (white[..., :3] * white[..., 3:4] // 255).astype(np.uint8)


def of_lab(values: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Convert CIE L*a*b* of TIFF, uint8 (..., 3) with a and b signed, to colours (..., 3)."""
    from skimage.color import lab2rgb

    lab = values[..., :3].astype(np.int8).astype(np.float32)
    lab[..., 0] = values[..., 0] * np.float32(100 / 255)
    return np.round(np.clip(lab2rgb(lab), 0, 1) * 255).astype(np.uint8)
