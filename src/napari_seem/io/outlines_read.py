"""Outlines as labels: what `outlines` writes, and GeoJSON and COCO of other software."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..edits import ObjectRecord, ObjectTable
from ..errors import InvalidLabels
from .extras import need
from .grid import Grid, narrowest
from .guard import check_memory, read_text, reading
from .outlines import UNNAMED

LOG = logging.getLogger(__name__)
BoolArray = npt.NDArray[np.bool_]
Transform = tuple[float, float, float, float, float, float]
"""Map x is a * column + b * row + c, and map y is d * column + e * row + f."""
PIXELS: Transform = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
Read = tuple[npt.NDArray[np.integer], ObjectTable, dict[str, Any]]
OUTLINE_BYTES = 1 << 30
"""Largest file of outlines that is read."""
HIGHEST = 2**32 - 1
"""Largest id that is kept; files with others are numbered anew."""


def read_outlines(path: Path, kind: str, grid: Grid | None, shape: Sequence[int] | None) -> Read:
    """Read outlines as labels (H, W) of the narrowest type, their objects and their provenance.

    A pixel belongs to an object if its centre lies inside. Ids are kept where each is a number of
    its own; otherwise objects are numbered in the order of the file.

    Parameters
    ----------
    path : Path
    kind : str
        The ending of its format.
    grid : Grid or None
        Of the image.
    shape : (H, W) or None
        Of the image.

    Raises
    ------
    FileTrouble
        The file is damaged, or of another format.
    InvalidLabels
        The file does not say how large the image is, and nobody else does.
    """
    with reading(path, f"as outlines in the format {kind}"):
        document = json.loads(read_text(path, OUTLINE_BYTES))
        read = _read_geojson if kind == ".geojson" else _read_coco
        return read(path, document, grid, shape)


def _read_geojson(
    path: Path, document: Mapping[str, Any], grid: Grid | None, shape: Sequence[int] | None
) -> Read:
    features = document["features"]
    about = dict(document.get("napari-seem", {}))
    size = _size(path, [None if grid is None else grid.shape, shape, about.pop("shape", None)])
    on_map = grid is not None and grid.format == "geotiff"
    written = about.pop("transform", None)
    given = list(grid.native["transform"])[:6] if grid and on_map else written
    a, b, c, d, e, f = PIXELS if given is None else given

    def burn() -> Iterator[BoolArray]:
        from rasterio.transform import Affine

        for feature in features:
            geometries = [feature["geometry"]]
            yield _inside(geometries, size, Affine(a, b, c, d, e, f))

    rows = [_properties(feature) for feature in features]
    return *_labels(path, size, burn, rows), about


def _properties(feature: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a feature says of its object; `id` is its own, if any."""
    properties = dict(feature.get("properties") or {})
    known = properties.get("id", feature.get("id"))
    named = properties.get("classification") or {}
    name = named.get("name") if isinstance(named, Mapping) else named
    return {**properties, "id": known, "name": properties.get("name") or name or ""}


def _read_coco(
    path: Path, document: Mapping[str, Any], grid: Grid | None, shape: Sequence[int] | None
) -> Read:
    images = document["images"]
    if len(images) > 1:
        raise InvalidLabels(
            f"'{path}' holds the outlines of {len(images)} images; save those of one image alone"
        )
    written = [images[0]["height"], images[0]["width"]] if images else None
    size = _size(path, [None if grid is None else grid.shape, shape, written])
    names = {one["id"]: str(one["name"]) for one in document.get("categories", ())}
    annotations = document["annotations"]

    def burn() -> Iterator[BoolArray]:
        from rasterio.transform import Affine

        for one in annotations:
            segmentation = one["segmentation"]
            if isinstance(segmentation, Mapping):
                yield from_run_lengths(segmentation, size)
                continue
            polygons = [
                {"type": "Polygon", "coordinates": [[*zip(ring[::2], ring[1::2], strict=True)]]}
                for ring in segmentation
            ]
            yield _inside(polygons, size, Affine.identity())

    rows = []
    for one in annotations:
        category = names.get(one.get("category_id"), UNNAMED)
        name = one.get("name", "" if category == UNNAMED else category)
        rows.append({**one, "name": name})
    about = dict(document.get("info", {}).get("napari-seem", {}))
    if images and images[0].get("file_name"):
        about.setdefault("image", str(images[0]["file_name"]))
    return *_labels(path, size, burn, rows), about


def from_run_lengths(encoded: Mapping[str, Any], shape: tuple[int, int]) -> BoolArray:
    """Decode COCO's run lengths, compressed or not, as a mask (H, W).

    Pixels are read column by column, and the first run is background.
    """
    if tuple(encoded["size"]) != shape:
        raise InvalidLabels(
            f"an object is outlined in an image of shape {tuple(encoded['size'])}, not {shape}; "
            "give the shape of the image that the file was made on"
        )
    counts = encoded["counts"]
    runs = _unpacked(counts) if isinstance(counts, str) else list(counts)
    values = np.zeros(len(runs), bool)
    values[1::2] = True
    if sum(runs) != shape[0] * shape[1]:
        raise ValueError(f"run lengths of {sum(runs)} pixels in an image of {shape}")
    flat = np.repeat(values, runs)
    return flat.reshape(shape, order="F")


def _unpacked(text: str) -> list[int]:
    """Decode the text of compressed run lengths: 5 bits a letter, as differences, as pycocotools.

    Lin et al., COCO API, `rleFrString`.
    """
    runs: list[int] = []
    value, shift = 0, 0
    for letter in text.encode():
        bits = letter - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value, shift = 0, 0
    return runs


def _size(path: Path, known: Sequence[Sequence[int] | None]) -> tuple[int, int]:
    """Return the first known shape of the image."""
    for shape in known:
        if shape is not None:
            height, width = (int(n) for n in shape)
            check_memory(path, 4 * height * width)
            return height, width
    raise InvalidLabels(
        f"'{path}' does not say how large the image is; open the image first, or give its shape, "
        "as read_labels(path, shape=image.shape[:2])"
    )


def _inside(geometries: Sequence[Any], shape: tuple[int, int], transform: Any) -> BoolArray:
    """Return the pixels (H, W) whose centres lie inside of polygons."""
    features = need("rasterio.features")
    burnt = features.rasterize(geometries, shape, transform=transform, dtype="uint8")
    return np.asarray(burnt, bool)


def _labels(
    path: Path, shape: tuple[int, int], burn: Callable[[], Iterator[BoolArray]],
    rows: Sequence[Mapping[str, Any]],
) -> tuple[npt.NDArray[np.integer], ObjectTable]:  # fmt: skip
    """Write masks (H, W) into one label array, later ones over earlier ones."""
    labels = np.zeros(shape, np.uint32)
    given = [row.get("id") for row in rows]
    kept = len(set(given)) == len(given) and all(
        isinstance(one, int) and 0 < one <= HIGHEST for one in given
    )
    records, lost = {}, 0
    for number, (mask, row) in enumerate(zip(burn(), rows, strict=True), 1):
        label_id = int(row["id"]) if kept else number
        lost += int(np.count_nonzero(labels[mask]))
        labels[mask] = label_id
        records[label_id] = ObjectRecord.from_row(row)
    if lost:
        LOG.warning("%s: objects overlap; %d pixels went to the later ones", path, lost)
    return narrowest(labels), ObjectTable(records)
