"""Labels as a DICOM segmentation that refers to the images, and frames, they were made on."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...edits import ObjectRecord, ObjectTable
from ...errors import InvalidLabels
from ..extras import need
from ..grid import Grid
from ..guard import reading
from ..outlines.write import numbered
from .frames import DicomFrame
from .headers import text
from .segmentation import ID, source_frames

if TYPE_CHECKING:
    from highdicom.seg import Segmentation, SegmentDescription
    from pydicom import Dataset
    from pydicom.sr.coding import Code

MANUFACTURER = "napari-seem"
SINGLE = "1.2.840.10008.5.1.4.1.1.2"
"""SOP class of CT slices, as which frames of a file are given to highdicom."""
_NEEDED = ("SOPInstanceUID", "SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID")
_MAY_BE_EMPTY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
    "StudyDate", "StudyTime",
)  # fmt: skip
_OF_FRAMES = (
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "NumberOfFrames",
)  # fmt: skip


def write_dicom_seg(
    path: Path, labels: npt.NDArray[np.integer], grid: Grid, table: ObjectTable, version: str
) -> None:
    """Write a segment per object: its name, its class as coded type, the model, and its id.

    Parameters
    ----------
    path : Path
    labels : integer array (z, y, x), or (y, x) on a film
        On the grid.
    grid : Grid
        Of DICOM images.
    table : ObjectTable
    version : str
        Of this software.

    Raises
    ------
    InvalidLabels
        The image did not come from DICOM, does not say what a segmentation must refer to, or
        nothing is labelled.
    FileTrouble
        The images are gone.
    """
    if grid.format != "dicom":
        raise InvalidLabels(
            "DICOM-SEG refers to the DICOM images it was made on, but this image did not come from "
            "a DICOM series; write NIfTI or TIFF instead"
        )
    if grid.axes[0] == "t":
        raise InvalidLabels(
            "DICOM-SEG can't tell the images of one place apart, of which this series holds "
            f"{grid.shape[0]}; write NIfTI or OME-TIFF instead"
        )
    known, numbers = numbered(labels)
    ids = known[1:]
    if not ids.size:
        raise InvalidLabels("there is no object to write; DICOM-SEG can't be empty")
    if ids.size > 65_535:
        raise InvalidLabels(f"{ids.size} objects are more than a DICOM segmentation can number")
    frames = source_frames(grid)
    pixels = numbers.astype(np.uint16 if ids.size > 255 else np.uint8)
    segments = [_description(n, int(i), table[int(i)], version) for n, i in enumerate(ids, 1)]
    with reading(frames[0].file, "into a DICOM-SEG", InvalidLabels, "write NIfTI or TIFF instead"):
        file = _segmentation(frames, pixels, grid, segments, version)
    file.save_as(path)


def _segmentation(
    frames: list[DicomFrame], numbers: npt.NDArray[np.generic], grid: Grid,
    segments: list[SegmentDescription], version: str,
) -> Segmentation:  # fmt: skip
    """Make the segmentation of segment numbers (z, y, x) or (y, x)."""
    highdicom, uid = need("highdicom"), need("pydicom.uid")
    sources = [_source(frame, grid) for frame in frames]
    file = highdicom.seg.Segmentation(
        source_images=sources, pixel_array=numbers.reshape(-1, *numbers.shape[-2:]),
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=segments,
        series_instance_uid=uid.generate_uid(), series_number=900,
        sop_instance_uid=uid.generate_uid(), instance_number=1, manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER, software_versions=version,
        device_serial_number="0", series_description="Segmentation (napari-seem)",
    )  # fmt: skip
    real = {
        source.SOPInstanceUID: frame
        for source, frame in zip(sources, frames, strict=True)
        if source.SOPInstanceUID != frame.header.SOPInstanceUID
    }
    if real:
        _refer_to_frames(file, real)
    file.SpecificCharacterSet = "ISO_IR 192"  # names may need more letters than the images' do
    return file


def _source(frame: DicomFrame, grid: Grid) -> Dataset:
    """Return the header of a single image that stands for a frame, with what highdicom asks."""
    header = frame.header
    source = _taken_over(frame)
    source.Modality = text(header, "Modality") or "OT"
    if text(source, "PatientSex") not in ("M", "F", "O"):
        source.PatientSex = ""
    if frame.absent:
        source.pop("FrameOfReferenceUID", None)
        return source
    source.ImagePositionPatient = _decimals(frame.position)
    source.ImageOrientationPatient = _decimals(frame.orientation)
    source.PixelSpacing = _decimals(frame.spacing)
    (source.SpacingBetweenSlices,) = _decimals(grid.spacing[:1])  # the images' own may be wrong
    if not text(source, "SliceThickness"):
        source.SliceThickness = source.SpacingBetweenSlices
    return source


def _decimals(values: Iterable[float] | None) -> list[str]:
    """Write numbers in the 16 characters that DICOM gives each."""
    return [f"{value:.10g}" for value in (() if values is None else values)]


def _taken_over(frame: DicomFrame) -> Dataset:
    """Return a frame's header as that of a single image; `InvalidLabels` where it lacks UIDs."""
    header = frame.header
    for key in (*_NEEDED, *(("FrameOfReferenceUID",) if not frame.absent else ())):
        if not text(header, key):
            raise InvalidLabels(
                f"'{frame.file}' does not say its {key}, which a DICOM-SEG must refer to; write "
                "NIfTI or TIFF instead"
            )
    source = need("pydicom").Dataset()
    for element in header:
        if element.keyword not in _OF_FRAMES:
            source.add(copy(element))
    if text(header, "NumberOfFrames"):
        source.SOPClassUID, source.SOPInstanceUID = SINGLE, need("pydicom.uid").generate_uid()
    for key in _MAY_BE_EMPTY:
        if not text(source, key):
            setattr(source, key, "")
    return source


