"""Square frames of a big plane, of one size, at full or coarser resolution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..prompts import Box, Extent, Mask, Point, Polygon, Prompt, Reference, Scribble, Text

SIDE = 1024
"""Pixels along a frame, whatever its scale. The shipped model encodes such a frame in half a second
on two cores, and segments objects of up to about 600 pixels in it as well as on a plane of its own;
a frame of twice the side costs four times as much at the first click."""
STEPS = 1 / 2, 1 / 8
"""Shares of a frame. Frames lie on a fixed grid, so that clicks near each other share one. With
half a frame between them every point lies at least a quarter of a frame (256 pixels) from the rim.
The finer grid is for prompts that would lie too near to the rim of every frame of the first."""
MARGIN = 1 / 8
"""Share of a frame that must remain around the known part of an object."""
HALO = 1 / 8
"""Share of a frame by which it overlaps its neighbours in a whole-plane run: an object of up to
this size on the border between two frames lies whole in both."""
WHOLE = 2048
"""Planes up to this side are encoded as one; the shipped model reads all their pixels."""

Area = tuple[int, int, int, int]
Shape = tuple[int, int]


@dataclass(frozen=True, slots=True, order=True)
class Frame:
    """A half-open rectangle of a plane, with `factor` x `factor` plane pixels as one frame pixel.

    `y0` and `x0` are multiples of the factor.
    """

    factor: int
    y0: int
    x0: int
    y1: int
    x1: int

    @property
    def area(self) -> Area:
        """Half-open (y0, x0, y1, x1) in plane pixels."""
        return self.y0, self.x0, self.y1, self.x1

    @property
    def shape(self) -> Shape:
        """Height and width in frame pixels."""
        return -(-(self.y1 - self.y0) // self.factor), -(-(self.x1 - self.x0) // self.factor)

    def open_sides(self, shape: Shape) -> tuple[bool, bool, bool, bool]:
        """Return whether the plane goes on beyond the top, left, bottom and right rim."""
        return self.y0 > 0, self.x0 > 0, self.y1 < shape[0], self.x1 < shape[1]

    def holds(self, extent: Extent, shape: Shape, margin: float = MARGIN) -> bool:
        """Return whether an extent lies inside, away from rims beyond which the plane goes on."""
        top, left, bottom, right = (
            margin * SIDE * self.factor * is_open for is_open in self.open_sides(shape)
        )
        return (
            extent[0] >= self.y0 + top
            and extent[1] >= self.x0 + left
            and extent[2] <= self.y1 - bottom
            and extent[3] <= self.x1 - right
        )


def is_big(shape: Sequence[int]) -> bool:
    """Return whether a plane (H, W) is divided into frames."""
    return max(shape[:2]) > WHOLE


def frames_around(extent: Extent, shape: Shape, margin: float = MARGIN) -> Iterator[Frame]:
    """Yield frames that hold an extent, finest first; the last one is the whole plane."""
    center = (extent[0] + extent[2] - 1) / 2, (extent[1] + extent[3] - 1) / 2
    factor = 1
    while SIDE * factor < max(shape):
        for step in STEPS:
            frame = _nearest(center, factor, int(step * SIDE), shape)
            if frame.holds(extent, shape, margin):
                yield frame
        factor *= 2
    yield whole_frame(shape)


def _nearest(center: tuple[float, float], factor: int, step: int, shape: Shape) -> Frame:
    """Return the frame of a grid whose middle is nearest, pushed onto the plane."""
    corner = []
    for middle, size in zip(center, shape, strict=True):
        start = round((middle / factor - SIDE / 2) / step) * step
        highest = max(0, -(-size // factor) - SIDE)
        corner.append(int(np.clip(start, 0, highest)) * factor)
    y, x = corner
    end = min(shape[0], y + SIDE * factor), min(shape[1], x + SIDE * factor)
    return Frame(factor, y, x, *end)


def whole_frame(shape: Shape) -> Frame:
    """Return the whole plane as a frame, as coarse as necessary."""
    factor = 1
    while SIDE * factor < max(shape):
        factor *= 2
    return Frame(factor, 0, 0, *shape)


def cores(shape: Shape, factor: int = 1, halo: int | None = None) -> list[tuple[Area, Frame]]:
    """Split a plane into equal parts, each with a frame of it and a halo around; row by row.

    By default the halo is `HALO` of a frame, else so many frame pixels.

    Returns
    -------
    list of ((y0, x0, y1, x1), Frame)
        The half-open areas cover the plane without overlap.
    """
    halo = int(HALO * SIDE) if halo is None else halo
    bounds = []
    for size in shape:
        count = max(1, -(-size // ((SIDE - 2 * halo) * factor)))
        cuts = np.linspace(0, size / factor, count + 1).round().astype(int) * factor
        cuts[-1] = size
        bounds.append([int(cut) for cut in cuts])
    found = []
    for y0, y1 in zip(bounds[0][:-1], bounds[0][1:], strict=True):
        for x0, x1 in zip(bounds[1][:-1], bounds[1][1:], strict=True):
            frame = Frame(
                factor, max(0, y0 - halo * factor), max(0, x0 - halo * factor),
                min(shape[0], y1 + halo * factor), min(shape[1], x1 + halo * factor),
            )  # fmt: skip
            found.append(((y0, x0, y1, x1), frame))
    return found


def into_frame(prompts: Sequence[Prompt], frame: Frame, shape: Shape) -> list[Prompt]:
    """Move prompts into a frame's coordinates; those that lie outside are left out.

    Words and references are kept as they are.
    """
    moved = (_moved(prompt, frame, shape) for prompt in prompts)
    return [prompt for prompt in moved if prompt is not None]


def _moved(prompt: Prompt, frame: Frame, shape: Shape) -> Prompt | None:
    height, width = frame.shape
    if isinstance(prompt, (Text, Reference)):
        return prompt
    if isinstance(prompt, Point):
        y = (prompt.y + 0.5 - frame.y0) / frame.factor - 0.5
        x = (prompt.x + 0.5 - frame.x0) / frame.factor - 0.5
        inside = -0.5 <= y <= height - 0.5 and -0.5 <= x <= width - 0.5
        return replace(prompt, y=y, x=x) if inside else None
    if isinstance(prompt, Box):
        return _moved_box(prompt, frame)
    if isinstance(prompt, Polygon):
        corner = np.array([frame.y0, frame.x0])
        vertices = (prompt.vertices + 0.5 - corner) / frame.factor - 0.5
        low, high = vertices.min(0), vertices.max(0)
        inside = (high >= 0).all() and (low <= np.array([height - 1, width - 1])).all()
        small = (high - low).max() < 1
        return Polygon(vertices, prompt.positive) if inside and not small else None
    mask = mask_in_frame(prompt, frame)
    return type(prompt)(mask, prompt.positive) if mask.any() else None


def _moved_box(box: Box, frame: Frame) -> Box | None:
    ys, xs = sorted((box.y0, box.y1)), sorted((box.x0, box.x1))
    y0, y1 = ((y - frame.y0) / frame.factor for y in ys)
    x0, x1 = ((x - frame.x0) / frame.factor for x in xs)
    height, width = frame.shape
    y0, y1 = max(0.0, y0), min(float(height), y1)
    x0, x1 = max(0.0, x0), min(float(width), x1)
    if y1 <= y0 or x1 <= x0:
        return None
    if y1 - y0 < 2 or x1 - x0 < 2:  # smaller ones count as slips
        y0, x0 = min(y0, height - 2), min(x0, width - 2)
        y1, x1 = max(y1, y0 + 2), max(x1, x0 + 2)
    return Box(y0, x0, y1, x1, box.positive)


def mask_in_frame(prompt: Scribble | Mask, frame: Frame) -> np.ndarray:
    """Return the frame pixels, bool (h, w), that a drawn prompt touches.

    A scribble needs one plane pixel of each frame pixel, a mask half of them.
    """
    top, left = prompt.corner or (0, 0)
    factor = frame.factor
    out = np.zeros(frame.shape, bool)
    y0, x0 = max(top, frame.y0), max(left, frame.x0)
    y1 = min(top + prompt.mask.shape[0], frame.y1)
    x1 = min(left + prompt.mask.shape[1], frame.x1)
    if y1 <= y0 or x1 <= x0:
        return out
    part = prompt.mask[y0 - top : y1 - top, x0 - left : x1 - left]
    if factor == 1:
        out[y0 - frame.y0 : y1 - frame.y0, x0 - frame.x0 : x1 - frame.x0] = part
        return out
    rows, cols = ((np.arange(a - o, b - o)) // factor
                  for a, b, o in ((y0, y1, frame.y0), (x0, x1, frame.x0)))  # fmt: skip
    starts = [np.flatnonzero(np.diff(index, prepend=-1)) for index in (rows, cols)]
    counts = np.add.reduceat(np.add.reduceat(part, starts[0], 0, int), starts[1], 1)
    least = 1 if isinstance(prompt, Scribble) else factor * factor / 2
    hit = counts >= least
    if not hit.any():
        hit = counts > 0
    out[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1] = hit
    return out
