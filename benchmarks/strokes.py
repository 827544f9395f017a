"""A simulated person who paints a few strokes of each class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

BESIDE = 16
"""Pixels from its border within which wide regions are marked every other time."""
SHARE = 8
"""Strokes are at most the image's longest side through this long."""
TRIES = 5
"""Places that are looked at for the next stroke; the farthest from the former ones is taken."""
IntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]
Pixel = tuple[int, int]


def drawn_strokes(truth: IntArray, seed: int, count: int = 5) -> npt.NDArray[np.uint16]:
    """Paint strokes along the middle of each class.

    Strokes are 1 to 3 pixels wide and stay inside their class. Those on wide regions, such as the
    background, alternate between a line near to other classes and one through the middle.

    Parameters
    ----------
    truth : integer array (H, W)
        Classes; 0 is the background, and a class as well.
    seed : int
    count : int
        Strokes a class.

    Returns
    -------
    uint16 array (H, W)
        The class plus 1 where there is a stroke, else 0.
    """
    rng = np.random.default_rng(seed)
    out = np.zeros(truth.shape, np.uint16)
    longest = max(truth.shape) // SHARE
    for value in np.unique(truth):
        mask = truth == value
        lines = _middle_lines(mask)
        drawn: list[npt.NDArray[np.intp]] = []
        for number in range(count):
            line = lines[(number + 1) % len(lines)]
            if not line.any():
                continue
            start = _next_place(line, drawn, rng)
            drawn.append(np.array(_followed(line, start, longest, rng)))
            stroke = np.zeros_like(mask)
            stroke[tuple(drawn[-1].T)] = True
            width = int(rng.integers(1, 4))
            out[ndimage.binary_dilation(stroke, np.ones((width, width))) & mask] = value + 1
    return out


def _middle_lines(mask: BoolArray) -> list[BoolArray]:
    """Return the middle line of a mask (H, W), and of a wide one that of its rim."""
    from skimage.morphology import skeletonize

    depth = ndimage.distance_transform_edt(mask)
    lines = [skeletonize(mask)]
    if depth.max() > BESIDE:
        lines.append(skeletonize(mask & (depth <= BESIDE)) & (depth > 1))
    return lines


def _next_place(
    line: BoolArray, drawn: list[npt.NDArray[np.intp]], rng: np.random.Generator
) -> Pixel:
    """Choose a pixel of a line (H, W), far from the strokes (N, 2) that were drawn."""
    places = np.argwhere(line)
    places = places[rng.integers(len(places), size=TRIES)]
    best = 0
    if drawn:
        gaps = places[:, None] - np.concatenate(drawn)[None]
        best = int((gaps**2).sum(-1).min(1).argmax())
    return int(places[best][0]), int(places[best][1])


def _followed(line: BoolArray, start: Pixel, longest: int, rng: np.random.Generator) -> list[Pixel]:
    """Follow a line (H, W) from a pixel, straight on where it forks."""
    path, seen = [start], {start}
    height, width = line.shape
    while len(path) < longest:
        y, x = path[-1]
        beside = [
            (b, a) for b in range(y - 1, y + 2) for a in range(x - 1, x + 2)
            if 0 <= b < height and 0 <= a < width and line[b, a] and (b, a) not in seen
        ]  # fmt: skip
        if not beside:
            break
        last = path[-min(len(path), 6)]
        ahead = [
            (b - y) * (y - last[0]) + (a - x) * (x - last[1]) + rng.random() / 10 for b, a in beside
        ]
        seen.update(beside)
        path.append(beside[int(np.argmax(ahead))])
    return path
