"""Pixels from before a change that is being written, by which half a change is taken back."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..writing.disk import move

Block = tuple[slice, ...]
_NAME = re.compile(r"\.pending-(\d+)-(\d+)\.npz")


class Pending:
    """Keeps the former pixels of a change in files, until all of the change is written.

    Parameters
    ----------
    folder : Path
        Of the labels.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[Path] = []

    @property
    def is_open(self) -> bool:
        """Whether a change is being written."""
        return bool(self._files)

    def keep(self, step: int, block: Block, values: npt.NDArray[np.integer]) -> None:
        """Keep the values (..., H, W) of a block that are about to be changed.

        Parameters
        ----------
        step : int
            The number of the change.
        block : tuple of slice
        values : integer array (..., H, W)
        """
        path = self._folder / f".pending-{step}-{len(self._files)}.npz"
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez_compressed(file, start=[s.start for s in block], values=values)
        move(part, path)
        self._files.append(path)

    def settle(self) -> None:
        """Everything is written: forget the former pixels."""
        for path in self._files:
            with suppress(OSError):  # it is known to be done by its number
                path.unlink(missing_ok=True)
        self._files.clear()

    def left(self, done: int) -> Iterator[tuple[Block, npt.NDArray[np.integer]]]:
        """What changes that were not written to their end had found, the latest first.

        Parameters
        ----------
        done : int
            The number of the last change that is whole; what others left is deleted.
        """
        for part in self._folder.glob(".pending-*.part"):  # nothing was changed yet
            with suppress(OSError):
                part.unlink(missing_ok=True)
        named = [(_NAME.fullmatch(path.name), path) for path in self._folder.glob(".pending-*")]
        known = sorted((int(m[1]), int(m[2]), path) for m, path in named if m is not None)
        self._files = [path for *_, path in known]
        for step, _, path in reversed(known):
            if step > done:
                yield from _read(path)


def _read(path: Path) -> Iterator[tuple[Block, npt.NDArray[np.integer]]]:
    try:
        with np.load(path) as kept:
            start, values = kept["start"].tolist(), kept["values"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # cut by a power failure
        return
    yield tuple(slice(a, a + n) for a, n in zip(start, values.shape, strict=True)), values
