"""Real files, as small as they can be, written by the field's own libraries."""

from __future__ import annotations

import copy
import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from napari_seem.edits import ObjectRecord, ObjectTable


def some_objects() -> ObjectTable:
    """What is known of `some_labels`."""
    return ObjectTable({
        4: ObjectRecord("liver", 0.873, "compact", 3),
        9: ObjectRecord("a thing of mine", 0.5, "compact", 1),
        300: ObjectRecord(),
    })  # fmt: skip


def series_maker(root: Path):
    """Write CT slices in a random order below a folder: `make(places_mm)` gives the series'."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.data import get_testdata_file
    from pydicom.uid import generate_uid

    base = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))

    def make(places, name="series", change=lambda number, dataset: None):
        folder = root / name
        folder.mkdir(exist_ok=True)
        series, rng = generate_uid(), np.random.default_rng(0)
        for number in rng.permutation(len(places)):
            dataset = copy.deepcopy(base)
            dataset.SeriesInstanceUID, dataset.SOPInstanceUID = series, generate_uid()
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            x, y, _ = base.ImagePositionPatient
            dataset.ImagePositionPatient = [x, y, places[number]]
            pixels = base.pixel_array + np.int16(number)
            dataset.PixelData = pixels.astype(base.pixel_array.dtype).tobytes()
            change(int(number), dataset)
            dataset.save_as(folder / f"{name}-{rng.integers(10**6):06d}.dcm")
        return folder

    return make


def some_labels(shape) -> np.ndarray:
    """Three objects with ids that are not in a row; the first has a hole."""
    labels = np.zeros(shape, np.uint16)
    labels[..., 10:40, 12:50] = 4
    labels[..., 20:25, 20:30] = 0
    labels[..., 50:60, 5:25] = 9
    labels[..., 45:48, 30:60] = 300
    return labels


@contextmanager
def full_disk(most):
    """No file can grow beyond so many bytes: as on a disk that is full."""
    resource = pytest.importorskip("resource")  # not on Windows
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, former)
