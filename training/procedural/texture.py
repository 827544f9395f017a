"""Noise, shapes and camera faults from which the scenes are drawn; arrays are float32 in 0..1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


def clouds(rng: np.random.Generator, size: int, scale: float, octaves: int = 3) -> FloatArray:
    """Smooth noise (size, size) whose coarsest grains are about `scale` pixels wide."""
    out = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        cells = max(2, int(size / scale * 2**octave) + 2)
        grid = rng.random((cells, cells)).astype(np.float32)
        zoomed = ndimage.zoom(grid, size / (cells - 1), order=1)[:size, :size]
        out += zoomed / 2**octave
    return (out - out.min()) / max(float(np.ptp(out)), 1e-6)


def weave(rng: np.random.Generator, size: int) -> FloatArray:
    """A regular texture: stripes, checks, dots or grain."""
    rows, cols = np.mgrid[:size, :size].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(4, 24)
    along = (np.cos(angle) * rows + np.sin(angle) * cols) * 2 * np.pi / period
    across = (np.cos(angle) * cols - np.sin(angle) * rows) * 2 * np.pi / period
    kind = rng.integers(4)
    if kind == 0:
        pattern = np.sin(along + 3 * clouds(rng, size, 60, 1))
    elif kind == 1:
        pattern = np.sign(np.sin(along) * np.sin(across))
    elif kind == 2:
        pattern = np.sin(along) * np.sin(across)
    else:
        pattern = (
            ndimage.gaussian_filter(rng.standard_normal((size, size)), rng.uniform(0.5, 2)) * 3
        )
    return np.clip(0.5 + 0.5 * pattern, 0, 1).astype(np.float32)


def _local(
    size: int, center: tuple[float, float], reach: float
) -> tuple[tuple[slice, slice], FloatArray, FloatArray]:
    """The part of the picture within `reach` of `center`, and offsets from it there."""
    area = tuple(
        slice(int(np.clip(c - reach, 0, size)), int(np.clip(c + reach + 1, 0, size)))
        for c in center
    )
    rows, cols = np.mgrid[area].astype(np.float32)
    return (area[0], area[1]), rows - center[0], cols - center[1]


def blob(
    rng: np.random.Generator, size: int, center: tuple[float, float], radius: float,
    wobble: float = 0.25, stretch: float = 1.6,
) -> BoolArray:  # fmt: skip
    """A closed shape whose radius is a random Fourier series."""
    area, dy, dx = _local(size, center, 2 * radius * stretch**0.5)
    turn, ratio = rng.uniform(0, np.pi), rng.uniform(1, stretch) ** 0.5
    u = (np.cos(turn) * dy + np.sin(turn) * dx) * ratio
    v = (np.cos(turn) * dx - np.sin(turn) * dy) / ratio
    angle = np.arctan2(u, v)
    limit = np.ones_like(angle)
    for order in range(2, 6):
        limit += wobble / order * rng.normal() * np.cos(order * angle + rng.uniform(0, 6.3))
    out = np.zeros((size, size), bool)
    out[area] = np.hypot(u, v) < radius * np.clip(limit, 0.3, 2)
    return out


def polygon(
    rng: np.random.Generator, size: int, center: tuple[float, float], radius: float
) -> BoolArray:
    """A box, an L, or a regular polygon, turned."""
    area, dy, dx = _local(size, center, 1.5 * radius)
    out = np.zeros((size, size), bool)
    turn = rng.uniform(0, np.pi)
    u, v = np.cos(turn) * dy + np.sin(turn) * dx, np.cos(turn) * dx - np.sin(turn) * dy
    ratio = rng.uniform(0.5, 1)
    box = (np.abs(u) < radius) & (np.abs(v) < radius * ratio)
    kind = rng.integers(3)
    if kind == 1:
        box &= ~((u > radius * rng.uniform(-0.3, 0.5)) & (v > 0))
    elif kind == 2:
        sides = int(rng.integers(3, 8))
        angle = np.arctan2(u, v)
        sector = np.cos(np.mod(angle, 2 * np.pi / sides) - np.pi / sides)
        box = np.hypot(u, v) * sector < radius * np.cos(np.pi / sides)
    out[area] = box
    return out


def tree(rng: np.random.Generator, size: int, thickness: float, branches: int = 5) -> BoolArray:
    """A branching vessel, crack or root that starts at the border."""
    canvas = np.zeros((size, size), np.float32)
    start = (rng.uniform(0, size), 0.0) if rng.random() < 0.5 else (0.0, rng.uniform(0, size))
    tips = [(start, rng.uniform(-0.4, 0.4) + (0 if start[1] == 0 else np.pi / 2), thickness)]
    for _ in range(branches * 3):
        if not tips:
            break
        (y, x), heading, width = tips.pop(0)
        for _ in range(int(rng.integers(size // 12, size // 4))):
            heading += rng.normal(0, 0.12)
            y, x = y + 2 * np.sin(heading), x + 2 * np.cos(heading)
            if not (0 <= y < size and 0 <= x < size):
                break
            r = int(np.ceil(width))
            y0, x0 = max(0, int(y) - r), max(0, int(x) - r)
            part = canvas[y0 : int(y) + r + 1, x0 : int(x) + r + 1]
            ys, xs = np.mgrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]]
            part[np.hypot(ys - y, xs - x) <= width] = 1
        else:
            for sign in (-1, 1):
                if width > 0.8:
                    tips.append(((y, x), heading + sign * rng.uniform(0.2, 0.7), width * 0.75))
    return canvas > 0


def camera(rng: np.random.Generator, picture: FloatArray) -> npt.NDArray[np.uint8]:
    """Blur, uneven light, gain, noise and polarity of some instrument: (H, W, C) -> uint8."""
    size = picture.shape[0]
    picture = ndimage.gaussian_filter(picture, (rng.choice([0, 0.6, 1, 1.8]),) * 2 + (0,))
    if rng.random() < 0.4:
        light = 1 + rng.uniform(0.1, 0.6) * (clouds(rng, size, size, 1) - 0.5)
        picture = picture * light[..., None]
    if rng.random() < 0.5:
        picture = picture + rng.normal(0, rng.uniform(0.01, 0.1), picture.shape[:2])[..., None]
    if rng.random() < 0.2:
        grain = ndimage.gaussian_filter(rng.gamma(3, 1 / 3, picture.shape[:2]), 0.7)
        picture = picture * grain[..., None]
    contrast = np.exp(rng.uniform(np.log(0.3), 0))
    picture = np.clip(picture, 0, 1.2) ** np.exp(rng.normal(0, 0.3)) * contrast
    picture = picture + rng.uniform(0, 1 - contrast)
    if rng.random() < 0.15:
        picture = 1 - picture
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)
