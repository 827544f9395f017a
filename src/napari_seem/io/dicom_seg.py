"""Labels as a DICOM segmentation that refers to the images it was made on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..edits import ObjectRecord, ObjectTable
from ..errors import FileTrouble, InvalidLabels
from .dicom import source_datasets
from .extras import need
from .grid import Grid

if TYPE_CHECKING:
    from highdicom.seg import SegmentDescription
    from pydicom.sr.coding import Code

ID = "napari-seem id "
"""Beginning of the tracking id of a segment, before the label id: segments are renumbered."""
MANUFACTURER = "napari-seem"


def write_dicom_seg(
    path: Path, labels: npt.NDArray[np.integer], grid: Grid, table: ObjectTable, version: str
) -> None:
    """Write a segment per object: its name, its class as coded type, the model, and its id.

    Parameters
    ----------
    path : Path
    labels : integer array (z, y, x)
        On the grid.
    grid : Grid
        Of a DICOM series.
    table : ObjectTable
    version : str
        Of this software.

    Raises
    ------
    InvalidLabels
        The image did not come from DICOM, or nothing is labelled.
    FileTrouble
        The images are gone.
    """
    if grid.format != "dicom":
        raise InvalidLabels(
            "DICOM-SEG refers to the DICOM images it was made on, but this image did not come from "
            "a DICOM series; write NIfTI or TIFF instead"
        )
    ids = [int(i) for i in np.unique(labels) if i]
    if not ids:
        raise InvalidLabels("there is no object to write; DICOM-SEG can't be empty")
    if len(ids) > 65_535:
        raise InvalidLabels(f"{len(ids)} objects are more than a DICOM segmentation can number")
    highdicom, uid = need("highdicom"), need("pydicom.uid")
    numbers = np.zeros(max(ids) + 1, np.uint16 if len(ids) > 255 else np.uint8)
    numbers[ids] = np.arange(1, len(ids) + 1)
    segments = [_description(number, i, table[i], version) for number, i in enumerate(ids, 1)]
    kind = highdicom.seg.SegmentationTypeValues.BINARY
    file = highdicom.seg.Segmentation(
        source_images=source_datasets(grid), pixel_array=numbers[labels],
        segmentation_type=kind, segment_descriptions=segments,
        series_instance_uid=uid.generate_uid(), series_number=900,
        sop_instance_uid=uid.generate_uid(), instance_number=1, manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER, software_versions=version,
        device_serial_number="0", series_description="Segmentation (napari-seem)",
    )  # fmt: skip
    file.save_as(path)


def read_dicom_seg(path: Path, grid: Grid) -> tuple[npt.NDArray[np.uint32], ObjectTable]:
    """Read labels (z, y, x) on the grid of the series they were made on, and their objects.

    Segments of other software get their number as id; of overlapping ones the last wins.

    Raises
    ------
    FileTrouble
        No segmentation, or one of other images.
    """
    highdicom, pydicom = need("highdicom"), need("pydicom")
    try:
        file = highdicom.seg.segread(path)
    except (OSError, ValueError, AttributeError, pydicom.errors.InvalidDicomError) as error:
        raise FileTrouble(f"'{path}' is no DICOM segmentation ({error})") from error
    wanted = [str(one.SOPInstanceUID) for one in source_datasets(grid)]
    try:
        planes = file.get_pixels_by_source_instance(
            wanted, ignore_spatial_locations=True, assert_missing_frames_are_empty=True
        )  # (z, y, x, segment)
    except (KeyError, ValueError) as error:
        raise FileTrouble(
            f"'{path}' was made on other images than the open ones; open their series"
        ) from error
    labels, table = np.zeros(grid.shape, np.uint32), ObjectTable()
    for index, number in enumerate(file.segment_numbers):
        segment = file.get_segment_description(number)
        tracked = str(segment.tracking_id or "")
        label_id = int(tracked.removeprefix(ID)) if tracked.startswith(ID) else int(number)
        labels[planes[..., index] > 0] = label_id
        name = "" if segment.segment_label == f"object {label_id}" else str(segment.segment_label)
        table[label_id] = ObjectRecord(name=name)
    return labels, table


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
