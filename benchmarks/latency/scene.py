"""The picture that is clicked on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Image = npt.NDArray[np.uint8]


def scene(size: int, seed: int = 0) -> Image:
    """A square gray image of discs of many sizes on a noisy ground."""
    rng = np.random.default_rng(seed)
    image = rng.normal(60, 12, (size, size))
    for _ in range(60):
        y, x = rng.integers(0, size, 2)
        radius = int(size * np.exp(rng.uniform(np.log(0.01), np.log(0.08))))
        part = tuple(slice(max(0, c - radius), min(size, c + radius)) for c in (y, x))
        rows, cols = np.mgrid[part]
        image[part][(rows - y) ** 2 + (cols - x) ** 2 < radius**2] += rng.uniform(40, 120)
    return np.clip(image, 0, 255).astype(np.uint8)


def on_discs(image: Image, count: int, seed: int = 1) -> list[tuple[float, float]]:
    """Positions inside discs and away from the border of the image, (row, column)."""
    smooth = ndimage.minimum_filter(image, 5)
    places = np.argwhere(smooth >= min(np.median(image) + 30, smooth.max()))
    inner = (np.abs(places / np.array(image.shape) - 0.5) < 0.4).all(1)
    places = places[inner] if inner.any() else places
    chosen = np.random.default_rng(seed).integers(len(places), size=count)
    return [(float(y), float(x)) for y, x in places[chosen]]
