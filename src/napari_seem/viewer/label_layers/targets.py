"""Labels layers that results are written to: made anew, opened, or checked.

Those of images with more than memory should hold have their pixels in a folder.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from ...edits import check_labels, check_writable
from ...errors import FileTrouble, InvalidLabels
from ...io.grid import Grid
from ...io.zarr.label_store import LabelStore, default_home, matrix_of
from ..coordinates import (
    PLACING,
    affine_matrix,
    full_data,
    lie_alike,
    placement,
    same_value,
    spatial_shape,
)
from ..metadata import ABOUT, GRID, grid_of
from ..private import selection_kept, unwrap
from ..roles import slide_under_prompts
from ..shown import note_owner
from .window import LabelWindow, window_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from napari.layers import Image, Labels


HOME = "napari-seem label folder"
"""Key of an image layer's metadata: the folder that a person chose for its labels, a `Path`."""
_STORES: WeakKeyDictionary[Any, LabelStore] = WeakKeyDictionary()
"""The folder that the pixels of each layer lie in."""
IN_MEMORY = 256 << 20
"""Labels of more bytes lie on disk, at 2 bytes a pixel."""
WIDEST = 8192
"""Labels of planes with more rows or columns lie on disk."""
TEXTURE = 16384
"""Planes with more rows or columns can't be painted on in napari; see `window.LabelWindow`."""


def new_labels(
    viewer: ViewerModel, image: Image, name: str | None = None, home: Path | None = None
) -> Labels:
    """Add an empty Labels layer that lies exactly on an image.

    16-bit: napari draws and undoes it several times faster than 32-bit ones, and 65,535 objects
    are enough for most; choose a wider layer of your own where they are not. Those of big images
    lie in a folder in `home`; see `new_labels_on_disk`.
    """
    if belongs_on_disk(spatial_shape(image)):
        layer = new_labels_on_disk(viewer, image, name or f"{image.name} labels", home)
        note_owner(layer, image)
        return layer
    data = np.zeros(spatial_shape(image), np.uint16)
    origin = {key: image.metadata[key] for key in (GRID,) if key in image.metadata}
    with selection_kept(viewer):
        layer = viewer.add_labels(
            data, name=name or f"{image.name} labels", metadata=origin, **placement(image)
        )
    note_owner(layer, image)
    slide_under_prompts(viewer, layer, image)
    return layer


def check_target(labels: Labels, image: Image, label_id: int) -> None:
    """Raise `InvalidLabels` where objects of `image` can't be written into `labels`."""
    check_editable(labels)
    check_place(labels, image)
    check_labels(full_data(labels), label_id)


def check_place(labels: Labels, image: Image) -> None:
    """Raise `InvalidLabels` where labels do not lie on an image, pixel by pixel."""
    data = full_data(labels)
    if tuple(data.shape) != spatial_shape(image):
        raise InvalidLabels(
            f"'{labels.name}' has shape {tuple(data.shape)} but '{image.name}' has "
            f"{spatial_shape(image)}; choose a labels layer of the image's own size"
        )
    if not lie_alike(labels, image):
        raise InvalidLabels(
            f"'{labels.name}' does not lie on '{image.name}': {_differences(labels, image)}. Give "
            "both the same, or choose new labels"
        )


def _differences(labels: Labels, image: Image) -> str:
    """Which of the values that place two layers differ."""
    values = {name: (getattr(labels, name), getattr(image, name)) for name in PLACING}
    names = [name for name, pair in values.items() if not same_value(*pair)]
    last = names.pop()
    named = f"{', '.join(names)} and {last}" if names else last
    return f"their {named} {'differ' if names or last == 'units' else 'differs'}"


def check_editable(labels: Labels) -> None:
    """Raise `InvalidLabels` where the pixels of a layer can't be changed."""
    windowed = window_of(labels) is not None
    if labels.multiscale and not windowed:
        raise InvalidLabels(
            f"'{labels.name}' has several resolutions, which napari can only show; names can be "
            "changed, pixels can't: choose a plain labels layer, or open its full resolution as one"
        )
    check_writable(full_data(labels))
    if not labels.editable and not windowed:
        raise InvalidLabels(
            f"'{labels.name}' is not editable; set its `editable` to True, or choose another layer"
        )


def belongs_on_disk(shape: Sequence[int]) -> bool:
    """Whether new labels of this shape lie in a folder rather than in memory."""
    return 2 * prod(shape) > IN_MEMORY or max(shape[-2:]) > WIDEST


def needs_window(shape: Sequence[int]) -> bool:
    """Whether labels of this shape can only be shown by napari, and are painted in a window."""
    return max(shape[-2:]) > TEXTURE


def store_of(labels: Labels | None) -> LabelStore | None:
    """The folder that a layer's pixels lie in; None for other layers."""
    own = unwrap(labels)
    found = None if own is None else _STORES.get(own)
    if found is None or full_data(own) is not found.array:
        return None  # no such layer, a copy of one, or one that was given other pixels
    return found


def new_labels_on_disk(
    viewer: ViewerModel, image: Image, name: str, home: Path | None = None
) -> Labels:
    """Add an empty Labels layer that lies exactly on an image, its pixels in a new folder.

    Parameters
    ----------
    viewer : ViewerModel
    image : Image
    name : str
    home : Path, optional
        Where the folder is made; by default among the person's own files (`default_home`).

    Raises
    ------
    FileTrouble
        The folder can't be written.
    MissingPackage
        zarr is not installed.
    """
    from napari.utils.notifications import show_info

    shape = spatial_shape(image)
    own = grid_of(image)
    shown = Grid(shape, own.axes, affine_matrix(image), own.units)
    store = LabelStore.create(home or default_home(), name, shown, coarser=needs_window(shape))
    origin = {key: image.metadata[key] for key in (GRID,) if key in image.metadata}
    active = viewer.layers.selection.active
    layer = _add(viewer, store, {"name": name, "metadata": origin, **placement(image)})
    slide_under_prompts(viewer, layer, image)
    viewer.layers.selection.active = active
    show_info(f"The labels of '{image.name}' are written to {store.path} while you work.")
    return layer


def open_labels(viewer: ViewerModel, path: Path) -> Labels:
    """Add labels that were kept in a folder, to be worked on; the table of objects comes along.

    Raises
    ------
    FileTrouble
        The folder holds no labels, or can't be written.
    """
    import pandas as pd

    store, table, about = LabelStore.open(path)
    matrix = matrix_of(about, store.array.ndim)
    options: dict[str, Any] = {
        "name": str(about.get("name", path.stem)),
        "metadata": {ABOUT: about},
    }
    if matrix is not None:
        options["affine"] = matrix
    if len(about.get("units", ())) == store.array.ndim:
        options["units"] = about["units"]
    if needs_window(store.array.shape) and len(store.levels) < 2:
        raise FileTrouble(
            f"'{path}' has no coarser copies, which labels of this size need to be shown; save "
            "them with napari-seem first"
        )
    options["features"] = pd.DataFrame(table.to_features())
    return _add(viewer, store, options)


def _add(viewer: ViewerModel, store: LabelStore, options: dict[str, object]) -> Labels:
    many = needs_window(store.array.shape)
    layer: Any = viewer.add_labels(
        list(store.levels) if many else store.array, multiscale=many, **options
    )
    _STORES[layer] = store
    if many:
        LabelWindow(viewer, layer, store)
    return layer
