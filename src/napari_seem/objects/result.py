"""Many objects of one image: their labels, and a table of what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..edits import ObjectRecord, ObjectTable
from ..models.answers import OnPicture
from ..models.base import Instance
from ..notebook import Picture, as_html, outlined
from ..planes import boxes
from ..values import ArrayValue, locked
from .prompted import Prompted

if TYPE_CHECKING:
    import pandas as pd

OVERLAPS = ("score", "first", "last")


@dataclass(frozen=True, eq=False, repr=False)
class Objects(OnPicture, ArrayValue):
    """Many objects of one image.

    `numpy.asarray` gives the labels; `numpy.array` a copy of them that can be changed.

    Attributes
    ----------
    labels : int32 array (H, W), read-only
        The first object that was asked for as 1, the second as 2, and so on.
    table : pandas.DataFrame
        One row an object, in the order asked for: `id`; `name`; `score`, the model's estimate of
        its intersection over union, 0..1, NaN where it was not asked; `y0`, `x0`, `y1` and `x1`,
        the half-open box around its pixels in `labels`; `area`, their number; `asked`, the pixels
        of its own mask; `lost`, how many of these others have; `to`, the ids of these others;
        `prompts`, how many it had; `note`, why it has no pixel, else "".
    instances : tuple of Instance
        The masks of all objects, before overlaps were settled.
    picture : uint8 array of shape (h, w, 3), or None
        A small picture of the image, on which notebooks show the objects.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> image = np.zeros((96, 96), np.uint8)
    >>> image[10:40, 10:40] = 200
    >>> objects = ns.segment_objects(ns.load_model("compact"), image, [[25, 25], [26, 26]])
    >>> [bool(area > 0) for area in objects.table["area"]], objects.table["to"][1]
    ([True, False], (1,))
    """

    labels: npt.NDArray[np.int32]
    table: pd.DataFrame
    instances: tuple[Instance, ...]
    picture: Picture | None = None

    def __len__(self) -> int:
        return len(self.instances)

    @property
    def objects(self) -> ObjectTable:
        """Names and scores, as `write_labels` keeps them beside the labels."""
        columns = ("id", "name", "score", "prompts")
        rows = self.table[self.table["area"] > 0][list(columns)].itertuples(index=False)
        return ObjectTable({
            int(number): ObjectRecord(str(name), float(score), prompts=int(prompts))
            for number, name, score, prompts in rows
        })  # fmt: skip

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[np.integer]:
        return np.array(self.labels, dtype, copy=copy)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Objects):
            return NotImplemented
        return np.array_equal(self.labels, other.labels) and self.table.equals(other.table)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        height, width = self.labels.shape
        without = int((self.table["area"] == 0).sum())
        rest = f", {without} without pixels" if without else ""
        count = "1 object" if len(self) == 1 else f"{len(self)} objects"
        return f"Objects({height} x {width}, {count}{rest})"

    def _repr_html_(self) -> str:
        columns = ["id", "name", "score", "area", "lost", "note"]
        rows = self.table[columns].round({"score": 2}).to_dict("records")
        labels = self.labels
        masks = [(labels[at] == i, (at[0].start, at[1].start), 1) for i, at in boxes(labels)]
        return as_html(repr(self), outlined(self.picture, labels.shape, masks), rows)


def arranged(
    shape: tuple[int, int], asked: Sequence[Prompted], instances: Sequence[Instance],
    overlap: str, min_score: float,
) -> Objects:  # fmt: skip
    """Write objects into one label image, and tell what became of each.

    Parameters
    ----------
    shape : (H, W)
        Of the image in pixels.
    asked : sequence of Prompted
    instances : sequence of Instance
        The answer to each; an empty mask where there is none.
    overlap : str
        Of `OVERLAPS`.
    min_score : float
        Objects with a lower score are not written.
    """
    labels = np.zeros(shape, np.int32)
    for index in writing_order(instances, overlap):
        if instances[index].score >= min_score:
            y0, x0, y1, x1 = instances[index].bbox
            labels[y0:y1, x0:x1][instances[index].mask] = index + 1
    boxes = ndimage.find_objects(labels, max_label=len(instances)) if len(instances) else []
    areas = np.bincount(labels.ravel(), minlength=len(instances) + 1)
    rows = []
    for number, (one, instance, box) in enumerate(zip(asked, instances, boxes, strict=True), 1):
        (y0, y1), (x0, x1) = (
            [(0, 0)] * 2 if box is None else [(side.start, side.stop) for side in box]
        )
        held = _part(labels, instance)[instance.mask]
        others = np.unique(held[(held > 0) & (held != number)])
        rows.append((
            number, one.name or instance.label or "",
            instance.score if one.error is None else float("nan"), y0, x0, y1, x1,
            int(areas[number]), instance.area, int(np.isin(held, others).sum()),
            tuple(others.tolist()), len(one.prompts), _note(one, instance, box, min_score),
        ))  # fmt: skip
    return Objects(locked(labels), _table(rows), tuple(instances))


def writing_order(instances: Sequence[Instance], overlap: str) -> list[int]:
    """Return the indices of objects in the order to write them: a later one wins an overlap."""
    order = list(range(len(instances)))
    if overlap == "score":
        return sorted(order, key=lambda index: (instances[index].score, -index))
    return order if overlap == "last" else order[::-1]


def _table(rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    import pandas as pd

    kinds = {
        "id": int, "name": object, "score": float, "y0": int, "x0": int, "y1": int, "x1": int,
        "area": int, "asked": int, "lost": int, "to": object, "prompts": int, "note": object,
    }  # fmt: skip
    return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)


def _part(labels: npt.NDArray[np.int32], instance: Instance) -> npt.NDArray[np.int32]:
    """Return the labels (h, w) within an object's box, of those of the image (H, W)."""
    y0, x0, y1, x1 = instance.bbox
    return labels[y0:y1, x0:x1]


def _note(one: Prompted, instance: Instance, box: object, min_score: float) -> str:
    """Tell why an object has no pixel; "" where it has one."""
    if one.error is not None:
        return str(one.error)
    if box is not None:
        return ""
    if not instance.mask.any():
        return "the model found nothing there"
    if instance.score < min_score:
        return f"its score is below {min_score:g}"
    return "other objects took all its pixels"
