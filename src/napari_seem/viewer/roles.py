"""Layers of our own in a person's viewer: what each is for, where it lies, and using it again.

napari crashes now and then when painted or clicked layers are taken out and made anew in one
session, and every new one costs it half a second. So ours are protected against deletion, and
each is used for one image after the other. They are drawn over everything else, which in napari
also means that they stand first in the layer list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from .coordinates import lay_onto

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer
    from napari.utils.events import Event

ROLE = "napari-seem role"
IN_USE = "napari-seem in use"
POINTS, SHAPES, SCRIBBLES, PREVIEW = "points", "shapes", "scribbles", "preview"
DRAWN_LAST = (PREVIEW, SCRIBBLES, SHAPES, POINTS)
"""Roles of the layers that are drawn over all others, in the order in which they are drawn."""
CLASS_MAP, PROBABILITY, UNCERTAINTY = "class map", "probability", "uncertainty"
"""Roles of what is shown of pixel classes."""
SHOWN_ONLY = (PREVIEW, CLASS_MAP, PROBABILITY, UNCERTAINTY)
"""Roles of the layers that hold nothing of a person."""
STROKES = "napari-seem strokes"
"""Key of the metadata of labels made for strokes that teach pixel classes; these are a person's."""


_AWAY: WeakKeyDictionary[ViewerModel, list[Layer]] = WeakKeyDictionary()
"""Layers of ours that were taken out of each viewer."""


def in_use(role: str) -> dict[str, object]:
    """Metadata of a new layer that make it ours from its first moment in the viewer."""
    return {ROLE: role, IN_USE: True}


def adopt(layer: Layer, role: str) -> None:
    """Mark a layer as ours and in use, and protect it against the bin of the layer list."""
    layer.metadata = {**layer.metadata, **in_use(role)}
    layer.locked = True


def release(layer: Layer) -> None:
    """Hide a layer of ours and let another image have it."""
    layer.metadata = {**layer.metadata, IN_USE: False}
    layer.visible = False


def is_ours(layer: Layer) -> bool:
    """Whether a layer was made by us: prompts or previews, never results."""
    return ROLE in layer.metadata


def is_strokes(layer: Layer) -> bool:
    """Whether a layer was made for strokes that teach pixel classes, and takes no objects."""
    return bool(layer.metadata.get(STROKES))


def follow_painting(viewer: ViewerModel, slot: Callable[[Event], object]) -> None:
    """Call a function whenever somebody paints on Labels of their own, now open or added later."""

    def follow(layer: Layer) -> None:
        if hasattr(layer.events, "paint") and not is_ours(layer):
            layer.events.paint.connect(slot)

    for layer in viewer.layers:
        follow(layer)
    viewer.layers.events.inserted.connect(lambda event: follow(event.value))


def spare_layer(viewer: ViewerModel, role: str, ndim: int) -> Layer | None:
    """A layer of that role which nobody uses, back in the viewer where it was put away, or None."""
    away = _AWAY.get(viewer, [])
    for layer in [*viewer.layers, *away]:
        if _is_spare(layer) and layer.metadata.get(ROLE) == role and layer.ndim == ndim:
            if layer in away:
                away.remove(layer)
                viewer.layers.append(layer)
            return layer
    return None


def put_spares_away(viewer: ViewerModel) -> None:
    """Take out of the viewer what would give it more axes, or longer ones, than its layers have.

    That is what nobody uses of ours once its image was removed.
    """
    from napari.layers import Image, Labels

    theirs = [layer for layer in viewer.layers if not _is_spare(layer) and not _is_blank(layer)]
    most = max((layer.ndim for layer in theirs), default=2)
    images = [layer for layer in theirs if isinstance(layer, Image)]
    for layer in [one for one in viewer.layers if _is_spare(one) or _is_blank(one)]:
        home = next((image for image in images if image.ndim == layer.ndim), None)
        if layer.ndim > most:
            release(layer)
            viewer.layers.remove(layer)
            _AWAY.setdefault(viewer, []).append(layer)
        elif isinstance(layer, (Image, Labels)) and home is not None:
            layer.data = np.zeros((1,) * layer.ndim, layer.data.dtype)
            lay_onto(layer, home)


def _is_spare(layer: Layer) -> bool:
    return layer.metadata.get(IN_USE) is False


def _is_blank(layer: Layer) -> bool:
    """Whether a layer is a preview that shows nothing."""
    return layer.metadata.get(ROLE) in SHOWN_ONLY and not layer.data.any()


def put_onto(viewer: ViewerModel, layer: Layer, image: Image) -> None:
    """Give a layer the place of an image; the viewer stays where it is."""
    point = viewer.dims.point
    lay_onto(layer, image)
    if viewer.dims.point != point:
        viewer.dims.set_point(range(len(point)), point)


def slide_under_prompts(viewer: ViewerModel, layer: Layer, image: Image) -> None:
    """Move a layer to just below our own, so that prompts and previews are seen above it."""
    layers = viewer.layers
    above = layers.index(image) if image in layers else -1
    ours = [
        index
        for index, other in enumerate(layers)
        if index > above and other is not layer and other.metadata.get(ROLE) in DRAWN_LAST
    ]
    now, wanted = layers.index(layer), min(ours, default=len(layers))
    if now > wanted or now < above:
        layers.move(now, wanted)


def draw_last(viewer: ViewerModel) -> None:
    """Move our prompts and previews over the layers of the person, such as one just added."""
    layers = viewer.layers
    ranks = {role: number for number, role in enumerate(DRAWN_LAST)}
    ours = [layer for layer in layers if layer.metadata.get(ROLE) in ranks]
    ours.sort(key=lambda layer: ranks[layer.metadata[ROLE]])
    wanted = [*(layer for layer in layers if layer not in ours), *ours]
    for place, layer in enumerate(wanted):
        if layers[place] != layer:  # at each move napari draws everything anew
            layers.move(layers.index(layer), place)
