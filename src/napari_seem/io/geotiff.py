"""GeoTIFF mosaics in, read in tiles; labels out with the same coordinate system and transform."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import FileTrouble, InvalidLabels
from ..images import AnyArray, ArraySource
from .extras import need
from .grid import Grid, narrowest
from .guard import check_claim, reading
from .opened import Opened

if TYPE_CHECKING:
    from dask.array import Array
    from rasterio import DatasetReader
    from rasterio.windows import Window

LARGE = 1 << 28
"""Rasters of more bytes are not read when they are opened."""
PIECE = 1024
_TAGS = ("ModelPixelScaleTag", "ModelTransformationTag", "GeoKeyDirectoryTag")
_UNITS = {"metre": "m", "meter": "m", "foot": "ft", "US survey foot": "survey_foot"}


def is_geotiff(path: Path) -> bool:
    """Return whether a TIFF has a place on Earth."""
    import tifffile

    with suppress(FileTrouble), reading(path), tifffile.TiffFile(path) as file:
        return any(tag in file.pages.first.tags for tag in _TAGS)
    return False


def open_geotiff(path: Path) -> Opened:
    """Open a raster on a map; large ones are read in tiles, coarse levels from its overviews.

    The world is (south, east): minus the northing and the easting, so that north is up. A raster
    without coordinate system is opened with a warning in `about`.

    Returns
    -------
    Opened
        Arrays (y, x) or (y, x, band).

    Raises
    ------
    FileTrouble
        A file that rasterio can't read.
    """
    rasterio = need("rasterio")
    try:
        with rasterio.open(path) as file:
            grid, about = _grid(file), _about(file)
            names = _band_names(file)
            factors = file.overviews(1)
            nbytes = file.height * file.width * file.count * np.dtype(file.dtypes[0]).itemsize
        check_claim(path, nbytes, kept=nbytes <= LARGE)
        if nbytes <= LARGE:
            levels: tuple[ArraySource, ...] = (_read(path, 0, None),)
        else:
            levels = tuple(_lazy(path, level) for level in range(len(factors) + 1))
    except rasterio.errors.RasterioError as error:
        raise FileTrouble(
            f"'{path}' can't be read as a raster ({error}); copy it again from where it came"
        ) from error
    many = levels[0].ndim == 3
    return Opened(path.stem, levels, grid, 2 if many else None, names if many else (), about)


def write_geotiff(path: Path, labels: npt.NDArray[np.integer], grid: Grid) -> None:
    """Write labels (rows, columns) with the coordinate system and transform of their image.

    0 is written as nodata, which means "no object" on a map; the image's own nodata value is kept
    as the tag IMAGE_NODATA.

    Raises
    ------
    InvalidLabels
        The image is not on a map.
    """
    rasterio = need("rasterio")
    if grid.format != "geotiff":
        raise InvalidLabels("this image is not on a map; write TIFF, or GeoJSON in pixels")
    values = narrowest(labels)
    if values.dtype == np.uint64:
        raise InvalidLabels("ids above 4,294,967,295 can't be written to GeoTIFF")
    height, width = values.shape
    tiled = {"tiled": True, "blockxsize": 512, "blockysize": 512}
    block = tiled if min(height, width) >= 512 else {}
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype=values.dtype,
        crs=grid.native["crs"], transform=grid.native["transform"], nodata=0, compress="deflate",
        bigtiff="if_safer", **block,
    ) as file:  # fmt: skip
        file.write(values, 1)
        file.set_band_description(1, "labels")
        if grid.native["nodata"] is not None:
            file.update_tags(IMAGE_NODATA=repr(grid.native["nodata"]))


def map_coordinates(grid: Grid) -> Callable[[float, float], tuple[float, float]]:
    """Return the function from a pixel's corner (row, column) to map coordinates (x, y).

    For an image on no map, x is the column and y the row.
    """
    if grid.format != "geotiff":
        return lambda row, column: (float(column), float(row))
    a, b, c, d, e, f = tuple(grid.native["transform"])[:6]
    return lambda row, column: (a * column + b * row + c, d * column + e * row + f)


def _grid(file: DatasetReader) -> Grid:
    a, b, c, d, e, f = tuple(file.transform)[:6]
    middle = (a / 2 + b / 2 + c, d / 2 + e / 2 + f)
    matrix = np.array([[-e, -d, -middle[1]], [b, a, middle[0]], [0.0, 0.0, 1.0]]) + 0.0
    unit = "pixel"
    if file.crs is not None:
        unit = "degree" if file.crs.is_geographic else _UNITS.get(file.crs.linear_units, "pixel")
    native = {"crs": file.crs, "transform": file.transform, "nodata": file.nodata}
    return Grid((file.height, file.width), ("y", "x"), matrix, (unit, unit), "geotiff", native)


def _about(file: DatasetReader) -> dict[str, object]:
    about: dict[str, object] = {"nodata": file.nodata}
    if file.crs is None:
        about["warning"] = (
            "the file names no coordinate system; labels get its transform, and nothing says on "
            "which map it is valid. Assign one with gdal_edit.py -a_srs EPSG:..."
        )
    else:
        about["crs"] = file.crs.to_string()
    return about


def _band_names(file: DatasetReader) -> tuple[str, ...]:
    colours = [str(colour.name) for colour in file.colorinterp]
    return tuple(
        name or (colour if colour not in ("gray", "undefined") else f"band {number}")
        for number, (name, colour) in enumerate(zip(file.descriptions, colours, strict=True), 1)
    )


def _read(path: Path, level: int, window: Window | None) -> AnyArray:
    """Read (H, W) or (H, W, bands) of a window, or of everything."""
    rasterio = need("rasterio")
    options = {"overview_level": level - 1} if level else {}
    with reading(path, "as a raster"), rasterio.open(path, **options) as file:
        bands = file.read(window=window)
    return np.asarray(bands[0] if len(bands) == 1 else np.moveaxis(bands, 0, -1))


def _lazy(path: Path, level: int) -> Array:
    """Return a level of a raster as a dask array of tiles."""
    import dask.array
    from dask import delayed

    rasterio = need("rasterio")
    options = {"overview_level": level - 1} if level else {}
    with rasterio.open(path, **options) as file:
        height, width, count, dtype = file.height, file.width, file.count, file.dtypes[0]
    read = delayed(_read, pure=True)
    rows = []
    for y in range(0, height, PIECE):
        row = []
        for x in range(0, width, PIECE):
            h, w = min(PIECE, height - y), min(PIECE, width - x)
            window = rasterio.windows.Window(x, y, w, h)
            shape = (h, w) if count == 1 else (h, w, count)
            row.append(dask.array.from_delayed(read(path, level, window), shape, dtype))
        rows.append(dask.array.concatenate(row, axis=1))
    return dask.array.concatenate(rows, axis=0)
