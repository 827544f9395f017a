"""Synthetic images that are drawn from a seed, with their ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

LayerData = tuple[Any, dict[str, Any], str]
IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Sample:
    """A sample image.

    Attributes
    ----------
    name, title : str
        Short name, and one for people.
    image : array (H, W), (H, W, 3) or (Z, H, W)
    truth : int32 array of the image's spatial shape, or None
        Ground truth ids where they are known for certain.
    spacing : tuple of float
        Size of a pixel along every spatial axis.
    unit : str
        Unit of the spacing, as napari writes it; time is in minutes.
    axes : tuple of str
        Names of the spatial axes and of time, "t"; empty where napari's own do.
    parents : mapping of int to int
        Ids of the ground truth that came from others: daughter -> parent.
    """

    name: str
    title: str
    image: npt.NDArray[Any] = field(repr=False)
    truth: IntArray | None = field(default=None, repr=False)
    spacing: tuple[float, ...] = (1.0, 1.0)
    unit: str = "pixel"
    axes: tuple[str, ...] = ()
    parents: Mapping[int, int] = field(default_factory=dict)

    @property
    def rgb(self) -> bool:
        """Whether the last axis is colour."""
        return self.image.ndim == len(self.spacing) + 1

    def layer(self) -> LayerData:
        """Return the data, options and type of a napari Image layer."""
        about = {"name": self.title, "scale": self.spacing, "rgb": self.rgb}
        if self.unit != "pixel":
            names = self.axes or ("",) * len(self.spacing)
            about["units"] = tuple("min" if name == "t" else self.unit for name in names)
        if self.axes:
            about["axis_labels"] = self.axes
        return self.image, about, "image"


def stack(seed: int = 0, shape: tuple[int, int, int] = (24, 256, 256)) -> Sample:
    """Draw a stack of fluorescent nuclei: ellipsoids, blur, noise; four times coarser along z.

    Parameters
    ----------
    seed : int
    shape : (Z, H, W)
    """
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    truth = np.zeros(shape, np.int32)
    light = np.full(shape, 0.06, np.float32)
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    number = 0
    for _ in range(90):
        center = rng.uniform(0, shape)
        radius = rng.uniform((2.0, 9, 9), (4.0, 18, 18))
        inside = sum(
            ((axis - c) / r) ** 2 for axis, c, r in zip((z, y, x), center, radius, strict=True)
        ) < 1  # fmt: skip
        if (truth[inside] > 0).any() or not inside.any():
            continue
        number += 1
        truth[inside] = number
        light[inside] = rng.uniform(0.35, 0.9)
    texture = ndimage.gaussian_filter(rng.standard_normal(shape), (0.6, 2, 2))
    light *= 1 + 0.8 * texture.astype(np.float32)
    seen = ndimage.gaussian_filter(light, (0.7, 1.2, 1.2))
    counts = rng.poisson(np.clip(seen, 0, None) * 300) + rng.normal(100, 4, shape)
    image = np.clip(counts, 0, 65535).astype(np.uint16)
    return Sample("stack", "Nuclei in 3-D (made up)", image, truth, (1.0, 0.25, 0.25), "um")


def mosaic(seed: int = 0, size: int = 1024) -> Sample:
    """Draw an aerial mosaic, 10 cm a pixel: gabled roofs with shadows, roads, trees.

    The ground truth numbers the roofs.

    Parameters
    ----------
    seed : int
    size : int
        Height and width in pixels.
    """
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:size, :size].astype(np.float32)
    soft = ndimage.zoom(rng.random((size // 32 + 1,) * 2), 32, order=1)[:size, :size]
    fine = rng.standard_normal((size, size)) * 0.02
    image = np.array([0.36, 0.43, 0.27]) * (0.8 + 0.4 * soft[..., None]) + fine[..., None]
    road = (np.abs(rows % 340 - 60 - 12 * np.sin(cols / 150)) < 14) | (np.abs(cols % 410 - 90) < 12)
    image[road] = np.array([0.5, 0.5, 0.52]) + fine[road][:, None]
    truth = np.zeros((size, size), np.int32)
    for _ in range(160):
        _add_roof(rng, image, truth, road)
    for _ in range(120):
        (y, x), radius = rng.integers(20, size - 20, 2), rng.uniform(6, 16)
        part = np.s_[y - 18 : y + 18, x - 18 : x + 18]
        crown = np.hypot(rows[part] - y, cols[part] - x) < radius
        if not (truth[part][crown] > 0).any():
            leaves = np.array([0.16, 0.3, 0.12]) * (0.7 + soft[part][crown][:, None])
            image[part][crown] = leaves
    picture = (np.clip(image, 0, 1) * 255).astype(np.uint8)
    return Sample("mosaic", "Aerial mosaic (made up)", picture, truth, (0.1, 0.1), "m")


def _add_roof(
    rng: np.random.Generator, image: npt.NDArray[np.float64], truth: IntArray,
    road: npt.NDArray[np.bool_],
) -> None:  # fmt: skip
    """Draw one gabled roof and its shadow where there is room, in place.

    `image` is (H, W, 3), `truth` and `road` are (H, W).
    """
    reach = 60
    y, x = rng.integers(reach, truth.shape[0] - reach, 2)
    half, turn = rng.uniform(14, 38, 2), rng.choice([0, 0.05, 0.3]) + rng.normal(0, 0.02)
    tint = np.array([[0.55, 0.28, 0.22], [0.45, 0.45, 0.48], [0.62, 0.5, 0.4]])[rng.integers(3)]
    part = np.s_[y - reach : y + reach, x - reach : x + reach]
    rows, cols = np.mgrid[-reach:reach, -reach:reach]
    u = np.cos(turn) * rows + np.sin(turn) * cols
    v = np.cos(turn) * cols - np.sin(turn) * rows
    roof = (np.abs(u) < half[0]) & (np.abs(v) < half[1])
    around = (np.abs(u) < half[0] + 8) & (np.abs(v) < half[1] + 8)
    if road[part][around].any() or (truth[part][around] > 0).any():
        return
    shadow = np.roll(roof, (9, 7), (0, 1)) & ~roof & (truth[part] == 0)
    image[part][shadow] *= 0.45
    lit = np.where(u < 0, 1.15, 0.8) + 0.05 * np.sin(v)
    grain = rng.standard_normal(int(roof.sum())) * 0.02
    image[part][roof] = tint * lit[roof][:, None] + grain[:, None]
    truth[part][roof] = truth.max() + 1
