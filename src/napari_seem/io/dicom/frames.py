"""Frames of DICOM images: where each lies, of single-frame and of multi-frame files alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import FileTrouble
from ..extras import need
from ..grid import FloatArray
from .headers import damaged, number, numbers, text

if TYPE_CHECKING:
    from pydicom import Dataset

MOST = 1 << 20
"""Frames of a file; more are a damaged header's."""
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_REPEATS = (
    "TemporalPositionIdentifier", "AcquisitionNumber", "EchoNumbers", "TriggerTime",
    "DiffusionBValue",
)  # fmt: skip
"""Elements by which slices of one place differ, where the frames of a file don't say it."""


@dataclass(frozen=True, eq=False)
class DicomFrame:
    """A frame of a DICOM image.

    Attributes
    ----------
    header : Dataset
        Of its file, without pixels.
    index : int
        In its file, from 0.
    position, orientation : float array (3,) and (6,), or None
        Of the middle of the first pixel, and of rows and columns, in millimetres of the patient.
    spacing : (float, float) or None
        Of rows and of columns, in millimetres.
    thickness : float or None
        Distance of slices, in millimetres, as the file says.
    scale : (float, float)
        Factor and offset of stored values.
    stack : str
        Identifier of the stack that it belongs to.
    repeat : tuple of float
        Order among the frames of one place.
    time : float or None
        Seconds since any moment.
    """

    header: Dataset
    index: int
    position: FloatArray | None
    orientation: FloatArray | None
    spacing: tuple[float, float] | None
    thickness: float | None
    scale: tuple[float, float]
    stack: str = ""
    repeat: tuple[float, ...] = ()
    time: float | None = None

    @property
    def file(self) -> Path:
        """The file that it is in."""
        return Path(str(self.header.filename))

    @property
    def absent(self) -> str:
        """The first element that is needed to know its place in the body; "" for none."""
        known = {
            "ImagePositionPatient": self.position, "ImageOrientationPatient": self.orientation,
            "PixelSpacing": self.spacing,
        }  # fmt: skip
        return next((key for key, value in known.items() if value is None), "")


def frames_of(header: Dataset) -> list[DicomFrame]:
    """Return the frames of an image in the order of its file.

    Raises
    ------
    FileTrouble
        An element is damaged, or the image is one of tiles.
    """
    file = header.filename
    count = number(header, "NumberOfFrames", file) or 1.0
    if not (count.is_integer() and 1 <= count <= MOST):
        raise damaged(file, f"it says to hold {count:g} frames")
    if "TotalPixelMatrixColumns" in header and count > 1:
        raise FileTrouble(
            f"'{file}' is a slide of {count:.0f} tiles, which aren't put together here; convert "
            "it to OME-TIFF (bfconvert of Bio-Formats)"
        )
    groups = header.get("PerFrameFunctionalGroupsSequence") or ()
    if groups:
        if len(groups) != count:
            raise damaged(file, f"it describes {len(groups)} of its {count:.0f} frames")
        shared = header.get("SharedFunctionalGroupsSequence") or [need("pydicom").Dataset()]
        return [_grouped(header, index, shared[0], own) for index, own in enumerate(groups)]
    return _plain(header, int(count))


def _plain(header: Dataset, count: int) -> list[DicomFrame]:
    """Return the frames of an image that is described as a whole."""
    file = header.filename
    place = header
    if "ImagePositionPatient" not in header and header.get("DetectorInformationSequence"):
        place = header.DetectorInformationSequence[0]  # nuclear medicine
    start, turn = _position(place, file), _orientation(place, file)
    spacings = (_spacing(header, key, file) for key in _SPACINGS)
    spacing = next((one for one in spacings if one is not None), None)
    between = number(header, "SpacingBetweenSlices", file)
    thickness = number(header, "SliceThickness", file)
    offsets = None if count == 1 else numbers(header, "GridFrameOffsetVector", count, file)
    if offsets is None and between is not None:
        offsets = np.arange(count) * np.float64(between)
    scale = _scale(header, header, file)
    repeat = tuple(_first(header, key) for key in _REPEATS)
    normal = None if turn is None else np.cross(turn[:3], turn[3:])
    positions = [start] * count
    if count > 1:
        known = start is not None and normal is not None and offsets is not None
        # all at one place is none: a film in time
        positions = [start + normal * by for by in offsets] if known else [None] * count  # type: ignore[operator,union-attr]
    return [
        DicomFrame(header, index, position, turn, spacing, between or thickness, scale, "", repeat)
        for index, position in enumerate(positions)
    ]


