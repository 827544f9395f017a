"""What is carried through a stack, in the words of the record."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ...labels.provenance import plane_to_dict
from ...viewer.record import What, area_of, noted
from .._shared.model_cache import ModelCache
from .._shared.provenance import told_model

if TYPE_CHECKING:
    from ...propagation import PlaneResult
    from .carrier import Order


class Carrying:
    """One run, from its seeds through all corrections.

    Parameters
    ----------
    model_cache : ModelCache
    order : Order
        What is asked for at first.
    """

    def __init__(self, model_cache: ModelCache, order: Order) -> None:
        self._model_cache = model_cache
        self._run = uuid4().hex[:8]
        self._fixed = {
            "model": None if order.model is None else {"name": order.model},
            "method": order.method, "only": order.only, "axis": order.stack.axis,
            "find_new": order.find_new, "stop_below": order.stop_below,
        }  # fmt: skip

    def begun(self, order: Order, seeds: Collection[int]) -> None:
        """The labels of some planes are to be carried."""
        self._propagating(order, seeds, {"resumes": False, "seeds": sorted(seeds)})

    def resumed(self, order: Order, corrected: Collection[int]) -> None:
        """The run goes on after some planes were corrected, or to other planes."""
        self._propagating(order, corrected, {"resumes": True, "corrected": sorted(corrected)})

    def accepted(self, order: Order, index: int, *, corrected: bool) -> None:
        """A plane is right, as it was carried or as it was corrected."""
        place = order.stack.at(index)
        details = {
            "run": self._run, "index": index, "corrected": corrected, "plane": plane_to_dict(place)
        }  # fmt: skip
        area = area_of(place, order.labels.data.shape)
        noted(order.labels, What("accepted", details), [area])

    def carried(self, order: Order, result: PlaneResult) -> What:
        """One plane is done."""
        model = None if order.model is None else told_model(self._model_cache, order.model)
        details = {"run": self._run, "index": result.index, "score": result.score, "model": model}
        return What("carried", details)

    def _propagating(self, order: Order, read: Collection[int], more: dict[str, Any]) -> None:
        details = {
            "run": self._run, "plane": plane_to_dict(order.stack.plane),
            "within": list(order.within), **self._fixed, **more,
        }  # fmt: skip
        shape = order.labels.data.shape
        areas = [area_of(order.stack.at(k), shape) for k in read]
        noted(order.labels, What("propagating", details, order.stack.shown), areas)
