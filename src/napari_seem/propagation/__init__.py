"""Propagation of labels through a stack or a video, from one or a few labelled planes."""

from __future__ import annotations

from os import PathLike

from ..checks import as_path
from ..embeddings import EmbeddingCache
from ..images import Sliceable, WritableArray
from ..in_context import Learner
from ..models.in_context import Kind
from ..progress import Progress
from .results import Event, PlaneResult
from .run import METHODS, Method, Propagation
from .seeds import Seeds

__all__ = ["METHODS", "Event", "Method", "PlaneResult", "Propagation", "propagate"]


def propagate(
    model: Learner | None, volume: Sliceable, seeds: Seeds, axis: int = 0, *,
    method: Method = "model", kind: Kind | None = None, within: tuple[int, int] | None = None,
    find_new: bool = False, stop_below: float = 0.0, divide: bool = False, first_id: int = 1,
    cache: EmbeddingCache | None = None, out: WritableArray | None = None,
    progress: bool | Progress | None = None, resume: str | PathLike[str] | None = None,
) -> Propagation:  # fmt: skip
    """Carry labelled objects through a stack or a video, from seed planes in both directions.

    Parameters
    ----------
    model : Model or None
    volume : array-like (..., H, W) or (..., H, W, C)
    seeds : mapping of int to integer array (H, W), or integer array-like of the stack's shape
    axis : int
    method, kind, within, find_new, stop_below, divide, first_id, cache, out
        As for `Propagation`.
    progress : bool or callable, optional
        True for a bar; a callable gets (done, total, what), and cancels by an exception. The planes
        that are done by then stay in `out`; without it use `Propagation.run`, which keeps them.
    resume : str or Path, optional
        A file in which planes are kept until all are done, for programs that may be killed: the
        same call goes on from it, with or without `out`. It is deleted at the end.

    Returns
    -------
    Propagation
        Finished: `labels` of the whole stack (also by `numpy.asarray`), `scores`, `events`,
        `parents` of daughters; it takes corrections.

    Raises
    ------
    InvalidImage, InvalidLabels, InvalidArgument, UnsupportedPrompt
        As for `Propagation`, before any plane is done.
    FileTrouble
        The file to resume from is of another kind, or can't be written.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> volume = np.random.default_rng(0).normal(100, 5, (3, 48, 48))
    >>> volume[:, 10:30, 10:30] += 80
    >>> done = ns.propagate(ns.load_model("compact"), volume, {1: volume[1] > 140})
    >>> done.labels.shape, sorted(done.scores)
    ((3, 48, 48), [0, 1, 2])
    """
    work = Propagation(
        model, volume, seeds, axis, method=method, kind=kind, within=within, find_new=find_new,
        stop_below=stop_below, divide=divide, first_id=first_id, cache=cache, out=out,
    )  # fmt: skip
    for _ in work.run(progress, resume):
        pass
    if resume is not None:
        as_path(resume).unlink(missing_ok=True)
    return work
