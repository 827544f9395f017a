"""The known state of a label array, compressed, by which every change to it is found."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .patches import Patch

if TYPE_CHECKING:
    from ..images import ArraySource

TILE = 256
"""Pixels along both last axes of the blocks that are compared and kept."""
Area = tuple[slice, ...]
Key = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One block as it was last seen: a checksum, and its pixels, compressed."""

    checksum: int
    dtype: str
    packed: bytes


class LabelSnapshot:
    """Tells what has changed in a label array since it was looked at last.

    Blocks that are empty take no room; others about what they take in a compressed file.

    Parameters
    ----------
    shape : tuple of int
        Of the labels; two axes or more.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(int(n) for n in shape)
        self._blocks: dict[Key, Block] = {}

    @property
    def nbytes(self) -> int:
        """Bytes taken."""
        return sum(len(block.packed) for block in self._blocks.values())

    def copy(self) -> LabelSnapshot:
        """Another that knows the same."""
        other = LabelSnapshot(self.shape)
        other._blocks = dict(self._blocks)
        return other

    def take(self, data: ArraySource, area: Area | None = None) -> Patch:
        """What changed since the last look, which this one is from now on.

        Parameters
        ----------
        data : integer array-like (..., H, W)
            Read strip by strip, in `area` only.
        area : tuple of slice, optional
            One for each axis; by default everything.
        """
        height, width = self.shape[-2:]
        changes = []
        for lead, y, x0, x1 in self._strips(area):
            rows = slice(y, min(y + TILE, height))
            strip = np.asarray(data[(*lead, rows, slice(x0, x1))])
            columns = range(x0, x1, TILE)
            if not strip.any() and not any(
                (*lead, y // TILE, x // TILE) in self._blocks for x in columns
            ):
                continue
            for x in columns:
                tile = np.ascontiguousarray(strip[:, x - x0 : x - x0 + TILE])
                change = self._take((*lead, y // TILE, x // TILE), tile)
                if change.count:
                    first = int(np.ravel_multi_index((*lead, y, x), self.shape))
                    wide = tile.shape[1]
                    changes.append(change.split(wide).moved(first, wide, width))
        return Patch.joined(changes)

    def _take(self, key: Key, tile: npt.NDArray[np.integer]) -> Patch:
        """Return what changed in a block, integers (H, W), since the last look, and keep it."""
        known = self._blocks.get(key)
        if not tile.any():
            if known is None:
                return Patch.empty()
            del self._blocks[key]
        else:
            checksum = zlib.crc32(tile.data)
            if known is not None and known.checksum == checksum and known.dtype == tile.dtype.str:
                return Patch.empty()
            packed = zlib.compress(tile.data, 1)
            self._blocks[key] = Block(checksum, tile.dtype.str, packed)
        if known is None:
            return Patch.of(tile != 0, tile)
        plain = zlib.decompress(known.packed)
        return Patch.between(np.frombuffer(plain, known.dtype).reshape(tile.shape), tile)

    def _strips(self, area: Area | None) -> Iterator[tuple[Key, int, int, int]]:
        """Block rows that an area of labels (..., H, W) touches: lead index, first row, columns."""
        ranges = [
            range(*(part.indices(n) if isinstance(part, slice) else (part, part + 1)))
            for part, n in zip(area or (slice(None),) * len(self.shape), self.shape, strict=True)
        ]
        if not all(len(r) for r in ranges):
            return
        rows, columns = ranges[-2:]
        x0 = columns.start // TILE * TILE
        x1 = min(-(-columns.stop // TILE) * TILE, self.shape[-1])
        for lead in product(*ranges[:-2]):
            for y in range(rows.start // TILE * TILE, rows.stop, TILE):
                yield tuple(lead), y, x0, x1


def digest_of(labels: ArraySource) -> str:
    """A name for the content of a label array: the same for the same ids, of whatever type.

    Parameters
    ----------
    labels : integer array-like (..., H, W)
        Read plane by plane.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr(tuple(int(n) for n in labels.shape)).encode())
    for lead in product(*(range(n) for n in labels.shape[:-2])):
        flat = np.asarray(labels[lead]).reshape(-1)
        heads = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1]).astype("<i8")
        digest.update(heads.data)
        if flat.size:
            digest.update(flat[heads].astype("<i8").data)
    return digest.hexdigest()