def _refer_to_frames(file: Segmentation, real: dict[str, DicomFrame]) -> None:
    """Let a segmentation refer to frames, instead of the images that stood for them."""

    def replaced(item: Dataset, element: object) -> None:
        frame = real.get(str(item.get("ReferencedSOPInstanceUID")))
        if frame is not None:
            item.ReferencedSOPInstanceUID = frame.header.SOPInstanceUID
            item.ReferencedSOPClassUID = frame.header.SOPClassUID
            if "PurposeOfReferenceCodeSequence" in item:
                item.ReferencedFrameNumber = frame.index + 1

    file.walk(replaced)
    for series in file.ReferencedSeriesSequence:
        once = {str(one.ReferencedSOPInstanceUID): one for one in series.ReferencedInstanceSequence}
        series.ReferencedInstanceSequence = list(once.values())


def _description(
    number: int, label_id: int, record: ObjectRecord, version: str
) -> SegmentDescription:
    """Describe an object as a segment."""
    highdicom, codes = need("highdicom"), need("pydicom.sr.codedict").codes
    model = record.model or "by hand"
    by_model = bool(record.model)
    kinds = highdicom.seg.SegmentAlgorithmTypeValues
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=f"napari-seem {model}", version=version, family=codes.DCM.ArtificialIntelligence
    )
    category, kind = _codes_of(record.class_name)
    label = record.name or record.concept or f"object {label_id}"
    label = label.replace("\\", "/")[:64]  # a backslash would part it into several values
    return highdicom.seg.SegmentDescription(
        segment_number=number, segment_label=label,
        segmented_property_category=category, segmented_property_type=kind,
        algorithm_type=kinds.SEMIAUTOMATIC if by_model else kinds.MANUAL,
        algorithm_identification=algorithm if by_model else None,
        tracking_uid=need("pydicom.uid").generate_uid(), tracking_id=f"{ID}{label_id}",
    )  # fmt: skip


def _codes_of(name: str) -> tuple[Code, Code]:
    """Return the SNOMED CT codes of a class, or those of tissue where it has none."""
    codes = need("pydicom.sr.codedict").codes
    keyword = "".join(word.capitalize() for word in name.split())
    if keyword.isidentifier() and keyword in dir(codes.SCT):
        abnormal = "umor" in keyword
        kind = "MorphologicallyAbnormalStructure" if abnormal else "AnatomicalStructure"
        return getattr(codes.SCT, kind), getattr(codes.SCT, keyword)
    return codes.SCT.Tissue, codes.SCT.Tissue
