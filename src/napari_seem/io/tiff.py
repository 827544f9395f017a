"""TIFF, ImageJ and OME-TIFF images in, labels out with the same spacing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from ..errors import FileTrouble
from ..images import ArraySource
from .extras import need
from .grid import Grid, narrowest
from .guard import check_claim
from .opened import Opened

LARGE = 1 << 30
"""Files with more bytes of pixels are not read when they are opened."""
_UNITS = {
    "µm": "um", "\\u00B5m": "um", "micron": "um", "microns": "um", "um": "um", "nm": "nm",
    "mm": "mm", "cm": "cm", "m": "m", "Å": "angstrom", "inch": "inch",
}  # fmt: skip
_PER_UNIT = {2: "inch", 3: "cm"}
Spacing = dict[str, tuple[float, str]]
"""Axis letter -> size of a pixel and its unit."""


def open_tiff(path: Path) -> Opened:
    """Open the first series of a TIFF, with the spacing that OME, ImageJ or TIFF itself states.

    Axes of length one are dropped, channels stay an axis. Large files are mapped or, where they are
    compressed, read in chunks (extra `zarr`).

    Raises
    ------
    FileTrouble
        No TIFF, or a damaged one.
    """
    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            levels = tuple(_pixels(path, n, level) for n, level in enumerate(series.levels))
            letters = _letters(series)
            spacing, names, flavour = _described(file)
    except (tifffile.TiffFileError, ValueError, OSError, IndexError, KeyError) as error:
        raise FileTrouble(
            f"'{path}' can't be read as TIFF ({error}); copy it again from where it came"
        ) from error
    colour = [i for i, letter in enumerate(letters) if letter in "SC"]
    if len(colour) > 1:
        raise FileTrouble(f"'{path}' has channels of colours ({letters}); save it with one of them")
    axes = tuple(letter.lower() for letter in letters if letter not in "SC")
    shape = [n for i, n in enumerate(levels[0].shape) if i not in colour]
    sizes = [spacing.get(letter, (1.0, "pixel")) for letter in axes]
    grid = Grid.scaled(
        shape, _world_names(axes), [size for size, _ in sizes], units=[unit for _, unit in sizes],
        file_format="tiff", native={"flavour": flavour},
    )  # fmt: skip
    return Opened(_stem(path), levels, grid, colour[0] if colour else None, names)


def write_tiff(path: Path, labels: npt.NDArray[np.integer], grid: Grid, flavour: str) -> None:
    """Write labels; 16-bit where their ids allow.

    Parameters
    ----------
    path : Path
        Written as it is named.
    labels : integer array (y, x), (z, y, x) or (t, z, y, x)
        On the grid.
    grid : Grid
    flavour : str
        "ome", "imagej" (8- and 16-bit only, else plain) or "plain".
    """
    values = narrowest(labels, least=16)
    sizes = dict(zip(grid.axes, zip(grid.spacing, grid.units, strict=True), strict=True))
    options: dict[str, Any] = {"compression": "zlib"}
    known = set(grid.axes) <= set("tzyx") and len(set(grid.axes)) == grid.ndim
    if flavour == "ome" and known:
        options |= {"ome": True, "metadata": _ome(grid, sizes)}
    elif flavour == "imagej" and known and values.dtype == np.uint16:
        options |= {"imagej": True, "metadata": _imagej(grid, sizes)}
    else:
        options |= {"metadata": {"axes": "".join(grid.axes).upper()} if known else {}}
    if flavour != "ome" and {"x", "y"} <= set(sizes) and sizes["x"][1] != "pixel":
        options |= _resolution(sizes)
    if values.nbytes > LARGE:
        options |= {"bigtiff": not options.get("imagej", False)}
    tifffile.imwrite(path, values, **options)


def _pixels(path: Path, number: int, level: tifffile.TiffPageSeries) -> ArraySource:
    """Read the pixels of a series, without axes of length one."""
    check_claim(path, level.nbytes, kept=level.nbytes <= LARGE)
    if level.nbytes <= LARGE:
        return level.asarray(squeeze=True)
    try:
        return tifffile.memmap(path, series=0, level=number, mode="r").squeeze()
    except (ValueError, AttributeError):
        need("zarr")
        import dask.array

        return dask.array.from_zarr(level.aszarr(squeeze=True)).squeeze()


def _letters(series: tifffile.TiffPageSeries) -> str:
    """Return a letter for every axis of the squeezed pixels."""
    axes, shape = series.get_axes(squeeze=True), series.get_shape(squeeze=True)
    kept = [a for a, n in zip(axes, shape, strict=True) if n > 1]
    return "".join("Z" if letter in "QI" else letter for letter in kept)


def _world_names(axes: tuple[str, ...]) -> tuple[str, ...]:
    """Return axis names that differ from each other."""
    return tuple(
        name if axes.count(name) == 1 and name in "tzyx" else f"axis{i}"
        for i, name in enumerate(axes)
    )


def _described(file: tifffile.TiffFile) -> tuple[Spacing, tuple[str, ...], str]:
    """Read spacing, channel names and flavour, from whichever description the file has."""
    if file.is_ome and file.ome_metadata:
        return *_from_ome(file.ome_metadata), "ome"
    if file.is_imagej and file.imagej_metadata:
        return *_from_imagej(file), "imagej"
    tags = file.pages.first.tags
    unit = _PER_UNIT.get(int(tags["ResolutionUnit"].value)) if "ResolutionUnit" in tags else None
    spacing = _from_tags(file, unit) if unit else {}
    # 72 or 96 dots an inch are a printer's default, not a measure
    dots = {round(1 / size) for size, _ in spacing.values() if unit == "inch"}
    return ({} if dots & {72, 96, 300} else spacing), (), "plain"


def _from_ome(text: str) -> tuple[Spacing, tuple[str, ...]]:
    images = tifffile.xml2dict(text)["OME"]["Image"]
    pixels = (images[0] if isinstance(images, list) else images)["Pixels"]
    spacing: Spacing = {}
    for letter in "xyz":
        size = float(pixels.get(f"PhysicalSize{letter.upper()}", 0) or 0)
        unit = str(pixels.get(f"PhysicalSize{letter.upper()}Unit", "µm"))
        if size > 0:
            spacing[letter] = (size, _UNITS.get(unit, "pixel"))
    if float(pixels.get("TimeIncrement", 0) or 0) > 0:
        spacing["t"] = (float(pixels["TimeIncrement"]), str(pixels.get("TimeIncrementUnit", "s")))
    channels = pixels.get("Channel", [])
    listed = channels if isinstance(channels, list) else [channels]
    names = tuple(str(c.get("Name", "")) for c in listed)
    return spacing, names if any(names) else ()


def _from_imagej(file: tifffile.TiffFile) -> tuple[Spacing, tuple[str, ...]]:
    about = file.imagej_metadata or {}
    unit = _UNITS.get(str(about.get("unit", "")))
    spacing = _from_tags(file, unit) if unit else {}
    if unit and float(about.get("spacing", 0) or 0) > 0:
        spacing["z"] = (float(about["spacing"]), unit)
    if float(about.get("finterval", 0) or 0) > 0:
        spacing["t"] = (float(about["finterval"]), "s")
    return spacing, ()


def _from_tags(file: tifffile.TiffFile, unit: str) -> Spacing:
    tags, spacing = file.pages.first.tags, {}
    for letter, tag in (("x", "XResolution"), ("y", "YResolution")):
        if tag in tags:
            count, per = tags[tag].value
            if count:
                spacing[letter] = (per / count, unit)
    return spacing


def _ome(grid: Grid, sizes: dict[str, tuple[float, str]]) -> dict[str, object]:
    about: dict[str, object] = {"axes": "".join(grid.axes).upper()}
    for letter in "xyz":
        if letter in sizes and sizes[letter][1] != "pixel":
            size, unit = sizes[letter]
            about[f"PhysicalSize{letter.upper()}"] = size
            about[f"PhysicalSize{letter.upper()}Unit"] = "µm" if unit == "um" else unit
    if "t" in sizes and sizes["t"][1] != "pixel":
        about["TimeIncrement"], about["TimeIncrementUnit"] = sizes["t"]
    return about


def _imagej(grid: Grid, sizes: dict[str, tuple[float, str]]) -> dict[str, object]:
    about: dict[str, object] = {"axes": "".join(grid.axes).upper()}
    if sizes.get("x", (1.0, "pixel"))[1] != "pixel":
        about["unit"] = sizes["x"][1]
        if "z" in sizes:
            about["spacing"] = sizes["z"][0]
    if sizes.get("t", (1.0, "pixel"))[1] != "pixel":
        about["finterval"] = sizes["t"][0]
    return about


def _resolution(sizes: dict[str, tuple[float, str]]) -> dict[str, object]:
    unit = sizes["x"][1]
    code = {"inch": 2, "cm": 3}.get(unit, 1)
    return {"resolution": (1 / sizes["x"][0], 1 / sizes["y"][0]), "resolutionunit": code}


def _stem(path: Path) -> str:
    name = path.name
    for ending in (".ome.tiff", ".ome.tif", ".tiff", ".tif"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return path.stem
