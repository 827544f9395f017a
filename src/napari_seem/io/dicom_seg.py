"""Labels as a DICOM segmentation that refers to the images it was made on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..edits import ObjectRecord, ObjectTable
from ..errors import FileTrouble, InvalidLabels
from .dicom import read_dataset, source_datasets
from .extras import need
from .grid import Grid
from .guard import BoundedFile
from .nifti import world_of
from .outlines import numbered

if TYPE_CHECKING:
    from highdicom.seg import Segmentation, SegmentDescription
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
    known, numbers = numbered(labels)
    ids = [int(i) for i in known[1:]]
    if not ids:
        raise InvalidLabels("there is no object to write; DICOM-SEG can't be empty")
    if len(ids) > 65_535:
        raise InvalidLabels(f"{len(ids)} objects are more than a DICOM segmentation can number")
    highdicom, uid = need("highdicom"), need("pydicom.uid")
    segments = [_description(number, i, table[i], version) for number, i in enumerate(ids, 1)]
    kind = highdicom.seg.SegmentationTypeValues.BINARY
    pixels = numbers.astype(np.uint16 if len(ids) > 255 else np.uint8)
    file = highdicom.seg.Segmentation(
        source_images=source_datasets(grid), pixel_array=pixels,
        segmentation_type=kind, segment_descriptions=segments,
        series_instance_uid=uid.generate_uid(), series_number=900,
        sop_instance_uid=uid.generate_uid(), instance_number=1, manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER, software_versions=version,
        device_serial_number="0", series_description="Segmentation (napari-seem)",
    )  # fmt: skip
    measures = file.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.SpacingBetweenSlices = f"{grid.spacing[0]:.10g}"  # the images' own may be wrong
    file.SpecificCharacterSet = "ISO_IR 192"  # names may need more letters than the images' do
    file.save_as(path)


def is_dicom_seg(path: Path) -> bool:
    """Return whether a file is a DICOM segmentation; its pixels are not read."""
    pydicom = need("pydicom")
    try:
        header = read_dataset(path, stop_before_pixels=True, specific_tags=["Modality"])
    except (OSError, EOFError, AttributeError, pydicom.errors.InvalidDicomError):
        return False
    return str(header.get("Modality", "")) == "SEG"


def read_dicom_seg(
    path: Path, grid: Grid | None
) -> tuple[npt.NDArray[np.uint32], ObjectTable, Grid]:
    """Read labels (z, y, x), their objects, and the grid they lie on.

    Segments of other software get their number as id; of overlapping ones the last wins.

    Parameters
    ----------
    path : Path
    grid : Grid or None
        Of the series they were made on; without it they lie where the file says, on the slices
        that it has.

    Raises
    ------
    FileTrouble
        No segmentation, or one of other images.
    """
    highdicom, pydicom = need("highdicom"), need("pydicom")
    try:
        with BoundedFile(path) as stream:
            file = highdicom.seg.segread(stream)
    except (OSError, ValueError, AttributeError, pydicom.errors.InvalidDicomError) as error:
        raise FileTrouble(f"'{path}' is no DICOM segmentation ({error})") from error
    table, ids = ObjectTable(), [0] * (max(file.segment_numbers) + 1)
    for number in file.segment_numbers:
        segment = file.get_segment_description(number)
        tracked = str(segment.tracking_id or "")
        label_id = int(tracked.removeprefix(ID)) if tracked.startswith(ID) else int(number)
        name = "" if segment.segment_label == f"object {label_id}" else str(segment.segment_label)
        ids[number], table[label_id] = label_id, ObjectRecord(name=name)
    if grid is None:
        segments, grid = _whole(path, file)
    else:
        segments = _on_series(path, file, grid)
    return np.array(ids, np.uint32)[segments], table, grid


def _on_series(path: Path, file: Segmentation, grid: Grid) -> npt.NDArray[np.intp]:
    """Return the number of a segment for each pixel (z, y, x) of a series."""
    wanted = [str(one.SOPInstanceUID) for one in source_datasets(grid)]
    try:
        planes = file.get_pixels_by_source_instance(
            wanted, ignore_spatial_locations=True, assert_missing_frames_are_empty=True
        )  # (z, y, x, segment)
    except (KeyError, ValueError) as error:
        raise FileTrouble(
            f"'{path}' was made on other images than the open ones; open their series"
        ) from error
    numbers = np.zeros(grid.shape, np.intp)
    for index, number in enumerate(file.segment_numbers):
        numbers[planes[..., index] > 0] = number
    return numbers


def _whole(path: Path, file: Segmentation) -> tuple[npt.NDArray[np.intp], Grid]:
    """Return the number of a segment for each pixel (z, y, x), and where the pixels lie."""
    highdicom, nibabel = need("highdicom"), need("nibabel")
    measures = file.SharedFunctionalGroupsSequence[0].get("PixelMeasuresSequence")
    try:
        try:
            volume = file.get_volume(combine_segments=True, skip_overlap_checks=True)
        except RuntimeError:  # some write a spacing that is not that of their slices
            del measures[0].SpacingBetweenSlices
            file = highdicom.seg.Segmentation.from_dataset(file)
            volume = file.get_volume(combine_segments=True, skip_overlap_checks=True)
    except (RuntimeError, ValueError, AttributeError, TypeError) as error:
        raise FileTrouble(
            f"'{path}' does not say where its slices lie ({error}); open the series that it was "
            "made on first"
        ) from error
    numbers, lps = np.asarray(volume.array), np.array(volume.affine)
    if np.cross(lps[:3, 2], lps[:3, 1]) @ lps[:3, 0] < 0:  # the order that `open_series` has
        numbers = numbers[::-1]
        lps[:, 3] += lps[:, 0] * (len(numbers) - 1)
        lps[:, 0] *= -1
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps[:, [2, 1, 0, 3]]
    matrix, names = world_of(affine, nibabel.io_orientation(affine))
    return numbers.astype(np.intp), Grid(tuple(numbers.shape), names, matrix, ("mm",) * 3)


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
