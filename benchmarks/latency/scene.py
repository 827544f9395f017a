"""The picture that is clicked on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Image = npt.NDArray[np.uint8]
NEAR = 400
"""Rows and columns from the middle of the clicks to the farthest ones, at most."""
IN_FRAMES = 2048
"""Images of more pixels a side are worked through in frames; the clicks stay in one."""


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
    """Positions inside discs, near each other and away from the border, (row, column)."""
    smooth = ndimage.minimum_filter(image, 5)
    places = np.argwhere(smooth >= min(np.median(image) + 30, smooth.max()))
    side = max(image.shape)
    middle = 0.5 * side if side <= IN_FRAMES else 0.25 * side
    near = (np.abs(places - middle) < min(NEAR, 0.4 * side)).all(1)
    places = places[near] if near.any() else places
    chosen = np.random.default_rng(seed).integers(len(places), size=count)
    return [(float(y), float(x)) for y, x in places[chosen]]
