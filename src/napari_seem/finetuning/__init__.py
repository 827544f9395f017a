"""The compact model, trained further on labelled images of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..models.base import Model
from ..models.in_context import Kind
from ..progress import Progress, reporting
from .examples import MOST_PIXELS
from .judge import HeldOutFigures, ObjectScore
from .result import FineTuning
from .run import FineTuningRun, TuningReport

__all__ = [
    "MOST_PIXELS", "FineTuning", "FineTuningRun", "HeldOutFigures", "ObjectScore", "TuningReport",
    "finetune",
]  # fmt: skip

PARTS = 1000
"""Parts of the time that `progress` is told of."""


def finetune(
    model: Model, examples: object, *, minutes: float = 5.0, device: str = "auto",
    name: str | None = None, seed: int = 0, kind: Kind = "instance",
    groups: Sequence[object] | None = None, progress: bool | Progress | None = None,
    on_report: Callable[[TuningReport], object] | None = None,
) -> FineTuning:  # fmt: skip
    """Train the compact model further on labelled images.

    A fifth of the images is held back: all figures are of objects in there, and the weights that
    do best there are returned. Of a single image a part is held back.

    Parameters
    ----------
    model : Model
        From `load_model("compact")`, or one that was fine-tuned before; it is not changed.
    examples : (image, labels), or a list of them
        Arrays (H, W) or (H, W, C) of any dtype and size with integer labels (H, W), 0 for
        background. Of more than `MOST_PIXELS` labelled pixels a part is taken, evenly spaced.
    minutes : float
        Time to take in all, judging included.
    device : str
        As `load_model` takes it. In place of graphics of a Mac the processor trains.
    name : str, optional
        Of the new model, for people.
    seed : int
        What is held back and all chance in training follow from it.
    kind : str
        'instance': each id is one object; 'semantic': ids are classes, and each connected part is
        one object.
    groups : sequence, optional
        For each example what it belongs to, such as the stack that it is a plane of; what belongs
        together is held back together.
    progress : bool or callable, optional
        True for a bar; a callable gets (done, total, what). An exception that it raises ends the
        work and is passed on.
    on_report : callable, optional
        Gets a `TuningReport` each time the held-out objects were judged.

    Returns
    -------
    FineTuning
        After an interruption (Ctrl+C) of the training it is the best so far.

    Raises
    ------
    InvalidLabels
        No example, no object in any, one object in all, labels of another shape.
    InvalidImage
        An image that is none, or an embedding.
    InvalidArgument
        The model can't be fine-tuned, or an argument that can't be.
    InvalidName
        The name can't be that of a file.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> image = np.random.default_rng(0).normal(100, 5, (96, 96))
    >>> labels = np.zeros((96, 96), np.uint8)
    >>> labels[10:30, 10:30], labels[10:30, 50:70], labels[60:90, 20:50] = 1, 2, 3
    >>> image[labels > 0] += 80
    >>> tuned = ns.finetune(ns.load_model("compact"), (image, labels), minutes=0.01)
    >>> 0 <= tuned.before.iou <= tuned.after.iou <= 1
    True
    """
    run = FineTuningRun(
        model, examples, minutes=minutes, device=device, name=name, seed=seed, kind=kind,
        groups=groups,
    )  # fmt: skip
    try:
        with reporting(progress, PARTS, "fine-tune") as report:
            for step in run.steps():
                report(int(PARTS * step.done))
                if step.iou is not None and on_report is not None:
                    on_report(step)
    except KeyboardInterrupt:
        if run.before is None:
            raise
    return run.result()
