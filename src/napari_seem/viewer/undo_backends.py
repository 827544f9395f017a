"""Where the undo of a layer's pixels is kept: with napari, with a window, or nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, product
from typing import Any

import numpy as np

from ..edits import Edit
from ..errors import FileTrouble
from .coordinates import full_data
from .painting import apply_edit, is_paintable
from .window import Window, window_of

Index = tuple[int, ...]
_NUMBERS = count()


class Track:
    """The undo of a layer that nobody paints on: there is none, and nothing can be written.

    Attributes
    ----------
    marks : bool
        Whether steps can be marked, so that they are known again when they are taken back.
    """

    marks = False

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    @property
    def done(self) -> Sequence[Any]:
        """Steps that can be taken back, the last one last; each is a sequence of changes."""
        return ()

    @property
    def undone(self) -> Sequence[Any]:
        """Steps that were taken back."""
        return ()

    @contextmanager
    def step(self) -> Iterator[None]:
        """All that is written inside is one step."""
        yield

    def write(self, edit: Edit) -> None:
        """Change pixels; within `step`."""
        raise NotImplementedError

    def mark(self) -> Any:
        """Put a change of no pixel at the end of the step, to be told by its identity."""
        return None

    def abandon(self, edits: Sequence[Edit], why: BaseException) -> None:
        """Within `step`: put right what was written, the last of which perhaps was not.

        Raises
        ------
        FileTrouble
            The disk refuses this, too.
        """

    def undo(self) -> None:
        """Take the last step back."""

    def redo(self) -> None:
        """Do the step that was taken back last again."""


class NapariTrack(Track):
    """Napari's own undo of a Labels layer."""

    marks = True

    @property
    def done(self) -> Sequence[Any]:
        """As of `Track`."""
        return tuple(self.layer._undo_history)

    @property
    def undone(self) -> Sequence[Any]:
        """As of `Track`."""
        return tuple(self.layer._redo_history)

    @contextmanager
    def step(self) -> Iterator[None]:
        """As of `Track`."""
        with self.layer.block_history():
            yield

    def write(self, edit: Edit) -> None:
        """As of `Track`."""
        apply_edit(self.layer, edit)

    def mark(self) -> Any:
        """As of `Track`."""
        ndim, dtype = self.layer.ndim, self.layer.data.dtype
        nothing = np.zeros((0,) * ndim, dtype)
        mark = (slice(0, 0),) * ndim, nothing, nothing.copy()
        self.layer._save_history(mark)
        return mark

    def abandon(self, edits: Sequence[Edit], why: BaseException) -> None:
        """As of `Track`."""
        self.layer._staged_history = []
        _put_right(self.layer, edits, why, lambda edit: edit.revert(self.layer.data))
        self.layer.refresh()

    def undo(self) -> None:
        """As of `Track`."""
        self.layer.undo()

    def redo(self) -> None:
        """As of `Track`."""
        self.layer.redo()


class WindowTrack(Track):
    """The undo of labels in a folder that are painted on in a window."""

    marks = True

    def __init__(self, layer: Any, window: Window) -> None:
        super().__init__(layer)
        self._window = window

    @property
    def done(self) -> Sequence[Any]:
        """As of `Track`."""
        return tuple(self._window.journal.done)

    @property
    def undone(self) -> Sequence[Any]:
        """As of `Track`."""
        return tuple(self._window.journal.undone)

    @contextmanager
    def step(self) -> Iterator[None]:
        """As of `Track`."""
        with self._window.step():
            yield

    def write(self, edit: Edit) -> None:
        """As of `Track`."""
        self._window.change(edit)

    def mark(self) -> Any:
        """As of `Track`."""
        ndim = self.layer.ndim
        nothing = np.zeros(0, full_data(self.layer).dtype)
        # each begins elsewhere: the journal takes equal steps for undo
        mark = Edit((next(_NUMBERS), *(0,) * (ndim - 1)), np.zeros((0,) * ndim, bool),
                    nothing, nothing)  # fmt: skip
        self._window.mark(mark)
        return mark

    def abandon(self, edits: Sequence[Edit], why: BaseException) -> None:
        """As of `Track`."""
        store = self._window.store
        self._window.forget_step()
        _put_right(self.layer, edits, why, lambda edit: store.change(edit, back=True))

    def undo(self) -> None:
        """As of `Track`."""
        self._window.undo()

    def redo(self) -> None:
        """As of `Track`."""
        self._window.redo()


def track_of(layer: Any) -> Track:
    """Where the undo of a layer is kept now."""
    window = window_of(layer)
    if window is not None:
        return WindowTrack(layer, window)
    return NapariTrack(layer) if is_paintable(layer) else Track(layer)


def planes_of(items: Iterable[Any], ndim: int) -> set[Index]:
    """Planes, along all axes but the last two, that steps of a track change."""
    found: set[Index] = set()
    for atom in (atom for item in items for atom in item):
        if isinstance(atom, Edit):
            where: Any = atom.block
            old = atom.old
        else:
            where, old = atom[0], atom[2] if hasattr(atom, "old_values") else atom[1]
        lead = where[: ndim - 2]
        if not np.size(old):
            continue
        if all(isinstance(part, slice) for part in lead):
            found.update(product(*(range(part.start, part.stop) for part in lead)))
        else:
            found.update(zip(*(np.ravel(part).tolist() for part in lead), strict=True))
    return found


def _put_right(layer: Any, edits: Sequence[Edit], why: BaseException, revert: Any) -> None:
    stuck = False
    for edit in reversed(edits):
        try:
            revert(edit)
        except OSError:
            part = np.asarray(full_data(layer)[edit.block])
            stuck |= not np.array_equal(part[edit.changed], edit.old)
    if stuck:
        raise FileTrouble(
            f"'{layer.name}' was changed in part and can't be put right ({why}); make room on its "
            "disk, then do it again"
        ) from why
