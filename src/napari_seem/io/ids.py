"""Ids out of what labels of other programs hold: whole floats, yes and no, palettes, colours."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..edits import ObjectRecord, ObjectTable
from ..errors import FileTrouble, InvalidLabels
from ..images import ArraySource
from .grid import HIGHEST, Grid, narrowest
from .guard import reading
from .opened import Opened, OpenedLabels, lazy

LOG = logging.getLogger(__name__)
NEAR = 1e-3
"""Floats no further than this from a whole number are taken for it."""
MOST_COLOURS = 4096
"""A picture of more colours is a photograph, or its colours were blurred by JPEG."""
Ids = npt.NDArray[np.integer]


def as_labels(path: Path, opened: Opened, name: str) -> OpenedLabels:
    """Take an image for labels: integers as they are, other whole numbers, or colours.

    Each colour becomes an id, numbered in the order of red, green and blue, and a class of that
    colour; black and transparent pixels, and nodata of a map, are background. Grey pictures hold
    their ids themselves.

    Parameters
    ----------
    path : Path
        For messages.
    opened : Opened
    name : str

    Raises
    ------
    InvalidLabels
        Pixels that are fractions, negative or not finite; more than `MOST_COLOURS` colours, or
        channels that are no colours.
    """
    if nodata := opened.about.get("nodata"):
        opened = replace(opened, levels=(_without(opened.data, float(nodata)),))
    count = 1 if opened.channel_axis is None else opened.data.shape[opened.channel_axis]
    if count == 1:
        data, note = as_ids(path, _alone(opened))
        return OpenedLabels(name, data, ObjectTable(), opened.grid, note=note)
    if count > 4 or np.dtype(opened.data.dtype) not in (np.uint8, np.uint16):
        raise InvalidLabels(
            f"'{path}' is an image with channels, of shape {tuple(opened.data.shape)}, and holds "
            "no labels; give a file with one integer a pixel"
        )
    channel = -1 if opened.channel_axis is None else opened.channel_axis
    values = np.moveaxis(np.asarray(opened.data), channel, -1)
    ids, colours = _of_colours(path, values)
    note = "its grey values are the ids"
    if colours:
        rest = "black" if not ids.all() else "no colour"
        note = f"each of its {len(colours)} colours is an id, and {rest} is background"
    LOG.warning("%s: %s", path, note)
    return _coloured(OpenedLabels(name, ids, ObjectTable(), opened.grid, note=note), colours)


def as_ids(path: Path, data: ArraySource) -> tuple[ArraySource, str]:
    """Return pixels (..., H, W) as ids, and what is to be said of it; raises as `as_labels`."""
    kind = np.dtype(data.dtype)
    if kind.kind == "b":
        array: Any = data if isinstance(data, np.ndarray) else lazy(data)
        return array.astype(np.uint8), ""
    if kind.kind == "f":
        return _whole(path, data)
    if kind.kind == "i" and isinstance(data, np.ndarray) and data.min(initial=0) < 0:
        raise InvalidLabels(
            f"'{path}' holds negative numbers such as {data.min()}, and ids are numbered from 1; "
            "set those pixels to 0"
        )
    return data, ""


def open_palette(path: Path) -> OpenedLabels | None:
    """Open a picture with a palette, whose numbers are the ids; None for files of other kinds.

    Pascal VOC and DAVIS hold their labels so. Objects are of the class of their colour, unless two
    have the same.
    """
    from PIL import Image

    ids = None
    # whoever opens it will say what is wrong
    with suppress(FileTrouble), reading(path), Image.open(path) as picture:
        frames = getattr(picture, "n_frames", 1)
        if picture.mode == "P" and picture.format != "TIFF" and frames == 1:
            ids, palette = np.asarray(picture), np.asarray(picture.getpalette("RGB"), np.uint8)
    if ids is None:
        return None
    shades = palette.reshape(-1, 3)
    colours = {int(i): _hex(shades[i]) for i in np.unique(ids) if 0 < i < len(shades)}
    if len(set(colours.values())) < len(colours):
        colours = {}
    note = "the numbers of its palette are the ids"
    opened = OpenedLabels(path.stem, ids, ObjectTable(), Grid.plain(ids.shape), note=note)
    return _coloured(opened, colours)


def _without(data: ArraySource, nodata: float) -> ArraySource:
    """Return pixels (..., H, W) of a map with background where it has no data."""
    array: Any = data if isinstance(data, np.ndarray) else lazy(data)
    absent = np.isnan(array) if np.isnan(nodata) else array == nodata
    found: ArraySource = np.where(absent, array.dtype.type(0), array)
    return found


def _alone(opened: Opened) -> ArraySource:
    """Return the array of an image without its axis of one channel."""
    if opened.channel_axis is None:
        return opened.data
    array: Any = opened.data if isinstance(opened.data, np.ndarray) else lazy(opened.data)
    return array[(slice(None),) * opened.channel_axis + (0,)]  # type: ignore[no-any-return]


def _whole(path: Path, data: ArraySource) -> tuple[Ids, str]:
    """Round floats (..., H, W) that are next to whole numbers, plane by plane."""
    ids = np.zeros(data.shape, np.uint32)
    furthest = 0.0
    for number in range(data.shape[0]):
        values = np.asarray(data[number])
        near = np.rint(values)
        with np.errstate(invalid="ignore"):  # infinity less infinity
            wrong = ~(np.abs(values - near) <= NEAR) | (near < 0) | (near > HIGHEST)
        if wrong.any():
            raise InvalidLabels(
                f"'{path}' holds {values[wrong].ravel()[0]:g}, which is no id; ids are whole "
                f"numbers from 0 to {HIGHEST}: threshold a map of probabilities first"
            )
        furthest = max(furthest, float(np.abs(values - near).max(initial=0)))
        ids[number] = near
    note = "" if not furthest else f"its numbers were rounded by up to {furthest:.1g} to be ids"
    if note:
        LOG.warning("%s: %s", path, note)
    return narrowest(ids), note


def _of_colours(path: Path, values: npt.NDArray[np.unsignedinteger]) -> tuple[Ids, dict[int, str]]:
    """Number the colours of pixels (..., H, W, C), C from 2 to 4; grey ones hold the ids."""
    alpha = values.shape[-1] in (2, 4)
    seen = values[..., -1] > 0 if alpha else np.ones(values.shape[:-1], bool)
    shades = values[..., : values.shape[-1] - alpha]
    if all(np.array_equal(shades[..., 0], shades[..., k]) for k in range(1, shades.shape[-1])):
        return np.where(seen, shades[..., 0], 0).astype(values.dtype), {}
    codes = np.zeros(seen.shape, np.int64)
    for channel in range(3):
        codes = codes << 16 | shades[..., channel]
    codes[~seen] = 0
    known, ids = np.unique(codes, return_inverse=True)
    if len(known) > MOST_COLOURS:
        raise InvalidLabels(
            f"'{path}' holds {len(known)} colours and no labels, as a photograph does or a picture "
            "saved as JPEG; give a file with one integer a pixel, or one colour an object"
        )
    first = 0 if known[0] == 0 else 1
    scale = 257 if values.dtype == np.uint16 else 1
    colours = {
        number + first: _hex(np.array([code >> 32, code >> 16 & 0xFFFF, code & 0xFFFF]) // scale)
        for number, code in enumerate(known.tolist()) if code
    }  # fmt: skip
    return narrowest(ids.reshape(codes.shape) + first), colours


def _coloured(opened: OpenedLabels, colours: Mapping[int, str]) -> OpenedLabels:
    """Put the objects into classes of their colours."""
    if not colours:
        return opened
    table = ObjectTable({i: ObjectRecord(concept=colour) for i, colour in colours.items()})
    about = {"by_class": True, "colours": {colour: colour for colour in colours.values()}}
    return replace(opened, table=table, about=about)


def _hex(colour: npt.NDArray[np.generic]) -> str:
    """Write a colour (3,), of red, green and blue up to 255, as "#rrggbb"."""
    return "#" + "".join(f"{int(part):02x}" for part in colour)
