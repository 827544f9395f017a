"""Synthetic scans and maps as real files, for tutorials and tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..io.extras import need
from .drawn import mosaic

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

FloatArray = npt.NDArray[np.float32]
CT_SHAPE = (24, 256, 256)
CT_SPACING = (5.0, 1.4, 1.4)
ORGANS = {1: "liver", 2: "kidney", 3: "spine"}
_HOUNSFIELD = {1: 115, 2: 190, 3: 520}
MAP_SYSTEM = "EPSG:32632"
MAP_CORNER = (405_000.0, 5_650_000.0)


def ct_volume(seed: int = 0) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    """Draw an abdomen in Hounsfield units and its organs, (24, 256, 256) each, head last.

    Organs are numbered as in `ORGANS`; fat, muscle, bowel and noise are not labelled.
    """
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    z, y, x = (axis.astype(np.float32) for axis in np.ogrid[: CT_SHAPE[0], :256, :256])
    body = _ellipsoid((z, y, x), (12, 128, 128), (60, 84, 112)) < 1
    inner = _ellipsoid((z, y, x), (12, 128, 128), (60, 72, 100)) < 1
    image = np.full(CT_SHAPE, -1000.0, np.float32)
    image[body] = -95  # fat
    image[inner] = 45  # muscle and bowel
    for _ in range(14):  # loops of bowel, some with air
        at = rng.uniform((2, 70, 90), (22, 130, 200))
        loop = (_ellipsoid((z, y, x), at, rng.uniform((3, 8, 8), (8, 16, 20))) < 1) & inner
        image[loop] = rng.choice([20.0, 60.0, -700.0], p=[0.5, 0.35, 0.15])
    wobble = ndimage.gaussian_filter(rng.standard_normal(CT_SHAPE), (3, 12, 12)).astype(np.float32)
    wobble *= 0.25 / wobble.std()
    organs = np.zeros(CT_SHAPE, np.uint8)
    liver = _ellipsoid((z, y, x), (14, 112, 82), (11, 46, 48)) + wobble < 1
    organs[liver & inner] = 1
    for side in (92, 164):
        kidney = _ellipsoid((z, y, x), (9, 158, side), (7, 17, 13)) + 0.4 * wobble < 1
        organs[kidney & inner] = 2
    organs[np.broadcast_to(_ellipsoid((z, y, x), (12, 172, 128), (99, 15, 17)) < 1, CT_SHAPE)] = 3
    for number, level in _HOUNSFIELD.items():
        image[organs == number] = level
    image = ndimage.gaussian_filter(image, (0.4, 0.9, 0.9))
    image += rng.normal(0, 12, CT_SHAPE)
    return np.clip(image, -1024, 3000).astype(np.int16), organs


def write_ct_series(folder: str | Path, seed: int = 0) -> Path:
    """Write `ct_volume` as a DICOM series of one file per slice, names in no order.

    Raises
    ------
    MissingPackage
        pydicom is not installed (extra `medical`).
    """
    need("pydicom")
    from pydicom.uid import generate_uid

    home = Path(folder)
    home.mkdir(parents=True, exist_ok=True)
    volume, _ = ct_volume(seed)
    uids = generate_uid(), generate_uid(), generate_uid()
    names = np.random.default_rng(seed).permutation(len(volume))
    for number, plane in enumerate(volume):
        path = home / f"slice-{names[number]:03d}.dcm"
        _ct_slice(path, plane, number, uids).save_as(path, enforce_file_format=True)
    return home


def _ct_slice(
    path: Path, plane: npt.NDArray[np.int16], number: int, uids: tuple[str, str, str]
) -> FileDataset:
    """Describe a slice (H, W) in Hounsfield units, by UIDs of study, series and frame."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    one.SOPClassUID, one.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = uids
    one.PositionReferenceIndicator = ""
    one.Modality, one.SeriesDescription = "CT", "Made-up abdomen"
    one.PatientName, one.PatientID, one.PatientBirthDate = "Made^Up", "0", ""
    one.PatientSex = one.StudyDate = one.StudyTime = one.AccessionNumber = ""
    one.ReferringPhysicianName = ""
    one.StudyID, one.SeriesNumber, one.InstanceNumber = "1", 1, number + 1
    one.Manufacturer, one.PatientPosition = "napari-seem", "HFS"
    thick, down, across = CT_SPACING
    one.Rows, one.Columns = plane.shape
    one.PixelSpacing, one.SliceThickness = [down, across], thick
    one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    one.ImagePositionPatient = [-across * 127.5, -down * 127.5, thick * number]
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated = one.BitsStored = 16
    one.HighBit, one.PixelRepresentation = 15, 0
    one.RescaleIntercept, one.RescaleSlope = -1024, 1
    one.PixelData = (plane.astype(np.int32) + 1024).astype("<u2").tobytes()
    return one


def write_map(path: str | Path, seed: int = 0, size: int = 1024) -> Path:
    """Write the made-up mosaic as a GeoTIFF in UTM zone 32, 10 cm a pixel.

    Raises
    ------
    MissingPackage
        rasterio is not installed (extra `geo`).
    """
    rasterio = need("rasterio")
    picture = mosaic(seed, size)
    west, north = MAP_CORNER
    pixel = picture.spacing[0]
    transform = rasterio.Affine(pixel, 0, west, 0, -pixel, north)
    with rasterio.open(
        path, "w", driver="GTiff", height=size, width=size, count=3, dtype="uint8",
        crs=MAP_SYSTEM, transform=transform, photometric="RGB", compress="deflate", tiled=True,
    ) as file:  # fmt: skip
        file.write(np.moveaxis(picture.image, -1, 0))
    return Path(path)


def _ellipsoid(
    axes: tuple[FloatArray, ...], middle: Iterable[float], radii: Iterable[float]
) -> FloatArray:
    """Compute the squared distance from the middle, in radii: (Z, Y, X).

    `axes` are the open axes of a grid: (Z, 1, 1), (1, Y, 1) and (1, 1, X).
    """
    z, y, x = (((a - m) / r) ** 2 for a, m, r in zip(axes, middle, radii, strict=True))
    return z + y + x
