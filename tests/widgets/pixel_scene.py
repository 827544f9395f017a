"""Bars on a dark ground, and the Pixel classes dock on them."""

from __future__ import annotations

import numpy as np

SHAPE = 64, 80
BAR, GROUND = np.s_[24:32, 8:72], np.s_[44:56, 8:72]
"""Where a stroke on a bar lies, and one on the ground."""


def bars(planes: int = 0, seed: int = 0) -> np.ndarray:
    """uint8 (H, W), or (planes, H, W): two bright bars, lower by a pixel on each plane."""
    rng = np.random.default_rng(seed)
    out = rng.integers(30, 50, (max(planes, 1), *SHAPE)).astype(np.uint8)
    for k, plane in enumerate(out):
        plane[truth(k)] += 120
    return out if planes else out[0]


def truth(k: int = 0) -> np.ndarray:
    """bool (H, W): where the bars are on a plane."""
    mask = np.zeros(SHAPE, bool)
    mask[22 + k : 34 + k] = mask[6 + k : 10 + k] = True
    return mask


def stroke(layer, label: int, area, at: tuple[int, ...] = ()) -> None:
    """Paint as a person does: one step of napari's undo, and its event at the end."""
    rows = range(area[0].start, area[0].stop, 2)
    layer.brush_size = 3
    with layer.block_history():
        for row in rows:
            for column in range(area[1].start, area[1].stop, 2):
                layer.paint((*at, row, column), label)