def _grouped(header: Dataset, index: int, shared: Dataset, own: Dataset) -> DicomFrame:
    """Return a frame that is described by functional groups."""
    file, empty = header.filename, need("pydicom").Dataset()

    def group(name: str) -> Dataset:
        sequence = own.get(name) or shared.get(name)
        return sequence[0] if sequence else empty

    measures, content = group("PixelMeasuresSequence"), group("FrameContentSequence")
    between = number(measures, "SpacingBetweenSlices", file)
    scaling = group("PixelValueTransformationSequence")
    order = content.get("DimensionIndexValues")
    indices = tuple(map(float, np.atleast_1d(order))) if order is not None else ()
    repeat = (number(content, "TemporalPositionIndex", file) or 0.0, *indices, float(index))
    offset = number(group("TemporalPositionSequence"), "TemporalPositionTimeOffset", file)
    moments = (text(content, key) for key in ("FrameReferenceDateTime", "FrameAcquisitionDateTime"))
    return DicomFrame(
        header, index,
        _position(group("PlanePositionSequence"), file),
        _orientation(group("PlaneOrientationSequence"), file),
        _spacing(measures, "PixelSpacing", file),
        between or number(measures, "SliceThickness", file),
        _scale(scaling or header, header, file), text(content, "StackID"), repeat,
        offset if offset is not None else _seconds(next(filter(None, moments), "")),
    )  # fmt: skip


def _first(item: Dataset, key: str) -> float:
    """Return the first number of an element, or 0 where there is none."""
    try:
        return float(np.ravel(np.array(item.get(key), float))[0])
    except (TypeError, ValueError, IndexError):
        return 0.0


def _position(item: Dataset, file: object) -> FloatArray | None:
    return numbers(item, "ImagePositionPatient", 3, file)


def _orientation(item: Dataset, file: object) -> FloatArray | None:
    turn = numbers(item, "ImageOrientationPatient", 6, file)
    if turn is None:
        return None
    rows, columns = turn[:3], turn[3:]
    off = max(abs(rows @ rows - 1), abs(columns @ columns - 1), abs(rows @ columns))
    if off > 0.01:
        raise FileTrouble(
            f"'{file}' is damaged: its ImageOrientationPatient is no pair of directions at right "
            "angles"
        )
    return turn


def _spacing(item: Dataset, key: str, file: object) -> tuple[float, float] | None:
    found = numbers(item, key, 2, file)
    if found is None:
        return None
    if (found <= 0).any():
        raise FileTrouble(f"'{file}' is damaged: its {key} is {found[0]:g}, {found[1]:g}")
    return float(found[0]), float(found[1])


def _scale(item: Dataset, header: Dataset, file: object) -> tuple[float, float]:
    """Return factor and offset of stored values, of which either may be absent."""
    dose = number(header, "DoseGridScaling", file)
    slope, offset = number(item, "RescaleSlope", file), number(item, "RescaleIntercept", file)
    return slope or dose or 1.0, offset or 0.0


def _seconds(moment: str) -> float | None:
    """Return the seconds of a DICOM date and time, "" for none."""
    known = re.match(r"(\d{14})(\.\d{1,6})?", moment)
    if known is None:
        return None
    try:
        whole = datetime.strptime(known[1], "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return (whole - datetime(1970, 1, 1)).total_seconds() + float(known[2] or 0)


def time_step(header: Dataset) -> float | None:
    """Return the seconds between the frames of a film in time, or None where it does not say."""
    file = header.filename
    step = number(header, "FrameTime", file)
    if step:
        return step / 1000
    steps = header.get("FrameTimeVector")
    if steps is not None and len(steps) > 1:
        return float(np.mean(np.array(steps[1:], float))) / 1000 or None
    for key in ("CineRate", "RecommendedDisplayFrameRate"):
        rate = number(header, key, file)
        if rate:
            return 1 / rate
    return None


def ultrasound_spacing(header: Dataset) -> tuple[tuple[float, float] | None, str]:
    """Return the spacing of an ultrasound image in millimetres, and a warning, if any.

    Its regions may have different ones: then None is right for the image as a whole.
    """
    found: set[tuple[float, float]] = set()
    for region in header.get("SequenceOfUltrasoundRegions") or ():
        units = region.get("PhysicalUnitsXDirection"), region.get("PhysicalUnitsYDirection")
        if region.get("RegionSpatialFormat") == 1 and units == (3, 3):  # 2-D, in centimetres
            down, right = (
                abs(number(region, key, header.filename) or 0.0) * 10
                for key in ("PhysicalDeltaY", "PhysicalDeltaX")
            )
            found.add((round(down, 9), round(right, 9)))
    if len(found) > 1:
        return None, (
            "its regions have pixels of different sizes, so that no spacing is right for all of it"
        )
    spacing = next(iter(found), None)
    return (spacing if spacing and min(spacing) > 0 else None), ""


def same(one: Sequence[float] | FloatArray | None, two: object, tolerance: float = 1e-4) -> bool:
    """Return whether two elements of numbers, of any shape, are the same or absent."""
    if one is None or two is None:
        return one is two
    return bool(np.allclose(np.asarray(one, float), np.asarray(two, float), atol=tolerance))
