"""DICOM segmentations, of this or of other software, as labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...edits import ObjectRecord, ObjectTable
from ...errors import FileTrouble
from ..extras import need
from ..grid import FloatArray, Grid
from ..nifti import world_of
from .frames import DicomFrame, frames_of
from .headers import (
    SEGMENTATIONS,
    damaged,
    is_dicom,
    naming_damage,
    number,
    read_dataset,
    read_header,
    text,
)
from .pixels import decode

if TYPE_CHECKING:
    from pydicom import Dataset

ID = "napari-seem id "
"""Beginning of the tracking id of a segment, before the label id: segments are renumbered."""
NEAR = 0.1
"""Share of the slice distance within which a frame lies on a slice."""
MOST_PIXELS = 1 << 36
"""Pixels of the labels that a segmentation may fill; more are a damaged header's."""
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def is_dicom_seg(path: Path) -> bool:
    """Return whether a file is a DICOM segmentation; its pixels are not read."""
    if not is_dicom(path):
        return False
    header = read_dataset(path, stop_before_pixels=True, specific_tags=["Modality"])
    return text(header, "Modality") == "SEG"


def source_frames(grid: Grid) -> list[DicomFrame]:
    """Read the frames of an image from DICOM again, in the order of its planes, without pixels.

    Raises
    ------
    FileTrouble
        A file is gone or damaged.
    """
    found: list[list[DicomFrame]] = []
    for file in grid.native["files"]:
        if not file.exists():
            raise FileTrouble(
                f"DICOM-SEG needs the images it belongs to, but '{file}' is gone; put them back, "
                "or write NIfTI instead"
            )
        header = read_header(file)
        found.append([] if header is None else frames_of(header))
    try:
        return [found[file][index] for file, index in grid.native["frames"]]
    except IndexError as error:
        raise FileTrouble("the DICOM files have changed since they were opened") from error


def read_dicom_seg(
    path: Path, grid: Grid | None
) -> tuple[npt.NDArray[np.uint32], ObjectTable, Grid, str]:
    """Read labels (z, y, x), their objects, the grid they lie on, and what the person is told.

    Segments of other software get their number as id; of overlapping ones the last wins. A pixel
    belongs to a fractional segment from a half on.

    Parameters
    ----------
    path : Path
    grid : Grid or None
        Of the images they were made on; without it they lie where the file says, on the slices
        that it has, and (y, x) where it says no place.

    Raises
    ------
    FileTrouble
        No segmentation, a damaged one, or one of other images.
    """
    header = read_header(path)
    with naming_damage(path):
        if header is None or text(header, "SOPClassUID") not in SEGMENTATIONS:
            raise FileTrouble(f"'{path}' is no DICOM segmentation")
        frames = frames_of(header)
        ids, table = _segments(header)
        if grid is None:
            planes, grid = _own_grid(path, frames)
        else:
            planes = _planes_of(path, frames, grid)
        labels, crowded = _labels(frames, planes, grid, ids)
    note = f"its segments overlap in {crowded} pixels, which were given to the later segment"
    return labels, table, grid, note if crowded else ""


def _segments(header: Dataset) -> tuple[dict[int, int], ObjectTable]:
    """Return segment number -> id, and the objects, of a segmentation."""
    table: ObjectTable = ObjectTable()
    ids: dict[int, int] = {}
    for segment in header.SegmentSequence:
        segment_number = int(segment.SegmentNumber)
        if segment_number == header.get("PixelPaddingValue"):  # the background of a label map
            continue
        tracked, name = text(segment, "TrackingID"), text(segment, "SegmentLabel")
        own = tracked.removeprefix(ID) if tracked.startswith(ID) else ""
        label_id = int(own) if own.isdecimal() else segment_number
        ids[segment_number] = label_id
        table[label_id] = ObjectRecord(name="" if name == f"object {label_id}" else name)
    return ids, table


def _labels(
    frames: Sequence[DicomFrame], planes: Sequence[int], grid: Grid, ids: dict[int, int]
) -> tuple[npt.NDArray[np.uint32], int]:
    """Return labels of the grid's shape, and how many pixels have several segments."""
    header = frames[0].header
    labels = np.zeros(grid.shape, np.uint32)
    flat = labels.reshape(-1, *grid.shape[-2:])
    least = 1.0
    if text(header, "SegmentationType") == "FRACTIONAL":
        least = (number(header, "MaximumFractionalValue", frames[0].file) or 1.0) / 2
    crowded = 0
    for frame, plane, raw in zip(frames, planes, decode(frames), strict=True):
        of_frame = _segment_of(frame)
        if of_frame is None:  # a label map
            values, places = np.unique(raw, return_inverse=True)
            found = np.array([ids.get(int(value), 0) for value in values], np.uint32)
            flat[plane] = found[places].reshape(raw.shape)
            continue
        mask = np.asarray(raw, np.uint32) >= least
        crowded += int(np.count_nonzero(flat[plane][mask]))
        flat[plane][mask] = ids[of_frame]
    return labels, crowded


def _segment_of(frame: DicomFrame) -> int | None:
    """Return the segment that a frame shows; None of a label map, which shows all."""
    for groups in _groups(frame):
        if groups.get("SegmentIdentificationSequence"):
            return int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
    return None


