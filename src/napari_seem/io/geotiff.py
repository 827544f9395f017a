"""GeoTIFF mosaics in, read in tiles; labels out with the same coordinate system and transform."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from ..errors import FileTrouble, InvalidLabels
from ..images import AnyArray, ArraySource
from ..values import JsonObject
from .extras import need
from .grid import Grid, narrowest
from .guard import check_claim, read_text, reading
from .opened import Opened

if TYPE_CHECKING:
    from dask.array import Array
    from rasterio import DatasetReader
    from rasterio.control import GroundControlPoint
    from rasterio.crs import CRS
    from rasterio.transform import Affine
    from rasterio.windows import Window

LARGE = 1 << 28
"""Rasters of more bytes are not read when they are opened."""
PIECE = 1024
STRAY = 0.5
"""Control points that lie further from an affine than this, in pixels, are not replaced by it."""
_TAGS = (
    "ModelPixelScaleTag", "ModelTransformationTag", "GeoKeyDirectoryTag", "ModelTiepointTag",
    "RPCCoefficientTag",
)  # fmt: skip
_UNITS = {"metre": "m", "meter": "m", "foot": "ft", "US survey foot": "survey_foot"}


def is_geotiff(path: Path) -> bool:
    """Return whether a TIFF has a place on Earth."""
    import tifffile

    with suppress(FileTrouble), reading(path), tifffile.TiffFile(path) as file:
        return any(tag in file.pages.first.tags for tag in _TAGS)
    return False


def world_file(path: Path) -> Path | None:
    """Return the text beside a picture that places it on a map (.tfw, .jgw, .pgw, .wld), if any."""
    kind = path.suffix[1:]
    for name in (kind[:1] + kind[-1:] + "w", kind + "w", "wld") if kind else ():
        for spelled in (name, name.upper()):
            beside = path.with_suffix("." + spelled)
            if beside != path and beside.is_file():
                return beside
    return None


def has_place(path: Path) -> bool:
    """Return whether a file is to be opened as a raster on a map.

    A picture with a world file is opened as any other where rasterio is absent.
    """
    return is_geotiff(path) or (world_file(path) is not None and find_spec("rasterio") is not None)


def without_place(path: Path, opened: Opened) -> Opened:
    """Return an opened picture with a word on the world file beside it, if there is one."""
    beside = world_file(path)
    if beside is None:
        return opened
    said = (
        f"'{beside.name}' places it on a map, which needs the package rasterio: "
        'pip install "napari-seem[geo]"'
    )
    both = "; ".join(filter(None, (opened.about.get("warning"), said)))
    return replace(opened, about={**opened.about, "warning": both})


def open_geotiff(path: Path, as_stored: bool = False) -> Opened:
    """Open a raster on a map; large ones are read in tiles, coarse levels from its overviews.

    The world is (south, east): minus the northing and the easting, so that north is up. The place
    comes from the file, a world file or a .prj beside it, or control points that an affine
    describes to half a pixel. Where there is none, or no coordinate system, a warning is in
    `about`. Nodata becomes NaN, for which integers of 16 bits and more become floats, and alpha is
    left out where it isn't that of a picture.

    Parameters
    ----------
    path : Path
    as_stored : bool
        Leave nodata as the file holds it.

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
    with reading(path, "as a raster"), rasterio.open(path) as file:
        grid, about = _grid(path, file)
        bands = _bands(file)
        names = _band_names(file, bands)
        factors = file.overviews(1)
        nbytes = file.height * file.width * file.count * np.dtype(file.dtypes[0]).itemsize
        check_claim(path, nbytes, kept=nbytes <= LARGE)
        if nbytes <= LARGE:
            levels: tuple[ArraySource, ...] = (_read(path, 0, bands, None),)
        else:
            levels = tuple(_lazy(path, level, bands) for level in range(len(factors) + 1))
        if file.nodata is not None and not as_stored:
            levels = tuple(_without(level, file.nodata) for level in levels)
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
        nodata=0, compress="deflate", bigtiff="if_safer", **_place_of(grid), **block,
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


def _place_of(grid: Grid) -> dict[str, object]:
    """Return the place of an image as options for writing."""
    for key in ("gcps", "rpcs"):
        if key in grid.native:
            return dict(grid.native[key])
    return {"crs": grid.native["crs"], "transform": grid.native["transform"]}


def _grid(path: Path, file: DatasetReader) -> tuple[Grid, JsonObject]:
    """Return where a raster lies, and what there is to say of that."""
    transform, crs, (points, system) = file.transform, file.crs, file.gcps
    about: JsonObject = {"nodata": file.nodata}
    if points:
        about["control points"] = len(points)
        fitted = _fitted(points)
        transform, crs = (transform, None) if fitted is None else (fitted, system)
    crs = None if transform.is_identity else crs or _system_beside(path)
    matrix, unit = np.eye(3), "pixel"
    if not transform.is_identity:
        a, b, c, d, e, f = tuple(transform)[:6]
        middle = (a / 2 + b / 2 + c, d / 2 + e / 2 + f)
        matrix = np.array([[-e, -d, -middle[1]], [b, a, middle[0]], [0.0, 0.0, 1.0]]) + 0.0
    if crs is not None:
        about["crs"] = crs.to_string()
        unit = "degree" if crs.is_geographic else _UNITS.get(crs.linear_units, "pixel")
    elif warning := _unplaced(file, transform.is_identity):
        about["warning"] = warning
    native = {"crs": crs, "transform": transform, "nodata": file.nodata}
    if points:
        native["gcps"] = {"gcps": points, "crs": system}
    elif transform.is_identity and file.rpcs:
        native["rpcs"] = {"rpcs": file.rpcs}
    nowhere = transform.is_identity and not points and not file.rpcs
    kind, shape = "tiff" if nowhere else "geotiff", (file.height, file.width)
    return Grid(shape, ("y", "x"), matrix, (unit, unit), kind, native), about


