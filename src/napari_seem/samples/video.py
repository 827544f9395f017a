"""A synthetic video of dividing cells, with its ground truth and lineage."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from .drawn import Sample

RADIUS = 9.0
"""Of a cell that is about to divide, in pixels; daughters begin at four fifths."""
APART = 2.6
"""Pixels by which the halves of a dividing cell part from frame to frame."""


@dataclass(frozen=True, eq=False)
class _Cell:
    """A cell: where it is, how it moves, when it begins to divide, and how far it is in that."""

    id: int
    place: npt.NDArray[np.float64] = field(repr=False)
    drift: npt.NDArray[np.float64] = field(repr=False)
    divides: int
    radius: float = RADIUS
    apart: float = 0.0
    turn: float = 0.0

    def halves(self) -> npt.NDArray[np.float64]:
        """Return the centres (2, 2) of both halves; the same where it does not divide."""
        along = np.array([np.sin(self.turn), np.cos(self.turn)]) * self.apart / 2
        return np.array([self.place - along, self.place + along])

    def mask(self, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Return the pixels (H, W) of the cell."""
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        radius = self.radius * (0.8 if self.apart else 1.0)
        return np.any(
            [np.hypot(rows - y, columns - x) < radius for y, x in self.halves()], axis=0
        )  # fmt: skip


def video(
    seed: int = 0, shape: tuple[int, int, int] = (24, 160, 160), count: int = 6,
    apart: float = APART,
) -> Sample:  # fmt: skip
    """Draw a video of cells that drift, grow and divide in two; a frame every five minutes.

    Parameters
    ----------
    seed : int
    shape : (T, H, W)
    count : int
        Cells of the first frame; most of them divide once.
    apart : float
        Pixels by which the halves of a dividing cell part from frame to frame; of some 20 they are
        apart on the first frame that shows them.

    Returns
    -------
    Sample
        `truth` gives daughters ids of their own, `parents` the cells that they came from.
    """
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    cells, parents = _first_cells(rng, shape, count), dict[int, int]()
    truth = np.zeros(shape, np.int32)
    image = np.empty(shape, np.uint16)
    grain = 1 + 0.25 * ndimage.gaussian_filter(rng.standard_normal(shape), (1, 2, 2)) * 4
    for frame in range(shape[0]):
        for cell in cells:
            free = cell.mask(shape[1:]) & (truth[frame] == 0)
            truth[frame][free] = cell.id
        light = ndimage.gaussian_filter(np.where(truth[frame] > 0, 0.6, 0.08) * grain[frame], 0.8)
        counts = rng.poisson(np.clip(light, 0, None) * 300) + rng.normal(100, 4, shape[1:])
        image[frame] = np.clip(counts, 0, 65535)
        cells = _next(rng, cells, frame, shape[1:], parents, apart)
    return Sample(
        "video", "Dividing cells (made up)", image, truth, (5.0, 0.65, 0.65), "um",
        ("t", "y", "x"), parents,
    )  # fmt: skip


def _first_cells(rng: np.random.Generator, shape: tuple[int, int, int], count: int) -> list[_Cell]:
    places: list[npt.NDArray[np.float64]] = []
    room = 4.2 * RADIUS
    while len(places) < count:
        place = rng.uniform(22, np.array(shape[1:]) - 22)
        if all(np.hypot(*(place - other)) > room for other in places):
            places.append(place)
        room *= 0.998  # a crowd finds its place, too
    times = rng.permutation(np.linspace(3, shape[0] - 6, count).astype(int))
    return [
        _Cell(number, place, rng.normal(0, 0.7, 2), int(time), turn=rng.uniform(0, np.pi))
        for number, (place, time) in enumerate(zip(places, times, strict=True), 1)
    ]


def _next(
    rng: np.random.Generator, cells: list[_Cell], frame: int, shape: tuple[int, int],
    parents: dict[int, int], apart: float,
) -> list[_Cell]:  # fmt: skip
    """Move all cells on by a frame; halves that came apart become cells of their own."""
    following: list[_Cell] = []
    number = max(max(parents, default=0), *(cell.id for cell in cells))
    for cell in cells:
        push = sum((_push(cell, other) for other in cells if other is not cell), np.zeros(2))
        place = np.clip(cell.place + cell.drift + push, 12, np.array(shape) - 12)
        dividing = frame >= cell.divides
        moved = replace(
            cell, place=place, apart=cell.apart + apart * dividing,
            radius=min(RADIUS, cell.radius + 0.25),
        )  # fmt: skip
        if moved.apart < 1.6 * moved.radius + 2:
            following.append(moved)
            continue
        for half in moved.halves():
            number += 1
            parents[number] = cell.id
            away = (half - place) / RADIUS
            drift = cell.drift + away * 0.6 + rng.normal(0, 0.3, 2)
            following.append(_Cell(number, half, drift, 10**6, 0.8 * RADIUS))
    return following


def _push(cell: _Cell, other: _Cell) -> npt.NDArray[np.float64]:
    """Return how far a cell (2,) gives way to another that is near."""
    between = cell.place - other.place
    distance = float(np.hypot(*between)) or 1.0
    room = 2 * RADIUS + 4 + (cell.apart + other.apart) / 2
    return np.asarray(between / distance * max(0.0, room - distance) * 0.3)
