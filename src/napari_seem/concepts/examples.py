"""Images with marked objects, to teach from, and the parts of them that are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..checks import checked_labels
from ..embeddings import content_key
from ..errors import InvalidLabels
from ..images import channel_windows, to_rgb
from ..in_context.given import check_picture
from ..models.base import Embedding
from ..models.in_context import check_labelled
from ..sources import SIDE, is_big
from ..values import ArrayValue

AROUND = 64
"""Pixels kept around the marked objects, as their surroundings."""
SAMPLED = 64
"""Number of pixels along each side that are kept to show the brightness of the whole image."""
MOST_PARTS = 8
"""Largest number of parts of one image."""

BoolArray = npt.NDArray[np.bool_]
Part = tuple[slice, slice]


@dataclass(frozen=True, eq=False, repr=False)
class Shown(ArrayValue):
    """An image on which objects of one kind are marked, to teach a word from.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array of any real dtype
        As it is shown to the model.
    labels : integer array (H, W)
        One id for each object of the kind; where it is 0, objects may be unmarked.
    others : bool array (H, W), optional
        True where there surely is something else.
    source : str
        Its origin, for people: a file's or a layer's name.
    look : mapping
        The mapping of its intensities; see `napari_seem.intensity.IntensityWindow.to_dict`.
    sample : uint8 array (h, w, 3), optional
        If the image is a part of a larger one: pixels of the whole, for its brightness.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> image = np.zeros((32, 32), np.uint8)
    >>> image[8:20, 8:20] = 200
    >>> ns.Shown(image, image > 100)
    Shown(shape=(32, 32), objects=1)
    """

    image: npt.NDArray[Any]
    labels: npt.NDArray[np.integer | np.bool_]
    others: BoolArray | None = field(default=None, repr=False)
    source: str = ""
    look: Mapping[str, Any] = field(default_factory=dict)
    sample: npt.NDArray[np.uint8] | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        count = np.count_nonzero(np.unique(np.asarray(self.labels)))
        source = f", source={self.source!r}" if self.source else ""
        return f"Shown(shape={np.shape(self.image)}, objects={count}{source})"


@dataclass(frozen=True, eq=False)
class Crop(ArrayValue):
    """The kept part of an example: enough to teach the word to another model.

    Attributes
    ----------
    fingerprint : str
        Of the whole image's pixels.
    source : str
    look : mapping
    objects : int
        Number of marked objects.
    image, labels, others : arrays (h, w, 3) uint8, (h, w) integer, (h, w) bool; or None
        The part with the marked objects; None if it was too large to be kept.
    sample : uint8 array (h, w, 3) or None
        Pixels of the whole image.
    """

    fingerprint: str
    source: str
    look: Mapping[str, Any]
    objects: int
    image: npt.NDArray[np.uint8] | None = field(default=None, repr=False)
    labels: npt.NDArray[np.integer] | None = field(default=None, repr=False)
    others: BoolArray | None = field(default=None, repr=False)
    sample: npt.NDArray[np.uint8] | None = field(default=None, repr=False)

    def shown(self) -> Shown | None:
        """Return the kept part as an example to teach from; None if none is kept."""
        if self.image is None or self.labels is None:
            return None
        return Shown(self.image, self.labels, self.others, self.source, self.look, self.sample)


def numbered(shown: Shown) -> Shown:
    """Return the same with ids 1, 2, 3, ..., so that large ids take no memory."""
    shape = np.asarray(shown.image).shape[:2]
    labels = checked_labels(shown.labels, shape, "the labels")
    ids, number = np.unique(labels, return_inverse=True)
    first = 0 if ids[0] == 0 else 1
    small = (number.reshape(labels.shape) + first).astype(np.int32)
    return replace(shown, labels=small, others=_others(shown.others, shape))


def as_shown(given: object) -> list[Shown]:
    """Return examples to teach a word from: one or several, each a `Shown` or (image, labels).

    Raises
    ------
    InvalidLabels
        There is none, something else, or nothing is marked in any.
    InvalidImage
        An image that is no picture (H, W) or (H, W, C).
    """
    pair = isinstance(given, (tuple, list)) and len(given) == 2 and hasattr(given[0], "shape")
    if isinstance(given, (str, Mapping)) or hasattr(given, "shape"):
        every: list[Any] = [None]
    elif isinstance(given, Shown) or pair or not isinstance(given, Iterable):
        every = [given]
    else:
        every = list(given)
    if not every:
        raise InvalidLabels("there is no example; mark at least one object in an image")
    found = [_one_shown(one, number) for number, one in enumerate(every, 1)]
    check_labelled(any(np.any(one.labels) for one in found))
    return found


def _one_shown(one: object, number: int) -> Shown:
    if isinstance(one, (tuple, list)) and len(one) == 2:
        one = Shown(*one)
    if not isinstance(one, Shown):
        raise InvalidLabels(
            f"example {number} is no marked image; give Shown(image, labels), or (image, labels)"
        )
    image = check_picture(one.image, f"the image of example {number}")
    if isinstance(image, Embedding):
        raise InvalidLabels(
            f"the image of example {number} is an embedding; give the image itself, whose marked "
            "parts are kept with the word"
        )
    return numbered(replace(one, image=image))


def _others(others: object, shape: tuple[int, ...]) -> BoolArray | None:
    """Return the mask (H, W) of other objects."""
    if others is None:
        return None
    mask = np.asarray(others)
    if mask.dtype != bool or mask.shape != shape:
        raise InvalidLabels(
            f"the mask of other objects is {mask.dtype} of shape {mask.shape}; give True and False "
            f"on the image's own grid {shape}"
        )
    return mask


def at_full_resolution(shown: Shown) -> Iterator[Shown]:
    """Yield an example as a model can read it at full resolution: marked parts of a big image."""
    if not is_big(np.asarray(shown.image).shape[:2]):
        yield shown
        return
    image = np.asarray(shown.image)
    windows, sample = channel_windows(image), _sample(shown)
    for part in parts(shown, SIDE):
        own = to_rgb(image[part], windows)
        yield replace(_cut(shown, part), image=own, sample=sample)


def crops_of(shown: Shown, keep: bool) -> Iterator[Crop]:
    """Yield what is kept of an example: its marked parts, or without `keep` its origin only."""
    image, labels = np.asarray(shown.image), np.asarray(shown.labels)
    about = Crop(
        content_key(image), shown.source, dict(shown.look), len(np.unique(labels[labels > 0]))
    )
    if not keep:
        yield about
        return
    rgb, sample = to_rgb(image), _sample(shown)
    for part in parts(shown, SIDE):
        own = numbered(_cut(shown, part))
        yield replace(
            about, objects=int(own.labels.max()), image=rgb[part].copy(),
            labels=np.asarray(own.labels, np.int32), others=own.others, sample=sample,
        )  # fmt: skip


def parts(shown: Shown, side: int) -> list[Part]:
    """Return parts of at most `side` pixels that hold the marked objects whole, as few as possible.

    Of a larger object the part in its middle is taken.
    """
    labels = np.asarray(shown.labels)
    boxes = {i: box for i, box in enumerate(ndimage.find_objects(labels), 1) if box is not None}
    found: list[Part] = []
    while boxes and len(found) < MOST_PARTS:
        first = next(iter(boxes.values()))
        low, high = _ends(first)
        for box in boxes.values():
            wider = np.minimum(low, _ends(box)[0]), np.maximum(high, _ends(box)[1])
            if (wider[1] - wider[0] <= side - 2 * AROUND).all():
                low, high = wider
        middle = (low + high) // 2
        low = np.maximum(np.maximum(low - AROUND, middle - side // 2), 0)
        high = np.minimum(np.minimum(high + AROUND, middle + side // 2), labels.shape)
        found.append((slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))))
        boxes = {
            i: box for i, box in boxes.items()
            if box is not first and not ((_ends(box)[0] >= low) & (_ends(box)[1] <= high)).all()
        }  # fmt: skip
    return found


def _ends(box: tuple[slice, ...]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    return np.array([s.start for s in box]), np.array([s.stop for s in box])


def _cut(shown: Shown, part: Part) -> Shown:
    others = None if shown.others is None else shown.others[part].copy()
    labels = np.asarray(shown.labels)[part].copy()
    return replace(shown, image=np.asarray(shown.image)[part], labels=labels, others=others)


def _sample(shown: Shown) -> npt.NDArray[np.uint8]:
    """Return a few pixels of the whole image as it is shown: uint8 (h, w, 3)."""
    if shown.sample is not None:
        return shown.sample
    image = np.asarray(shown.image)
    steps = tuple(max(1, size // SAMPLED) for size in image.shape[:2])
    return to_rgb(image[:: steps[0], :: steps[1]], channel_windows(image))
