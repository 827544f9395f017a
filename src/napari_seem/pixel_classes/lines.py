"""Contrast of lines with what lies on both sides of them, in the direction where it is largest.

An edge has contrast on one side only: the rims of bright spots, which eigenvalues of the Hessian
take for vessels, give little here. Mean along a line against means beside it is how Ricci and
Perfetti (2007) find vessels; the lesser of both sides is taken here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]

DIRECTIONS = 8
HALF = 5
"""Cells of a line on each side of its middle."""
BESIDE = 3
"""Cells between the line and those parallel to it that it is compared with."""


def line_contrasts(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how much darker, and how much lighter, a line through each pixel is than both sides.

    Parameters
    ----------
    values : float array (H, W)

    Returns
    -------
    dark, light : float array (H, W)
        The largest over the directions; negative where no direction has such a line.
    """
    height, width = values.shape
    rim = BESIDE + HALF
    padded = np.pad(values, rim, mode="edge")
    dark, light = (np.full(values.shape, -np.inf, values.dtype) for _ in range(2))
    for angle in np.pi / DIRECTIONS * np.arange(DIRECTIONS):
        along = np.array([np.sin(angle), np.cos(angle)])
        means = _means_along(padded, along)
        y, x = (int(step) for step in np.rint(BESIDE * along[::-1] * (1, -1)))
        line, left, right = (
            means[BESIDE + sign * y :, BESIDE + sign * x :][:height, :width] for sign in (0, 1, -1)
        )
        np.maximum(dark, np.minimum(left, right) - line, out=dark)
        np.maximum(light, line - np.maximum(left, right), out=light)
    return dark, light


def _means_along(padded: FloatArray, along: npt.NDArray[np.float64]) -> FloatArray:
    """Average the cells of a line through each pixel of (H + 2 HALF, W + 2 HALF): (H, W)."""
    height, width = (size - 2 * HALF for size in padded.shape)
    total = np.zeros((height, width), padded.dtype)
    for step in range(-HALF, HALF + 1):
        y, x = (HALF + int(part) for part in np.rint(step * along))
        total += padded[y : y + height, x : x + width]
    total /= 2 * HALF + 1
    return total
