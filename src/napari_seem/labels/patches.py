"""Changed pixels as runs: where, how many, what they are now; small enough for a line of text."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import numpy.typing as npt

from ..errors import LogTrouble
from ..io.guard import unpacked
from ..values import Item, JsonObject

Ints = npt.NDArray[np.int64]
PATCH_BYTES = 1 << 28
"""Most bytes of runs that a line of a log may unpack to."""
MASK_PIXELS = 1 << 30
"""Most pixels of a prompt's mask."""
PIXELS = 1 << 48
"""No label array has more pixels."""
CHUNK = 1 << 22
"""Pixels that are written at a time."""


@dataclass(frozen=True, eq=False)
class Patch:
    """New values of the changed pixels of an array, as runs of equal ones in C order.

    Attributes
    ----------
    starts, lengths : int64 arrays
        First pixel of each run in the flattened array, rising, and how many pixels follow.
    values : int64 array
        One for each run.
    """

    starts: Ints = field(repr=False)
    lengths: Ints = field(repr=False)
    values: Ints = field(repr=False)

    @classmethod
    def empty(cls) -> Patch:
        """Nothing changed."""
        return cls(*(np.zeros(0, np.int64) for _ in range(3)))

    @classmethod
    def of(cls, changed: npt.NDArray[np.bool_], values: npt.NDArray[np.integer]) -> Patch:
        """Return the patch that gives `changed` pixels the `values`, an array of the same shape."""
        at = np.flatnonzero(changed).astype(np.int64)
        return _runs(at, values[changed].astype(np.int64))

    @classmethod
    def between(cls, old: npt.NDArray[np.integer], new: npt.NDArray[np.integer]) -> Patch:
        """Return the patch that makes `new` of `old`, integer arrays of the same shape."""
        return cls.of(np.asarray(old != new), np.asarray(new))

    @classmethod
    def joined(cls, parts: Sequence[Patch]) -> Patch:
        """One patch of several that share no pixel."""
        filled = [part for part in parts if part.count]
        if not filled:
            return cls.empty()
        columns = [[p.starts for p in filled], [p.lengths for p in filled],
                   [p.values for p in filled]]  # fmt: skip
        starts, lengths, values = (np.concatenate(column) for column in columns)
        order = np.argsort(starts, kind="stable")
        starts, lengths, values = starts[order], lengths[order], values[order]
        goes_on = (starts[1:] == (starts + lengths)[:-1]) & (values[1:] == values[:-1])
        heads = np.flatnonzero(np.concatenate([[True], ~goes_on]))
        return cls(starts[heads], np.add.reduceat(lengths, heads), values[heads])

    @property
    def count(self) -> int:
        """Number of changed pixels."""
        return int(self.lengths.sum())

    @property
    def end(self) -> int:
        """One more than the last changed pixel."""
        return int(self.starts[-1] + self.lengths[-1]) if len(self.starts) else 0

    def moved(self, first: int, width: int, into: int) -> Patch:
        """The patch of a block of rows of `width`, in an array whose rows are `into` long.

        `first` is where the block's first pixel lies in the flattened array. No run may reach
        over the end of a row of the block.
        """
        rows, columns = np.divmod(self.starts, width)
        return Patch(first + rows * into + columns, self.lengths, self.values)

    def split(self, width: int) -> Patch:
        """The same with no run that reaches over the end of a row of `width`."""
        rows = (self.starts + self.lengths - 1) // width - self.starts // width
        if not rows.any():
            return self
        pixels = self.pixels()
        return _runs(pixels, np.repeat(self.values, self.lengths), width)

    def pixels(self) -> Ints:
        """Every changed pixel's place in the flattened array."""
        ends = np.cumsum(self.lengths)
        return np.arange(self.count) + np.repeat(self.starts - (ends - self.lengths), self.lengths)

    def apply(self, labels: npt.NDArray[np.integer]) -> None:
        """Write the new values into an integer array of any shape, in place.

        Raises
        ------
        LogTrouble
            Where the patch reaches out of the array.
        """
        if not len(self.starts):
            return
        if self.end > labels.size or labels.dtype.kind not in "uib":
            raise LogTrouble(
                f"a change reaches pixel {self.end} of labels that have {labels.size}; the log is "
                "damaged"
            )
        flat = labels.reshape(-1)
        parts = np.flatnonzero(np.diff(np.cumsum(self.lengths) // CHUNK, prepend=-1))
        for first, last in zip(parts, [*parts[1:], len(self.starts)], strict=True):
            part = Patch(*(c[first:last] for c in (self.starts, self.lengths, self.values)))
            flat[part.pixels()] = np.repeat(part.values, part.lengths).astype(labels.dtype)

    def to_dict(self) -> str:
        """The patch as text."""
        gaps = np.diff(self.starts, prepend=0)
        columns = np.stack([gaps, self.lengths, self.values]).astype("<i8")
        return base64.b64encode(zlib.compress(columns.tobytes(), 6)).decode()

    @classmethod
    def from_dict(cls, text: str) -> Patch:
        """Read back what `to_dict` gave; raises `LogTrouble` for anything else."""
        try:
            plain = unpacked(base64.b64decode(text, validate=True), PATCH_BYTES)
            gaps, lengths, values = np.frombuffer(plain, "<i8").reshape(3, -1).astype(np.int64)
        except (zlib.error, ValueError, TypeError, AttributeError) as error:
            raise LogTrouble(
                f"changed pixels can't be read ({error}); the log is damaged"
            ) from None
        starts = np.cumsum(gaps)
        rising = (gaps >= 0) & (gaps <= PIXELS) & (lengths >= 1) & (lengths <= PIXELS)
        apart = (starts[:-1] + lengths[:-1] <= starts[1:]).all() and (starts <= PIXELS).all()
        if not (rising.all() and apart):
            raise LogTrouble("changed pixels do not follow each other; the log is damaged")
        return cls(starts, lengths, values)


def pack_mask(mask: npt.NDArray[np.bool_]) -> dict[str, object]:
    """Describe a mask, bool (H, W), by plain values."""
    return pack_ids(mask.view(np.uint8))


def unpack_mask(values: dict[str, object]) -> npt.NDArray[np.bool_]:
    """Read back what `pack_mask` gave, bool; raises `LogTrouble` for anything else."""
    return _unpacked(values, np.bool_)


def pack_ids(labels: npt.NDArray[np.integer]) -> dict[str, object]:
    """Describe a plane of labels, integer (H, W), by plain values."""
    return {
        "shape": [int(n) for n in labels.shape],
        "runs": Patch.of(labels != 0, labels).to_dict(),
    }


def unpack_ids(values: dict[str, object]) -> npt.NDArray[np.int32]:
    """Read back what `pack_ids` gave, int32; raises `LogTrouble` for anything else."""
    return _unpacked(values, np.int32)


def _unpacked(values: JsonObject, kind: type[Item]) -> npt.NDArray[Item]:
    try:
        shape = tuple(int(n) for n in values["shape"])
        if len(shape) != 2 or min(shape) < 0 or prod(shape) > MASK_PIXELS:
            raise ValueError(f"its shape is {shape}")
        out = np.zeros(shape, kind)
        Patch.from_dict(values["runs"]).apply(out)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise LogTrouble(f"a mask can't be read ({error!r}); the log is damaged") from None
    return out


def _runs(at: Ints, values: Ints, width: int = 0) -> Patch:
    """Find the runs of equal values, int64 (N,), at rising places, int64 (N,).

    With a `width` none reaches into another row.
    """
    if not at.size:
        return Patch.empty()
    breaks = (np.diff(at) != 1) | (np.diff(values) != 0)
    if width:
        breaks |= np.diff(at // width) != 0
    heads = np.concatenate([[0], np.flatnonzero(breaks) + 1])
    lengths = np.diff(np.concatenate([heads, [at.size]]))
    return Patch(at[heads], lengths.astype(np.int64), values[heads])
