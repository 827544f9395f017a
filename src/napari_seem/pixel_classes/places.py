"""Where on a plane the classes are told apart worst."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CELLS = 32
"""Cells along the longer side of a plane, each of which is one place."""
KNOWN = 0.5
"""Share of a stroke's cell by which it counts for less: a stroke there tells little new."""


def least_sure(
    uncertainty: npt.NDArray[np.floating], strokes: npt.NDArray[np.intp]
) -> list[tuple[int, int, int, int]]:
    """Return the places of a plane, from that where a stroke is likely to help most.

    Parameters
    ----------
    uncertainty : float array (H, W)
        0 to 1.
    strokes : int array (n, 2)
        Row and column of the pixels that are painted already.

    Returns
    -------
    list of (y0, x0, y1, x1)
        Half-open boxes of equal size, no two of them the same place.
    """
    height, width = uncertainty.shape
    side = max(1, -(-max(height, width) // CELLS))
    rows, columns = -(-height // side), -(-width // side)
    padded = np.zeros((rows * side, columns * side), np.float32)
    padded[:height, :width] = uncertainty
    cells = padded.reshape(rows, side, columns, side).mean((1, 3))
    inside = (strokes >= 0).all(1) & (strokes < (height, width)).all(1)
    painted = strokes[inside] // side
    cells[tuple(painted.T)] *= KNOWN
    order = np.argsort(-cells, axis=None, kind="stable")
    found = (divmod(int(i), columns) for i in order)
    return [
        (y * side, x * side, min(height, (y + 1) * side), min(width, (x + 1) * side))
        for y, x in found
    ]
