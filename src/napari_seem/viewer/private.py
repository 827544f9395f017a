"""Every private name of napari that is used: what breaks with another napari, breaks here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels, Shapes
    from napari.layers.labels.labels import HistoryAtom
    from qtpy.QtWidgets import QWidget

    from ..images import Sliceable

Block = tuple[slice, ...]
T = TypeVar("T")


def unwrap(thing: T) -> T:
    """The viewer or layer itself, where napari hands plugins a proxy of it."""
    return getattr(thing, "__wrapped__", thing)


def draw_brush_without_box(viewer: object) -> None:
    """Leave out the box behind the circle of the brush.

    napari ends with a segmentation fault when it draws the box while sliders come or go.
    """
    overlays = getattr(getattr(viewer, "canvas", None), "overlays", None)
    circle = getattr(overlays, "_brush_circle", None)
    if circle is not None:
        circle.box = False


@contextmanager
def selection_kept(viewer: ViewerModel) -> Iterator[None]:
    """Leave the layers selected that are, while others are added.

    napari selects each new layer; that and selecting the former one again cost it, with a window,
    as much as adding it.
    """
    layers = unwrap(viewer).layers
    active, before = layers.selection.active, getattr(layers, "_activate_on_insert", True)
    layers._activate_on_insert = False
    try:
        yield
    finally:
        layers._activate_on_insert = before
        layers.selection.active = active  # where another napari has selected the new one


def canvas_of(viewer: object) -> QWidget | None:
    """The widget of a viewer's canvas, or None where the viewer has no window."""
    window = getattr(getattr(viewer, "window", None), "_qt_viewer", None)
    return None if window is None else window.canvas.native


def layer_list_of(viewer: object) -> QWidget | None:
    """The widget of a viewer's list of layers, or None where the viewer has no window."""
    window = getattr(getattr(viewer, "window", None), "_qt_viewer", None)
    return None if window is None else window.layers


def undo_history(layer: Labels) -> list[Sequence[HistoryAtom]]:
    """What a Labels layer can undo: lists of atoms, the latest last."""
    return list(layer._undo_history)


def redo_history(layer: Labels) -> list[Sequence[HistoryAtom]]:
    """What a Labels layer can redo; napari keeps the atoms of each in reverse order."""
    return [list(reversed(item)) for item in layer._redo_history]


def add_to_history(layer: Labels, atom: tuple[object, ...]) -> None:
    """Put an atom into the history of a Labels layer."""
    layer._save_history(atom)


def kept_redo(layer: Labels) -> Sequence[object]:
    """What a Labels layer can redo, for `drop_open_step`."""
    return list(layer._redo_history)


def drop_open_step(layer: Labels, redo: Sequence[object]) -> None:
    """Forget what was put into the history since `block_history` was entered."""
    layer._staged_history = []
    layer._redo_history.extend(redo[len(layer._redo_history) :])


def is_in_stroke(layer: Labels) -> bool:
    """Whether a stroke, or another step of the history, is open."""
    return bool(getattr(layer, "_block_history", True))


def paint_mask(layer: Labels, key: Block, mask: npt.NDArray[np.bool_], value: int) -> None:
    """Paint a mask, bool (..., H, W) of the shape of the block `key`, fast and with undo."""
    layer._paint_region_with_mask(key, mask, value, list(range(layer.ndim)))


def atom_blocks(atom: HistoryAtom, shape: Sequence[int]) -> list[Block]:
    """The parts of the array that an atom changed; scattered pixels give one part a plane."""
    key = atom[0]  # a tuple of slices, or of index arrays
    if all(isinstance(part, slice) for part in key):
        block = tuple(slice(*part.indices(n)[:2]) for part, n in zip(key, shape, strict=True))
        return [block] if all(part.stop > part.start for part in block) else []
    parts = [np.ravel(part) for part in np.broadcast_arrays(*key)]
    if not parts[0].size:
        return []
    values = np.stack([np.where(p < 0, p + n, p) for p, n in zip(parts, shape, strict=True)])
    lead = values[:-2]
    blocks = []
    for index in np.unique(lead, axis=1).T:
        inside = values[-2:, (lead == index[:, None]).all(axis=0)]
        plane = [slice(int(i), int(i) + 1) for i in index]
        low, high = inside.min(axis=1), inside.max(axis=1)
        plane += [slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True)]
        blocks.append(tuple(plane))
    return blocks


def atom_holds(atom: HistoryAtom, data: Sliceable, *, undone: bool) -> bool:
    """Whether labels (..., H, W) hold what an atom wrote or, undone, what was there before."""
    key = atom[0]
    masked = hasattr(atom, "new_value")
    old, new = (atom.old_values, atom.new_value) if masked else (atom[1], atom[2])
    try:
        part = np.asarray(data[key])
        if masked and atom.mask is not None:
            part = part[atom.mask]
        return bool(np.array_equal(part, np.broadcast_to(old if undone else new, part.shape)))
    except (IndexError, ValueError):  # an array of another shape
        return False


def forget_history(layer: Labels) -> None:
    """Let a Labels layer undo and redo nothing of what was done to it."""
    layer._reset_history()


def atom_highest(atom: HistoryAtom) -> int:
    """The highest id that an atom wrote."""
    values = atom.new_value if hasattr(atom, "new_value") else atom[2]
    return int(np.max(values, initial=0))


def is_drawing_shape(layer: Shapes) -> bool:
    """Whether a shape is being drawn in a Shapes layer."""
    return bool(getattr(layer, "_is_creating", False))


def hide_painting_overlays(layer: Labels) -> None:
    """Draw nothing for a brush or a polygon in a layer that nobody may paint on.

    Done before a viewer has the layer, napari does not make their six shapes at all.
    """
    overlays = getattr(layer, "_overlays", {})
    for name in ("polygon", "brush_stroke"):
        if name in overlays:
            overlays[name].visible = False


def disable_brush_loop(layer: Labels) -> None:
    """Switch off the stroke that the right button starts and that goes on after its release."""
    overlay = getattr(layer, "_overlays", {}).get("brush_stroke")
    if overlay is not None:
        overlay.enabled = False
