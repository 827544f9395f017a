"""Propagation of labels through a stack or a video, from one or a few labelled planes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..images import AnyArray, Sliceable
from ..models.in_context import InContextModel
from .results import Event, PlaneResult
from .run import METHODS, Method, Propagation

__all__ = ["METHODS", "Event", "Method", "PlaneResult", "Propagation", "propagate"]


def propagate(
    model: InContextModel | None, volume: Sliceable, seeds: Mapping[int, AnyArray],
    axis: int = 0, **options: Any,
) -> Propagation:  # fmt: skip
    """Carry labelled objects through a stack or a video, from seed planes in both directions.

    Parameters
    ----------
    model : InContextModel or None
    volume : array-like (..., H, W) or (..., H, W, C)
    seeds : mapping of int to integer array (H, W)
    axis : int
        As for `Propagation`.
    **options
        `method`, `kind`, `within`, `find_new`, `stop_below`, `cache`, `out` of `Propagation`.

    Returns
    -------
    Propagation
        Finished: `labels` of the whole stack (also by `numpy.asarray`), `scores`, `events`; it
        takes corrections.
    """
    work = Propagation(model, volume, seeds, axis, **options)
    for _ in work.run():
        pass
    return work
