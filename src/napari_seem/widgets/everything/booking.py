"""What a person accepted, written into Labels layers: objects, and maps of names beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...edits import ObjectRecord, ObjectTable
from ...viewer.coordinates import full_data
from ...viewer.ledger import Ledger
from ...viewer.model_input import note_model_input
from ...viewer.record import What
from ...viewer.writing import NewObject, check_target, new_labels
from .._shared.preferences import label_home
from .._shared.search import Place

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from ...models.base import Instance, Segmentation

SEMANTIC, PANOPTIC = "semantic", "panoptic"


class Booking:
    """Writes found objects, each call as one step of the layer's own undo.

    Parameters
    ----------
    viewer : ViewerModel
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._ledgers: dict[int, Ledger] = {}
        self._maps: dict[tuple[int, str], Labels] = {}

    def write(
        self, place: Place, chosen: Sequence[Instance], labels: Labels | None, overwrite: bool,
        what: What | None = None,
    ) -> tuple[Labels, list[int]]:  # fmt: skip
        """Write objects; gives the layer, and the ids of those that got a pixel.

        `what` is done is kept in the layer's record.

        Raises
        ------
        InvalidLabels
            Where the layer can't take them; nothing is written then.
        """
        made = labels is None
        target = self._new(place) if labels is None else labels
        ledger = self._ledger(target, empty=made)
        first = ledger.next_id(place.plane)
        check_target(target, place.image, first + len(chosen) - 1)
        objects = [
            NewObject(i.mask, i.bbox[:2], first + number, _record(i.label, i.score, place))
            for number, i in enumerate(chosen)
        ]
        ids = ledger.write(place.plane, objects, overwrite=overwrite, what=what)
        note_model_input(target, place.shown)
        return target, ids

    def write_map(self, place: Place, found: Segmentation, kind: str) -> Labels:
        """Write what every pixel is, into a layer beside the objects.

        Parameters
        ----------
        place : Place
        found : Segmentation
            With a semantic map; its instances are those to be seen on it.
        kind : str
            `SEMANTIC`: a value a name, the same on every plane. `PANOPTIC`: things apart, too.
        """
        target = self._map_layer(place, kind)
        ledger = self._ledger(target)
        table = ObjectTable.from_features(target.features)
        known = {record.name: label_id for label_id, record in table.items()}
        free = ledger.next_id(place.plane)
        regions = _named(found) if kind == SEMANTIC else _panoptic(found)
        objects = []
        for (mask, corner), name, score, shared in regions:
            label_id = known.get(name or "", free) if shared else free
            free += label_id == free
            objects.append(NewObject(mask, corner, label_id, _record(name, score, place)))
        if objects:
            what = What("mapped", {"kind": kind, "model": {"name": place.model}}, place.shown)
            ledger.write(place.plane, objects, overwrite=True, what=what)
        note_model_input(target, place.shown)
        return target

    def lay_under(self, layer: Labels, other: Labels) -> None:
        """Move a layer to just below another, if it lies above."""
        layers = self._viewer.layers
        if layers.index(layer) > layers.index(other):
            layers.move(layers.index(layer), layers.index(other))

    def forget(self, layer: Any) -> None:
        """Close the books of a layer that is gone."""
        ledger = self._ledgers.pop(id(layer), None)
        if ledger is not None:
            ledger.close()
        self._maps = {
            key: known for key, known in self._maps.items()
            if known is not layer and key[0] != id(layer)
        }  # fmt: skip

    def close(self) -> None:
        """Close all books."""
        for ledger in self._ledgers.values():
            ledger.close()
        self._ledgers.clear()
        self._maps.clear()

    def _new(self, place: Place, name: str | None = None) -> Labels:
        return new_labels(self._viewer, place.image, name, label_home(place.image))

    def _ledger(self, labels: Labels, empty: bool = False) -> Ledger:
        if id(labels) not in self._ledgers:
            self._ledgers[id(labels)] = Ledger(labels, empty=empty)
        return self._ledgers[id(labels)]

    def _map_layer(self, place: Place, kind: str) -> Labels:
        """The image's layer for such maps, where its plane is empty still; else a new one."""
        key = id(place.image), kind
        layer = self._maps.get(key)
        if layer is None or place.plane.read(full_data(layer)).any():
            layer = self._new(place, f"{place.image.name} {kind}")
            self._maps[key] = layer
        return layer


Region = tuple[tuple[npt.NDArray[np.bool_], tuple[int, int]], "str | None", float, bool]
"""A cut-out mask and its corner, name, score, and whether it shares its value with its like."""


def _named(found: Segmentation) -> list[Region]:
    assert found.semantic is not None
    names = dict(enumerate(found.names, start=1))
    return [(cut, names[value], float("nan"), True) for value, cut in _cuts(found.semantic, names)]


def _panoptic(found: Segmentation) -> list[Region]:
    told = found.panoptic
    rows = {segment.label_id: segment for segment in told.segments}
    return [
        (cut, rows[value].name, _score(rows[value].score), not rows[value].thing)
        for value, cut in _cuts(told.labels, rows)
    ]


def _cuts(
    values: npt.NDArray[np.int32], known: Mapping[int, Any]
) -> list[tuple[int, tuple[npt.NDArray[np.bool_], tuple[int, int]]]]:
    places = ndimage.find_objects(values)
    return [
        (value, (values[where] == value, (where[0].start, where[1].start)))
        for value, where in enumerate(places, start=1)
        if where is not None and value in known
    ]


def _score(score: float | None) -> float:
    return float("nan") if score is None else score


def _record(name: str | None, score: float, place: Place) -> ObjectRecord:
    return ObjectRecord.made(name, score, place.model)
