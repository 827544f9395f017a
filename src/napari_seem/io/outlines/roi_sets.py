"""Labels as ImageJ ROI sets: an outline per object and plane, by the package roifile."""

from __future__ import annotations

import json
import logging
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt

from ...edits import ObjectRecord, ObjectTable
from ...errors import InvalidLabels
from ...values import JsonObject
from ..extras import need
from ..grid import Grid, ids_in, narrowest
from ..guard import check_memory, member, members, read_bytes, reading
from ..table import class_colour, plain_row, table_of
from .read import check_stated
from .write import Ring, outlines

if TYPE_CHECKING:
    from roifile import ImagejRoi

LOG = logging.getLogger(__name__)
ROW, ABOUT = "napari-seem", "napari-seem-labels"
"""Properties of a ROI: its object's row of the table and, of the first one, the provenance."""
PLAIN = '{}[]:," '
"""Signs of JSON that a property may hold; ImageJ takes away backslashes, others are percent-coded.
"""
SHORT = 1 << 15
"""Coordinates from here on are written as a composite outline, whose numbers are floats."""
MOVE, LINE, CLOSE = 0.0, 1.0, 4.0
AREAS = ("POLYGON", "RECT", "OVAL", "FREEHAND", "TRACED")
"""Kinds of ROI that enclose pixels; lines, points and texts do not."""
ROI_BYTES = 1 << 26
"""Largest ROI that is read."""
Plane = tuple[int, ...]


def write_roi_set(
    path: Path, labels: npt.NDArray[np.integer], table: ObjectTable, about: Mapping[str, object]
) -> None:
    """Write an exact outline per object and plane, with its name and the colour of its class.

    Parameters
    ----------
    path : Path
    labels : integer array (y, x), (z, y, x) or (t, z, y, x)
        Planes are numbered by the ROIs' positions.
    table : ObjectTable
        Each row is a property of its object's ROIs, which ImageJ keeps.
    about : mapping
        Provenance of the labels; plain values.

    Raises
    ------
    InvalidLabels
        Nothing is labelled, or there are more than four axes.
    """
    if labels.ndim > 4:
        raise InvalidLabels("ImageJ has no ROIs of more than four axes; write OME-Zarr")
    notes = _coded({**about, "shape": list(labels.shape), "objects": _unseen(labels, table)})
    first = f"{ABOUT}: {notes}\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for plane in np.ndindex(labels.shape[:-2]):
            for label_id, polygons in outlines(labels[plane]).items():
                roi = _roi(label_id, polygons, table[label_id], about)
                _place(roi, plane, labels.shape)
                roi.props, first = roi.props + first, ""
                number = "-".join(f"{n:04d}" for n in (label_id, *(i + 1 for i in plane)))
                name = re.sub(r"[^\w .-]+", "_", f"{number} {table[label_id].name}".strip())
                file.writestr(f"{name[:80]}.roi", roi.tobytes())
        if first:
            raise InvalidLabels("there is no object to write; a ROI set can't be empty")


def read_roi_set(
    path: Path, grid: Grid | None, shape: Sequence[int] | None
) -> tuple[npt.NDArray[np.integer], ObjectTable, JsonObject]:
    """Read a ROI set (.zip) or one ROI (.roi) as labels of the narrowest type, and their objects.

    A pixel belongs to an object if its centre lies inside. ROIs that this program did not write
    are numbered in the order of the file; one without a position lies on every plane.

    Parameters
    ----------
    path : Path
    grid : Grid or None
        Of the image.
    shape : tuple of int or None
        Of the image.

    Raises
    ------
    FileTrouble
        A damaged file.
    InvalidLabels
        Nobody says how large the image is.
    """
    with reading(path, "as ROIs of ImageJ"):
        rois = _areas(path)
        about = next((found for roi in rois if (found := _property(roi, ABOUT))), {})
        table = table_of(about.pop("objects", []))
        written = about.pop("shape", None)
        size = shape if grid is None else grid.shape
        check_stated(path, written, size)
        size = size or written
        check_memory(path, 4 * prod(size or ()))
    if size is None:
        raise InvalidLabels(
            f"'{path}' does not say how large the image is; open the image first, or give its "
            "shape, as read_labels(path, shape=image.shape)"
        )
    labels = np.zeros(tuple(size), np.uint32)
    drawn: dict[Plane, list[tuple[Any, int]]] = {}
    for label_id, record, roi in _numbered(rois):
        if label_id not in table:
            table[label_id] = record
        area = {"type": "Polygon", "coordinates": _rings(roi)}
        for plane in _planes(roi, labels.shape) if area["coordinates"] else ():
            drawn.setdefault(plane, []).append((area, label_id))
    rasterize = need("rasterio.features").rasterize
    for plane, shapes in drawn.items():
        labels[plane] = rasterize(shapes, labels.shape[-2:], dtype="uint32")
    return narrowest(labels), table, about