def _unplaced(file: DatasetReader, in_pixels: bool) -> str:
    """Say what a raster without coordinate system, or without any place, lacks."""
    if not in_pixels:
        return (
            "the file names no coordinate system; labels get its transform, and nothing says on "
            "which map it is valid. Assign one with gdal_edit.py -a_srs EPSG:..., or put a .prj "
            "beside it"
        )
    means = "control points" if file.gcps[0] else "rational polynomials (RPC)" if file.rpcs else ""
    if not means:
        return "the file says nowhere where it lies on a map; it is opened in pixels"
    return (
        f"the file is placed on a map by {means}, which no affine describes; it is opened in "
        "pixels. Rectify it with gdalwarp to have it on the map"
    )


def _fitted(points: Sequence[GroundControlPoint]) -> Affine | None:
    """Return the affine that control points describe; None where they describe another map."""
    rasterio = need("rasterio")
    if len(points) < 3:
        return None
    rows = np.array([[p.col, p.row, 1.0] for p in points])
    places = np.array([[p.x, p.y] for p in points])
    middle = places.mean(0)
    found, _, rank, _ = np.linalg.lstsq(rows, places - middle, rcond=None)
    if rank < 3:
        return None
    linear = found[:2].T
    strays = np.linalg.solve(linear, (rows @ found - (places - middle)).T)
    if np.abs(strays).max() > STRAY:
        return None
    (a, b), (d, e) = linear
    c, f = found[2] + middle
    return rasterio.Affine(a, b, c, d, e, f)  # type: ignore[no-any-return]


def _system_beside(path: Path) -> CRS | None:
    """Return the coordinate system of the .prj beside a raster, if there is one."""
    rasterio = need("rasterio")
    beside = path.with_suffix(".prj")
    if not beside.is_file():
        return None
    text = read_text(beside, most=1 << 20)
    try:
        return rasterio.crs.CRS.from_wkt(text, morph_from_esri_dialect=True)  # type: ignore[no-any-return]
    except rasterio.errors.CRSError as error:
        raise FileTrouble(
            f"'{beside}' names no coordinate system ({error}); mend or remove it"
        ) from error


def _bands(file: DatasetReader) -> tuple[int, ...]:
    """Return the numbers of the bands that are shown, from 1: all but alpha; colours keep it."""
    kinds = [colour.name for colour in file.colorinterp]
    picture = file.count == 4 and file.dtypes[0] == "uint8"
    kept = tuple(n for n, kind in enumerate(kinds, 1) if picture or kind != "alpha")
    return kept or tuple(range(1, file.count + 1))


def _band_names(file: DatasetReader, bands: Sequence[int]) -> tuple[str, ...]:
    colours = [str(colour.name) for colour in file.colorinterp]
    names = []
    for number in bands:
        colour = colours[number - 1]
        usual = f"band {number}" if colour in ("gray", "undefined") else colour
        names.append(file.descriptions[number - 1] or usual)
    return tuple(names)


def _read(path: Path, level: int, bands: Sequence[int], window: Window | None) -> AnyArray:
    """Read (H, W) or (H, W, bands) of a window, or of everything."""
    rasterio = need("rasterio")
    options = {"overview_level": level - 1} if level else {}
    with reading(path, "as a raster"), rasterio.open(path, **options) as file:
        pixels = file.read(list(bands), window=window)
    return np.asarray(pixels[0] if len(bands) == 1 else np.moveaxis(pixels, 0, -1))


def _without(pixels: ArraySource, nodata: float) -> ArraySource:
    """Return pixels (H, W) or (H, W, bands) with NaN for nodata; those of 8 bits as they are."""
    dtype, array = np.dtype(pixels.dtype), cast("Any", pixels)
    if dtype.itemsize == 1 or np.isnan(nodata):
        return pixels
    absent = array == nodata
    if isinstance(pixels, np.ndarray) and not absent.any():
        return pixels
    wide = np.result_type(dtype, np.float32)
    found: ArraySource = np.where(absent, wide.type(np.nan), array.astype(wide))
    return found  # by dask where the array is one of dask


def _lazy(path: Path, level: int, bands: Sequence[int]) -> Array:
    """Return a level of a raster as a dask array of tiles."""
    import dask.array
    from dask import delayed

    rasterio = need("rasterio")
    options = {"overview_level": level - 1} if level else {}
    with rasterio.open(path, **options) as file:
        height, width, count, dtype = file.height, file.width, len(bands), file.dtypes[0]
    read = delayed(_read, pure=True)
    rows = []
    for y in range(0, height, PIECE):
        row = []
        for x in range(0, width, PIECE):
            h, w = min(PIECE, height - y), min(PIECE, width - x)
            window = rasterio.windows.Window(x, y, w, h)
            shape = (h, w) if count == 1 else (h, w, count)
            row.append(dask.array.from_delayed(read(path, level, bands, window), shape, dtype))
        rows.append(dask.array.concatenate(row, axis=1))
    return dask.array.concatenate(rows, axis=0)
