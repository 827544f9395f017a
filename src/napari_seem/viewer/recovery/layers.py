"""Labels that were not saved when a program ended, as layers again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...commands.recovery import Recovered, Recovery
from ...errors import InvalidImage
from ...io.opened import OpenedLabels
from ...labels.journal import BROUGHT_BACK, discard
from ...labels.log import Event
from ...labels.recorder import Recorder
from ..coordinates import spatial_shape
from ..documents import document_of, take_over
from ..files import as_layers, labels_layer
from ..label_layers.targets import open_labels, store_of
from ..metadata import GRID, SAVED, source_path
from ..private import unwrap
from ..roles import slide_under_prompts
from ..shown import image_layers, note_owner
from ..timeline import document_in
from .journals import note_missing_image
from .left_prompts import draft_of, leave

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer


def bring_back(viewer: ViewerModel, done: Recovered) -> tuple[Labels | None, Image | None]:
    """Add labels that were brought back, and their image where it is not open.

    The prompts that were not committed wait for the Annotate dock. What was not saved is in the
    log of the new layer from the first moment, and the journal that it came from is closed.

    Parameters
    ----------
    viewer : ViewerModel
    done : Recovered

    Returns
    -------
    labels : Labels or None
        None where only prompts had been made.
    image : Image or None
        None where it was not found.

    Raises
    ------
    InvalidImage
        There are only prompts, and the image was not found.
    FileTrouble
        The labels lie in a folder that is gone.
    """
    own, recovery = unwrap(viewer), done.recovery
    image = _open_image(own, recovery)
    if image is None and done.opened is not None:
        added = [own.add_image(data, **options) for data, options, _ in
                 as_layers(done.opened, recovery.source)]  # fmt: skip
        image = added[0]
    lines = recovery.session.uncommitted
    if not recovery.session.is_unsaved and recovery.folder is None:
        if image is None:
            raise InvalidImage(f"open the image '{recovery.image}' first: prompts were made on it")
        _keep(draft_of(image), lines)
        leave(image, lines)
        discard(recovery.path, BROUGHT_BACK)
        return None, image
    labels = _labels(own, done, image)
    _keep(document_of(labels).log, lines)
    if image is not None:
        leave(image, lines)
    take_over(labels, recovery.path)
    return labels, image


def _keep(log: Recorder | None, lines: list[Event]) -> None:
    """Keep prompts in the log that goes on."""
    for line in lines:
        if log is not None:
            log.uncommitted({key: one for key, one in line.items() if key not in ("event", "at")})


def _labels(viewer: ViewerModel, done: Recovered, image: Image | None) -> Labels:
    recovery = done.recovery
    if recovery.folder is not None:
        known = (x for x in viewer.layers if _folder_of(x) == recovery.folder)
        layer = next(known, None) or open_labels(viewer, recovery.folder)
    else:
        grid = recovery.grid  # where the layer was, whatever the file of its image says
        opened = OpenedLabels(
            recovery.labels, done.labels, done.table, grid, about=recovery.palette.to_dict()
        )
        data, options, _ = labels_layer(opened, Path(recovery.saved))
        options["metadata"][SAVED] = recovery.saved
        options["metadata"][GRID] = replace(done.grid, shape=grid.shape)
        layer = viewer.add_labels(data, **options)
    if image is None:
        note_missing_image(layer, recovery.image, str(recovery.source or ""))
    else:
        note_owner(layer, image)
        slide_under_prompts(viewer, layer, image)
        viewer.layers.selection.active = image
    document_in(viewer, layer)
    return layer


def _folder_of(layer: Layer) -> Path | None:
    store = store_of(layer)
    return None if store is None else store.path.absolute()


def _open_image(viewer: ViewerModel, recovery: Recovery) -> Image | None:
    """The image layer that the labels were made on, where it is open."""
    for image in image_layers(viewer):
        source = source_path(image)
        same = recovery.source is None or source is None or source == recovery.source
        if image.name == recovery.image and same and spatial_shape(image) == recovery.shape:
            return image
    return None