def _roi(
    label_id: int, polygons: list[list[Ring]], record: ObjectRecord, about: Mapping[str, object]
) -> ImagejRoi:
    """Return the outline of an object; a composite one where it has holes or several parts."""
    from roifile import ROI_TYPE, ImagejRoi

    rings = [np.asarray(ring[:-1]) for polygon in polygons for ring in polygon]
    corners = np.concatenate(rings)
    low, high = corners.min(0).astype(int), corners.max(0).astype(int)
    roi = ImagejRoi(
        left=int(low[0]), top=int(low[1]), right=int(high[0]), bottom=int(high[1]),
    )  # fmt: skip
    name = record.name or f"object {label_id}"
    roi.name = "".join(letter for letter in name if ord(letter) < 1 << 16)  # as roifile counts
    roi.props = f"{ROW}: {_coded(plain_row(label_id, record))}\n"
    if len(rings) == 1 and high.max() < SHORT:
        roi.roitype = ROI_TYPE.TRACED
        roi.integer_coordinates = (corners - low).astype(np.int32)
        roi.n_coordinates = len(corners)
    else:
        roi.roitype = ROI_TYPE.RECT
        steps: list[float] = []
        for ring in rings:
            for number, (x, y) in enumerate(ring):
                steps += [LINE if number else MOVE, x, y]
            steps.append(CLOSE)
        roi.multi_coordinates = np.array(steps, np.float32)
        roi.shape_roi_size = len(steps)
    colour = class_colour(record, about)
    if colour is not None:
        roi.stroke_color = bytes([255, *colour])
    return roi


def _place(roi: ImagejRoi, plane: Plane, shape: Sequence[int]) -> None:
    """Number the plane (z) or (t, z) of a ROI as ImageJ does, from 1."""
    if plane:
        roi.position = int(np.ravel_multi_index(plane, tuple(shape[:-2]))) + 1
        roi.z_position = plane[-1] + 1
        roi.t_position = plane[0] + 1 if len(plane) > 1 else 0


def _planes(roi: ImagejRoi, shape: Sequence[int]) -> Iterator[Plane]:
    """Yield the planes that a ROI lies on: one, or all where it names none."""
    lead = tuple(shape[:-2])
    if len(lead) == 2 and roi.z_position and roi.t_position:
        place = (roi.t_position - 1, roi.z_position - 1)
        yield from [place] if all(i < n for i, n in zip(place, lead, strict=True)) else []
        return
    number = roi.position or roi.z_position
    if not lead or not number:
        yield from np.ndindex(lead)
    elif number <= prod(lead):
        yield tuple(int(i) for i in np.unravel_index(number - 1, lead))


def _areas(path: Path) -> list[ImagejRoi]:
    """Return the ROIs of a file that enclose pixels."""
    from roifile import ROI_SUBTYPE, ImagejRoi

    if path.suffix.lower() == ".roi":
        found = [(path.stem, read_bytes(path, ROI_BYTES))]
    else:
        with zipfile.ZipFile(path) as file:
            names = [name for name in members(path, file) if name.lower().endswith(".roi")]
            found = [(name[:-4], member(file, name, ROI_BYTES)) for name in names]
    rois = []
    for name, content in found:
        roi = ImagejRoi.frombytes(content)
        roi.name = roi.name or name
        pictures = roi.subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE)
        if roi.roitype.name in AREAS and not pictures:
            rois.append(roi)
    if len(rois) < len(found):
        LOG.warning("%s: %d ROIs enclose no pixels and are left out", path, len(found) - len(rois))
    return rois


def _numbered(rois: Sequence[ImagejRoi]) -> Iterator[tuple[int, ObjectRecord, ImagejRoi]]:
    """Yield every ROI with its object's id and row; those of other software get free ids."""
    rows = [_property(roi, ROW) for roi in rois]
    free = max((int(row["index"]) for row in rows if row), default=0)
    for roi, row in zip(rois, rows, strict=True):
        if row:
            yield int(row["index"]), ObjectRecord.from_row(row), roi
        else:
            free += 1
            yield free, ObjectRecord(roi.name), roi


def _unseen(labels: npt.NDArray[np.integer], table: ObjectTable) -> list[dict[str, object]]:
    """Return the rows of objects that have no pixel in labels of any shape, and so no ROI."""
    there = ids_in(labels)
    return [plain_row(i, record) for i, record in table.items() if i not in there]


def _coded(values: Mapping[str, object]) -> str:
    """Return plain values as a property of a ROI."""
    return quote(json.dumps(values, default=str), safe=PLAIN)


def _property(roi: ImagejRoi, wanted: str) -> JsonObject:
    """Return what `_coded` made of plain values; empty where a ROI of other software has none."""
    for line in roi.props.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == wanted:
            try:
                return dict(json.loads(unquote(value)))
            except (ValueError, TypeError):  # somebody wrote something else there
                return {}
    return {}


def _rings(roi: ImagejRoi) -> list[list[tuple[float, float]]]:
    """Return the closed rings of a ROI, in pixels (column, row); even-odd encloses its pixels."""
    rings = [np.asarray(ring, float) for ring in roi.coordinates(multi=True)]
    closed = [np.concatenate([ring, ring[:1]]) for ring in rings if len(ring) > 2]
    return [[(float(x), float(y)) for x, y in ring] for ring in closed]
