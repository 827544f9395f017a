"""What TIFF files say of themselves: sizes of pixels, names of channels, and what is missing."""

from __future__ import annotations

import math
import re
import struct
from html import unescape
from pathlib import Path

import tifffile

from ..errors import FileTrouble
from ..values import JsonObject
from .guard import beginning

Spacing = dict[str, tuple[float, str]]
"""Axis letter -> size of a pixel and its unit."""
_UNITS = {
    "µm": "um", "\\u00B5m": "um", "micron": "um", "microns": "um", "um": "um", "nm": "nm",
    "mm": "mm", "cm": "cm", "m": "m", "Å": "angstrom", "inch": "inch",
}  # fmt: skip
_TIMES = {"sec": "s", "s": "s", "msec": "ms", "ms": "ms", "min": "min", "h": "h"}
_PER_UNIT = {2: "inch", 3: "cm"}
_PRINTED = {72, 96, 300}
"""Dots an inch that are a printer's default, no measure."""


def check_whole(path: Path, file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> list[str]:
    """Return what there is to warn of; `FileTrouble` where planes are absent that the file names.

    tifffile itself reads on where pages are missing, and gives zeros or fewer planes.

    Parameters
    ----------
    path : Path
    file : TiffFile
    series : TiffPageSeries
        The one that is opened.
    """
    stated = series.kind in ("ome", "mmstack")  # others list the pages that there are
    absent = sum(page is None for page in series.pages) if stated else 0
    for name in _named_files(file) if absent else ():
        if beginning(path.with_name(name), 2) not in (b"II", b"MM"):
            raise FileTrouble(
                f"'{path}' is one of a set of files, of which '{name}' is missing or damaged; put "
                "it beside the others, under that name"
            )
    if absent:
        return [
            f"{absent} of {len(series.pages)} planes are not in the file and shown as 0, as of a "
            "recording that was stopped"
        ]
    planes = _planes_stated(file, series)
    if planes * series.keyframe.size > series.size:
        raise FileTrouble(
            f"'{path}' says that it has {planes} planes and holds fewer, so that it must have been "
            "cut off; copy it again from where it came"
        )
    if _is_cut(file):
        return [
            f"the file seems to be cut off: {len(file.pages)} pages can be read, and more was "
            "there. Copy it again from where it came"
        ]
    return []


def _named_files(file: tifffile.TiffFile) -> list[str]:
    """Return the files of the set that an OME-TIFF belongs to, in the order of their naming."""
    found = re.findall(r"""FileName=["']([^"']+)["']""", file.ome_metadata or "")
    return list(dict.fromkeys(Path(unescape(name)).name for name in found))


def _planes_stated(file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> int:
    """Return how many planes the description of ImageJ or tifffile states; 0 where none does."""
    if file.is_imagej and series.kind != "ome":
        about = file.imagej_metadata or {}
        counts = [int(about.get(key, 1)) for key in ("channels", "slices", "frames")]
        deep = series.keyframe.samplesperpixel > 1  # its samples may be counted as channels
        return math.prod(counts[1:] if deep else counts)
    page = series.keyframe
    text = page.description.partition('"shape":')[2] if page.is_shaped else ""
    sizes = re.match(r"\s*\[([\d, ]+)\]", text)
    return math.prod(map(int, sizes[1].split(","))) // page.size if sizes else 0


def _is_cut(file: tifffile.TiffFile) -> bool:
    """Return whether there is more than can be read: a further page, or the description."""
    if file.is_ndpi:  # which has offsets of its own
        return False
    following, _ = _raw_page(file, file.pages[len(file.pages) - 1].offset)
    page = file.pages.first
    _, codes = _raw_page(file, page.offset)
    return bool(following) or (270 in codes and 270 not in page.tags)


def _raw_page(file: tifffile.TiffFile, offset: int) -> tuple[int, list[int]]:
    """Read where the page after one at an offset is, and the codes of that page's tags."""
    form, handle = file.tiff, file.filehandle
    handle.seek(offset)
    (count,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
    tags = handle.read(count * form.tagsize)
    (following,) = struct.unpack(form.offsetformat, handle.read(form.offsetsize))
    order = file.byteorder + "H"
    return following, [struct.unpack_from(order, tags, n * form.tagsize)[0] for n in range(count)]


def described(
    file: tifffile.TiffFile, series: tifffile.TiffPageSeries, number: int
) -> tuple[Spacing, tuple[str, ...]]:
    """Read the spacing and the names of the channels, from whichever description the file has."""
    if file.is_ome and file.ome_metadata:
        return _from_ome(file.ome_metadata, number)
    if file.is_imagej and file.imagej_metadata:
        return _from_imagej(file), ()
    if file.is_lsm and file.lsm_metadata:
        return _from_lsm(file.lsm_metadata)
    if file.is_micromanager and file.micromanager_metadata:
        return _from_micromanager(file.micromanager_metadata)
    if file.is_svs and (found := re.search(r"MPP\s*=\s*([\d.]+)", series.keyframe.description)):
        return dict.fromkeys("xy", (float(found[1]), "um")), ()
    if file.is_stk and file.stk_metadata:
        return _from_stk(file.stk_metadata), ()
    names = _from_qptiff(series) if file.is_qpi else ()
    tags = series.keyframe.tags
    unit = _PER_UNIT.get(int(tags["ResolutionUnit"].value)) if "ResolutionUnit" in tags else None
    spacing = _from_tags(series.keyframe, unit) if unit else {}
    dots = {round(1 / size) for size, _ in spacing.values() if unit == "inch"}
    return ({} if dots & _PRINTED else spacing), names


def _from_qptiff(series: tifffile.TiffPageSeries) -> tuple[str, ...]:
    pages = [page for page in series.pages if isinstance(page, tifffile.TiffPage)]
    found = [re.search(r"<Name>(.*?)</Name>", page.description) for page in pages]
    return tuple(unescape(one[1]) if one else "" for one in found) if len(found) > 1 else ()


def _from_ome(text: str, number: int) -> tuple[Spacing, tuple[str, ...]]:
    images = tifffile.xml2dict(text)["OME"]["Image"]
    listed = images if isinstance(images, list) else [images]
    pixels = listed[min(number, len(listed) - 1)]["Pixels"]
    spacing: Spacing = {}
    for letter in "xyz":
        size = float(pixels.get(f"PhysicalSize{letter.upper()}", 0) or 0)
        unit = str(pixels.get(f"PhysicalSize{letter.upper()}Unit", "µm"))
        if size > 0:
            spacing[letter] = (size, _UNITS.get(unit, "pixel"))
    if float(pixels.get("TimeIncrement", 0) or 0) > 0:
        spacing["t"] = (float(pixels["TimeIncrement"]), str(pixels.get("TimeIncrementUnit", "s")))
    channels = pixels.get("Channel", [])
    named = channels if isinstance(channels, list) else [channels]
    names = [str(channel.get("Name", "")) for channel in named]
    return spacing, tuple(names) if any(names) else ()


def _from_imagej(file: tifffile.TiffFile) -> Spacing:
    about = file.imagej_metadata or {}
    unit = _UNITS.get(str(about.get("unit", "")))
    spacing = _from_tags(file.pages.first, unit) if unit else {}
    if unit and (step := abs(float(about.get("spacing", 0) or 0))) > 0:  # the stage may go down
        spacing["z"] = (step, unit)
    if float(about.get("finterval", 0) or 0) > 0:
        time = _TIMES.get(str(about.get("tunit", "s")), "pixel")
        spacing["t"] = (float(about["finterval"]), time)
    return spacing


def _from_lsm(about: JsonObject) -> tuple[Spacing, tuple[str, ...]]:
    sizes = {letter: float(about.get(f"VoxelSize{letter.upper()}", 0) or 0) for letter in "xyz"}
    spacing = {letter: (size * 1e6, "um") for letter, size in sizes.items() if size > 0}
    if float(about.get("TimeIntervall", 0) or 0) > 0:
        spacing["t"] = (float(about["TimeIntervall"]), "s")
    names = about.get("ChannelColors", {}).get("ColorNames", ())
    return spacing, tuple(map(str, names))


def _from_micromanager(about: JsonObject) -> tuple[Spacing, tuple[str, ...]]:
    summary = about.get("Summary", {})
    size, step = (float(summary.get(key, 0) or 0) for key in ("PixelSize_um", "z-step_um"))
    interval = float(summary.get("Interval_ms", 0) or 0)
    spacing = {"x": (size, "um"), "y": (size, "um"), "z": (step, "um"), "t": (interval, "ms")}
    names = summary.get("ChNames", ())
    return {key: one for key, one in spacing.items() if one[0] > 0}, tuple(map(str, names))


def _from_stk(about: JsonObject) -> Spacing:
    unit = _UNITS.get(str(about.get("CalibrationUnits", "")))
    sizes = {letter: float(about.get(f"{letter.upper()}Calibration", 0) or 0) for letter in "xy"}
    return {letter: (size, unit) for letter, size in sizes.items() if size > 0 and unit}


def _from_tags(page: tifffile.TiffPage, unit: str) -> Spacing:
    tags, spacing = page.tags, {}
    for letter, tag in (("x", "XResolution"), ("y", "YResolution")):
        if tag in tags:
            count, per = tags[tag].value
            if count:
                spacing[letter] = (per / count, unit)
    return spacing
