"""Two people's labels of the same images compared object by object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import FileTrouble, InvalidLabels
from ..images import ArraySource
from ..io.opened import OpenedLabels
from ..labels.census import Census, Found, count_plane
from .listing import SeriesImage, labels_for, open_labels_of

AGREE, OTHER_CLASS, OTHER_OUTLINE, ONLY_A, ONLY_B = (
    "agree", "other class", "other outline", "only in A", "only in B"
)  # fmt: skip
LEAST_IOU = 0.1
"""Objects that overlap less than this are no pair."""
Index = tuple[int, ...]


@dataclass(frozen=True)
class ObjectPair:
    """An object of one person with that of the other, or without.

    Attributes
    ----------
    image : str
        Its name in the series.
    verdict : str
        `AGREE`, `OTHER_CLASS`, `OTHER_OUTLINE`, `ONLY_A` or `ONLY_B`.
    a, b : int
        Ids; 0 for none.
    class_a, class_b : str
    iou : float
        Shared pixels by all pixels of both; 0 without a partner.
    index : tuple of int
        Of the plane where the object is largest; empty in labels of one plane.
    box : (y0, x0, y1, x1)
        Half-open, on that plane.
    """

    image: str
    verdict: str
    a: int
    b: int
    class_a: str
    class_b: str
    iou: float
    index: Index
    box: tuple[int, int, int, int]

    def to_row(self) -> dict[str, object]:
        """The pair as plain values, for CSV and JSON."""
        values = asdict(self)
        y0, x0, y1, x1 = values.pop("box")
        plane = " ".join(map(str, values.pop("index")))
        place = {"plane": plane, "y0": y0, "x0": x0, "y1": y1, "x1": x1}
        return {**values, "iou": round(self.iou, 4), **place}


@dataclass(frozen=True)
class Agreement:
    """How far two people agree on objects.

    Attributes
    ----------
    objects_a, objects_b : int
    matched : int
        Pairs with an IoU of at least the threshold, whatever their classes.
    same_class : int
        Of these, those of one class.
    iou : float
        Mean of the matched pairs; NaN without any.
    """

    objects_a: int
    objects_b: int
    matched: int
    same_class: int
    iou: float

    @property
    def f1(self) -> float:
        """Matched objects of all, 0 to 1; 1 where neither has any."""
        total = self.objects_a + self.objects_b
        return 2 * self.matched / total if total else 1.0

    def to_dict(self) -> dict[str, object]:
        """Plain values; null for what is not known."""
        iou = None if np.isnan(self.iou) else round(self.iou, 4)
        return {**asdict(self), "iou": iou, "f1": round(self.f1, 4)}


def compare_labels(
    a: OpenedLabels, b: OpenedLabels, *, threshold: float = 0.5, image: str = ""
) -> list[ObjectPair]:
    """Pair the objects of two people's labels of one image, those that overlap best first.

    Parameters
    ----------
    a, b : OpenedLabels
        Of one shape (..., H, W); 0 is background.
    threshold : float
        Objects agree from this IoU on.
    image : str
        For the pairs.

    Raises
    ------
    InvalidLabels
        They differ in shape.
    """
    if tuple(a.data.shape) != tuple(b.data.shape):
        raise InvalidLabels(
            f"the labels of '{image}' have the shapes {tuple(a.data.shape)} and "
            f"{tuple(b.data.shape)}; compare labels that were made on the same image"
        )
    found_a, found_b = _objects(a.data), _objects(b.data)
    pairs, left = [], (set(found_a), set(found_b))
    for iou, i, j in sorted(_overlaps(a.data, b.data, found_a, found_b), reverse=True):
        if iou < LEAST_IOU or i not in left[0] or j not in left[1]:
            continue
        left[0].discard(i)
        left[1].discard(j)
        names = a.table[i].class_name, b.table[j].class_name
        same = AGREE if names[0] == names[1] else OTHER_CLASS
        verdict = same if iou >= threshold else OTHER_OUTLINE
        place = max(found_a[i], found_b[j], key=lambda one: one.area)
        pairs.append(ObjectPair(image, verdict, i, j, *names, iou, place.index, place.box))
    pairs += [ObjectPair(image, ONLY_A, i, 0, a.table[i].class_name, "", 0.0, found_a[i].index,
                         found_a[i].box) for i in left[0]]  # fmt: skip
    pairs += [ObjectPair(image, ONLY_B, 0, j, "", b.table[j].class_name, 0.0, found_b[j].index,
                         found_b[j].box) for j in left[1]]  # fmt: skip
    return sorted(pairs, key=lambda pair: (pair.index, pair.box))


def agreement(pairs: Sequence[ObjectPair]) -> Agreement:
    """How far pairs, of one image or many, agree."""
    matched = [pair for pair in pairs if pair.verdict in (AGREE, OTHER_CLASS)]
    return Agreement(
        sum(pair.a > 0 for pair in pairs), sum(pair.b > 0 for pair in pairs), len(matched),
        sum(pair.verdict == AGREE for pair in matched),
        float(np.mean([pair.iou for pair in matched])) if matched else float("nan"),
    )  # fmt: skip


def compare_folders(
    images: Sequence[SeriesImage], a: Path, b: Path, threshold: float = 0.5
) -> Iterator[tuple[str, list[ObjectPair]]]:
    """Compare two people's label files of a series; images that one of them lacks are left out.

    Parameters
    ----------
    images : sequence of SeriesImage
    a, b : Path
        Their labels folders.
    threshold : float
        Objects agree from this IoU on.

    Yields
    ------
    name of the image, pairs

    Raises
    ------
    FileTrouble
        No image has labels of both.
    InvalidLabels
        The labels of an image differ in shape.
    """
    both = [(image, labels_for(image, a), labels_for(image, b)) for image in images]
    both = [(image, x, y) for image, x, y in both if x.exists() and y.exists() and x != y]
    if not both:
        raise FileTrouble(f"no image has labels both in '{a}' and in '{b}'; check the folders")
    for image, x, y in both:
        theirs = open_labels_of(image, x), open_labels_of(image, y)
        yield image.name, compare_labels(*theirs, threshold=threshold, image=image.name)


def disagreements(pairs: Sequence[ObjectPair]) -> list[ObjectPair]:
    """The pairs to be looked at, in the order of images and planes."""
    return [pair for pair in pairs if pair.verdict != AGREE]


def _objects(labels: ArraySource) -> dict[int, Found]:
    """The objects of labels (..., H, W), counted plane by plane."""
    census = Census(tuple(labels.shape))
    for index in census.missing():
        census.put(index, count_plane(labels, index))
    return census.objects()


def _overlaps(
    a: ArraySource, b: ArraySource, found_a: dict[int, Found], found_b: dict[int, Found]
) -> list[tuple[float, int, int]]:
    """IoU and ids of all objects of two label arrays (..., H, W) that share pixels."""
    shared: dict[tuple[int, int], int] = {}
    for index in np.ndindex(*a.shape[:-2]):
        for pair, count in _shared(np.asarray(a[index]), np.asarray(b[index])):
            shared[pair] = shared.get(pair, 0) + count
    return [
        (count / (found_a[i].area + found_b[j].area - count), i, j)
        for (i, j), count in shared.items()
    ]


def _shared(
    a: npt.NDArray[np.integer], b: npt.NDArray[np.integer]
) -> list[tuple[tuple[int, int], int]]:
    """Pairs of ids in two planes (H, W), and how many pixels they share."""
    both = (a > 0) & (b > 0)
    pairs, counts = np.unique(
        np.stack([a[both].astype(np.int64), b[both].astype(np.int64)]), axis=1, return_counts=True
    )
    return [((i, j), n) for (i, j), n in zip(pairs.T.tolist(), counts.tolist(), strict=True)]
