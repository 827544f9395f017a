"""What fine-tuning gives: a model, how much better it is, and its weights as one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from ..checks import as_path
from ..io.writing.whole import replacing
from ..models.base import Model
from ..models.files import own
from .judge import HeldOutFigures


@dataclass(frozen=True, eq=False)
class FineTuning:
    """A fine-tuned model; see `finetune`.

    Attributes
    ----------
    name : str
        For people, and for `install`.
    model : Model
        With the new weights, as `load_model` gives it.
    before, after : HeldOutFigures
        Of the former and of the new weights, on the same held-out objects.
    curve : tuple of (float, float)
        Minutes, and `iou` of the held-out objects by then.
    provenance : mapping
        What was learned from, how long, from which weights, and the figures; plain values. The file
        holds it, too.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> image = np.random.default_rng(0).normal(100, 5, (96, 96))
    >>> labels = np.zeros((96, 96), np.uint8)
    >>> labels[10:30, 10:30], labels[10:30, 50:70], labels[60:90, 20:50] = 1, 2, 3
    >>> image[labels > 0] += 80
    >>> tuned = ns.finetune(ns.load_model("compact"), (image, labels), minutes=0.01, name="squares")
    >>> path = tuned.save("squares.safetensors")
    >>> ns.load_model("compact", weights=path)
    Compact(compact@...)
    >>> tuned.provenance["objects"], len(tuned.before.objects)
    (3, 2)
    """

    name: str
    model: Model = field(repr=False)
    before: HeldOutFigures
    after: HeldOutFigures
    curve: tuple[tuple[float, float], ...]
    provenance: Mapping[str, Any] = field(repr=False)
    content: bytes = field(repr=False)
    """Of the weights file."""

    @property
    def improved(self) -> bool:
        """Whether the held-out objects are segmented better, by more than chance would."""
        return self.after.better_than(self.before)

    @property
    def gained(self) -> bool:
        """Whether they are segmented better on average, be it by chance."""
        return self.after.iou > self.before.iou

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the weights to one file, which `load_model("compact", weights=path)` loads.

        Raises
        ------
        FileTrouble
            The file can't be written; a file that was there is unchanged.
        """
        target = as_path(path)
        with replacing(target) as (part,):
            part.write_bytes(self.content)
        return target

    def install(self, name: str | None = None, *, replace: bool = False) -> str:
        """Keep the weights as a model of its own, which `load_model` and all docks offer.

        Parameters
        ----------
        name : str, optional
            By default the one that was given to `finetune`.
        replace : bool
            Whether another model of that name may be replaced.

        Returns
        -------
        str
            What `load_model` takes: "compact: NAME".

        Raises
        ------
        InvalidName
            The name is taken, or can't be that of a file.
        FileTrouble
            The file can't be written.
        """
        return own.install(self.content, name or self.name, replace=replace)
