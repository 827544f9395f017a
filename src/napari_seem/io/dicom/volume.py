"""A DICOM series as one image: its frames sorted by place and time, in the units of its files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...errors import FileTrouble
from ..extras import need
from ..grid import FloatArray, Grid
from ..nifti import world_of
from ..opened import Opened
from .frames import DicomFrame, frames_of, same, time_step, ultrasound_spacing
from .headers import headers_in, naming_damage, number, read_header, siblings, text
from .pixels import is_inverted, read_pixels, window_of

if TYPE_CHECKING:
    from pydicom import Dataset

GAP = 0.02
"""Neighbouring slices whose distances differ by more than this share have a gap between them."""
TILT = 0.1
"""Degrees between the direction in which slices follow each other and their normal, from which on
the person is told."""
SLICED = ("CT", "MR", "PT", "NM")
"""Modalities whose images are slices of a volume."""
_SAME = ("Rows", "Columns", "PhotometricInterpretation")
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From DICOM's left, posterior, superior to NIfTI's right, anterior, superior."""


def series_in(path: Path) -> dict[str, list[DicomFrame]]:
    """Find the images of a folder (not of folders within it), a DICOMDIR or a file; no pixels.

    Returns
    -------
    dict
        Series instance UID -> frames. Of a series that holds several images, such as stacks of
        different directions, or films, each has its own entry: the UID, a space and a number.

    Raises
    ------
    FileTrouble
        There is no image, or a file is damaged.
    """
    series: dict[str, list[DicomFrame]] = {}
    for header in headers_in(path):
        with naming_damage(header.filename):
            uid = text(header, "SeriesInstanceUID") or "unnamed"
            series.setdefault(uid, []).extend(frames_of(header))
    found = {}
    for uid, frames in series.items():
        parts = _parts(frames)
        for index, part in enumerate(parts, 1):
            found[uid if len(parts) == 1 else f"{uid} {index}"] = part
    return found


def _parts(frames: list[DicomFrame]) -> list[list[DicomFrame]]:
    """Split the frames of a series into images: by direction and stack, films by file."""
    first = frames[0].header
    if all(frame.position is None for frame in frames):
        sliced = text(first, "Modality") in SLICED and len({one.file for one in frames}) > 1
        if sliced and all(frame.index == 0 for frame in frames):
            return [frames]  # whoever opens it is told what is absent
        films: dict[Path, list[DicomFrame]] = {}
        for frame in frames:
            films.setdefault(frame.file, []).append(frame)
        return list(films.values())
    parts: list[list[DicomFrame]] = []
    for frame in frames:
        for part in parts:
            like = part[0]
            if like.stack == frame.stack and same(like.orientation, frame.orientation, 1e-3):
                part.append(frame)
                break
        else:
            parts.append([frame])
    whole = all(frame.orientation is not None for frame in frames)
    return parts if whole else [frames]


def describe(frames: Sequence[DicomFrame]) -> str:
    """Describe an image in a few words, for a person to choose by."""
    first = frames[0]
    name = text(first.header, "SeriesDescription") or text(first.header, "ProtocolName")
    count = f"{len(frames)} image{'s' * (len(frames) > 1)}"
    said = f"{text(first.header, 'Modality') or '?'} '{name or 'no name'}', {count}"
    if first.position is None or first.orientation is None:
        return f"{said}, '{first.file.name}'"
    normal = np.abs(np.cross(first.orientation[:3], first.orientation[3:]))
    return f"{said}, {('sagittal', 'coronal', 'axial')[int(np.argmax(normal))]}"


def open_series(path: Path, series: str | None = None) -> Opened:
    """Open the one image of a folder, a DICOMDIR or a file, or the one named.

    Parameters
    ----------
    path : Path
    series : str, optional
        A key of `series_in`; needed where there are several.

    Returns
    -------
    Opened
        Array (z, y, x) in the order of the slices' positions, or (t, z, y, x), rescaled as the
        files say; of images without a place in the body (y, x) or (t, y, x). Colours are last.

    Raises
    ------
    FileTrouble
        Several images, missing or doubled slices, slices of different size or direction, a file
        whose pixels can't be read.
    MissingPackage
        The pixels are compressed in a way that needs a package that is not installed.
    """
    frames = _chosen(path, series)
    with naming_damage(frames[0].file if path.is_file() else path):
        return _opened(path, frames, series or "")


