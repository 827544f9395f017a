"""Labels layers whose pixels lie in a folder: for images with more than memory should hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from ..errors import FileTrouble
from ..io.grid import Grid
from ..io.label_store import LabelStore, default_home, matrix_of
from .coordinates import affine_matrix, full_data, placement, spatial_shape
from .metadata import ABOUT, GRID, grid_of
from .private import unwrap
from .roles import slide_under_prompts
from .window import Window

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
"""Planes with more rows or columns can't be painted on in napari; see `window.Window`."""


def belongs_on_disk(shape: Sequence[int]) -> bool:
    """Whether new labels of this shape lie in a folder rather than in memory."""
    return 2 * int(np.prod(shape, dtype=np.int64)) > IN_MEMORY or max(shape[-2:]) > WIDEST


def needs_window(shape: Sequence[int]) -> bool:
    """Whether labels of this shape can only be shown by napari, and are painted in a window."""
    return max(shape[-2:]) > TEXTURE


def store_of(labels: Labels | None) -> LabelStore | None:
    """The folder that a layer's pixels lie in; None for other layers."""
    own: Any = unwrap(labels)
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
        Window(viewer, layer, store)
    return layer
