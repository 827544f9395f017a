"""Outlines as labels: what `write` writes, and GeoJSON and COCO of other software."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...edits import ObjectRecord, ObjectTable
from ...errors import InvalidLabels
from ...values import JsonObject
from ..extras import need
from ..grid import Grid, narrowest
from ..guard import check_memory, load_json, reading
from .write import UNNAMED

LOG = logging.getLogger(__name__)
PixelNumbers = npt.NDArray[np.int64]
"""Pixels of an image, counted row by row."""
Covered = list[Any] | PixelNumbers
"""Polygons as GeoJSON has them, or pixels."""
Transform = tuple[float, float, float, float, float, float]
"""Map x is a * column + b * row + c, and map y is d * column + e * row + f."""
PIXELS: Transform = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
Read = tuple[npt.NDArray[np.integer], ObjectTable, JsonObject]
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
        document = load_json(path, OUTLINE_BYTES)
        read = _read_geojson if kind == ".geojson" else _read_coco
        return read(path, document, grid, shape)


def _read_geojson(
    path: Path, document: JsonObject, grid: Grid | None, shape: Sequence[int] | None
) -> Read:
    features = document["features"]
    about = dict(document.get("napari-seem", {}))
    on_map = grid is not None and grid.format == "geotiff"
    stated = about.pop("shape", None)
    check_stated(path, None if on_map else stated, shape if grid is None else grid.shape)
    size = _size(path, [None if grid is None else grid.shape, shape, stated])
    written = about.pop("transform", None)
    given = list(grid.native["transform"])[:6] if grid and on_map else written
    a, b, c, d, e, f = PIXELS if given is None else given

    areas = [[feature["geometry"]] for feature in features]
    rows = [_properties(feature) for feature in features]
    return *_labels(path, size, areas, rows, (a, b, c, d, e, f)), about


def _properties(feature: JsonObject) -> JsonObject:
    """Return what a feature says of its object; `id` is its own, if any."""
    properties = dict(feature.get("properties") or {})
    known = properties.get("id", feature.get("id"))
    named = properties.get("classification") or {}
    name = named.get("name") if isinstance(named, Mapping) else named
    return {**properties, "id": known, "name": properties.get("name") or name or ""}


def _read_coco(
    path: Path, document: JsonObject, grid: Grid | None, shape: Sequence[int] | None
) -> Read:
    images = document["images"]
    if len(images) > 1:
        raise InvalidLabels(
            f"'{path}' holds the outlines of {len(images)} images; save those of one image alone"
        )
    written = [images[0]["height"], images[0]["width"]] if images else None
    check_stated(path, written, shape if grid is None else grid.shape)
    size = _size(path, [None if grid is None else grid.shape, shape, written])
    names = {one["id"]: str(one["name"]) for one in document.get("categories", ())}
    annotations = document["annotations"]

    areas = [_coco_area(one["segmentation"], size) for one in annotations]
    rows = []
    for one in annotations:
        category = names.get(one.get("category_id"), UNNAMED)
        name = one.get("name", "" if category == UNNAMED else category)
        rows.append({**one, "name": name})
    about = dict(document.get("info", {}).get("napari-seem", {}))
    if images and images[0].get("file_name"):
        about.setdefault("image", str(images[0]["file_name"]))
    return *_labels(path, size, areas, rows), about


def _coco_area(
    segmentation: JsonObject | Sequence[Sequence[float]], shape: tuple[int, int]
) -> Covered:
    """Return the polygon of an annotation, or the pixels of several or of run lengths."""
    if isinstance(segmentation, dict):
        return from_run_lengths(segmentation, shape)
    if not segmentation:
        raise ValueError("an annotation has no outline, perhaps a box only")
    rings = [[*zip(ring[::2], ring[1::2], strict=True)] for ring in segmentation]
    rings = [[*ring, ring[0]] for ring in rings if len(ring) > 2]
    polygons: list[Any] = [{"type": "Polygon", "coordinates": [ring]} for ring in rings]
    if len(polygons) < 2:
        return polygons
    corners = np.concatenate([np.asarray(ring, float) for ring in rings])
    low = np.clip(np.floor(corners.min(0)) - 1, 0, shape[::-1]).astype(int)
    high = np.clip(np.ceil(corners.max(0)) + 1, low + 1, None).astype(int)
    height, width = (min(n, size) for n, size in zip((high - low)[::-1], shape, strict=True))
    inside = _rasterized(
        [(one, 1) for one in polygons], (int(height), int(width)),
        (1.0, 0.0, float(low[0]), 0.0, 1.0, float(low[1])),
    )  # fmt: skip
    rows, columns = np.nonzero(inside)
    rows, columns = rows + low[1], columns + low[0]
    there = (rows < shape[0]) & (columns < shape[1])
    return np.asarray(rows[there] * shape[1] + columns[there])


def from_run_lengths(encoded: JsonObject, shape: tuple[int, int]) -> PixelNumbers:
    """Decode COCO's run lengths, compressed or not, as the pixels of an image (H, W).

    Pixels are read column by column, and the first run is background. They are given by their
    numbers row by row, without order.
    """
    if tuple(encoded["size"]) != shape:
        raise InvalidLabels(
            f"an object is outlined in an image of shape {tuple(encoded['size'])}, not {shape}; "
            "give the shape of the image that the file was made on"
        )
    counts = encoded["counts"]
    runs = _unpacked(counts) if isinstance(counts, str) else [int(n) for n in counts]
    if sum(runs) != shape[0] * shape[1] or min(runs, default=0) < 0:
        raise ValueError(f"run lengths of {sum(runs)} pixels in an image of {shape}")
    starts, lengths = np.cumsum([0, *runs])[1:-1:2], np.array(runs[1::2], np.int64)
    at = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    columns, rows = np.divmod(at, shape[0])
    return np.asarray(rows * shape[1] + columns)


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


def check_stated(path: Path, stated: Sequence[int] | None, given: Sequence[int] | None) -> None:
    """Raise `InvalidLabels` where a file states another shape of its image than is given."""
    pairs = zip(reversed(stated or ()), reversed(given or ()), strict=False)
    if stated and given and any(one != other for one, other in pairs):
        raise InvalidLabels(
            f"'{path}' holds outlines on an image of shape {tuple(stated)}, not {tuple(given)}; "
            "give the image on which they were drawn"
        )


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


def _rasterized(
    shapes: Sequence[tuple[object, int]], shape: tuple[int, int], transform: Transform,
    added: bool = False,
) -> npt.NDArray[np.uint32]:  # fmt: skip
    """Write the value of each geometry into the pixels (H, W) whose centres lie inside of it."""
    from rasterio.enums import MergeAlg
    from rasterio.transform import Affine

    burnt = need("rasterio.features").rasterize(
        shapes, shape, transform=Affine(*transform), dtype="uint32",
        merge_alg=MergeAlg.add if added else MergeAlg.replace,
    )  # fmt: skip
    return np.asarray(burnt)


def _labels(
    path: Path, shape: tuple[int, int], areas: Sequence[Covered], rows: Sequence[JsonObject],
    transform: Transform = PIXELS,
) -> tuple[npt.NDArray[np.integer], ObjectTable]:  # fmt: skip
    """Write areas into one label array (H, W), later ones over earlier ones.

    All polygons are drawn at once, by their numbers in the file; the highest number wins.
    """
    numbers, covered = np.zeros(shape, np.uint32), np.zeros(shape, np.uint32)
    shapes = [
        (polygon, number) for number, area in enumerate(areas, 1) if isinstance(area, list)
        for polygon in area
    ]  # fmt: skip
    valid = need("rasterio.features").is_valid_geom
    for polygon, number in shapes:
        if not valid(polygon):
            raise ValueError(f"outline {number} encloses nothing")
    if shapes:
        numbers = _rasterized(shapes, shape, transform)
        covered = _rasterized([(polygon, 1) for polygon, _ in shapes], shape, transform, True)
    for number, area in enumerate(areas, 1):
        if not isinstance(area, list):
            numbers.ravel()[area] = np.maximum(numbers.ravel()[area], number)
            covered.ravel()[area] += 1
    ids = _ids([row.get("id") for row in rows])
    lost = int(covered.sum(dtype=np.int64)) - int(np.count_nonzero(covered))
    if lost:
        LOG.warning("%s: objects overlap; %d pixels went to the later ones", path, lost)
    records = {int(i): ObjectRecord.from_row(row) for i, row in zip(ids[1:], rows, strict=True)}
    return narrowest(ids[numbers]), ObjectTable(records)


def _ids(given: Sequence[object]) -> npt.NDArray[np.uint32]:
    """Return the id of every number in a file, 0 first: its own, where each has one."""
    kept = len(set(given)) == len(given) and all(
        isinstance(one, int) and 0 < one <= HIGHEST for one in given
    )
    return np.array([0, *(given if kept else range(1, len(given) + 1))], np.uint32)
