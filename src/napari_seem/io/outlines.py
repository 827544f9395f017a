"""Labels as outlines: GeoJSON in map coordinates, COCO in pixels; holes stay holes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..edits import ObjectRecord, ObjectTable
from ..errors import InvalidLabels
from .extras import need
from .geotiff import map_coordinates
from .grid import Grid
from .table import class_colour, plain_row

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
    if labels.ndim != 2:
        raise InvalidLabels(
            f"labels of {labels.ndim} axes have no outlines; write one plane of them, or another "
            "format"
        )
    features = need("rasterio.features")
    ids, number = np.unique(labels, return_inverse=True)  # GDAL reads 32 bits at most
    values = number.reshape(labels.shape).astype(np.int32)
    found: dict[int, list[list[Ring]]] = {}
    for shape, value in features.shapes(values, mask=labels > 0, connectivity=4):
        found.setdefault(int(ids[int(value)]), []).append(shape["coordinates"])
    return dict(sorted(found.items()))


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
    ids, sizes = np.unique(labels, return_counts=True)
    counts = dict(zip(ids.tolist(), sizes.tolist(), strict=True))
    features = []
    for label_id, polygons in outlines(labels).items():
        rings = [
            [[place(row, column) for column, row in ring] for ring in polygon]
            for polygon in polygons
        ]
        single = len(rings) == 1
        kind = "Polygon" if single else "MultiPolygon"
        properties = {**plain_row(label_id, table[label_id]), "area": counts[label_id] * square}
        properties["id"] = properties.pop("index")
        if table[label_id].class_name:
            properties["classification"] = _classification(table[label_id], about)
        features.append({
            "type": "Feature", "id": label_id, "properties": properties,
            "geometry": {"type": kind, "coordinates": rings[0] if single else rings},
        })  # fmt: skip
    document: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    document["napari-seem"] = {**about, "shape": list(labels.shape)}
    if grid.format == "geotiff":
        document["napari-seem"]["transform"] = list(grid.native["transform"])[:6]
    if grid.format == "geotiff" and grid.native["crs"] is not None:
        document["crs"] = {"type": "name", "properties": {"name": _crs_name(grid.native["crs"])}}
    path.write_text(json.dumps(document) + "\n")


def write_coco(
    path: Path, labels: npt.NDArray[np.integer], table: ObjectTable, about: Mapping[str, object]
) -> None:
    """Write COCO annotations of `labels` (H, W): polygons, or run lengths for objects with holes.

    COCO joins all polygons of an object, so that polygons can't express a hole. Categories are the
    classes; the table's other entries of an object stand in its annotation.
    """
    names = sorted({record.class_name or UNNAMED for _, record in table.items()} | {UNNAMED})
    category = {name: number for number, name in enumerate(names, 1)}
    height, width = labels.shape
    annotations = []
    for label_id, polygons in outlines(labels).items():
        record = table[label_id]
        mask = labels == label_id
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        y0, x0, y1, x1 = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
        holes = any(len(polygon) > 1 for polygon in polygons)
        shape = [[float(v) for corner in p[0][:-1] for v in corner] for p in polygons]
        one = {
            "id": label_id, "image_id": 1, "category_id": category[record.class_name or UNNAMED],
            "iscrowd": 0, "area": int(mask.sum()),
            "bbox": [int(x0), int(y0), int(x1 - x0), int(y1 - y0)],
            "segmentation": run_lengths(mask) if holes else shape,
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
    path.write_text(json.dumps(document) + "\n")


def run_lengths(mask: npt.NDArray[np.bool_]) -> dict[str, object]:
    """Encode a mask (H, W) as COCO's uncompressed run lengths.

    Pixels are read column by column, and the first run is background.
    """
    flat = mask.ravel(order="F")
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], ends, [flat.size]])).tolist()
    return {"counts": [0, *counts] if flat[:1].any() else counts, "size": list(mask.shape)}


def _classification(record: ObjectRecord, about: Mapping[str, object]) -> dict[str, object]:
    colour = class_colour(record, about)
    return {"name": record.class_name} | ({"color": list(colour)} if colour else {})


def _crs_name(crs: CRS) -> str:
    code = crs.to_epsg()
    return f"urn:ogc:def:crs:EPSG::{code}" if code else str(crs.to_wkt())
