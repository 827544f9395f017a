"""A folder of DICOM files as one volume: sorted by position, in Hounsfield units where it is CT."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import FileTrouble
from ..images import AnyArray
from .extras import need
from .grid import FloatArray, Grid
from .guard import BoundedFile
from .nifti import world_of
from .opened import Opened

if TYPE_CHECKING:
    from pydicom import Dataset

GAP = 0.02
"""Neighbouring slices whose distances differ by more than this share have a gap between them."""
ALIKE = 1e-4
FEW = 20
"""Files of a folder that are looked at to find out whether they are DICOM."""
_SAME = ("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient", "PhotometricInterpretation")


def series_in(folder: Path) -> dict[str, list[Dataset]]:
    """Find the image series of a folder (not of folders within it), without their pixels.

    Returns
    -------
    dict
        Series instance UID -> datasets, each with its file as `filename`.

    Raises
    ------
    FileTrouble
        No folder, or none with DICOM images.
    """
    pydicom = need("pydicom")
    if not folder.is_dir():
        raise FileTrouble(f"there is no folder '{folder}'")
    found: dict[str, list[Dataset]] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.name == "DICOMDIR":
            continue
        try:
            dataset = read_dataset(path, stop_before_pixels=True)
        except (pydicom.errors.InvalidDicomError, EOFError):
            continue  # such folders hold viewers and notes too
        if "Rows" in dataset and dataset.get("Modality") != "SEG":
            found.setdefault(str(dataset.SeriesInstanceUID), []).append(dataset)
    if not found:
        raise FileTrouble(f"there is no DICOM image in '{folder}'; choose the folder of one series")
    return found


def is_series(folder: Path) -> bool:
    """Return whether a folder holds DICOM files, by the beginnings of its first few files."""
    try:
        files = (path for path in sorted(folder.iterdir()) if path.is_file())
        for path in islice(files, FEW):
            with path.open("rb") as stream:
                if stream.read(132)[128:] == b"DICM":
                    return True
    except OSError:
        pass
    return False


def describe(datasets: Sequence[Dataset]) -> str:
    """Describe a series in a few words, for a person to choose by."""
    first = datasets[0]
    text = str(first.get("SeriesDescription", "") or first.get("ProtocolName", "") or "no name")
    return f"{first.get('Modality', '?')} '{text}', {len(datasets)} images"


def open_series(folder: Path, series: str | None = None) -> Opened:
    """Open the one series of a folder, or the one named.

    Parameters
    ----------
    folder : Path
    series : str, optional
        Series instance UID; needed where the folder holds several.

    Returns
    -------
    Opened
        Array (z, y, x) in the order of the slices' positions, rescaled as the files say.

    Raises
    ------
    FileTrouble
        Several series, missing or doubled slices, slices of different size or direction, a file
        whose pixels can't be read.
    """
    found = series_in(folder)
    if series is None and len(found) > 1:
        listed = "; ".join(f"{describe(sets)}, UID {uid}" for uid, sets in found.items())
        raise FileTrouble(
            f"'{folder}' holds {len(found)} series: {listed}. Choose one by its UID, or give each "
            "a folder of its own"
        )
    if series is not None and series not in found:
        raise FileTrouble(f"there is no series {series} in '{folder}'")
    datasets = found[series or next(iter(found))]
    if int(datasets[0].get("NumberOfFrames", 1)) > 1:
        raise FileTrouble(
            f"'{datasets[0].filename}' is a multi-frame DICOM file, which isn't read yet; convert "
            "it to single slices (dcm4che emf2sf) or to NIfTI (dcm2niix)"
        )
    ordered, affine = _sorted(folder, datasets)
    volume = _pixels(ordered)
    nibabel = need("nibabel")
    matrix, names = world_of(affine, nibabel.io_orientation(affine))
    native = {
        "files": tuple(Path(str(one.filename)) for one in ordered), "affine": affine,
        "frame": str(ordered[0].get("FrameOfReferenceUID", "")),
    }  # fmt: skip
    grid = Grid(volume.shape, names, matrix, ("mm",) * 3, "dicom", native)
    modality = str(ordered[0].get("Modality", ""))
    about: dict[str, object] = {
        "modality": modality, "unit": "HU" if modality == "CT" else "", "series": series or "",
    }  # fmt: skip
    window = _window(ordered[len(ordered) // 2])
    if window is not None:
        about["window"] = window
    text = str(ordered[0].get("SeriesDescription", "")).strip()
    return Opened(text or folder.name, (volume,), grid, about=about)


def _sorted(folder: Path, datasets: Sequence[Dataset]) -> tuple[list[Dataset], FloatArray]:
    """Sort slices by position, and find the affine (4, 4) from (column, row, slice) to RAS."""
    first = datasets[0]
    for key in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        absent = [one for one in datasets if key not in one]
        if absent:
            raise FileTrouble(
                f"'{absent[0].filename}' does not say its {key}, so that its place in the body is "
                "unknown; open it as plain images"
            )
    for key in _SAME:
        for one in datasets:
            if not _alike(one.get(key), first.get(key)):
                raise FileTrouble(
                    f"'{folder}' mixes slices of different {key}: {first.get(key)} in "
                    f"'{_name(first)}', {one.get(key)} in '{_name(one)}'; keep those of one scan"
                )
    rows, columns = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
    normal = np.cross(rows, columns)
    places = [np.array(one.ImagePositionPatient, float) for one in datasets]
    depths = np.array([place @ normal for place in places])
    order = np.argsort(depths, kind="stable")
    ordered = [datasets[i] for i in order]
    step = _step(folder, ordered, depths[order])
    down, right = map(float, first.PixelSpacing)
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1] = rows * right, columns * down
    start, end = places[order[0]], places[order[-1]]
    many = len(ordered) > 1
    lps[:3, 2] = (end - start) / (len(ordered) - 1) if many else normal * step
    lps[:3, 3] = start
    return ordered, np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps


def _step(folder: Path, ordered: Sequence[Dataset], depths: FloatArray) -> float:
    """Return the distance of neighbouring slices at `depths` (n,); refuse gaps and doubles."""
    if len(depths) == 1:
        return float(ordered[0].get("SliceThickness") or 1.0)
    steps = np.diff(depths)
    usual = float(np.median(steps))
    doubled = np.flatnonzero(steps < ALIKE)
    if doubled.size:
        one, two = (_name(ordered[int(doubled[0]) + i]) for i in (0, 1))
        raise FileTrouble(
            f"'{folder}' has several slices at one place, such as '{one}' and '{two}': several "
            "phases or echoes in one series; keep one of them"
        )
    gaps = np.flatnonzero(steps > usual * (1 + GAP))
    if gaps.size or (steps < usual * (1 - GAP)).any():
        at = int(gaps[0]) if gaps.size else int(np.argmin(steps))
        absent = max(round(float(steps[at]) / usual) - 1, 0)
        raise FileTrouble(
            f"'{folder}' has slices {usual:g} mm apart, but {steps[at]:g} mm between "
            f"'{_name(ordered[at])}' and '{_name(ordered[at + 1])}'"
            + (f": {absent} seem to be missing. Copy the series again" if absent else "")
        )
    return usual


def _pixels(ordered: Sequence[Dataset]) -> AnyArray:
    """Rescale all slices: (z, y, x), integers where the rescaling leaves them so."""
    scales = [
        (float(one.get("RescaleSlope", 1)), float(one.get("RescaleIntercept", 0)))
        for one in ordered
    ]
    whole = all(value.is_integer() for pair in scales for value in pair)
    out: AnyArray | None = None
    for number, (slim, (slope, inter)) in enumerate(zip(ordered, scales, strict=True)):
        raw = _read(str(slim.filename))
        if raw.ndim != 2:
            raise FileTrouble(f"'{slim.filename}' is a colour image, not a slice of a scan")
        values = raw * slope + inter
        values = values.astype(np.int32 if whole else np.float32)
        if out is None:
            narrow = np.int16 if whole and abs(values).max(initial=0) < 2**14 else values.dtype
            out = np.empty((len(ordered), *values.shape), narrow)
        if out.dtype == np.int16 and abs(values).max(initial=0) >= 2**15:
            out = out.astype(np.int32)
        out[number] = values
    assert out is not None
    return out


def _window(dataset: Dataset) -> tuple[float, float] | None:
    """Return the first intensity window that a file names, as its ends."""
    centre, width = dataset.get("WindowCenter"), dataset.get("WindowWidth")
    try:
        middle, whole = (float(np.ravel(np.asarray(one, float))[0]) for one in (centre, width))
    except (TypeError, ValueError, IndexError):  # none, or no numbers
        return None
    return (middle - whole / 2, middle + whole / 2) if whole > 1 else None


def _read(file: str) -> npt.NDArray[np.integer]:
    """Read the pixels of one file: (rows, columns)."""
    try:
        return np.asarray(read_dataset(Path(file)).pixel_array)
    except (OSError, EOFError, ValueError, AttributeError, RuntimeError) as error:
        raise FileTrouble(
            f"the pixels of '{file}' can't be read ({error}); copy it again, or install the "
            "package that its compression needs (pylibjpeg)"
        ) from error


def _name(dataset: Dataset) -> str:
    return Path(str(dataset.filename)).name


def _alike(one: object, other: object) -> bool:
    if isinstance(one, str) or one is None or other is None:
        return bool(one == other)
    return bool(np.allclose(np.array(one, float), np.array(other, float), atol=ALIKE))


def source_datasets(grid: Grid) -> list[Dataset]:
    """Read the datasets of a volume in the order of its slices, without pixels."""
    gone = [file for file in grid.native["files"] if not file.exists()]
    if gone:
        raise FileTrouble(
            f"DICOM-SEG needs the images it belongs to, but '{gone[0]}' is gone; put them back, or "
            "write NIfTI instead"
        )
    return [read_dataset(file, stop_before_pixels=True) for file in grid.native["files"]]


def read_dataset(path: Path, **options: Any) -> Dataset:
    """Read a DICOM file, with the options of `pydicom.dcmread`, whatever lengths it claims."""
    with BoundedFile(path) as file:
        return need("pydicom").dcmread(file, **options)
