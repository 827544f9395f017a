"""Changed pixels written through napari, so that the layer's own undo knows of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..edits import Edit, check_writable
from ..errors import InvalidLabels
from ..io.label_store import written_to
from .coordinates import full_data, unwrap
from .on_disk import store_of
from .window import window_of

if TYPE_CHECKING:
    from napari.layers import Labels


def check_paintable(labels: Labels) -> None:
    """Raise `InvalidLabels` where pixels of a layer can't be changed."""
    layer = unwrap(labels)
    windowed = window_of(layer) is not None
    if layer.multiscale and not windowed:
        raise InvalidLabels(
            f"'{layer.name}' has several resolutions, which napari can only show; names can be "
            "changed, pixels can't: open its full resolution as a labels layer"
        )
    check_writable(full_data(layer))
    if not layer.editable and not windowed:
        raise InvalidLabels(
            f"'{layer.name}' is not editable; set its `editable` to True, or choose another layer"
        )


def is_paintable(layer: Any) -> bool:
    """Whether pixels of a layer can be changed."""
    try:
        check_paintable(layer)
    except InvalidLabels:
        return False
    return True


def mapped(data: Any, block: tuple[slice, ...], pixels: Mapping[int, int]) -> Edit:
    """The edit that gives some ids of a block others."""
    old = np.asarray(data[block])
    new = old.copy()
    for target in sorted(set(pixels.values())):
        ids = [i for i, wanted in pixels.items() if wanted == target]
        new[np.isin(old, ids)] = target
    return Edit.between(tuple(part.start for part in block), old, new)


def apply_edit(layer: Any, edit: Edit) -> None:
    """Make the change through napari, as part of the layer's undo history."""
    values = np.zeros(edit.changed.shape, layer.data.dtype)
    values[edit.changed] = edit.new
    store = store_of(layer)
    with nullcontext() if store is None else written_to(store.path):
        for value in np.unique(edit.new):
            _write(layer, edit.offset, edit.changed & (values == value), int(value))


def _write(layer: Any, offset: tuple[int, ...], mask: npt.NDArray[np.bool_], value: int) -> None:
    """Set `value` where a block's mask is True."""
    kept, layer.preserve_labels = layer.preserve_labels, False
    try:
        paint = getattr(layer, "_paint_region_with_mask", None)
        if paint is not None:  # napari >= 0.8: much faster, and smaller in the undo history
            key = tuple(slice(o, o + s) for o, s in zip(offset, mask.shape, strict=True))
            paint(key, mask, value, list(range(layer.ndim)))
        else:
            inside = np.nonzero(mask)
            layer.data_setitem(tuple(i + o for i, o in zip(inside, offset, strict=True)), value)
    finally:
        layer.preserve_labels = kept
