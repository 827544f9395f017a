"""Choosing objects that a model found, by area, score and name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..checks import as_names, check_type, real_number, whole_number
from ..errors import InvalidPrompt
from .base import Instance, Segmentation


@dataclass(frozen=True)
class Wanted:
    """Bounds on objects; by default every object is wanted.

    Attributes
    ----------
    min_area, max_area : int
        Pixels, both ends included; a `max_area` of 0 is no bound.
    min_score : float
        0..1.
    names : str or collection of str, optional
        Objects of other names, and those without one, are not wanted; '' stands for no name. It is
        kept as a sorted tuple.

    Raises
    ------
    InvalidPrompt
        For bounds that no object can meet.
    InvalidArgument
        For areas and scores that are no numbers, and names that are no text.

    Examples
    --------
    >>> import napari_seem as ns
    >>> wanted = ns.Wanted(min_area=20, names="nucleus")
    >>> wanted.admits(100, 0.9, "nucleus"), wanted.admits(100, 0.9, "cat")
    (True, False)
    """

    min_area: int = 0
    max_area: int = 0
    min_score: float = 0.0
    names: Collection[str] | str | None = None

    def __post_init__(self) -> None:
        for key in ("min_area", "max_area"):
            object.__setattr__(self, key, whole_number(getattr(self, key), key))
        object.__setattr__(self, "min_score", real_number(self.min_score, "min_score"))
        if self.names is not None:
            names = tuple(sorted(set(as_names(self.names, "names"))))
            object.__setattr__(self, "names", names)
        if self.min_area < 0 or self.max_area < 0:
            raise InvalidPrompt("areas are pixels; give 0 or more")
        if 0 < self.max_area < self.min_area:
            raise InvalidPrompt(
                f"no object is at least {self.min_area} and at most {self.max_area} pixels large; "
                "give a largest area above the smallest"
            )
        if not 0 <= self.min_score <= 1:
            raise InvalidPrompt(
                f"scores lie between 0 and 1; {self.min_score} does not, so give another one"
            )

    def holds(self, instance: Instance) -> bool:
        """Return whether an object is wanted."""
        return self.admits(instance.area, instance.score, instance.label)

    def admits(self, area: int, score: float, name: str | None) -> bool:
        """Return whether an object of this area in pixels, score and name is wanted."""
        if score < self.min_score or area < self.min_area:
            return False
        if self.max_area and area > self.max_area:
            return False
        return self.names is None or (name or "") in self.names


def filtered(found: Segmentation, wanted: Wanted) -> Segmentation:
    """Keep the wanted objects of an image; its semantic map stays whole.

    Raises
    ------
    InvalidArgument
        For anything but what `segment` found, and a `Wanted`.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> small = ns.Instance(np.ones((2, 2), bool), (0, 0, 2, 2), 0.9)
    >>> large = ns.Instance(np.ones((5, 5), bool), (3, 3, 8, 8), 0.8)
    >>> found = ns.Segmentation((8, 8), (small, large))
    >>> [one.area for one in ns.filtered(found, ns.Wanted(min_area=10)).instances]
    [25]
    """
    check_type(found, Segmentation, "what was found", "model.segment(...)")
    check_type(wanted, Wanted, "what is wanted", "Wanted(min_area=20), for example")
    kept = tuple(instance for instance in found.instances if wanted.holds(instance))
    return replace(found, instances=kept)


def united(instances: Sequence[Instance]) -> Instance:
    """Unite several objects into one; score and name are those of the largest."""
    boxes = np.array([instance.bbox for instance in instances])
    y0, x0, y1, x1 = (
        int(v) for v in (*boxes[:, :2].min(0), *boxes[:, 2:].max(0))
    )  # fmt: skip
    mask = np.zeros((y1 - y0, x1 - x0), bool)
    for instance in instances:
        top, left, bottom, right = instance.bbox
        mask[top - y0 : bottom - y0, left - x0 : right - x0] |= instance.mask
    largest = max(instances, key=lambda instance: instance.area)
    return replace(largest, mask=mask, bbox=(y0, x0, y1, x1))
