"""Plain filters of an image at several scales: brightness, edges, ridges, lines, texture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..models.pixel_features import FeatureMap
from .lines import BESIDE, line_contrasts

FloatArray = npt.NDArray[np.floating[Any]]

GRIDS = ((1, (1.0, 2.0)), (2, (2.0,)), (4, (2.0,)))
"""Pixels along the sides of a cell, and the standard deviations in cells of the Gaussians there."""
SURROUNDINGS = 3.0
"""Standard deviation, as a multiple of the filter's, of the surroundings that contrast is with."""
DARKEST = 0.05
"""Added to brightness of 0 to 1 before its logarithm is taken."""
LINE_SIGMA = 0.8
"""Standard deviation in cells of the Gaussian before lines are looked for."""
LEAST_SPREAD = 0.02
"""Added to the deviation of the surroundings before it is divided by."""


def plain_features(rgb: npt.NDArray[np.uint8]) -> list[FeatureMap]:
    """Filter an image at several scales.

    Parameters
    ----------
    rgb : uint8 array (H, W, 3)

    Returns
    -------
    list of FeatureMap
        The pixels themselves; then, for each sigma of a grid: the smoothed channels, the gradient's
        length, both eigenvalues of the Hessian, both of the structure tensor, contrast and
        deviation of the surroundings, and both eigenvalues of the Hessian of each channel's
        logarithm; and for each grid contrasts of lines. All but the smoothed channels are signed
        roots, as few pixels have large ones. Wide filters are computed on coarser copies.
    """
    image: FloatArray = rgb.astype(np.float32).transpose(2, 0, 1) / 255  # (3, H, W)
    maps = [FeatureMap(image, (1.0, 1.0))]
    known = 1
    for factor, sigmas in GRIDS:
        while known < factor:
            image, known = _halved(image), 2 * known
        logs = np.log(image + DARKEST)
        found: list[FloatArray] = []
        for sigma in sigmas:
            smooth = np.stack([_gaussian(channel, sigma) for channel in image])
            found.extend(smooth)
            found.extend(map(_root, _filtered(image.mean(0), smooth.mean(0), sigma)))
            found.extend(_root(one) for channel in logs for one in _ridges(channel, sigma))
        found.extend(map(_root, _lines(np.log(image.mean(0) + DARKEST))))
        maps.append(FeatureMap(np.stack(found), (1 / factor, 1 / factor)))
    return maps


def _root(values: FloatArray) -> FloatArray:
    """Return the roots of the magnitudes of a filter (H, W), with their signs."""
    return np.copysign(np.sqrt(np.abs(values)), values)


def _filtered(grey: FloatArray, smooth: FloatArray, sigma: float) -> Iterator[FloatArray]:
    """Yield the filters (H, W) of brightness, given smoothed as well, in units of `sigma`."""
    dy, dx = _slope(smooth, 0), _slope(smooth, 1)
    yield sigma * np.hypot(dy, dx)
    for eigenvalue in _eigenvalues(_slope(dy, 0), _slope(dy, 1), _slope(dx, 1)):
        yield sigma**2 * eigenvalue
    tensor = (_gaussian(part, sigma) for part in (dy * dy, dx * dy, dx * dx))
    for eigenvalue in _eigenvalues(*tensor):
        yield sigma * np.sqrt(np.maximum(eigenvalue, 0))
    around, spread = _surroundings(grey, SURROUNDINGS * sigma)
    yield (smooth - around) / (spread + LEAST_SPREAD)
    yield spread


def _ridges(values: FloatArray, sigma: float) -> tuple[FloatArray, FloatArray]:
    """Return both eigenvalues of the Hessian (H, W), in units of `sigma`."""
    smooth = _gaussian(values, sigma)
    dy, dx = _slope(smooth, 0), _slope(smooth, 1)
    larger, smaller = _eigenvalues(_slope(dy, 0), _slope(dy, 1), _slope(dx, 1))
    return sigma**2 * larger, sigma**2 * smaller


def _lines(values: FloatArray) -> Iterator[FloatArray]:
    """Yield contrasts of dark and of light lines (H, W), then as shares of the deviation around."""
    found = line_contrasts(_gaussian(values, LINE_SIGMA))
    spread = _surroundings(values, SURROUNDINGS * BESIDE)[1]
    yield from found
    for one in found:
        yield one / (spread + LEAST_SPREAD)


def _surroundings(values: FloatArray, sigma: float) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation of the surroundings of each pixel of (H, W)."""
    mean = _gaussian(values, sigma)
    return mean, np.sqrt(np.maximum(_gaussian(values**2, sigma) - mean**2, 0))


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
