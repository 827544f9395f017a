"""Undo of the pixels of a label array, and the marks by which a document knows its own steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import count, product
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ..edits import Edit
from ..errors import FileTrouble

if TYPE_CHECKING:
    from ..images import WritableArray

Index = tuple[int, ...]
"""Position of a plane along all axes but the last two."""
Step = Sequence[Any]
"""The changes that are undone together; opaque but to the backend that keeps them."""
Block = tuple[slice, ...]
STEPS = 100
"""Steps that can be undone; napari keeps as many of a layer's pixels."""
_MARKS = count()
Edits = tuple[Edit, ...]


class UndoBackend(Protocol):
    """Writes pixels, and keeps what is needed to take that back.

    Attributes
    ----------
    marks : bool
        Whether steps can be marked, so that they are known again after undo and redo.
    """

    marks: bool

    @property
    def done(self) -> Sequence[Step]:
        """Steps that can be undone, the latest last."""

    @property
    def undone(self) -> Sequence[Step]:
        """Steps that can be redone, the next one last."""

    def step(self) -> AbstractContextManager[None]:
        """Context manager: all that is written inside is one step."""

    def write(self, edit: Edit) -> None:
        """Change pixels; within `step`."""

    def mark(self) -> object:
        """End the step with a change of no pixel, which is known again by its identity."""

    def abandon(self, edits: Sequence[Edit], error: BaseException) -> None:
        """Restore what was written within `step`; raises `FileTrouble` where that fails, too."""

    def blocks(self, step: Step) -> list[Block]:
        """The parts of the array that a step changed."""

    def highest(self, step: Step) -> int:
        """The highest id that a step wrote."""

    def undo(self) -> None:
        """Undo the latest step."""

    def redo(self) -> None:
        """Redo the step that was undone last."""


