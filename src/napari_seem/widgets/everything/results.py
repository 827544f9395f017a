"""What a person accepted, written into Labels layers: objects, and maps of names beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ...commands.segment import WriteMap, WriteObjects
from ...commands.workspace import Workspace
from ...viewer.coordinates import full_data, lie_alike
from ...viewer.label_layers.targets import check_target, new_labels
from ...viewer.model_input import check_pixels, note_model_input
from ...viewer.shown import note_map
from ...viewer.timeline import document_in
from .._shared.preferences import label_home

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels, Layer

    from ...commands.models import ModelCache
    from ...models.base import Instance, Segmentation
    from .._shared.search import ShownPlane


class ResultWriter:
    """Writes found objects, each call in one transaction of the layer's document.

    Parameters
    ----------
    viewer : ViewerModel
    models : ModelCache
    """

    def __init__(self, viewer: ViewerModel, models: ModelCache) -> None:
        self._viewer, self._models = viewer, models
        self._maps: WeakKeyDictionary[Any, dict[str, Labels]] = WeakKeyDictionary()

    def write(
        self, place: ShownPlane, chosen: Sequence[Instance], labels: Labels | None,
        overwrite: bool, query: dict[str, object],
    ) -> tuple[Labels, list[int]]:  # fmt: skip
        """Write objects; gives the layer, and the ids of those that got a pixel.

        Parameters
        ----------
        place : ShownPlane
        chosen : sequence of Instance
        labels : Labels, optional
            By default a new layer.
        overwrite : bool
            Take pixels that belong to other objects; otherwise they stay theirs.
        query : dict
            What was looked for and accepted: fields of `WriteObjects`.

        Raises
        ------
        InvalidLabels
            Where the layer can't take them; nothing is written then.
        """
        check_pixels(place.input.layers, place.known.source.input)
        target = self._new(place) if labels is None else labels
        check_target(target, place.image, len(chosen))
        workspace = Workspace(document_in(self._viewer, target, empty=labels is None), self._models)
        fields = workspace.fields(place.model, place.known) | query
        command = WriteObjects(**fields, overwrite=overwrite)
        ids = command.apply(workspace, chosen)
        note_model_input(target, place.input)
        return target, ids

    def write_map(self, place: ShownPlane, found: Segmentation, kind: str) -> Labels:
        """Write what every pixel is, into a layer beside the objects; gives the layer.

        Parameters
        ----------
        place : ShownPlane
        found : Segmentation
            With a semantic map; its instances are those to be seen on it.
        kind : str
            `SEMANTIC`: an id a name, the same on every plane. `PANOPTIC`: things apart, too.
        """
        target = self._map_layer(place, kind)
        check_target(target, place.image, 1)
        workspace = Workspace(document_in(self._viewer, target), self._models)
        command = WriteMap(**workspace.fields(place.model, place.known), kind=kind)
        command.apply(workspace, found)
        note_model_input(target, place.input)
        return target

    def lay_under(self, layer: Labels, other: Labels) -> None:
        """Move a layer to just below another, if it lies above."""
        layers = self._viewer.layers
        if layers.index(layer) > layers.index(other):
            layers.move(layers.index(layer), layers.index(other))

    def forget(self, layer: Layer) -> None:
        """Forget a layer that is gone."""
        for known in self._maps.values():
            for kind in [kind for kind, one in known.items() if one is layer]:
                del known[kind]

    def _new(self, place: ShownPlane, name: str | None = None) -> Labels:
        return new_labels(self._viewer, place.image, name, label_home(place.image))

    def _map_layer(self, place: ShownPlane, kind: str) -> Labels:
        """The image's layer for such maps, where its plane is empty still; else a new one."""
        known = self._maps.setdefault(place.image, {})
        layer = known.get(kind)
        lies = layer is not None and lie_alike(layer, place.image)
        if layer is None or not lies or place.plane.read(full_data(layer)).any():
            layer = known[kind] = self._new(place, f"{place.image.name} {kind}")
            note_map(layer)
        return layer
