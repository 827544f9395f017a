"""Arrays out of image files of any format, and the label files of single images."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..checks import as_path
from ..edits import ObjectRecord, ObjectTable
from ..errors import FileTrouble, InvalidImage, InvalidLabels
from ..images import MOST_CHANNELS, ArraySource
from . import pictures
from .dicom import is_series
from .files import open_image, open_labels, write_labels
from .formats import SUFFIXES, ending, stem_of
from .grid import Grid
from .opened import Opened, OpenedLabels, lazy
from .zarr.read import is_ome_zarr

LOG = logging.getLogger(__name__)


def channels_last(opened: Opened) -> ArraySource:
    """Return the full-size array of an image with its channels, if any, as last axis; unread."""
    if opened.channel_axis is None or opened.channel_axis == opened.data.ndim - 1:
        return opened.data
    if isinstance(opened.data, np.ndarray):
        return np.moveaxis(opened.data, opened.channel_axis, -1)
    import dask.array

    return dask.array.moveaxis(lazy(opened.data), opened.channel_axis, -1)


def with_channels(opened: Opened, axis: int | None = None) -> tuple[ArraySource, bool]:
    """Return an image's array, channels last, and whether it has any.

    Where the file does not state it, three axes with a short last one are a colour image, unless an
    `axis` along which planes follow each other is given.
    """
    array = channels_last(opened)
    short = array.ndim == 3 and array.shape[-1] <= MOST_CHANNELS
    return array, opened.channel_axis is not None or (short and axis is None)


def open_plane(path: str | PathLike[str]) -> tuple[npt.NDArray[np.generic], Grid]:
    """Read one image (H, W) or (H, W, channels) and its grid; `InvalidImage` for a stack."""
    image, grid = open_lazily(path)
    return np.asarray(image), grid


def open_lazily(path: str | PathLike[str]) -> tuple[ArraySource, Grid]:
    """Open as `open_plane`; large files are read when their pixels are needed."""
    opened = open_image(path)
    image, grid = channels_last(opened), opened.grid
    unnamed = opened.channel_axis is None and image.ndim == 3
    if unnamed and image.shape[0] == 1:
        single = image if isinstance(image, np.ndarray) else lazy(image)
        return single[0], Grid.plain(image.shape[1:])
    if unnamed and image.shape[-1] <= MOST_CHANNELS:
        return image, Grid.plain(image.shape[:2])
    if grid.ndim != 2 or image.ndim > 3:
        raise InvalidImage(
            f"'{path}' has the shape {tuple(image.shape)}, which is a stack and not one image "
            "(H, W) or (H, W, channels); save one plane of it, or open it in napari"
        )
    return image, grid


def read_image(path: str | PathLike[str]) -> npt.NDArray[np.generic]:
    """Read one image (H, W) or (H, W, channels); `InvalidImage` for a stack."""
    return open_plane(path)[0]


def images_in(folder: str | PathLike[str]) -> list[Path]:
    """Return the image files of a folder, sorted."""
    folder = as_path(folder, "the folder")
    if not folder.is_dir():
        raise FileTrouble(f"there is no folder '{folder}'; check its name")
    inside = sorted(one for one in folder.iterdir() if not one.name.startswith("."))
    found = [path for path in inside if _is_image_name(path)]
    if len(found) < len(inside):
        LOG.info("%s: %d other files are left out", folder, len(inside) - len(found))
    if refused := sorted({path.suffix.lower() for path in inside if pictures.is_refused(path)}):
        LOG.warning("%s: files of formats that can't be read here are left out: %s", folder,
                    ", ".join(refused))  # fmt: skip
    if not found:
        raise InvalidImage(
            f"there is no image file in '{folder}'; give a folder with {', '.join(SUFFIXES)}"
        )
    return found


def image_files(paths: Iterable[Path]) -> list[Path]:
    """Return images as they are, and those of folders that are no image by themselves.

    Absent files are kept: opening them tells. So are folders without an image file, which may be
    a DICOM series.

    Raises
    ------
    InvalidImage
        There is no image, or a folder is empty.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir() or is_ome_zarr(path) or any(path.glob("*.dcm")) or is_series(path):
            found.append(path)
            continue
        inside = sorted(path.iterdir())
        stores = [one for one in inside if one.suffix == ".zarr" and not one.name.startswith(".")]
        pictures = any(map(_is_image_name, inside))
        own = [*(images_in(path) if pictures or not inside else []), *stores]
        found += own or [path]
    if not found:
        raise InvalidImage("there is no image to work on; name files or folders")
    return found


def _is_image_name(path: Path) -> bool:
    """Return whether a name is that of an image, and not of what another program hides beside."""
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith(".")


def open_seeds(path: str | PathLike[str], stack: ArraySource, grid: Grid) -> OpenedLabels:
    """Open labels (z, y, x) of a stack (z, y, x) or (z, y, x, channels), of any label format.

    Raises
    ------
    FileTrouble
        A damaged file.
    InvalidLabels
        They lie on another grid, or the image is no stack.
    """
    if grid.ndim != 3:
        kind = "no stack" if grid.ndim < 3 else f"of {grid.ndim} axes {grid.axes}"
        colours = " with its channels" if stack.ndim > grid.ndim else ""
        raise InvalidLabels(
            f"the image of shape {tuple(stack.shape)}{colours} is {kind}; give a stack of planes, "
            "of three axes besides channels"
        )
    return open_labels(path, grid, shape=grid.shape)


def labels_beside(folder: Path, source: Path) -> Path:
    """Return the path for the labels of an image file, in a format that keeps its grid."""
    kind = ending(source)
    kept = kind if kind.startswith((".nii", ".ome", ".tif")) else ".tif"
    return folder / f"{labels_name(source)}{kept}"


def labels_name(source: Path) -> str:
    """Return what the label file of an image is called, without ending: "cell_labels".

    Where images beside it differ in the ending only, that is part of the name:
    "cell.png_labels".
    """
    stem = stem_of(source)
    others = {stem + kind for lower in SUFFIXES for kind in (lower, lower.upper())}
    twins = (source.with_name(n) for n in others if n.lower() != source.name.lower())
    return f"{source.name if any(twin.exists() for twin in twins) else stem}_labels"


def write_scored(
    folder: Path, source: Path, labels: npt.NDArray[np.integer], scores: Mapping[int, float]
) -> Path:
    """Write the labels (H, W) of an image file into a folder, with the score of each id.

    Returns the path of the label file.
    """
    table = ObjectTable({i: ObjectRecord(score=round(score, 3)) for i, score in scores.items()})
    path = labels_beside(folder, source)
    folder.mkdir(parents=True, exist_ok=True)
    grid = open_image(source).grid
    write_labels(path, labels, grid if grid.shape == labels.shape else None, table,
                 {"image": source.name})  # fmt: skip
    return path
