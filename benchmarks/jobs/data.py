"""What the jobs are done on: shared images with their truth, and drawn ones."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "dev-eval"

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Case:
    """A file to be opened, and what is true of it.

    Attributes
    ----------
    path : Path
    truth : int array of the image's spatial shape
    """

    path: Path
    truth: IntArray = field(repr=False)


def shared(name: str, item: str, folder: Path) -> Case:
    """Copy one image of a shared set into a folder, where a person would have it."""
    import imageio.v3 as iio

    about = json.loads((SHARED / name / "set.json").read_text(encoding="utf-8"))["items"][item]
    source = SHARED / name / about["image"]
    path = folder / source.name
    path.write_bytes(source.read_bytes())
    mask = SHARED / name / about["mask"]
    if mask.suffix == ".gz":
        from napari_seem.io.files import open_image

        return Case(path, np.asarray(open_image(mask).data).astype(np.int64))
    return Case(path, np.asarray(iio.imread(mask)).astype(np.int64))


def coins() -> IntArray:
    """Return the true coins of the sample: those of scikit-image's tutorial on segmentation."""
    import skimage.data
    from scipy import ndimage
    from skimage.filters import sobel
    from skimage.segmentation import watershed

    image = skimage.data.coins()
    markers = np.zeros(image.shape, int)
    markers[image < 30], markers[image > 150] = 1, 2
    filled = ndimage.binary_fill_holes(watershed(sobel(image), markers) == 2)
    labels, _ = ndimage.label(filled)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    keep = np.flatnonzero(sizes > 600)
    return np.searchsorted(keep, labels) * np.isin(labels, keep) + np.isin(labels, keep)


def video(folder: Path) -> Case:
    """Write the frames of dividing cells as one TIFF (T, H, W); the truth holds track ids."""
    import imageio.v3 as iio
    import tifffile

    source = SHARED / "video" / "ctc_fluo_hela"
    frames = sorted((source / "images").glob("*.jpg"))
    truth = [iio.imread(source / "masks" / f"{frame.stem}.png") for frame in frames]
    movie = np.stack([_gray(iio.imread(frame)) for frame in frames])
    path = folder / "cells.tif"
    tifffile.imwrite(path, movie, imagej=True, metadata={"axes": "TYX"})
    return Case(path, np.stack(truth).astype(np.int64))


def roofs(folder: Path, size: int = 640) -> tuple[Case, Any]:
    """Write a drawn aerial mosaic as GeoTIFF of 10 cm a pixel; gives its transform as well."""
    import rasterio
    from rasterio.transform import from_origin

    from napari_seem.samples.drawn import mosaic

    sample, path = mosaic(3, size), folder / "town.tif"
    transform = from_origin(500_000, 5_300_000, 0.1, 0.1)
    with rasterio.open(
        path, "w", driver="GTiff", height=size, width=size, count=3, dtype="uint8",
        crs="EPSG:32632", transform=transform, photometric="RGB",
    ) as file:  # fmt: skip
        file.write(np.moveaxis(sample.image, -1, 0))
    assert sample.truth is not None
    return Case(path, sample.truth.astype(np.int64)), transform


def channels(folder: Path, size: int = 400) -> tuple[list[Path], IntArray]:
    """Draw cells in three channels, a TIFF each: nuclei, cell bodies, and a marker of some cells.

    The truth holds the whole cells.
    """
    import tifffile
    from scipy import ndimage

    rng = np.random.default_rng(5)
    truth = np.zeros((size, size), np.int64)
    light = np.zeros((3, size, size))
    rows, cols = np.mgrid[:size, :size]
    for _ in range(120):
        y, x = rng.uniform(35, size - 35, 2)
        a, b, turn = *rng.uniform(16, 26, 2), rng.uniform(0, np.pi)
        u = np.cos(turn) * (rows - y) + np.sin(turn) * (cols - x)
        v = np.cos(turn) * (cols - x) - np.sin(turn) * (rows - y)
        cell = (u / a) ** 2 + (v / b) ** 2 < 1
        if truth[ndimage.binary_dilation(cell, iterations=3)].any():
            continue
        truth[cell] = truth.max() + 1
        light[0][(u / a) ** 2 + (v / b) ** 2 < 0.2] = rng.uniform(0.5, 0.9)
        light[1][cell] = rng.uniform(0.35, 0.6)
        light[2][cell] = rng.choice([0.05, 0.6])
    paths = []
    for name, channel in zip(("nuclei", "bodies", "marker"), light, strict=True):
        seen = ndimage.gaussian_filter(channel + 0.05, 1.2)
        counts = rng.poisson(seen * 400) + rng.normal(100, 5, seen.shape)
        paths.append(folder / f"cells-{name}.tif")
        tifffile.imwrite(paths[-1], np.clip(counts, 0, 65535).astype(np.uint16))
    return paths, truth


def _gray(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return image if image.ndim == 2 else image[..., 0]
