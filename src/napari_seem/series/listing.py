"""The images of a series: which files they are, in which order, and where their labels lie."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from ..errors import FileTrouble, InvalidImage
from ..io.dicom import is_series
from ..io.files import open_image, open_labels
from ..io.formats import OUTLINES, WRITTEN, ending, stem_of
from ..io.grid import Grid
from ..io.images import image_files, labels_beside, labels_name
from ..io.opened import OpenedLabels

PIECE = 1 << 16
"""Bytes at both ends of a file by which it is known again."""


@dataclass(frozen=True)
class SeriesImage:
    """An image of a series.

    Attributes
    ----------
    name : str
        Its path from the folder of the series, with slashes; of an open layer the layer's name.
    path : Path or None
        The file or folder; None of an open layer that came from none.
    """

    name: str
    path: Path | None = None

    def identity(self) -> tuple[int, str]:
        """Size in bytes and digest of both ends of the file, by which a renamed one is found.

        (0, "") of a folder, and where it can't be read.
        """
        if self.path is None or not self.path.is_file():
            return 0, ""
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            ends = file.read(PIECE)
            file.seek(max(0, size - PIECE))
            ends += file.read(PIECE)
        return size, blake2b(ends, digest_size=16).hexdigest()


def list_images(paths: Sequence[Path]) -> tuple[Path, list[SeriesImage]]:
    """Return the folder that all images lie in, and the images in the order of their names.

    Label files that lie beside their image are left out. Numbers in names count as numbers. A
    folder without images of its own stands for the DICOM series in its folders.

    Parameters
    ----------
    paths : sequence of Path
        Images, and folders of images.

    Raises
    ------
    InvalidImage, FileTrouble
        There is no image, or one that is named is not there.
    """
    for path in paths:
        if not path.exists():
            raise FileTrouble(f"there is no file or folder '{path}'")
    inner = [series for path in paths for series in _dicom_series(path)]
    files = inner or image_files([Path(os.path.abspath(path)) for path in paths])
    names = {name for path in files for name in (labels_name(path), f"{stem_of(path)}_labels")}
    files = [path for path in dict.fromkeys(files) if stem_of(path) not in names]
    if not files:
        raise InvalidImage("there are only label files here; name a folder with images")
    root = Path(os.path.commonpath([path.parent for path in files]))
    images = [SeriesImage(path.relative_to(root).as_posix(), path) for path in files]
    return root, sorted(images, key=lambda image: _in_order(image.name))


def open_labels_of(image: SeriesImage, path: Path, grid: Grid | None = None) -> OpenedLabels:
    """Open the labels of an image from a file of any format.

    Parameters
    ----------
    image : SeriesImage
    path : Path
        Of the label file.
    grid : Grid, optional
        Of the image; read from its file where the format of the labels needs it.

    Raises
    ------
    FileTrouble, InvalidLabels
        As `napari_seem.io.files.read_labels`.
    """
    if grid is None and image.path is not None and ending(path) in (*OUTLINES, ".dcm"):
        grid = open_image(image.path).grid
    return open_labels(path, grid)


def labels_for(image: SeriesImage, folder: Path) -> Path:
    """Where the labels of an image are, or else are to be written.

    Those in the labels folder are taken, named `IMAGE_labels.*` or as the image; then
    `IMAGE_labels.*` beside the image. New ones go into the labels folder, in the image's format
    where that can hold labels.
    """
    if image.path is None:
        source, home = Path(f"{_plain(image.name)}.tif"), folder
    else:
        source, home = image.path, folder / Path(image.name).parent
    name = labels_name(source)
    places = [home / f"{name}{kind}" for kind in WRITTEN]
    if image.path is not None:
        if home.resolve() != image.path.parent.resolve():
            places += [home / f"{name.removesuffix('_labels')}{kind}" for kind in WRITTEN]
        places += [image.path.parent / f"{name}{kind}" for kind in WRITTEN]
    return next((place for place in places if place.exists()), labels_beside(home, source))


def _dicom_series(folder: Path) -> list[Path]:
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    if any(path.is_file() and not path.name.startswith(".") for path in inside):
        return []
    return [inner.absolute() for inner in inside if _holds_dicom(inner)]


def _holds_dicom(folder: Path) -> bool:
    return any(folder.glob("*.dcm")) or is_series(folder)


def _in_order(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", name.lower())
    return [(0, int(one), "") if one.isdecimal() else (1, 0, one) for one in parts]


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name) or "image"