def _groups(frame: DicomFrame) -> list[Dataset]:
    """Return the functional groups of a frame, its own first."""
    own = frame.header.get("PerFrameFunctionalGroupsSequence") or ()
    return [*own[frame.index : frame.index + 1],
            *(frame.header.get("SharedFunctionalGroupsSequence") or ())]  # fmt: skip


def _sources(frame: DicomFrame) -> set[tuple[str, int]]:
    """Return the images, and the frames of each from 1 (0 for all), that a frame was made on."""
    found = set()
    for groups in _groups(frame):
        for derivation in groups.get("DerivationImageSequence") or ():
            for source in derivation.get("SourceImageSequence") or ():
                indices = source.get("ReferencedFrameNumber")
                for index in np.atleast_1d(0 if indices is None else indices):
                    found.add((text(source, "ReferencedSOPInstanceUID"), int(index)))
    return found


def _planes_of(path: Path, frames: Sequence[DicomFrame], grid: Grid) -> list[int]:
    """Return the plane of an image that each frame lies on: by its source, else by its place.

    Raises
    ------
    FileTrouble
        A frame lies on none.
    """
    first = frames[0].header
    other = FileTrouble(f"'{path}' was made on other images than the open ones; open their series")
    if (first.Rows, first.Columns) != grid.shape[-2:]:
        raise other
    images = source_frames(grid)
    known: dict[tuple[str, int], int] = {}
    files: dict[str, set[int]] = {}
    for plane, image in enumerate(images):
        uid = text(image.header, "SOPInstanceUID")
        known[uid, image.index + 1] = plane
        files.setdefault(uid, set()).add(plane)
    known |= {(uid, 0): min(planes) for uid, planes in files.items() if len(planes) == 1 and uid}
    same_frame = text(first, "FrameOfReferenceUID") == grid.native.get("frame") != ""
    planes = []
    for frame in frames:
        sources = _sources(frame)
        candidates = {known[source] for source in sources if source in known}
        whole = {plane for uid, index in sources if not index for plane in files.get(uid, ())}
        if len(candidates) != 1:
            open_to = candidates | whole or (set() if sources else set(range(len(images))))
            candidates = _nearest(frame, images, open_to) if same_frame else set()
        if len(candidates) != 1:
            raise other
        planes.append(candidates.pop())
    return planes


def _nearest(frame: DicomFrame, images: Sequence[DicomFrame], planes: set[int]) -> set[int]:
    """Return those of some planes on which a frame lies."""
    if frame.position is None or frame.spacing is None:
        return set()
    near = NEAR * min(frame.spacing)
    return {
        plane for plane in planes
        if (there := images[plane].position) is not None
        and float(np.abs(there - frame.position).max()) <= near
    }  # fmt: skip


def _own_grid(path: Path, frames: Sequence[DicomFrame]) -> tuple[list[int], Grid]:
    """Return the plane of each frame, and the grid of them all, as a segmentation itself says."""
    first = frames[0]
    size = int(first.header.Rows), int(first.header.Columns)
    if all(frame.position is None for frame in frames):
        if len(set(map(frozenset, map(_sources, frames)))) > 1:
            raise FileTrouble(
                f"'{path}' does not say where its slices lie; open the series that it was made on "
                "first"
            )
        spacing, unit = (first.spacing, "mm") if first.spacing else ((1.0, 1.0), "pixel")
        return [0] * len(frames), Grid.scaled(size, ("y", "x"), spacing, units=(unit, unit))
    for frame in frames:
        if frame.absent:
            raise FileTrouble(
                f"'{path}' does not say its {frame.absent}; open the series that it was made on "
                "first"
            )
    assert first.orientation is not None
    assert first.spacing is not None
    rows, columns = first.orientation[:3], first.orientation[3:]
    normal = np.cross(rows, columns)
    places = np.array([frame.position for frame in frames], float)
    depths = places @ normal
    step, planes = _planes_at(path, depths, first.thickness or 1.0, min(first.spacing) / 100)
    lowest, highest = places[np.argmin(depths)], places[np.argmax(depths)]
    count = max(planes) + 1
    if count * size[0] * size[1] > MOST_PIXELS:
        raise damaged(path, f"its slices lie {np.ptp(depths):g} mm apart")
    down, right = first.spacing
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1], lps[:3, 3] = rows * right, columns * down, lowest
    lps[:3, 2] = normal * step
    affine = _LPS @ lps
    matrix, names = world_of(affine, need("nibabel").io_orientation(affine))
    native = lps.copy()
    if count > 1:
        native[:3, 2] = (highest - lowest) / (count - 1)  # of a tilted gantry
    grid = Grid((count, *size), names, matrix, ("mm",) * 3)
    return planes, replace(grid, native={"affine": _LPS @ native})


def _planes_at(
    path: Path, depths: FloatArray, thickness: float, near: float
) -> tuple[float, list[int]]:
    """Return the distance of slices, and the slice of each frame at `depths` (n,)."""
    sorted_depths = np.unique(depths)
    steps = np.diff(sorted_depths)
    steps = steps[steps > near]
    for step in (thickness, float(steps.min(initial=np.inf))):
        if not 0 < step < np.inf:
            continue
        planes = (depths - depths.min()) / step
        if np.abs(planes - np.round(planes)).max() <= NEAR:
            return step, np.round(planes).astype(int).tolist()
    raise FileTrouble(
        f"'{path}' has slices at unequal distances; open the series that it was made on first"
    )
