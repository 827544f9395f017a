"""The results of a propagation, and where the labels of finished planes are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from ..edits import check_labels, check_writable
from ..errors import InvalidLabels
from ..images import AnyArray, Window, WritableArray, to_rgb
from ..notebook import as_html, outlined, small_picture
from ..planes import boxes
from ..values import listed
from .shapes import IntArray
from .stack import Stack

KEPT_BYTES = 256 << 20
"""Planes that are written to an array are also kept in memory up to this number of bytes."""


@dataclass(frozen=True)
class Event:
    """An event to look at: object `id` 'ended', 'split' or is 'new' in a plane.

    `parent` is the object that a new one is a daughter of; 0 for none.
    """

    kind: Literal["ended", "split", "new"]
    id: int
    plane: int
    parent: int = 0


class Source(Protocol):
    """An object that reads the labels of planes."""

    def labels_of(self, index: int) -> IntArray:
        """Return the labels of a plane: int32 (H, W)."""


@dataclass(frozen=True, eq=False, repr=False)
class PlaneResult:
    """One plane of a propagation; `numpy.asarray` gives its labels.

    Attributes
    ----------
    index : int
        Position along the propagated axis.
    stored : int32 (H, W), or Source
        The plane's labels, or the object that reads them.
    scores : mapping of int to float
        Score of each expected object, 0..1; 0 for one that ended here.
    events : tuple of Event
    accepted : bool
        A seed, or a plane that a person corrected.
    erased : frozenset of int
        Objects that a person removed from this plane, which says nothing of its neighbours.
    """

    index: int
    stored: IntArray | Source = field(repr=False)
    scores: Mapping[int, float]
    events: tuple[Event, ...] = ()
    accepted: bool = False
    erased: frozenset[int] = frozenset()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlaneResult) and _known(self) == _known(other) and bool(
            np.array_equal(self.labels, other.labels)
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash((self.index, self.accepted))

    def __repr__(self) -> str:
        ids, state = listed(sorted(self.scores)), ", accepted" if self.accepted else ""
        return f"PlaneResult(plane={self.index}, ids={ids}, score={self.score:.3f}{state})"

    def __reduce__(self) -> tuple[object, ...]:
        known = dict(self.scores), self.events, self.accepted, self.erased
        return PlaneResult, (self.index, self.labels, *known)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> AnyArray:
        return np.array(self.labels, dtype, copy=copy)

    @property
    def labels(self) -> IntArray:
        """Labels int32 (H, W), rows and columns in the order of the array's axes."""
        return (
            self.stored
            if isinstance(self.stored, np.ndarray)
            else self.stored.labels_of(self.index)
        )

    @cached_property
    def score(self) -> float:
        """Mean over the objects; 1 for a plane without any."""
        return float(np.mean(list(self.scores.values()))) if self.scores else 1.0


class Results(MutableMapping[int, PlaneResult]):
    """Finished planes by their index.

    With an array to write to, planes are written when they are finished; the most recently used
    stay in memory, up to `KEPT_BYTES` and one at least, and others are read back when needed.

    Parameters
    ----------
    stack : Stack
    out : integer array of the same shape as the stack, numpy or zarr, optional
        Planes that are not done are left as they are, those that have to be
        done again are set to 0.

    Raises
    ------
    InvalidLabels
        An array of another shape, of no integers, or that can't be written.
    """

    def __init__(self, stack: Stack, out: WritableArray | None = None) -> None:
        self._stack, self.out = stack, out
        self._results: dict[int, PlaneResult] = {}
        self._highest: dict[int, int] = {}
        self._near: OrderedDict[int, IntArray] = OrderedDict()
        self._lock = threading.Lock()  # planes are shown while others are computed
        height, width = stack.plane_shape
        self._most = max(1, KEPT_BYTES // max(1, 4 * height * width))
        if out is not None:
            _check_out(out, stack.shape)

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: Mapping[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def __getitem__(self, index: int) -> PlaneResult:
        return self._results[index]

    def __setitem__(self, index: int, result: PlaneResult) -> None:
        labels = result.labels
        highest = int(labels.max(initial=0))
        if self.out is not None:
            if highest:
                check_labels(self.out, highest)
            self.out[self._stack.slices(index)] = labels.astype(self.out.dtype)
            self._remember(index, labels)
            result = replace(result, stored=self)
        self._results[index], self._highest[index] = result, highest

    def __delitem__(self, index: int) -> None:
        del self._results[index], self._highest[index]
        if self.out is not None:
            with self._lock:
                self._near.pop(index, None)
            self.out[self._stack.slices(index)] = 0

    def __iter__(self) -> Iterator[int]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    @property
    def highest(self) -> int:
        """The highest id of all planes."""
        return max(self._highest.values(), default=0)

    @property
    def nbytes(self) -> int:
        """Bytes of labels in memory."""
        own = (r.stored.nbytes for r in self._results.values() if isinstance(r.stored, np.ndarray))
        return sum(own) + sum(labels.nbytes for labels in self._near.values())

    def labels_of(self, index: int) -> IntArray:
        """Return the labels (H, W) of a plane, from memory or from the array."""
        with self._lock:
            labels = self._near.get(index)
        if labels is None:
            assert self.out is not None  # planes in no array stay in memory
            labels = np.asarray(self.out[self._stack.slices(index)]).astype(np.int32)
        self._remember(index, labels)
        return labels

    def whole(self) -> WritableArray:
        """Return the array that planes are written to, or a new one of all that is done."""
        if self.out is not None:
            return self.out
        labels = np.zeros(self._stack.shape, np.int32)
        for index, result in self._results.items():
            labels[self._stack.slices(index)] = result.labels
        return labels

    def _remember(self, index: int, labels: IntArray) -> None:
        """Keep the labels (H, W) of a plane in memory, and drop the least recently used."""
        with self._lock:
            self._near[index] = labels
            self._near.move_to_end(index)
            while len(self._near) > self._most:
                self._near.popitem(last=False)


def _known(result: PlaneResult) -> tuple[object, ...]:
    """Return what is known of a plane besides its labels."""
    return result.index, dict(result.scores), result.events, result.accepted, result.erased


def _check_out(out: WritableArray, shape: tuple[int, ...]) -> None:
    """Raise `InvalidLabels` unless `out` has the same shape as a stack and can be written to."""
    if tuple(getattr(out, "shape", ())) != shape:
        raise InvalidLabels(
            f"the label array has the shape {tuple(getattr(out, 'shape', ()))} but the stack has "
            f"{shape}; give one of the stack's own size, without channels"
        )
    check_labels(out, 1)
    check_writable(out)
    if type(out).__module__.startswith("dask"):
        raise InvalidLabels("a dask array can't be written into; give a numpy or a zarr array")
    if getattr(out, "read_only", False):
        raise InvalidLabels("the label array is read-only; open it for writing (mode 'r+')")


def html_of(results: Results, stack: Stack, window: Window | None, title: str) -> str:
    """Return an HTML fragment: the accepted plane nearest to the middle, a row for each plane."""
    accepted = [index for index, result in results.items() if result.accepted]
    middle = min(accepted, key=lambda index: abs(2 * index - stack.count))
    labels = results[middle].labels
    masks = [(labels[at] == i, (at[0].start, at[1].start), 1) for i, at in boxes(labels)]
    picture = small_picture(to_rgb(stack.read(middle), window))
    rows = [
        {"plane": k, "score": f"{r.score:.2f}", "objects": len(r.scores), "seed": r.accepted}
        for k, r in sorted(results.items())
    ]
    return as_html(f"{title}, plane {middle}", outlined(picture, labels.shape, masks), rows)
