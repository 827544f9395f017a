"""Sample images: real ones that installed packages hold, and three synthetic ones.

Nothing is downloaded. The synthetic stack, mosaic and video are drawn anew from a seed and have a
ground truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .drawn import LayerData, Sample, mosaic, stack
from .video import video


def coins() -> Sample:
    """Return Greek coins on uneven ground (303 x 384), from scikit-image."""
    return _from_skimage("coins", "coins", "Coins")


def tissue() -> Sample:
    """Return colon tissue with stained glands (512 x 512), from scikit-image."""
    return _from_skimage("tissue", "immunohistochemistry", "Stained tissue")


def retina() -> Sample:
    """Return a fundus photograph (1411 x 1411), from scikit-image."""
    return _from_skimage("retina", "retina", "Retina")


def coffee() -> Sample:
    """Return a cup of coffee on a table (400 x 600), from scikit-image."""
    return _from_skimage("coffee", "coffee", "Cup of coffee")


def cat() -> Sample:
    """Return Chelsea the cat (300 x 451), from scikit-image."""
    return _from_skimage("cat", "chelsea", "Cat")


def brain() -> Sample:
    """Return a T2*-weighted MR volume of a head (24, 128, 96), from nibabel (extra `medical`)."""
    import nibabel

    path = Path(nibabel.__file__).parent / "tests" / "data" / "example4d.nii.gz"
    file: Any = nibabel.load(path)
    volume = np.asanyarray(file.dataobj)[..., 0].T  # (Z, Y, X)
    spacing = tuple(float(z) for z in file.header.get_zooms()[2::-1])
    return Sample("brain", "Brain MR", np.ascontiguousarray(volume[:, ::-1]), None, spacing, "mm")


def ct() -> Sample:
    """Return one CT slice (128, 128) in Hounsfield units, from pydicom (extra `medical`)."""
    import pydicom
    from pydicom.data import get_testdata_file

    data = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    hounsfield = data.pixel_array * float(data.RescaleSlope) + float(data.RescaleIntercept)
    spacing = tuple(float(s) for s in data.PixelSpacing)
    return Sample("ct", "CT slice", hounsfield.astype(np.int16), None, spacing, "mm")


SAMPLES: Mapping[str, Callable[[], Sample]] = {
    "coins": coins, "tissue": tissue, "retina": retina, "coffee": coffee, "cat": cat,
    "brain": brain, "ct": ct, "stack": stack, "mosaic": mosaic, "video": video,
}  # fmt: skip


def coins_layers() -> list[LayerData]:
    """Return the layers of napari's File > Open Sample > SEEM > Coins."""
    return [coins().layer()]


def tissue_layers() -> list[LayerData]:
    """Return the layers of napari's File > Open Sample > SEEM > Nuclei, stained tissue."""
    return [tissue().layer()]


def coffee_layers() -> list[LayerData]:
    """Return the layers of napari's File > Open Sample > SEEM > Cup of coffee."""
    return [coffee().layer()]


def stack_layers() -> list[LayerData]:
    """Return the layers of napari's File > Open Sample > SEEM > Nuclei in 3-D."""
    return [stack().layer()]


def mosaic_layers() -> list[LayerData]:
    """Return the layers of napari's File > Open Sample > SEEM > Aerial mosaic."""
    return [mosaic().layer()]


def video_layers() -> list[LayerData]:
    """Return the layers of napari's File > Open Sample > SEEM > Dividing cells."""
    return [video().layer()]


def _from_skimage(name: str, function: str, title: str) -> Sample:
    import skimage.data

    return Sample(name, title, getattr(skimage.data, function)())
