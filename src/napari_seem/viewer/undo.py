"""napari's own undo of a Labels layer as the undo backend of its document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..edits import Edit
from ..io.writing.whole import writing
from ..io.zarr.label_store import LabelStore
from ..labels.undo import Block, Step, restore
from . import private

if TYPE_CHECKING:
    from napari.layers import Labels

FEW = 16
"""Edits of more values are written pixel by pixel: one pass over a mask for each is slower."""


def forget_other_steps(layer: Labels) -> None:
    """Forget a layer's steps where it was given an array that they were not made in.

    The same labels in another type keep theirs.
    """
    done, undone = private.undo_history(layer), private.redo_history(layer)
    last, back = (steps[-1] if steps else () for steps in (done, undone))
    kept = [private.atom_holds(atom, layer.data, undone=False) for atom in last]
    kept += [private.atom_holds(atom, layer.data, undone=True) for atom in back]
    if not all(kept):
        private.forget_history(layer)


class NapariUndo:
    """Writes through a Labels layer, so that its own undo knows of it.

    Parameters
    ----------
    layer : Labels
    store : LabelStore, optional
        The folder that the pixels lie in.
    """

    marks = True

    def __init__(self, layer: Labels, store: LabelStore | None) -> None:
        self._layer, self._store = layer, store
        self._redo: Sequence[object] = ()

    @property
    def done(self) -> Sequence[Step]:
        """As of `UndoBackend`."""
        return private.undo_history(self._layer)

    @property
    def undone(self) -> Sequence[Step]:
        """As of `UndoBackend`."""
        return private.redo_history(self._layer)

    @contextmanager
    def step(self) -> Iterator[None]:
        """As of `UndoBackend`."""
        self._show_hidden()
        self._redo = private.kept_redo(self._layer)
        with self._layer.block_history():
            yield

    def write(self, edit: Edit) -> None:
        """As of `UndoBackend`."""
        constant = edit.new.size and edit.new.min() == edit.new.max()  # much faster to find out
        values = edit.new[:1] if constant else np.unique(edit.new)
        self._prepare([edit.block])
        with nullcontext() if self._store is None else writing(self._store.path):
            if len(values) > FEW and not hasattr(self._layer.data, "dask"):
                self._set_pixels(edit)
                return
            new = np.zeros(edit.changed.shape, self._layer.data.dtype)
            new[edit.changed] = edit.new
            for value in values:
                self._paint(edit, edit.changed & (new == value), int(value))

    def mark(self) -> object:
        """As of `UndoBackend`."""
        ndim, dtype = self._layer.ndim, self._layer.data.dtype
        nothing = np.zeros((0,) * ndim, dtype)
        mark = (slice(0, 0),) * ndim, nothing, nothing.copy()
        private.add_to_history(self._layer, mark)
        return mark

    def abandon(self, edits: Sequence[Edit], error: BaseException) -> None:
        """As of `UndoBackend`."""
        private.drop_open_step(self._layer, self._redo)
        data = self._layer.data
        restore(data, edits, error, lambda edit: edit.write(data, back=True))
        self._layer.refresh()

    def blocks(self, step: Step) -> list[Block]:
        """As of `UndoBackend`."""
        shape = self._layer.data.shape
        return [block for atom in step for block in private.atom_blocks(atom, shape)]

    def highest(self, step: Step) -> int:
        """As of `UndoBackend`."""
        return max((private.atom_highest(atom) for atom in step), default=0)

    def undo(self) -> None:
        """As of `UndoBackend`."""
        self._show_hidden()
        self._prepare(self.blocks(self.done[-1]) if self.done else ())
        self._layer.undo()

    def redo(self) -> None:
        """As of `UndoBackend`."""
        self._show_hidden()
        self._prepare(self.blocks(self.undone[-1]) if self.undone else ())
        self._layer.redo()

    def _prepare(self, blocks: Sequence[Block]) -> None:
        """Let a program that dies while these blocks are written leave all of it or nothing."""
        if self._store is not None:
            for block in blocks:
                self._store.prepare(block)

    def _show_hidden(self) -> None:
        """Let a hidden layer know its plane: napari writes to what it showed last, and fails."""
        if not self._layer.visible:
            self._layer.set_view_slice()

    def _paint(self, edit: Edit, mask: npt.NDArray[np.bool_], value: int) -> None:
        """Set one value where a block's mask (..., H, W) is True."""
        layer = self._layer
        kept, layer.preserve_labels = layer.preserve_labels, False
        try:
            private.paint_mask(layer, edit.block, mask, value)
        finally:
            layer.preserve_labels = kept

    def _set_pixels(self, edit: Edit) -> None:
        inside = np.nonzero(edit.changed)
        where = tuple(i + o for i, o in zip(inside, edit.offset, strict=True))
        self._layer.data_setitem(where, edit.new.astype(self._layer.data.dtype))
