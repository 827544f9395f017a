"""Sizes, extents, positions and intensities of objects in physical units, block by block."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from ..checks import real_number, said
from ..edits import ObjectTable
from ..errors import InvalidArgument, InvalidImage
from ..images import ArraySource
from ..io.grid import Grid, LabelsLike, checked_ids
from ..io.writing.whole import replacing
from ..progress import Progress, tracked
from .census import DENSE

BLOCK = 1 << 22
"""Most pixels that are measured at a time."""
TIMES = ("t", "time", "frame")
"""Names of axes along which an object is measured once for each position."""
SIZES = {2: "area", 3: "volume"}
METRES = {
    "m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "nm": 1e-9, "pm": 1e-12, "angstrom": 1e-10,
    "meter": 1.0, "centimeter": 1e-2, "millimeter": 1e-3, "micrometer": 1e-6, "micron": 1e-6,
    "nanometer": 1e-9, "picometer": 1e-12, "µm": 1e-6, "μm": 1e-6, "å": 1e-10,
}  # fmt: skip
LUMINANCE = 0.2125, 0.7154, 0.0721
"""Weights of red, green and blue, as `skimage.color.rgb2gray` has them."""

Column = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Part:
    """What was measured in a block of a label array, in pixels.

    Attributes
    ----------
    frame : tuple of int
        Position of the block along the axes that are no space.
    values : dict of str to (n,) array
        Columns of `skimage.measure.regionprops_table`, positions counted in the whole array.
    """

    frame: tuple[int, ...]
    values: dict[str, Column]


def measure(
    labels: ArraySource | LabelsLike, image: ArraySource | None = None,
    spacing: Sequence[float] | float | None = None, units: str | Sequence[str] | None = None,
    grid: Grid | None = None, table: ObjectTable | None = None,
    progress: bool | Progress | None = None,
) -> dict[str, Column]:  # fmt: skip
    """Measure every object in physical units.

    An array of more than three axes, or one with an axis "t", is measured frame by frame.

    Parameters
    ----------
    labels : integer array-like (y, x), (z, y, x) or (t, z, y, x)
        0 and below are background. It is read in blocks, so that it may lie on disk.
    image : array-like of the same shape, optional
        Its intensities are measured; a last axis of 3 or 4 colours becomes luminance.
    spacing : float or sequence of float, optional
        Size of a pixel along every axis; 1 by default.
    units : str or sequence of str, optional
        Of the spacing, one for all axes or one for each, such as "um"; "pixel" by default.
    grid : Grid, optional
        In place of spacing and units, such as `open_image(...).grid`; may be rotated or sheared.
    table : ObjectTable, optional
        Adds the columns name and class.
    progress : bool or callable, optional
        True shows a bar; a callable gets blocks done, blocks in all, and what is done.

    Returns
    -------
    dict of str to (n,) array
        A row per object, and per frame where there are frames, by id; `pandas.DataFrame` takes it.
        Columns: id, name and class (with `table`), the frame axes, pixels, area or volume (of the
        unit to the power of 2 or 3), extent_* (length of the bounding box along each axis of the
        array), centroid_* (position in the world), bbox_*_min and bbox_*_max (half-open, in
        pixels), intensity_mean, _min, _max and _sd (of the population; with `image`), unit.

    Raises
    ------
    InvalidLabels, InvalidImage, InvalidArgument
        The arrays, or what is said of them, don't fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> labels = np.zeros((4, 6), np.uint8)
    >>> labels[1:3, 1:5] = 7
    >>> found = ns.measure(labels, spacing=0.5, units="um")
    >>> found["id"].tolist(), found["area"].tolist(), found["centroid_x"].tolist()
    ([7], [2.0], [1.25])
    """
    labels = checked_ids(labels)
    grid = grid or _grid(labels.shape, spacing, units)
    grid.check(labels)
    image = None if image is None else checked_image(image, grid)
    blocks = blocks_of(grid)
    parts = measure_blocks(labels, image, grid, tracked(blocks, progress, "measure objects"))
    return columns(list(parts), grid, table)


def frame_axes(grid: Grid) -> int:
    """Return the number of first axes that are no space: time, and all before the last three."""
    times = [axis + 1 for axis, name in enumerate(grid.axes[:-2]) if name.lower() in TIMES]
    return max([grid.ndim - 3, 0, *times])


def checked_image(image: ArraySource, grid: Grid) -> ArraySource:
    """Return an image on the grid, (..., H, W) or (..., H, W, 3 or 4); else `InvalidImage`."""
    shape = tuple(getattr(image, "shape", ()))
    if shape != grid.shape and not (shape[:-1] == grid.shape and shape[-1] in (3, 4)):
        raise InvalidImage(
            f"the image is {said(image)} and does not lie on the labels' grid {grid.shape}; give "
            "the image that the labels were made on, one channel of it"
        )
    return image


def blocks_of(grid: Grid) -> list[tuple[slice, ...]]:
    """Return slices that divide an array into blocks of at most about `BLOCK` pixels."""
    frames, shape = frame_axes(grid), grid.shape
    plane = prod(shape[-2:])
    steps: list[tuple[slice, ...]] = [()]
    if grid.ndim - frames == 3:
        step, rows = max(1, BLOCK // max(1, plane)), shape[-2]
        step, rows = (step, rows) if plane <= BLOCK else (1, max(1, BLOCK // shape[-1]))
        steps = [(slice(z, min(z + step, shape[-3])),) for z in range(0, shape[-3], step)]
    else:
        rows = max(1, BLOCK // max(1, shape[-1]))
    strips = [slice(y, min(y + rows, shape[-2])) for y in range(0, shape[-2], rows)]
    lead = product(*(range(count) for count in shape[:frames]))
    return [
        (*(slice(i, i + 1) for i in frame), *slab, strip, slice(0, shape[-1]))
        for frame in lead
        for slab in steps
        for strip in strips
    ]


def measure_blocks(
    labels: ArraySource, image: ArraySource | None, grid: Grid, blocks: Iterable[tuple[slice, ...]]
) -> Iterator[Part]:
    """Measure labels (..., H, W) block by block, in pixels; the blocks are those of `blocks_of`."""
    frames = frame_axes(grid)
    for block in blocks:
        values = np.asarray(labels[block])
        values = np.maximum(values.reshape(values.shape[frames:]), 0)
        intensity = None
        if image is not None and values.any():
            intensity = _grey(np.asarray(image[block]), grid.ndim)
            intensity = intensity.reshape(values.shape)
        start = [part.start for part in block]
        yield Part(tuple(start[:frames]), _regions(values, intensity, start[frames:]))


def columns(
    parts: Sequence[Part], grid: Grid, table: ObjectTable | None = None
) -> dict[str, Column]:
    """Join what was measured in blocks, and give it in the units of the grid; see `measure`."""
    frames = frame_axes(grid)
    names, grid = grid.axes[frames:], _one_unit(grid, frames)
    linear = grid.matrix[frames:-1, frames:-1]
    keys, found = _joined(parts, frames, len(names))
    ids = keys[:, -1]
    out: dict[str, Column] = {"id": ids}
    if table is not None:
        records = [table[int(i)] for i in ids]
        out["name"] = np.array([record.name for record in records], object)
        out["class"] = np.array([record.class_name for record in records], object)
    out |= {grid.axes[axis]: keys[:, axis] for axis in range(frames)}
    out["pixels"] = found["pixels"]
    sides = np.linalg.norm(linear, axis=0)
    pixel = np.prod(sides) if grid.straight else abs(np.linalg.det(linear))  # det rounds
    out[SIZES[len(names)]] = found["pixels"] * float(pixel)
    low, high = found["low"], found["high"]
    for axis, name in enumerate(names):
        out[f"extent_{name}"] = (high - low)[:, axis] * float(sides[axis])
    places = np.hstack([keys[:, :frames], found["centre"], np.ones((len(keys), 1))])
    world = (places @ grid.matrix.T)[:, frames:-1]
    out |= {f"centroid_{name}": world[:, axis] for axis, name in enumerate(names)}
    for axis, name in enumerate(names):
        out |= {f"bbox_{name}_min": low[:, axis], f"bbox_{name}_max": high[:, axis]}
    out |= {key: found[key] for key in found if key.startswith("intensity")}
    out["unit"] = np.full(len(keys), grid.units[-1], object)
    return out


def write_csv(path: Path, found: Mapping[str, Column]) -> None:
    """Write columns (n,) as a table with a header, whole or not at all."""
    with replacing(path) as (part,), part.open("w", newline="", encoding="utf-8") as file:
        write_rows(file, found)


def write_rows(file: TextIO, found: Mapping[str, Column]) -> None:
    """Write columns (n,) to an open text file."""
    table = csv.writer(file, lineterminator="\n")
    table.writerow(found)
    for row in zip(*(column.tolist() for column in found.values()), strict=True):
        table.writerow(f"{value:.10g}" if isinstance(value, float) else value for value in row)


def _grid(
    shape: tuple[int, ...], spacing: Sequence[float] | float | None,
    units: str | Sequence[str] | None,
) -> Grid:  # fmt: skip
    ndim = len(shape)
    sizes = (
        spacing
        if isinstance(spacing, (Sequence, np.ndarray))
        else [1.0 if spacing is None else spacing] * ndim
    )
    given = [units] * ndim if isinstance(units, str) else units or ["pixel"] * ndim
    for value, what in ((sizes, "spacing"), (given, "units")):
        if len(value) != ndim:
            raise InvalidArgument(
                f"{what} is {said(value)}; give one for all axes, or {ndim}, one for each"
            )
    sizes = [real_number(size, "spacing") for size in sizes]
    if min(sizes) <= 0:
        raise InvalidArgument(f"spacing is {said(spacing)}; give sizes above 0")
    return Grid.scaled(shape, Grid.plain(shape).axes, sizes, units=given)


def _one_unit(grid: Grid, frames: int) -> Grid:
    """Return the grid with all axes of space in the unit of the last one."""
    space = grid.units[frames:]
    if len(set(space)) == 1:
        return grid
    if any(unit.lower() not in METRES for unit in space):
        raise InvalidArgument(
            f"the units of the axes, {', '.join(space)}, are of different kinds; give all axes "
            "lengths, or all pixels"
        )
    factors = [METRES[unit.lower()] / METRES[space[-1].lower()] for unit in space]
    matrix = np.diag([*[1.0] * frames, *factors, 1.0]) @ grid.matrix
    return replace(grid, matrix=matrix, units=(*grid.units[:frames], *[space[-1]] * len(space)))


def _grey(pixels: Column, ndim: int) -> Column:
    """Return intensities (..., H, W), made grey where they are colours (..., H, W, C)."""
    if pixels.ndim == ndim:
        return np.asarray(pixels, np.float64)
    return np.asarray(pixels[..., :3] @ np.array(LUMINANCE))


def _squares(mask: Column, intensity: Column) -> float:
    """Sum the squared differences from the mean, which several blocks of an object can add up.

    Mask and intensities are (y, x) or (z, y, x), of the object's box.
    """
    values = intensity[mask]
    return float(((values - values.mean()) ** 2).sum())


def _regions(values: Column, intensity: Column | None, start: Sequence[int]) -> dict[str, Column]:
    """Measure a block of labels, (y, x) or (z, y, x), that begins at `start` of the array."""
    from skimage.measure import regionprops_table

    known = None
    if int(values.max(initial=0)) > DENSE:  # else there is a table of all ids up to the highest
        known, inverse = np.unique(np.append(values.ravel(), 0), return_inverse=True)
        values = inverse[:-1].reshape(values.shape)
    wanted = ["label", "area", "bbox", "centroid"]
    further: tuple[object, ...] = ()
    if intensity is not None:
        wanted += ["intensity_mean", "intensity_min", "intensity_max"]
        further = (_squares,)
    values = values.astype(np.int64, copy=False)
    found = regionprops_table(values, intensity, wanted, extra_properties=further)
    ndim = len(start)
    for axis, first in enumerate(start):
        for name in (f"bbox-{axis}", f"bbox-{axis + ndim}", f"centroid-{axis}"):
            found[name] = found[name] + first
    if known is not None:
        found["label"] = known[found["label"]]
    return dict(found)


def _joined(parts: Sequence[Part], frames: int, ndim: int) -> tuple[Column, dict[str, Column]]:
    """Join the parts of every object in every frame: keys (n, frames + 1), and sums of parts."""
    parts = [part for part in parts if part.values["label"].size]
    if not parts:
        none = {key: np.zeros((0, ndim)) for key in ("low", "high", "centre")}
        return np.zeros((0, frames + 1), np.int64), {"pixels": np.zeros(0, np.int64), **none}
    lead = [np.tile(part.frame, (part.values["label"].size, 1)) for part in parts]
    values = {key: np.concatenate([part.values[key] for part in parts]) for key in parts[0].values}
    rows = np.hstack([np.concatenate(lead), values["label"][:, None]]).astype(np.int64)
    keys, at = np.unique(rows, axis=0, return_inverse=True)
    at, count = at.reshape(-1), len(keys)
    area = values["area"].astype(np.float64)
    pixels = np.bincount(at, area, count)
    stack = {
        name: np.stack([values[f"{key}-{axis + shift}"] for axis in range(ndim)], 1)
        for name, key, shift in (("low", "bbox", 0), ("high", "bbox", ndim), ("c", "centroid", 0))
    }
    low = np.full((count, ndim), np.iinfo(np.int64).max)
    high = np.zeros((count, ndim), np.int64)
    np.minimum.at(low, at, stack["low"])
    np.maximum.at(high, at, stack["high"])
    sums = [np.bincount(at, area * stack["c"][:, axis], count) for axis in range(ndim)]
    out = {
        "pixels": pixels.astype(np.int64), "low": low, "high": high,
        "centre": np.stack(sums, 1) / pixels[:, None],
    }  # fmt: skip
    return keys, out | (_intensities(values, at, area, pixels) if "_squares" in values else {})


def _intensities(
    values: Mapping[str, Column], at: Column, area: Column, pixels: Column
) -> dict[str, Column]:
    """Join means, extremes and squares (m,) of the parts of every object.

    `at` (m,) is the object of each part, `area` (m,) its pixels; `pixels` (n,) are the objects'.
    """
    count = len(pixels)
    mean = np.bincount(at, area * values["intensity_mean"], count) / pixels
    away = values["_squares"] + area * (values["intensity_mean"] - mean[at]) ** 2
    least, most = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(least, at, values["intensity_min"])
    np.maximum.at(most, at, values["intensity_max"])
    spread = np.sqrt(np.bincount(at, away, count) / pixels)
    return {
        "intensity_mean": mean, "intensity_min": least, "intensity_max": most,
        "intensity_sd": spread,
    }  # fmt: skip
