"""Labels of a video as a napari Tracks layer, with what divided into what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InvalidLabels
from ..labels.lineage import FloatArray, graph_of
from .coordinates import placement
from .private import unwrap
from .rows import table_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels, Tracks

TRACKS_OF = "napari-seem tracks of"
"""Key of a Tracks layer's metadata: the name of the labels that it was made of."""


def check_time(labels: Labels, axis: int) -> None:
    """Raise `InvalidLabels` where an axis can't be the time of a Tracks layer."""
    if axis != 0:
        raise InvalidLabels(
            f"tracks run along the first axis, and '{labels.name}' was carried along axis {axis}; "
            "put time first (in numpy: numpy.moveaxis), then show the tracks"
        )


def show_tracks(viewer: ViewerModel, labels: Labels, points: FloatArray) -> Tracks:
    """Show the objects of a layer as tracks, in the layer that shows them already or a new one.

    Parameters
    ----------
    viewer : ViewerModel
    labels : Labels
    points : float (n, 1 + labels.ndim)
        Ordered by id and time; see `track_points`.

    Raises
    ------
    InvalidLabels
        There is no point.
    """
    from napari.layers import Tracks

    labels = unwrap(labels)
    if not len(points):
        raise InvalidLabels(f"nothing is labelled in '{labels.name}'; label an object first")
    parents = {i: row.parent for i, row in table_of(labels).items() if row.parent}
    graph = graph_of(points, parents)
    for layer in viewer.layers:
        if isinstance(layer, Tracks) and layer.metadata.get(TRACKS_OF) == labels.name:
            layer.graph = {}
            layer.data = points
            layer.graph = graph
            return layer
    active = viewer.layers.selection.active
    made = Tracks(
        points, graph=graph, name=f"tracks of {labels.name}", metadata={TRACKS_OF: labels.name},
        tail_width=3, **placement(labels),
    )  # fmt: skip
    viewer.add_layer(made)
    viewer.layers.selection.active = active  # the person goes on with the labels
    return made
