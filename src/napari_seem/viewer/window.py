"""Labels that napari can only show, painted on in a window that lies above them.

napari shows several resolutions of labels, but writes into none; and a single one of more than
16,384 pixels a side is drawn coarsely, and slowly. So the whole is shown by a layer of several
resolutions, and an ordinary layer of a part of the full-size pixels is the window: what changes
there goes into the folder at once, and into the coarser pixels that show it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..edits import Edit, Journal
from ..errors import FileTrouble, InvalidLabels
from ..io.label_store import LabelStore
from ..planes import Plane
from .coordinates import affine_matrix, resampled, unwrap
from .roles import adopt, release, slide_under_prompts, spare_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

WINDOW = "napari-seem window"
"""Key of the shown layer's metadata: its `Window`."""
ROLE = "window"
LARGEST = 4096
"""Rows and columns that a window has at most."""
Area = tuple[int, int, int, int]


class Window:
    """The editable part of labels in a folder, and the undo of all changes to them.

    Parameters
    ----------
    viewer : ViewerModel
    shown : Labels
        Shows all of it, in several resolutions.
    store : LabelStore

    Attributes
    ----------
    layer : Labels or None
        The editable part; None before the first `move`.
    journal : Journal
    """

    def __init__(self, viewer: ViewerModel, shown: Labels, store: LabelStore) -> None:
        self._viewer: Any = unwrap(viewer)
        self.shown: Any = unwrap(shown)
        self.store = store
        self.layer: Any = None
        self.journal = Journal()
        self._start: tuple[int, ...] = ()
        self._known: npt.NDArray[Any] = np.zeros(0, np.uint8)
        self._own = False
        self._step: list[Edit] | None = None
        self._bind(self.shown)
        self._viewer.layers.events.removed.connect(self._on_removed)

    def __deepcopy__(self, _: Any) -> Window:
        return self  # a copy of the layer has none

    def move(self, plane: Plane, area: Area) -> Labels:
        """Open the window on a part of a plane; of a larger one, on the middle.

        Parameters
        ----------
        plane : Plane
            Of the labels' array.
        area : half-open (y0, x0, y1, x1)

        Returns
        -------
        Labels
            The layer to paint on.
        """
        self._take_up()
        y0, x0, y1, x1 = _at_most(area, plane.shape(self.store.array.shape))
        block = plane.block((y0, x0, y1, x1))
        part = np.asarray(self.store.array[block])
        start = tuple(s.start for s in block)
        matrix = resampled(affine_matrix(self.shown), np.ones(len(start)), start)
        with self._quietly():
            layer = self.layer = self._layer(part, matrix)
            layer.data, layer.affine = part, matrix
            layer.editable = False  # forgets its undo steps, which are of another place
            layer.editable = True
        self._start, self._known = start, part.copy()
        layer.selected_label = max(1, layer.selected_label)
        layer.visible = True
        return layer

    @contextmanager
    def step(self) -> Iterator[None]:
        """All changes within are one step of the undo."""
        self._step = []
        try:
            yield
        finally:
            made, self._step = tuple(self._step), None
            self.journal.add(made)
            self._redraw(made)

    def change(self, edit: Edit) -> None:
        """Make an edit anywhere; within `step`."""
        if self._step is None:
            raise RuntimeError("changes are made within a step")
        if edit.count:
            self.store.change(edit)
            self._step.append(edit)

    def mark(self, edit: Edit) -> None:
        """Make an edit of no pixel part of the step, so that others know the step by it."""
        if self._step is not None:
            self._step.append(edit)

    def forget_step(self) -> None:
        """Nothing of what was changed within `step` can be undone: it was put right already."""
        if self._step is not None:
            self._step.clear()

    def undo(self) -> bool:
        """Take the last step back, wherever it was; False where there is none."""
        self._take_up()
        edits = self.journal.back()
        for edit in edits:
            self.store.change(edit, back=True)
        self._redraw(edits)
        return bool(edits)

    def redo(self) -> bool:
        """Do the step again that was taken back last; False where there is none."""
        self._take_up()
        edits = self.journal.forward()
        for edit in edits:
            self.store.change(edit)
        self._redraw(edits)
        return bool(edits)

    def close(self) -> None:
        """Leave the window, hidden, to other labels."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        if self.layer is not None:
            self._let_go()
            self.layer.data = np.zeros((1,) * self.layer.ndim, self.layer.data.dtype)
            release(self.layer)
            self.layer = None

    def _layer(self, part: npt.NDArray[Any], matrix: npt.NDArray[np.float64]) -> Any:
        """The window's layer, made where there is none."""
        if self.layer is not None and self.layer in self._viewer.layers:
            return self.layer
        shown = self.shown
        layer: Any = spare_layer(self._viewer, ROLE, part.ndim)
        if layer is None:
            layer = self._viewer.add_labels(
                part, affine=matrix, units=shown.units, axis_labels=shown.axis_labels
            )
        layer.name, layer.units = f"{shown.name}: edit here", shown.units
        layer.colormap, layer.opacity = shown.colormap, shown.opacity
        layer.bounding_box.visible = True
        adopt(layer, ROLE)
        slide_under_prompts(self._viewer, layer, shown)
        layer.events.paint.connect(self._on_change)
        layer.events.set_data.connect(self._on_change)
        layer.events.labels_update.connect(self._on_mouse)
        self._bind(layer)
        return layer

    def _bind(self, layer: Any) -> None:
        """Undo of all changes, not only of those in the window."""
        layer.bind_key("Control-Z", lambda _: self._finish(self.undo), overwrite=True)
        layer.bind_key("Control-Shift-Z", lambda _: self._finish(self.redo), overwrite=True)

    @staticmethod
    def _finish(work: Any) -> None:
        """Swallow a result: napari takes what a key binding returns for a generator."""
        work()

    def _let_go(self) -> None:
        self._take_up()
        self.layer.events.paint.disconnect(self._on_change)
        self.layer.events.set_data.disconnect(self._on_change)
        self.layer.events.labels_update.disconnect(self._on_mouse)

    def _on_removed(self, event: Any) -> None:
        if event.value is self.shown:
            self.close()
        elif event.value is self.layer:
            self._let_go()
            self.layer = None

    def _on_change(self, _: Any = None) -> None:
        """The person painted, undid or redid in the window."""
        if not self._own:
            self._take_up()

    def _on_mouse(self, _: Any = None) -> None:
        """Pixels changed; those of a stroke are taken up at its end, which is a paint event."""
        if not getattr(self.layer, "_block_history", True):
            self._on_change()

    def _take_up(self) -> None:
        """Put what changed in the window into the folder."""
        if self.layer is None or self._own:
            return
        present = np.asarray(self.layer.data)
        if present.shape != self._known.shape or np.array_equal(present, self._known):
            return
        edit = Edit.between(self._start, self._known, present)
        try:
            self.store.change(edit)
        except (FileTrouble, InvalidLabels):
            with self._quietly():  # what can't be kept is not shown as if it were
                self.layer.data[...] = self._known
                self.layer.refresh(extent=False, thumbnail=False, highlight=False)
            raise
        self._known = present.copy()
        self.journal.add((edit,))
        self.shown.refresh(extent=False, thumbnail=False, highlight=False)

    def _redraw(self, edits: tuple[Edit, ...]) -> None:
        """Show edits that were made in the folder."""
        if not edits:
            return
        if self.layer is not None:
            with self._quietly():
                block = tuple(
                    slice(s, s + n) for s, n in zip(self._start, self._known.shape, strict=True)
                )
                self._known = np.asarray(self.store.array[block])
                self.layer.data[...] = self._known
                self.layer.refresh(extent=False, thumbnail=False, highlight=False)
        self.shown.refresh(extent=False, thumbnail=False, highlight=False)

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        former, self._own = self._own, True
        try:
            yield
        finally:
            self._own = former


def window_of(labels: Labels | None) -> Window | None:
    """The window of a layer that napari can only show; None for other layers."""
    own: Any = unwrap(labels)
    found = None if own is None else own.metadata.get(WINDOW)
    return found if isinstance(found, Window) and found.shown is own else None


def _at_most(area: Area, shape: tuple[int, int]) -> Area:
    """The middle of an area, of `LARGEST` pixels at most and one at least."""
    ends = []
    for low, high, size in zip(area[:2], area[2:], shape, strict=True):
        low = min(max(0, low), size - 1)
        high = min(max(low + 1, high), size)
        length = min(high - low, LARGEST)
        start = (low + high - length) // 2
        ends.append((start, start + length))
    return ends[0][0], ends[1][0], ends[0][1], ends[1][1]
