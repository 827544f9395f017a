"""Label groups of OME-Zarr 0.4 and 0.5, written (https://ngff.openmicroscopy.org)."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from ...edits import ObjectRecord, ObjectTable
from ...errors import InvalidLabels
from ...images import AnyArray, ArraySource, WritableArray
from ...progress import Progress, tracked
from ...values import JsonObject
from ..extras import need
from ..grid import Grid
from ..guard import load_json
from ..table import class_colour, plain_row
from .read import KINDS, UNITS, about_of, axes_of, group_at, transform_of

if TYPE_CHECKING:
    from zarr import Group

COLOURED = 4096
"""Colours are written for no more objects than this."""
CHUNK = 1024
"""Rows and columns of a chunk of labels."""


class LabelLevel(WritableArray, Protocol):
    """A level of a label group: a zarr array."""

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """Type of the ids."""

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a chunk."""


def write_ome_labels(
    path: Path, labels: ArraySource, grid: Grid, table: ObjectTable, about: Mapping[str, object],
    progress: bool | Progress | None = None,
) -> None:  # fmt: skip
    """Write a label group: as many levels as the image has, each by nearest neighbour.

    Parameters
    ----------
    path : Path
        Of the group itself, such as `image.zarr/labels/cells`; `enlist` adds it to the image's
        list.
    labels : integer array-like (..., y, x)
        On the grid; read and written in blocks.
    grid : Grid
    table : ObjectTable
        Names and scores go into `image-label/properties`.
    about : mapping
    progress : bool or callable, optional
        An exception that it raises ends the work.
    """
    levels = begin_ome_labels(path, grid, np.dtype(labels.dtype))
    blocks = list(_blocks(levels[0].shape, levels[0].chunks))
    for block in tracked(blocks, progress, "write labels"):
        levels[0][block] = np.asarray(labels[block])
    coarsen(levels)
    describe_ome_labels(path, table, about)


def begin_ome_labels(
    path: Path, grid: Grid, dtype: npt.DTypeLike, *, coarser: bool = True
) -> list[LabelLevel]:
    """Create a label group in which nothing is labelled yet; only its description is written.

    Parameters
    ----------
    path : Path
    grid : Grid
    dtype : unsigned integer type
    coarser : bool
        With as many levels as the image has; else the full-size one only.

    Returns
    -------
    list of zarr array (..., y, x)
        Its levels, the full-size one first. `coarsen` fills the others from it.
    """
    zarr = need("zarr")
    version, shapes, transforms, axes = _plan(grid)
    if not coarser:
        shapes, transforms = shapes[:1], transforms[:1]
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    options: JsonObject = {"dimension_names": [axis["name"] for axis in axes]}
    if version == "0.4":
        options = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    levels = []
    for number, shape in enumerate(shapes):
        chunks = tuple(
            min(n, CHUNK if axis["name"] in "yx" else 1)
            for n, axis in zip(shape, axes, strict=True)
        )
        levels.append(
            group.create_array(
                str(number), shape=shape, chunks=chunks, dtype=np.dtype(dtype), fill_value=0,
                **options,
            )
        )  # fmt: skip
    datasets = [
        {"path": str(number), "coordinateTransformations": list(steps)}
        for number, steps in enumerate(transforms)
    ]
    scales: JsonObject = {"name": path.name, "axes": axes, "datasets": datasets}
    if version == "0.4":
        scales["version"] = version
    _put(group, version, {"multiscales": [scales]})
    describe_ome_labels(path, ObjectTable(), {})
    return levels