def _opened(path: Path, frames: list[DicomFrame], series: str) -> Opened:
    """Return the image that frames make up."""
    first, kind = frames[0], text(frames[0].header, "Modality")
    notes: list[str] = []
    alone = len({frame.file for frame in frames}) == 1
    flat = all(frame.absent for frame in frames) and (alone or kind not in SLICED)
    if flat:
        order, grid = np.arange(len(frames))[None], _flat_grid(frames, notes)
    else:
        order, grid = _volume_grid(path, frames, notes)
    ordered = [frames[index] for index in order.ravel().tolist()]
    inverted = is_inverted(first.header) and kind != "CT"
    if is_inverted(first.header) and kind == "CT":
        notes.append("its files ask to be shown inverted (MONOCHROME1), which CT numbers are not")
    pixels = read_pixels(ordered, inverted)
    shape = (*grid.shape, *pixels.shape[3:])
    others = siblings(first.file) if path == first.file and len(frames) == 1 and not flat else 0
    if others:
        notes.append(f"it is one slice; open its folder to see it together with {others} others")
    about: dict[str, object] = {
        "modality": kind, "unit": "HU" if kind == "CT" else "", "series": series,
    }  # fmt: skip
    window = window_of(ordered[len(ordered) // 2], inverted)
    if window is not None and (flat or kind == "CT"):  # of MR, every slice has its own
        about["window"] = window
    if notes:
        about["warning"] = "; ".join(notes)
    name = text(first.header, "SeriesDescription") or (path.name if path.is_dir() else path.stem)
    colour = len(grid.shape) if pixels.ndim > 3 else None
    names = ("red", "green", "blue") if colour is not None else ()
    return Opened(name, (pixels.reshape(shape),), grid, colour, names, about)


def _chosen(path: Path, series: str | None) -> list[DicomFrame]:
    """Return the frames of the wanted image."""
    if path.is_file() and (header := read_header(path)) is not None and _is_seg(header):
        raise FileTrouble(f"'{path}' is a segmentation and no image; open it as labels")
    found = series_in(path)
    if series is None and len(found) > 1:
        listed = "; ".join(f"{describe(frames)}, UID {uid}" for uid, frames in found.items())
        raise FileTrouble(
            f"'{path}' holds {len(found)} series: {listed}. Choose one by its UID, or give each "
            "a folder of its own"
        )
    if series is not None and series not in found:
        raise FileTrouble(f"there is no series {series} in '{path}'")
    return found[series if series is not None else next(iter(found))]


def _is_seg(header: Dataset) -> bool:
    return text(header, "Modality") == "SEG"


def _flat_grid(frames: Sequence[DicomFrame], notes: list[str]) -> Grid:
    """Return the grid (y, x), or (t, y, x), of an image without a place in the body."""
    first = frames[0]
    spacing = first.spacing
    if spacing is None and "SequenceOfUltrasoundRegions" in first.header:
        spacing, note = ultrasound_spacing(first.header)
        notes += [note] * bool(note)
    unit = "pixel" if spacing is None else "mm"
    shape: tuple[int, ...] = int(first.header.Rows), int(first.header.Columns)
    axes: tuple[str, ...] = ("y", "x")
    units: tuple[str, ...] = (unit, unit)
    sizes: tuple[float, ...] = spacing or (1.0, 1.0)
    native = {"files": (first.file,), "frames": tuple((0, one.index) for one in frames)}
    if len(frames) > 1:
        step = time_step(first.header)
        shape, axes = (len(frames), *shape), ("t", *axes)
        sizes, units = (step or 1.0, *sizes), ("s" if step else "pixel", *units)
    return Grid.scaled(shape, axes, sizes, units=units, file_format="dicom", native=native)


def _volume_grid(
    path: Path, frames: Sequence[DicomFrame], notes: list[str]
) -> tuple[npt.NDArray[np.intp], Grid]:
    """Return the order (t, z) of the frames of a volume, and its grid."""
    _check_alike(path, frames)
    order = _order(path, frames)
    line = [frames[index] for index in order[0].tolist()]
    lps, step = _affine(path, line, notes)
    nibabel = need("nibabel")
    upright = lps.copy()  # a tilted gantry's slices are shown, and measured, as if it stood upright
    upright[:3, 2] = np.cross(*line[0].orientation.reshape(2, 3)) * step  # type: ignore[union-attr]
    matrix, names = world_of(_LPS @ upright, nibabel.io_orientation(_LPS @ upright))
    head = line[0].header
    shape: tuple[int, ...] = len(line), int(head.Rows), int(head.Columns)
    units: tuple[str, ...] = ("mm",) * 3
    if len(order) > 1:
        moments = [frames[index].time for index in order[:, 0].tolist()]
        steps = [b - a for a, b in pairwise(moments) if a is not None and b is not None]
        seconds = float(np.median(steps)) if len(steps) == len(order) - 1 else 0.0
        wider = np.eye(len(matrix) + 1)
        wider[1:, 1:], wider[0, 0] = matrix, seconds if seconds > 0 else 1.0
        matrix, names, shape = wider, ("t", *names), (len(order), *shape)
        units = ("s" if seconds > 0 else "pixel", *units)
        notes.append(f"its files hold {len(order)} images of each place, shown one after another")
    ordered = [frames[index] for index in order.ravel().tolist()]
    files = tuple(dict.fromkeys(one.file for one in ordered))
    numbered = {file: number for number, file in enumerate(files)}
    native = {
        "files": files, "affine": _LPS @ lps, "frame": text(head, "FrameOfReferenceUID"),
        "frames": tuple((numbered[one.file], one.index) for one in ordered),
    }  # fmt: skip
    return order, Grid(shape, names, matrix, units, "dicom", native)


def _check_alike(path: Path, frames: Sequence[DicomFrame]) -> None:
    """Raise `FileTrouble` for slices of unknown place, or of different size or direction."""
    first = frames[0]
    for frame in frames:
        if frame.absent:
            raise FileTrouble(
                f"'{frame.file}' does not say its {frame.absent}, so that its place in the body is "
                "unknown; open it alone, as a plain image"
            )
    for frame in frames:
        pairs = [(key, first.header.get(key), frame.header.get(key)) for key in _SAME]
        pairs.append(("PixelSpacing", first.spacing, frame.spacing))
        for key, one, two in pairs:
            if not (same(one, two) if key == "PixelSpacing" else one == two):
                raise FileTrouble(
                    f"'{path}' mixes slices of different {key}: {one} in "
                    f"'{first.file.name}', {two} in '{frame.file.name}'; keep those of one scan"
                )


def _order(path: Path, frames: Sequence[DicomFrame]) -> npt.NDArray[np.intp]:
    """Return the numbers (t, z) of frames, by place and then by time.

    Raises
    ------
    FileTrouble
        Some places have more frames than others, or frames that nothing tells apart.
    """
    first = frames[0]
    assert first.orientation is not None
    assert first.spacing is not None
    normal = np.cross(first.orientation[:3], first.orientation[3:])
    depths = np.array([frame.position @ normal for frame in frames])  # type: ignore[operator]
    sorting = np.argsort(depths, kind="stable")
    near = min(first.spacing) / 100
    starts = np.flatnonzero(np.diff(depths[sorting], prepend=-np.inf) > near)
    places = [one.tolist() for one in np.split(sorting, starts[1:])]
    for place in places:
        place.sort(key=lambda index: frames[index].repeat)
    for place in places:
        repeats = [frames[index].repeat for index in place]
        if len(place) != len(places[0]) or len(set(repeats)) < len(repeats):
            crowded = max(place, places[0], key=len)
            one, two = (_said(frames[index]) for index in crowded[:2])
            raise FileTrouble(
                f"'{path}' has several slices at one place, such as {one} and {two}: several "
                "phases or echoes in one series; keep one of them"
            )
    return np.array(places, np.intp).T


def _affine(path: Path, line: Sequence[DicomFrame], notes: list[str]) -> tuple[FloatArray, float]:
    """Return the affine (4, 4) from (column, row, slice) to the patient, and the slice distance.

    Raises
    ------
    FileTrouble
        Slices are missing, or don't lie behind each other.
    """
    first = line[0]
    assert first.orientation is not None
    assert first.spacing is not None
    rows, columns = first.orientation[:3], first.orientation[3:]
    normal = np.cross(rows, columns)
    places = np.array([frame.position for frame in line], float)
    step = _step(path, line, places @ normal)
    down, right = first.spacing
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1] = rows * right, columns * down
    along = (places[-1] - places[0]) / (len(line) - 1) if len(line) > 1 else normal * step
    lps[:3, 2], lps[:3, 3] = along, places[0]
    aside = np.abs(places - places[0] - np.arange(len(line))[:, None] * along).max(1)
    if aside.max() > max(min(first.spacing) / 2, GAP * step):
        worst = line[int(np.argmax(aside))]
        raise FileTrouble(
            f"'{path}' has slices that don't lie behind each other: {_said(worst)} lies "
            f"{aside.max():.2f} mm beside the line of the others; keep those of one scan"
        )
    cosine = np.clip(along @ normal / np.linalg.norm(along), -1, 1)
    tilt = float(np.degrees(np.arccos(cosine)))
    if tilt > TILT:
        shift = float(np.linalg.norm(along - (along @ normal) * normal))
        notes.append(
            f"the gantry was tilted by {tilt:.1f} degrees: every slice lies {shift:.2f} mm beside "
            "the one before, but is shown straight above it. DICOM-SEG keeps every slice's place; "
            "NIfTI labels have the shear in their sform only (their qform is unset), which "
            "programs based on ITK refuse"
        )
    return lps, abs(step)


def _step(path: Path, line: Sequence[DicomFrame], depths: FloatArray) -> float:
    """Return the distance of neighbouring slices at `depths` (n,); refuse gaps."""
    if len(depths) == 1:
        return abs(line[0].thickness or 1.0)
    steps = np.diff(depths)
    usual = float(np.median(steps))
    gaps = np.flatnonzero(steps > usual * (1 + GAP))
    if gaps.size or (steps < usual * (1 - GAP)).any():
        at = int(gaps[0]) if gaps.size else int(np.argmin(steps))
        absent = max(round(float(steps[at]) / usual) - 1, 0)
        raise FileTrouble(
            f"'{path}' has slices {usual:g} mm apart, but {steps[at]:g} mm between "
            f"{_said(line[at])} and {_said(line[at + 1])}"
            + (f": {absent} seem to be missing. Copy the series again" if absent else "")
        )
    return float((depths[-1] - depths[0]) / (len(depths) - 1))


def _said(frame: DicomFrame) -> str:
    """Name a frame for a person."""
    many = (number(frame.header, "NumberOfFrames", frame.file) or 1) > 1
    return f"frame {frame.index + 1} of '{frame.file.name}'" if many else f"'{frame.file.name}'"
