"""Plain filters of an image at several scales: brightness, edges, ridges, texture, contrast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..models.pixel_features import FeatureMap

FloatArray = npt.NDArray[np.floating[Any]]

SIGMAS = (1.0, 2.0, 4.0, 8.0)
"""Standard deviations of the Gaussians in pixels."""
WIDEST = 2.0
"""Largest Gaussian in cells: those of more pixels are taken of a coarser copy."""
SURROUNDINGS = 3.0
"""Standard deviation, as a multiple of the filter's, of the surroundings that contrast is with."""


def plain_features(rgb: npt.NDArray[np.uint8]) -> list[FeatureMap]:
    """Filter an image at several scales.

    Parameters
    ----------
    rgb : uint8 array (H, W, 3)

    Returns
    -------
    list of FeatureMap
        For each sigma: the smoothed channels, the gradient's length, both eigenvalues of the
        Hessian, both of the structure tensor, and contrast and deviation of the surroundings;
        first the pixels themselves. Wide filters are computed on coarser copies.
    """
    image: FloatArray = rgb.astype(np.float32).transpose(2, 0, 1) / 255  # (3, H, W)
    maps = [FeatureMap(image, (1.0, 1.0))]
    factor = 1
    for sigma in SIGMAS:
        while sigma / factor > WIDEST:
            image, factor = _halved(image), 2 * factor
        found = np.stack(list(_filtered(image, sigma / factor)))
        maps.append(FeatureMap(found, (1 / factor, 1 / factor)))
    return maps


def _filtered(image: FloatArray, sigma: float) -> Iterator[FloatArray]:
    """Yield the filters (H, W) of an image (3, H, W) at one scale, in units of `sigma`."""
    smooth = np.stack([_gaussian(channel, sigma) for channel in image])
    yield from smooth
    grey, source = smooth.mean(0), image.mean(0)
    dy, dx = _slope(grey, 0), _slope(grey, 1)
    yield sigma * np.hypot(dy, dx)
    for eigenvalue in _eigenvalues(_slope(dy, 0), _slope(dy, 1), _slope(dx, 1)):
        yield sigma**2 * eigenvalue
    tensor = (_gaussian(part, sigma) for part in (dy * dy, dx * dy, dx * dx))
    for eigenvalue in _eigenvalues(*tensor):
        yield sigma * np.sqrt(np.maximum(eigenvalue, 0))
    around = _gaussian(source, SURROUNDINGS * sigma)
    spread = np.sqrt(np.maximum(_gaussian(source**2, SURROUNDINGS * sigma) - around**2, 0))
    yield (grey - around) / (spread + 0.02)
    yield spread


def _gaussian(values: FloatArray, sigma: float) -> FloatArray:
    """Smooth an array (H, W)."""
    return ndimage.gaussian_filter(values, sigma, mode="nearest", truncate=3.0)


def _slope(values: FloatArray, axis: int) -> FloatArray:
    """Return the central differences of an array (H, W) along an axis."""
    return ndimage.correlate1d(values, [-0.5, 0, 0.5], axis, mode="nearest")


def _eigenvalues(yy: FloatArray, xy: FloatArray, xx: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return both eigenvalues, the larger first, of symmetric matrices, each part (H, W)."""
    mean, half = (yy + xx) / 2, (yy - xx) / 2
    root = np.hypot(half, xy)
    return mean + root, mean - root


def _halved(image: FloatArray) -> FloatArray:
    """Average blocks of 2 x 2 pixels of an image (C, H, W); an odd last one is repeated."""
    pad = [(0, 0)] + [(0, size % 2) for size in image.shape[1:]]
    padded = np.pad(image, pad, mode="edge")
    height, width = (size // 2 for size in padded.shape[1:])
    return padded.reshape(-1, height, 2, width, 2).mean((2, 4), dtype=np.float32)
