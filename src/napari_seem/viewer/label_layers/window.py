"""Labels that napari can only show, painted on in a window that lies above them.

napari shows several resolutions of labels, but writes into none; and a single one of more than
16,384 pixels a side is drawn coarsely, and slowly. So the whole is shown by a layer of several
resolutions, and an ordinary layer of a part of the full-size pixels is the window: what changes
there goes into the folder at once, and into the coarser pixels that show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ...edits import Edit
from ...errors import FileTrouble, InvalidLabels
from ...io.zarr.label_store import LabelStore
from ...labels.undo import StackUndo
from ...planes import Plane
from ..coordinates import affine_matrix, lay_by, on_placing, resampled
from ..private import is_in_stroke, unwrap
from ..roles import adopt, release, slide_under_prompts, spare_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels
    from napari.utils.events import Event

_WINDOWS: WeakKeyDictionary[Any, LabelWindow] = WeakKeyDictionary()
"""The window of each layer that has one."""
ROLE = "window"
LARGEST = 4096
"""Rows and columns that a window has at most."""
Area = tuple[int, int, int, int]


class LabelWindow:
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
    undo_backend : WindowUndo
        The undo of all changes, wherever the window was.
    noticed : callable
        Called without arguments when a stroke was taken up.
    """

    def __init__(self, viewer: ViewerModel, shown: Labels, store: LabelStore) -> None:
        self._viewer: Any = unwrap(viewer)
        self.shown: Any = unwrap(shown)
        self.store = store
        self.layer: Any = None
        self.undo_backend = WindowUndo(self)
        self.noticed: Callable[[], None] = lambda: None
        self._made: list[Callable[[Any], None]] = []
        self._start: tuple[int, ...] = ()
        self._known: npt.NDArray[Any] = np.zeros(0, np.uint8)
        self._own = False
        self._viewer.layers.events.removed.connect(self._on_removed)
        on_placing(self.shown, self._place)
        _WINDOWS[self.shown] = self

    def move(self, plane: Plane, area: Area) -> Labels:
        """Open the window on a part of a plane; of a larger one, on the middle.

        Parameters
        ----------
        plane : Plane
            (H, W), of the labels' array.
        area : half-open (y0, x0, y1, x1)

        Returns
        -------
        Labels
            The layer to paint on.
        """
        self.take_up()
        y0, x0, y1, x1 = _at_most(area, plane.shape(self.store.array.shape))
        block = plane.block((y0, x0, y1, x1))
        part = np.asarray(self.store.array[block])
        start = tuple(s.start for s in block)
        self._start = start
        with self._quietly():
            layer = self.layer = self._layer(part)
            layer.data = part
            self._place()
            layer.editable = False  # forgets its undo steps, which are of another place
            layer.editable = True
        self._known = part.copy()
        layer.selected_label = max(1, layer.selected_label)
        layer.visible = True
        return layer

    def on_made(self, slot: Callable[[object], None]) -> None:
        """Call a function with the layer to paint on, now and when another one is made."""
        self._made = [slot]
        if self.layer is not None:
            slot(self.layer)

    def take_up(self) -> None:
        """Put what a person changed in the window into the folder."""
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
        self.undo_backend.stack.add((edit,))
        self.shown.refresh(extent=False, thumbnail=False, highlight=False)
        self.noticed()

    def redraw(self) -> None:
        """Show what was changed in the folder."""
        if self.layer is not None:
            with self._quietly():
                block = tuple(
                    slice(s, s + n) for s, n in zip(self._start, self._known.shape, strict=True)
                )
                self._known = np.asarray(self.store.array[block])
                self.layer.data[...] = self._known
                self.layer.refresh(extent=False, thumbnail=False, highlight=False)
        self.shown.refresh(extent=False, thumbnail=False, highlight=False)

    def close(self) -> None:
        """Leave the window, hidden, to other labels."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        if self.layer is not None:
            self._let_go()
            self.layer.data = np.zeros((1,) * self.layer.ndim, self.layer.data.dtype)
            release(self.layer)
            self.layer = None

    def _place(self, _: object = None) -> None:
        """Keep the window on the labels."""
        if self.layer is not None:
            lay_by(self.layer, self._matrix(), self.shown.units)

    def _matrix(self) -> npt.NDArray[np.float64]:
        return resampled(affine_matrix(self.shown), np.ones(len(self._start)), self._start)

    def _layer(self, part: npt.NDArray[np.integer]) -> Labels:
        """Return the window's layer; where there is none it is made of labels (..., H, W)."""
        if self.layer is not None and self.layer in self._viewer.layers:
            return self.layer
        shown = self.shown
        layer: Any = spare_layer(self._viewer, ROLE, part.ndim)
        if layer is None:
            layer = self._viewer.add_labels(
                part, affine=self._matrix(), units=shown.units, axis_labels=shown.axis_labels
            )
        layer.name = f"{shown.name}: edit here"
        layer.colormap, layer.opacity = shown.colormap, shown.opacity
        layer.bounding_box.visible = True
        adopt(layer, ROLE)
        slide_under_prompts(self._viewer, layer, shown)
        layer.events.paint.connect(self._on_change)
        layer.events.set_data.connect(self._on_change)
        layer.events.labels_update.connect(self._on_mouse)
        on_placing(layer, self._place)
        for slot in self._made:
            slot(layer)
        return layer

    def _let_go(self) -> None:
        self.take_up()
        self.layer.events.paint.disconnect(self._on_change)
        self.layer.events.set_data.disconnect(self._on_change)
        self.layer.events.labels_update.disconnect(self._on_mouse)
        on_placing(self.layer, self._place, follow=False)

    def _on_removed(self, event: Event) -> None:
        if event.value is self.shown:
            self.close()
        elif event.value is self.layer:
            self._let_go()
            self.layer = None

    def _on_change(self, _: object = None) -> None:
        """The person painted, undid or redid in the window."""
        if not self._own:
            self.take_up()

    def _on_mouse(self, _: object = None) -> None:
        """Pixels changed; those of a stroke are taken up at its end, which is a paint event."""
        if not is_in_stroke(self.layer):
            self._on_change()

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        former, self._own = self._own, True
        try:
            yield
        finally:
            self._own = former


class WindowUndo(StackUndo):
    """Undo of labels in a folder that are painted on in a window.

    Parameters
    ----------
    window : LabelWindow
    """

    def __init__(self, window: LabelWindow) -> None:
        super().__init__(window.store.array, window.store.change_whole)
        self._window = window

    @contextmanager
    def step(self) -> Iterator[None]:
        """As of `UndoBackend`."""
        try:
            with super().step():
                yield
        finally:
            self._window.redraw()

    def undo(self) -> None:
        """As of `UndoBackend`."""
        self._window.take_up()
        super().undo()
        self._window.redraw()

    def redo(self) -> None:
        """As of `UndoBackend`."""
        self._window.take_up()
        super().redo()
        self._window.redraw()


def window_of(labels: Labels | None) -> LabelWindow | None:
    """The window of a layer that napari can only show; None for other layers."""
    own: Any = unwrap(labels)
    return None if own is None else _WINDOWS.get(own)


def _at_most(area: Area, shape: tuple[int, int]) -> Area:
    """The middle of an area of a plane (H, W), of `LARGEST` pixels at most and one at least."""
    ends = []
    for low, high, size in zip(area[:2], area[2:], shape, strict=True):
        low = min(max(0, low), size - 1)
        high = min(max(low + 1, high), size)
        length = min(high - low, LARGEST)
        start = (low + high - length) // 2
        ends.append((start, start + length))
    return ends[0][0], ends[1][0], ends[0][1], ends[1][1]
