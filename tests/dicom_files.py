"""DICOM files of several frames, and films, as small as they can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    generate_uid,
)

AXIAL = (1, 0, 0, 0, 1, 0)
CORONAL = (1, 0, 0, 0, 0, -1)


def sample(name):
    """Return the path of a file that pydicom brings along."""
    return Path(str(get_testdata_file(name, download=False)))


def image(path, pixels, kind=ComputedRadiographyImageStorage, modality="CR", **more):
    """Write pixels (y, x), (frame, y, x) or (..., 3) as one file; None leaves an element out."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    one.SOPClassUID, one.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    one.StudyInstanceUID, one.SeriesInstanceUID = generate_uid(), generate_uid()
    one.Modality, one.PatientName, one.PatientID = modality, "Made^Up", "0"
    pixels = np.asarray(pixels)
    colour = pixels.shape[-1] == 3
    size = pixels.shape[:-1] if colour else pixels.shape
    one.Rows, one.Columns = size[-2:]
    if len(size) > 2:
        one.NumberOfFrames = size[0]
    one.SamplesPerPixel = 3 if colour else 1
    if colour:
        one.PlanarConfiguration = 0
    one.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    one.BitsAllocated = one.BitsStored = pixels.dtype.itemsize * 8
    one.HighBit, one.PixelRepresentation = one.BitsStored - 1, int(pixels.dtype.kind == "i")
    one.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    for key, value in more.items():
        setattr(one, key, value)
    one.save_as(path, enforce_file_format=True)
    return one


def item(**values):
    """Return a dataset of elements."""
    one = Dataset()
    for key, value in values.items():
        setattr(one, key, value)
    return one


def groups(position, turn=None, stack="1", time=None, slope=None, dimensions=None, spacing=None):
    """Return the functional groups of a frame."""
    content = item(StackID=stack)
    if time is not None:
        content.TemporalPositionIndex = time
        content.FrameReferenceDateTime = f"202601011200{time / 4:09.6f}"
    if dimensions is not None:
        content.DimensionIndexValues = list(dimensions)
    own = item(
        PlanePositionSequence=[item(ImagePositionPatient=list(position))],
        FrameContentSequence=[content],
    )
    if turn is not None:
        own.PlaneOrientationSequence = [item(ImageOrientationPatient=list(turn))]
    if slope is not None:
        own.PixelValueTransformationSequence = [
            item(RescaleSlope=slope, RescaleIntercept=-1024, RescaleType="HU")
        ]
    if spacing is not None:
        own.PixelMeasuresSequence = [
            item(PixelSpacing=list(spacing), SliceThickness=3, SpacingBetweenSlices=3)
        ]
    return own


def enhanced(path, pixels, frames, turn=AXIAL, spacing=(0.5, 0.75), **more):
    """Write frames (n, y, x) with their groups as an Enhanced CT."""
    shared = item(PixelMeasuresSequence=[
        item(PixelSpacing=list(spacing), SliceThickness=3, SpacingBetweenSlices=3)
    ])  # fmt: skip
    if turn is not None:
        shared.PlaneOrientationSequence = [item(ImageOrientationPatient=list(turn))]
    return image(
        path, pixels, EnhancedCTImageStorage, "CT", FrameOfReferenceUID=generate_uid(),
        SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=frames, **more,
    )  # fmt: skip
