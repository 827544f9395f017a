"""Labels as outlines: GeoJSON in map coordinates, COCO in pixels; holes stay holes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects

from ...edits import ObjectRecord, ObjectTable
from ...errors import InvalidLabels
from ...values import JsonObject
from ..extras import need
from ..geotiff import map_coordinates
from ..grid import STEP, Grid, ids_in
from ..table import class_colour, plain_row

if TYPE_CHECKING:
    from rasterio.crs import CRS

UNNAMED = "object"
"""The category of objects without a class."""
Ring = list[tuple[float, float]]
"""Corners of pixels as (column, row), closed."""


def outlines(labels: npt.NDArray[np.integer]) -> dict[int, list[list[Ring]]]:
    """Trace the exact outlines of every object, along pixel edges.

    Parameters
    ----------
    labels : integer array (H, W)

    Returns
    -------
    dict
        Id -> polygons; each is a list of rings, the outer one first, then its holes.
    """
    _check_plane(labels)
    ids, numbers = numbered(labels)
    found = _outlines(numbers)
    return {int(ids[number]): found[number] for number in sorted(found)}


def numbered(
    labels: npt.NDArray[np.integer],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Number the objects of labels without gaps, as GDAL reads 32 bits at most.

    Parameters
    ----------
    labels : integer array of any shape (...)

    Returns
    -------
    ids : int64 array (objects + 1,)
        The id of every number, sorted; 0 first.
    numbers : int32 array (...)
    """
    ids = np.array([0, *sorted(ids_in(labels))], np.int64)
    if ids[-1] < STEP:
        table = np.zeros(ids[-1] + 1, np.int32)
        table[ids] = np.arange(len(ids))
        return ids, table[labels]
    return ids, np.searchsorted(ids, labels).astype(np.int32)


def _outlines(numbers: npt.NDArray[np.int32]) -> dict[int, list[list[Ring]]]:
    """Trace the polygons of every number (H, W) but 0."""
    features = need("rasterio.features")
    found: dict[int, list[list[Ring]]] = {}
    for shape, number in features.shapes(numbers, mask=numbers > 0, connectivity=4):
        found.setdefault(int(number), []).append(shape["coordinates"])
    return found


def write_geojson(
    path: Path,
    labels: npt.NDArray[np.integer],
    grid: Grid,
    table: ObjectTable,
    about: Mapping[str, object],
) -> None:
    """Write a feature per object of `labels` (H, W), in the coordinates of the image's map.

    The coordinate system is named as GDAL and QGIS read it (`crs`); RFC 7946 itself has WGS 84
    only. Coordinates of an image on no map are pixels (column, row), as QuPath reads them.
    Properties hold the table's entries of the object, its area in squared map units, and its class
    as QuPath reads it (`classification`).
    """
    place = map_coordinates(grid)
    square = abs(float(np.linalg.det(grid.matrix[:2, :2]))) if grid.format == "geotiff" else 1.0
    _check_plane(labels)
    ids, numbers = numbered(labels)
    counts, found = np.bincount(numbers.ravel()), _outlines(numbers)
    features = []
    for number in sorted(found):
        label_id, polygons = int(ids[number]), found[number]
        rings = [
            [[place(row, column) for column, row in ring] for ring in polygon]
            for polygon in polygons
        ]
        single = len(rings) == 1
        kind = "Polygon" if single else "MultiPolygon"
        properties = {**plain_row(label_id, table[label_id]), "area": int(counts[number]) * square}
        properties["id"] = properties.pop("index")
        if table[label_id].class_name:
            properties["classification"] = _classification(table[label_id], about)
        features.append({
            "type": "Feature", "id": label_id, "properties": properties,
            "geometry": {"type": kind, "coordinates": rings[0] if single else rings},
        })  # fmt: skip
    document: JsonObject = {"type": "FeatureCollection", "features": features}
    document["napari-seem"] = {**about, "shape": list(labels.shape)}
    if grid.format == "geotiff":
        document["napari-seem"]["transform"] = list(grid.native["transform"])[:6]
    if grid.format == "geotiff" and grid.native["crs"] is not None:
        document["crs"] = {"type": "name", "properties": {"name": _crs_name(grid.native["crs"])}}
    path.write_text(json.dumps(document) + "\n", encoding="utf-8")


