"""OME-Zarr as it comes: multiscale images and label groups (https://ngff.openmicroscopy.org)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...edits import ObjectRecord, ObjectTable
from ...errors import FileTrouble
from ...images import ArraySource
from ...values import JsonObject
from ..extras import need
from ..grid import Grid
from ..guard import load_json, reading
from ..opened import Opened, lazy

if TYPE_CHECKING:
    from zarr import Group

UNITS = {
    "micrometer": "um", "nanometer": "nm", "millimeter": "mm", "centimeter": "cm", "meter": "m",
    "angstrom": "angstrom", "kilometer": "km", "inch": "in", "picometer": "pm", "second": "s",
    "millisecond": "ms", "microsecond": "us", "nanosecond": "ns", "minute": "min", "hour": "h",
    "day": "d",
}  # fmt: skip
KINDS = {"t": "time", "c": "channel"}
NODES = (".zgroup", "zarr.json", ".zarray")
"""Files of which one lies in every folder of zarr."""
MOST_CHILDREN = 1000
"""Groups of a group that are looked at."""
NAMED = 5
"""Images of a group that a message names."""


def is_ome_zarr(path: Path) -> bool:
    """Return whether a folder is one of zarr."""
    return path.is_dir() and any((path / name).exists() for name in NODES)


def open_ome_zarr(path: Path) -> Opened:
    """Open a multiscale image, or a label group; only its description is read.

    A group that holds one image, as bioformats2raw makes it, stands for the image.

    Raises
    ------
    FileTrouble
        A zarr store that is no OME-Zarr image, one of a plate, or one of several images.
    """
    place, group = _image_at(path)
    about, version = about_of(group)
    remedy = "its description is damaged; write it again, as OME-Zarr 0.4 or 0.5"
    with reading(path, "as OME-Zarr", remedy=remedy):
        scales = about["multiscales"][0]
        axes = axes_of(scales)
        levels = _levels(path, group, scales, len(axes))
        scale, shift = transform_of(scales, 0, len(axes))
        named = [str(c.get("label", "")) for c in about.get("omero", {}).get("channels", [])]
        letters = [str(axis["name"]) for axis in axes]
        units = [UNITS.get(str(axis.get("unit", "")), "pixel") for axis in axes]
    channel = next((i for i, axis in enumerate(axes) if axis.get("type") == "channel"), None)
    kept = [i for i in range(len(axes)) if i != channel]
    grid = Grid.scaled(
        [levels[0].shape[i] for i in kept], [letters[i] for i in kept], [scale[i] for i in kept],
        [shift[i] for i in kept], [units[i] for i in kept],
        file_format="ome-zarr", native={"path": place, "version": version, "scales": scales},
    )  # fmt: skip
    facts = {"version": version}
    if (place / scales["datasets"][0]["path"]).is_dir() and _astray(
        place / scales["datasets"][0]["path"], levels[0]
    ):
        facts["warning"] = (
            "its chunks have other names than its description says, so that it is empty; the "
            "dimension separator may be wrong"
        )
    name = path.name.removesuffix(".zarr").removesuffix(".ome")
    return Opened(name, levels, grid, channel, tuple(named), facts)


def holds_labels(path: Path) -> bool:
    """Return whether a folder is a label group; its description is read.

    One without `image-label` counts as such where it lies among the labels of an image.
    """
    inside = path.parent.name == "labels" and is_ome_zarr(path.parent.parent)
    for name in (".zattrs", "zarr.json"):  # without zarr, which may be missing
        if (path / name).is_file():
            known = load_json(path / name)
            known = known.get("attributes", known)
            known = known.get("ome", known)
            return "image-label" in known or (inside and "multiscales" in known)
    return False


def read_ome_labels(path: Path) -> tuple[Opened, ObjectTable, JsonObject]:
    """Open a label group, its pixels unread; also its objects and their provenance.

    An image stands for its labels, where it has one group of them. A channel axis of length one
    is left out.

    Raises
    ------
    FileTrouble
        No OME-Zarr labels, or an image with several.
    """
    place = _labels_at(path)
    opened = open_ome_zarr(place)
    channel = opened.channel_axis
    if channel is not None and opened.data.shape[channel] == 1:
        cut = (slice(None),) * channel + (0,)
        levels = tuple(lazy(level)[cut] for level in opened.levels)
        opened = replace(opened, levels=levels, channel_axis=None)
    known = attributes(place).get("image-label") or {}
    table = ObjectTable()
    for row in known.get("properties") or ():
        label_id = row.get("label-value")
        if isinstance(label_id, (int, float)) and label_id == int(label_id) and label_id > 0:
            table[int(label_id)] = _record(row)
    about = known.get("napari-seem")
    return opened, table, _colours(known, table) if about is None else dict(about)


def attributes(path: Path) -> JsonObject:
    """Return the OME attributes of a group of either version."""
    return about_of(group_at(path))[0]


def group_at(path: Path) -> Any:
    """Open a zarr group to read; `FileTrouble` where there is none."""
    need("zarr")
    from .groups import open_group

    return open_group(path)


def about_of(group: Group) -> tuple[JsonObject, str]:
    """Return the OME attributes and their version."""
    known: JsonObject = dict(group.attrs)
    if isinstance(known.get("ome"), Mapping):
        about = dict(known["ome"])
        return about, str(about.get("version", "0.5"))
    return known, "0.4" if group.metadata.zarr_format == 2 else "0.5"


def axes_of(scales: JsonObject) -> list[JsonObject]:
    """Return axes as of 0.4; earlier files list letters, or nothing (then t, c, z, y, x)."""
    axes = scales.get("axes") or ["t", "c", "z", "y", "x"]
    listed = [axis if isinstance(axis, dict) else {"name": axis} for axis in axes]
    return [{"type": KINDS.get(str(axis["name"]).lower(), "space"), **axis} for axis in listed]


def transform_of(scales: JsonObject, level: int, count: int) -> tuple[list[float], list[float]]:
    """Return scale and translation of a level, including those of the whole image.

    Raises
    ------
    ValueError
        A transform of another type, or numbers that place nothing.
    """
    scale, shift = np.ones(count), np.zeros(count)
    own = scales["datasets"][level].get("coordinateTransformations") or []
    for step in [*own, *(scales.get("coordinateTransformations") or [])]:
        if step["type"] == "scale":
            scale, shift = scale * step["scale"], shift * step["scale"]
        elif step["type"] == "translation":
            shift = shift + step["translation"]
        elif step["type"] != "identity":
            raise ValueError(f"a transform of the type {step['type']}")
    if not (np.isfinite(shift).all() and np.isfinite(scale).all() and scale.all()):
        raise ValueError(f"the scale {scale.tolist()} and the translation {shift.tolist()}")
    return scale.tolist(), shift.tolist()


def _image_at(path: Path) -> tuple[Path, Group]:
    """Return the image that a folder is, or the only one that lies in it."""
    group = group_at(path)
    about, _ = about_of(group)
    if about.get("multiscales"):
        return path, group
    for kind, inner in (("plate", "wells"), ("well", "images")):
        if kind in about:
            first = next((str(one.get("path")) for one in about[kind].get(inner, ())), "A/1")
            field = path / first / "0" if kind == "plate" else path / first
            raise FileTrouble(f"'{path}' is a {kind}; open one of its fields, such as '{field}'")
    images = _images_in(path, group)
    if len(images) == 1:
        return path / images[0], group[images[0]]
    if images:
        raise FileTrouble(
            f"'{path}' holds the images {_listed(images)}; open one of them, such as "
            f"'{path / images[0]}'"
        )
    raise FileTrouble(f"'{path}' is no OME-Zarr image: nothing in it says where its pixels lie")


def _labels_at(path: Path) -> Path:
    """Return the label group that a folder is, or the only one that an image has."""
    if not is_ome_zarr(path):
        return path
    about = attributes(path)
    if "image-label" in about:
        return path
    home = path if path.name == "labels" and "multiscales" not in about else path / "labels"
    if not is_ome_zarr(home):
        return path
    group = group_at(home)
    listed = [str(name) for name in about_of(group)[0].get("labels") or () if str(name) in group]
    names = list(dict.fromkeys([*listed, *_images_in(home, group)]))
    if len(names) > 1:
        raise FileTrouble(
            f"'{path}' holds the labels {_listed(names)}; open one of them, such as "
            f"'{home / names[0]}'"
        )
    return home / names[0] if names else path


def _images_in(path: Path, group: Group) -> list[str]:
    """Return the names of the groups that are multiscale images, in order."""
    names = sorted(one.name for one in islice(os.scandir(path), MOST_CHILDREN) if one.is_dir())
    inner = [name for name in names if is_ome_zarr(path / name)]
    groups: dict[str, Any] = {name: group[name] for name in inner}
    return [
        name for name, one in groups.items()
        if hasattr(one, "group_keys") and "multiscales" in about_of(one)[0]
    ]  # fmt: skip


def _levels(path: Path, group: Group, scales: JsonObject, count: int) -> tuple[ArraySource, ...]:
    """Return the arrays of an image, the full-size one first, unread."""
    from .groups import open_level

    levels = tuple(open_level(group, path, str(entry["path"])) for entry in scales["datasets"])
    for level in levels:
        if len(level.shape) != count:
            raise ValueError(f"a level of shape {level.shape} for {count} axes")
        if np.dtype(level.dtype).kind not in "buif":
            raise ValueError(f"pixels of the type {level.dtype}")
    if not levels:
        raise ValueError("no level")
    return levels


def _astray(folder: Path, array: Any) -> bool:
    """Return whether the chunks of an array of zarr 2 lie there under names of another style."""
    separator = getattr(array.metadata, "dimension_separator", None)
    if separator is None or array.ndim < 2:
        return False
    with os.scandir(folder) as entries:
        some = list(islice((one.name for one in entries if one.name[0] != "."), NAMED))
    dots = 0 if separator == "/" else array.ndim - 1
    return bool(some) and all(name.count(".") != dots for name in some)


def _record(row: JsonObject) -> ObjectRecord:
    """Return what a row says of its object; values of other kinds than ours are left out."""
    known = {"concept": row["class"], **row} if isinstance(row.get("class"), str) else dict(row)
    for key in list(known):
        try:
            ObjectRecord.from_row({key: known[key]})
        except (ValueError, TypeError):
            del known[key]
    return ObjectRecord.from_row(known)


def _colours(known: JsonObject, table: ObjectTable) -> JsonObject:
    """Return the colours of classes, each that of the first of its objects."""
    colours: dict[str, str] = {}
    for one in known.get("colors") or ():
        name = table[one["label-value"]].class_name if one.get("label-value") in table else ""
        rgba = one.get("rgba") or ()
        if name and len(rgba) >= 3 and all(isinstance(n, int) and 0 <= n < 256 for n in rgba[:3]):
            colours.setdefault(name, "#" + "".join(f"{n:02x}" for n in rgba[:3]))
    return {"by_class": True, "colours": colours} if colours else {}


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