class NoUndo:
    """The backend of an array that can't be written."""

    marks = False
    done: Sequence[Step] = ()
    undone: Sequence[Step] = ()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Do nothing."""
        yield

    def write(self, edit: Edit) -> None:
        """Refuse; whoever writes has checked before that the array can be written."""
        raise NotImplementedError("this label array can't be written")

    def mark(self) -> object:
        """There is no step to be marked."""
        return None

    def abandon(self, edits: Sequence[Edit], error: BaseException) -> None:
        """Nothing was written."""

    def blocks(self, step: Step) -> list[Block]:
        """No step changed anything."""
        return []

    def highest(self, step: Step) -> int:
        """No step wrote anything."""
        return 0

    def undo(self) -> None:
        """There is nothing to undo."""

    def redo(self) -> None:
        """There is nothing to redo."""


class UndoStack:
    """Steps that were done and may be taken back, and those that were; at most `STEPS`, newest.

    Parameters
    ----------
    max_bytes : int
        Of all edits in it; the last step stays whatever its size.
    """

    def __init__(self, max_bytes: int = 256 << 20) -> None:
        self.max_bytes = max_bytes
        self.done: list[Edits] = []
        self.undone: list[Edits] = []

    @property
    def nbytes(self) -> int:
        """Bytes of all edits."""
        return sum(edit.nbytes for step in (*self.done, *self.undone) for edit in step)

    def add(self, step: Edits) -> None:
        """Note a step that was made; one that undoes the last, or does it again, is no new one."""
        if not step:
            return
        if self.done and step == tuple(e.turned for e in reversed(self.done[-1])):
            self.undone.append(self.done.pop())
            return
        if self.undone and step == self.undone[-1]:
            self.done.append(self.undone.pop())
            return
        self.undone.clear()
        self.done.append(step)
        del self.done[:-STEPS]
        while len(self.done) > 1 and self.nbytes > self.max_bytes:
            del self.done[0]

    def back(self) -> Edits:
        """The edits to be reverted now, in this order; none where nothing was done."""
        if not self.done:
            return ()
        self.undone.append(self.done.pop())
        return tuple(reversed(self.undone[-1]))

    def forward(self) -> Edits:
        """The edits to be made again now, in this order; none where nothing was taken back."""
        if not self.undone:
            return ()
        self.done.append(self.undone.pop())
        return self.done[-1]


class StackUndo:
    """Undo of an array that nobody else writes to.

    Parameters
    ----------
    data : integer array-like (..., H, W)
        Read where a write has failed.
    change : callable
        `change(edit, back=False)` makes an edit, or takes it back.
    stack : UndoStack, optional
        Keeps the steps.
    """

    marks = True

    def __init__(
        self, data: WritableArray, change: Callable[..., None], stack: UndoStack | None = None
    ) -> None:
        self.stack = stack or UndoStack()
        self._data, self._change = data, change
        self._open: list[Edit] | None = None

    @property
    def done(self) -> Sequence[Step]:
        """As of `UndoBackend`."""
        return tuple(self.stack.done)

    @property
    def undone(self) -> Sequence[Step]:
        """As of `UndoBackend`."""
        return tuple(self.stack.undone)

    @contextmanager
    def step(self) -> Iterator[None]:
        """As of `UndoBackend`."""
        self._open = []
        try:
            yield
        finally:
            made, self._open = tuple(self._open), None
            self.stack.add(made)

    def write(self, edit: Edit) -> None:
        """As of `UndoBackend`."""
        if self._open is None:
            raise RuntimeError("pixels are written within a step")
        if edit.count:
            self._change(edit)
            self._open.append(edit)

    def mark(self) -> object:
        """As of `UndoBackend`."""
        mark = mark_of(len(self._data.shape), self._data.dtype)
        if self._open is not None:
            self._open.append(mark)
        return mark

    def abandon(self, edits: Sequence[Edit], error: BaseException) -> None:
        """As of `UndoBackend`."""
        if self._open is not None:
            self._open.clear()
        restore(self._data, edits, error, lambda edit: self._change(edit, back=True))

    def blocks(self, step: Step) -> list[Block]:
        """As of `UndoBackend`."""
        return [edit.block for edit in step if edit.count]

    def highest(self, step: Step) -> int:
        """As of `UndoBackend`."""
        return max((int(edit.new.max(initial=0)) for edit in step), default=0)

    def undo(self) -> None:
        """As of `UndoBackend`."""
        for edit in self.stack.back():
            self._change(edit, back=True)

    def redo(self) -> None:
        """As of `UndoBackend`."""
        for edit in self.stack.forward():
            self._change(edit)


def mark_of(ndim: int, dtype: npt.DTypeLike) -> Edit:
    """An edit of no pixel, unlike any other: a journal takes equal steps for undo."""
    nothing = np.zeros(0, dtype)
    return Edit((next(_MARKS), *(0,) * (ndim - 1)), np.zeros((0,) * ndim, bool), nothing, nothing)


def restore(
    data: WritableArray, edits: Sequence[Edit], error: BaseException, revert: Callable[[Edit], None]
) -> None:
    """Revert edits of labels (..., H, W), the last of which perhaps was not made.

    Raises
    ------
    FileTrouble
        The disk refuses this, too.
    """
    stuck = False
    for edit in reversed(edits):
        try:
            revert(edit)
        except OSError:
            part = np.asarray(data[edit.block])
            stuck |= not np.array_equal(part[edit.changed], edit.old)
    if stuck:
        raise FileTrouble(
            f"the labels were changed in part and can't be restored ({error}); free some space on "
            "their disk, then undo again"
        ) from error


def planes_in(blocks: Sequence[Block]) -> frozenset[Index]:
    """The planes, along all axes but the last two, that some blocks touch."""
    found: set[Index] = set()
    for block in blocks:
        found.update(product(*(range(part.start, part.stop) for part in block[:-2])))
    return frozenset(found)


def around(blocks: Sequence[Block], ndim: int) -> Block:
    """The smallest block around some; an empty one where there are none."""
    if not blocks:
        return (slice(0, 0),) * ndim
    axes = zip(*blocks, strict=True)
    return tuple(slice(min(p.start for p in a), max(p.stop for p in a)) for a in axes)
