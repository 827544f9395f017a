"""Labels as OME-Zarr groups: where they lie, and written whole or as they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...checks import as_path
from ...edits import ObjectTable
from ...errors import InvalidLabels
from ...images import ArraySource
from ...progress import Progress
from ..formats import ending
from ..grid import Grid, arranged_axes
from ..opened import lazy
from ..table import GRID
from ..writing.whole import replacing
from .read import attributes, is_ome_zarr
from .write import begin_ome_labels, coarsen, describe_ome_labels, enlist, write_ome_labels


@dataclass
class GrowingLabels:
    """Labels that are written as they come.

    Attributes
    ----------
    array : zarr array on the grid
        To be filled; 0 where nothing was written.
    table, about
        As `write_labels` takes them; read at the end.
    path : Path
        Where they will lie.
    texts : mapping of Path to str
        Further files to write in the same step; read at the end.
    """

    array: Any
    path: Path
    table: ObjectTable = field(default_factory=ObjectTable)
    about: Mapping[str, Any] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)


@contextmanager
def growing_labels(
    path: str | PathLike[str], grid: Grid, dtype: npt.DTypeLike = np.uint32
) -> Iterator[GrowingLabels]:
    """Create OME-Zarr labels to be filled in parts; they get their name when the block ends.

    If the block raises, nothing is left, and the file that was there before stays.

    Raises
    ------
    InvalidLabels
        The path has not the ending .zarr, or is an image.
    FileTrouble
        The disk is full, the folder read-only.
    """
    path = as_path(path)
    if ending(path) != ".zarr":
        raise InvalidLabels(f"'{path.name}' can't be written part by part; give a name in .zarr")
    path, home = _zarr_place(path, grid)
    texts: dict[Path, str] = {}
    with replacing(path, texts=texts, home=None if home is None else home.parent) as (part,):
        levels = begin_ome_labels(part, grid, dtype)
        growing = GrowingLabels(levels[0], path, texts=texts)
        yield growing
        coarsen(levels)
        about = {**growing.about, "name": path.name}
        describe_ome_labels(part, growing.table, about)
    if home is not None:
        enlist(home, path.name)


def write_zarr(
    path: Path, labels: ArraySource, grid: Grid, table: ObjectTable, about: Mapping[str, object],
    progress: bool | Progress | None = None, texts: Mapping[Path, str] | None = None,
) -> Path:  # fmt: skip
    """Write labels (..., H, W) as a label group into their image, or as a group of its own.

    Axes get the order that OME-Zarr wants, time first; those of an image in it keep its own.
    """
    path, home = _zarr_place(path, grid)
    if grid.format != "ome-zarr" and (ordered := arranged_axes(grid)) != list(range(grid.ndim)):
        about = {**about, GRID: grid.to_dict()}
        source: Any = labels if isinstance(labels, np.ndarray) else lazy(labels)
        labels, grid = source.transpose(ordered), grid.taken(ordered)
    with replacing(path, texts=texts, home=None if home is None else home.parent) as (part,):
        notes = {**about, "name": path.name}
        write_ome_labels(part, labels, grid, table, notes, progress)
    if home is not None:
        enlist(home, path.name)
    return path


def place_of(path: Path, grid: Grid | None) -> Path:
    """Return where labels that are written to a path will lie: within an image by its rules."""
    image = grid.native.get("path") if grid is not None and grid.format == "ome-zarr" else None
    own = image is not None and path.resolve() == Path(image).resolve()
    if own and "image-label" not in _attributes(path):  # the grid may be that of labels alone
        return path / "labels" / "labels"
    if path.parent.name == "labels" and is_ome_zarr(path.parent.parent):
        return path.with_name(path.name.removesuffix(".zarr"))
    return path


def _zarr_place(path: Path, grid: Grid) -> tuple[Path, Path | None]:
    """Return the path of a label group, and the image that it belongs to, if any."""
    place = place_of(path, grid)
    home = None if place == path else place.parent.parent
    if home is None and path.exists() and "image-label" not in _attributes(path):
        raise InvalidLabels(
            f"'{path}' is an image, which labels must not replace; choose another name, or "
            f"'{path}/labels/NAME.zarr' to put them into it"
        )
    place.parent.mkdir(exist_ok=True)
    return place, home


def _attributes(path: Path) -> Mapping[str, object]:
    return attributes(path) if is_ome_zarr(path) else {}