def write_coco(
    path: Path, labels: npt.NDArray[np.integer], table: ObjectTable, about: Mapping[str, object]
) -> None:
    """Write COCO annotations of `labels` (H, W): polygons, or run lengths for objects with holes.

    COCO joins all polygons of an object, so that polygons can't express a hole. Categories are the
    classes; the table's other entries of an object stand in its annotation.
    """
    _check_plane(labels)
    names = sorted({record.class_name or UNNAMED for _, record in table.items()} | {UNNAMED})
    category = {name: number for number, name in enumerate(names, 1)}
    height, width = labels.shape
    ids, numbers = numbered(labels)
    counts, boxes, found = np.bincount(numbers.ravel()), find_objects(numbers), _outlines(numbers)
    annotations = []
    for number in sorted(found):
        label_id, polygons, box = int(ids[number]), found[number], boxes[number - 1]
        record = table[label_id]
        (y0, y1), (x0, x1) = ((part.start, part.stop) for part in box)
        holes = any(len(polygon) > 1 for polygon in polygons)
        one = {
            "id": label_id, "image_id": 1, "category_id": category[record.class_name or UNNAMED],
            "iscrowd": 0, "area": int(counts[number]), "bbox": [x0, y0, x1 - x0, y1 - y0],
            "segmentation": run_lengths(numbers[box] == number, (y0, x0), (height, width))
            if holes else [[float(v) for corner in p[0][:-1] for v in corner] for p in polygons],
        }  # fmt: skip
        annotations.append(one | {k: v for k, v in plain_row(label_id, record).items()
                                  if k != "index"})  # fmt: skip
    document = {
        "info": {"description": "labels of napari-seem", "napari-seem": dict(about)},
        "images": [{"id": 1, "file_name": str(about.get("image", "")), "width": width,
                    "height": height}],
        "categories": [{"id": number, "name": name} for name, number in category.items()],
        "annotations": annotations,
    }  # fmt: skip
    path.write_text(json.dumps(document) + "\n", encoding="utf-8")


def run_lengths(
    mask: npt.NDArray[np.bool_], corner: tuple[int, int] = (0, 0),
    shape: tuple[int, int] | None = None,
) -> dict[str, object]:  # fmt: skip
    """Encode a mask as COCO's uncompressed run lengths.

    Pixels are read column by column, and the first run is background.

    Parameters
    ----------
    mask : bool array (h, w)
    corner : (y0, x0)
        Of the mask in the image.
    shape : (H, W), optional
        Of the image; by default that of the mask.
    """
    height, width = shape or mask.shape
    columns, rows = np.nonzero(mask.T)
    at = (columns + corner[1]) * height + rows + corner[0]
    breaks = np.flatnonzero(np.diff(at) > 1)
    ends = np.concatenate([at[:1], np.stack([at[breaks] + 1, at[breaks + 1]], 1).ravel(),
                           at[-1:] + 1])  # fmt: skip
    counts = np.diff(ends, prepend=0, append=height * width).tolist()
    if len(counts) > 1 and not counts[-1]:
        del counts[-1]
    return {"counts": counts, "size": [height, width]}


def _check_plane(labels: npt.NDArray[np.integer]) -> None:
    """Raise `InvalidLabels` unless labels are one plane (H, W)."""
    if labels.ndim != 2:
        raise InvalidLabels(
            f"labels of {labels.ndim} axes have no outlines; write one plane of them, or another "
            "format"
        )


def _classification(record: ObjectRecord, about: Mapping[str, object]) -> dict[str, object]:
    colour = class_colour(record, about)
    return {"name": record.class_name} | ({"color": list(colour)} if colour else {})


def _crs_name(crs: CRS) -> str:
    code = crs.to_epsg()
    return f"urn:ogc:def:crs:EPSG::{code}" if code else str(crs.to_wkt())