def coarsen(levels: Sequence[LabelLevel], block: tuple[slice, ...] | None = None) -> None:
    """Fill coarser levels from the first: all of them, or the part that shows a block of the first.

    Every pixel of a coarser level is the first of those that it stands for.

    Parameters
    ----------
    levels : sequence of zarr array (..., y, x)
        The full-size one first.
    block : tuple of slice, optional
        One for each axis of the full-size array.
    """
    area = block or tuple(slice(0, n) for n in levels[0].shape)
    for finer, level in pairwise(levels):
        steps = [round(n / m) for n, m in zip(finer.shape, level.shape, strict=True)]
        area = tuple(
            slice(part.start // step, min(-(-part.stop // step), n))
            for part, step, n in zip(area, steps, level.shape, strict=True)
        )
        for part in _blocks_of(area, level.chunks):
            level[part] = _nearest(finer, part, level.shape)


def describe_ome_labels(path: Path, table: ObjectTable, about: Mapping[str, object]) -> None:
    """Write the objects of a label group, and their provenance, into its description."""
    zarr = need("zarr")
    group = zarr.open_group(path, mode="r+", use_consolidated=False)
    known, version = about_of(group)
    ids = [label_id for label_id, _ in table.items()]
    image_label: JsonObject = {
        "source": {"image": "../../"}, "napari-seem": dict(about),
        "properties": [_property(label_id, table) for label_id in ids],
        "colors": [{"label-value": i, "rgba": _colour(i, table[i], about)}
                   for i in ids[:COLOURED]],
    }  # fmt: skip
    if version == "0.4":
        image_label["version"] = version
    scales = [{**known["multiscales"][0], "name": about.get("name", path.name)}]
    _put(group, version, {"multiscales": scales, "image-label": image_label})


def enlist(image: Path, name: str) -> None:
    """Add a label group to the list of an image's label groups.

    Raises
    ------
    FileTrouble
        The image is no zarr group.
    """
    zarr = need("zarr")
    _, version = about_of(group_at(image))
    root = zarr.open_group(image, mode="r+", use_consolidated=False)
    listing = root.require_group("labels")
    names = list(about_of(listing)[0].get("labels", []))
    if name not in names:
        _put(listing, version, {"labels": [*names, name]})
    if _consolidated(image):
        zarr.consolidate_metadata(image)


def _consolidated(path: Path) -> bool:
    """Return whether a copy of all metadata lies at the top, which would become outdated."""
    top = path / "zarr.json"
    if top.exists():
        return load_json(top).get("consolidated_metadata") is not None
    return (path / ".zmetadata").exists()


def _put(group: Group, version: str, attributes: JsonObject) -> None:
    if version == "0.4":
        group.attrs.update(attributes)
    else:
        group.attrs["ome"] = {"version": version, **attributes}


def _plan(
    grid: Grid,
) -> tuple[str, list[tuple[int, ...]], list[list[JsonObject]], list[JsonObject]]:
    """Return version, shapes, transforms and axes of a label pyramid on a grid."""
    if grid.format != "ome-zarr":
        return _fresh_plan(grid)
    scales, version = grid.native["scales"], grid.native["version"]
    axes = axes_of(scales)
    kept = [i for i, axis in enumerate(axes) if axis.get("type") != "channel"]
    image = group_at(grid.native["path"])
    shapes, transforms = [], []
    full = image[scales["datasets"][0]["path"]].shape
    for number, entry in enumerate(scales["datasets"]):
        shapes.append(tuple(image[entry["path"]].shape[i] for i in kept))
        scale, shift = transform_of(scales, number, len(axes))
        if number and not entry.get("coordinateTransformations"):
            scale = [
                size * n / m
                for size, n, m in zip(scale, full, image[entry["path"]].shape, strict=True)
            ]
        steps: list[JsonObject] = [{"type": "scale", "scale": [scale[i] for i in kept]}]
        if any(shift):
            steps.append({"type": "translation", "translation": [shift[i] for i in kept]})
        transforms.append(steps)
    return version, shapes, transforms, [axes[i] for i in kept]


def _fresh_plan(
    grid: Grid,
) -> tuple[str, list[tuple[int, ...]], list[list[JsonObject]], list[JsonObject]]:
    if not grid.straight:
        raise InvalidLabels(
            "OME-Zarr 0.5 can't describe a rotated grid; write these labels in another format"
        )
    long = {short: name for name, short in UNITS.items()}
    axes = []
    for name, unit in zip(grid.axes, grid.units, strict=True):
        kind = {"type": KINDS.get(name, "space")} if name in "tczyx" else {}
        axes.append({"name": name, **kind, **({"unit": long[unit]} if unit in long else {})})
    shapes, transforms, factor = [grid.shape], [], 1
    while max(shapes[-1][-2:]) > 1024:
        shapes.append((*shapes[-1][:-2], *(max(1, -(-n // 2)) for n in shapes[-1][-2:])))
    diagonal = np.diag(grid.matrix)[:-1]
    for _ in shapes:
        factors = np.where(np.arange(grid.ndim) >= grid.ndim - 2, factor, 1)
        steps = [{"type": "scale", "scale": (diagonal * factors).tolist()}]
        steps.append({"type": "translation", "translation": list(grid.origin)})
        transforms.append(steps)
        factor *= 2
    return "0.5", shapes, transforms, axes


def _blocks(shape: Sequence[int], chunks: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    return _blocks_of(tuple(slice(0, n) for n in shape), chunks)


def _blocks_of(area: tuple[slice, ...], chunks: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """Yield the parts of an area that lie in one chunk each."""
    ranges = [
        range(part.start // c, -(-part.stop // c)) for part, c in zip(area, chunks, strict=True)
    ]
    for number in product(*ranges):
        yield tuple(
            slice(max(part.start, k * c), min(part.stop, (k + 1) * c))
            for part, k, c in zip(area, number, chunks, strict=True)
        )


def _nearest(source: LabelLevel, block: tuple[slice, ...], shape: Sequence[int]) -> AnyArray:
    """Read a block of a smaller level from the level above (..., y, x); the first pixel stays."""
    taken, steps = [], []
    for part, small, large in zip(block, shape, source.shape, strict=True):
        step = round(large / small)
        at = np.minimum(np.arange(part.start, part.stop) * step, large - 1)
        taken.append(slice(int(at[0]), int(at[-1]) + 1))
        steps.append(at - at[0])
    return np.asarray(source[tuple(taken)])[np.ix_(*steps)]


def _property(label_id: int, table: ObjectTable) -> dict[str, object]:
    row = plain_row(label_id, table[label_id])
    return {"label-value": row.pop("index"), **row}


def _colour(label_id: int, record: ObjectRecord, about: Mapping[str, object]) -> list[int]:
    """Return the colour of the object's class, or one unlike those of neighbouring ids."""
    chosen = class_colour(record, about)
    if chosen is not None:
        return [*chosen, 255]
    turn = label_id * 0.618034 % 1.0
    return [*(round(255 * part) for part in colorsys.hsv_to_rgb(turn, 0.65, 0.95)), 255]
