"""Labels layers that results are written to: made anew, or checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..edits import check_labels, check_writable
from ..errors import InvalidLabels
from .coordinates import full_data, placement, spatial_shape
from .metadata import GRID
from .on_disk import belongs_on_disk, new_labels_on_disk
from .roles import slide_under_prompts
from .shown import note_owner
from .window import window_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.layers import Image, Labels


def new_labels(
    viewer: ViewerModel, image: Image, name: str | None = None, home: Path | None = None
) -> Labels:
    """Add an empty Labels layer that lies exactly on an image.

    16-bit: napari draws and undoes it several times faster than 32-bit ones, and 65,535 objects
    are enough for most; choose a wider layer of your own where they are not. Those of big images
    lie in a folder in `home`; see `on_disk`.
    """
    if belongs_on_disk(spatial_shape(image)):
        layer = new_labels_on_disk(viewer, image, name or f"{image.name} labels", home)
        note_owner(layer, image)
        return layer
    data = np.zeros(spatial_shape(image), np.uint16)
    active = viewer.layers.selection.active
    origin = {key: image.metadata[key] for key in (GRID,) if key in image.metadata}
    layer = viewer.add_labels(
        data, name=name or f"{image.name} labels", metadata=origin, **placement(image)
    )
    note_owner(layer, image)
    slide_under_prompts(viewer, layer, image)
    viewer.layers.selection.active = active
    return layer


def check_target(labels: Labels, image: Image, label_id: int) -> None:
    """Raise `InvalidLabels` where objects of `image` can't be written into `labels`."""
    if labels.multiscale and window_of(labels) is None:
        raise InvalidLabels(
            f"'{labels.name}' has several resolutions, which napari can only show; choose a plain "
            "labels layer, or let a new one be made"
        )
    data = full_data(labels)
    if tuple(data.shape) != spatial_shape(image):
        raise InvalidLabels(
            f"'{labels.name}' has shape {tuple(data.shape)} but '{image.name}' has "
            f"{spatial_shape(image)}; choose a labels layer of the image's own size"
        )
    check_labels(data, label_id)
    check_writable(data)
    if not labels.editable and window_of(labels) is None:
        raise InvalidLabels(
            f"'{labels.name}' is not editable; set its `editable` to True, or choose another layer"
        )
