"""Labelled images as a person gives them, cut to pieces and divided: to learn from, to judge by."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..checks import checked_labels
from ..errors import InvalidArgument, InvalidImage, InvalidLabels
from ..images import AnyArray, to_rgb
from ..in_context.given import as_examples
from ..models.base import Embedding
from ..models.in_context import Kind, check_kind
from ..sources import is_big
from ..sources.frames import cores

LOG = logging.getLogger(__name__)
SMALLEST = 24
"""Pixels of an object at least; smaller ones count for nothing."""
HELD_SHARE = 0.2
"""Share of the images, or of the objects of a single one, that is held back."""
LEAST_JUDGED, LARGEST_SHARE = 4, 0.4
"""With fewer held-out objects more images are held back, up to this share."""
MOST_JUDGED = 24
"""Held-out objects that are judged at most."""
SMALLEST_SIDE = 32
"""Pixels along the part of a single image that is learned from, at least."""
MOST_PIXELS = 1 << 25
"""Labelled pixels that are learned from and judged by at most, some 500 MB of memory in all."""

UInt8Array = npt.NDArray[np.uint8]
IdArray = npt.NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class LabelledPiece:
    """One image with its objects, or a piece of one.

    Attributes
    ----------
    image : uint8 (H, W, 3)
    objects : uint16 (H, W)
        Objects 1 to n; 0 for background.
    group : int
        Pieces of one group are learned from, or judged by, together.
    """

    image: UInt8Array = field(repr=False)
    objects: IdArray = field(repr=False)
    group: int

    @property
    def count(self) -> int:
        """Number of objects."""
        return int(self.objects.max(initial=0))


@dataclass(frozen=True, eq=False)
class HeldOut:
    """An image with objects that are not learned from.

    Attributes
    ----------
    image : uint8 (H, W, 3)
    objects : uint16 (H, W)
    ids : tuple of int
        Of the objects that are judged by.
    """

    image: UInt8Array = field(repr=False)
    objects: IdArray = field(repr=False)
    ids: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Division:
    """Examples, divided.

    Attributes
    ----------
    learned : tuple of LabelledPiece
    held : tuple of HeldOut
    how : str
        What was held back, for people.
    """

    learned: tuple[LabelledPiece, ...]
    held: tuple[HeldOut, ...]
    how: str


def pieces_of(
    examples: object, kind: Kind, groups: Sequence[object] | None = None
) -> list[LabelledPiece]:
    """Check labelled images, (H, W) or (H, W, C) with labels (H, W), and number their objects.

    Images too big for one pass are cut. What has no object is left out; of more than
    `MOST_PIXELS` a part is, evenly spaced.

    Parameters
    ----------
    examples : (image, labels), or an iterable of them
    kind : str
        "instance": each id is one object; "semantic": each connected part of an id is one.
    groups : sequence, optional
        For each example what it belongs to, such as the stack that it is a plane of.

    Raises
    ------
    InvalidLabels
        There is no example or no object, or labels do not fit their image.
    InvalidImage
        An image is no picture.
    InvalidArgument
        The kind does not exist, or there are as many groups as examples not.
    """
    check_kind(kind)
    pairs = as_examples(examples)
    names = list(range(len(pairs))) if groups is None else list(groups)
    if len(names) != len(pairs):
        raise InvalidArgument(f"there are {len(names)} groups of {len(pairs)} examples; name each")
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    found: list[_Part] = []
    for number, (image, labels) in enumerate(pairs, 1):
        if isinstance(image, Embedding):
            raise InvalidImage(
                f"example {number} is an embedding, which holds no pixels; give the image itself"
            )
        checked = checked_labels(
            labels, image.shape[:2], f"the labels of example {number}", "its image"
        )
        some = list(_parts(image, checked, kind, numbers[names[number - 1]]))
        if not some:
            LOG.warning("example %d has no labelled object of %d pixels and is left out", number,
                        SMALLEST)  # fmt: skip
        found += some
    if not found:
        raise InvalidLabels(
            f"no example has a labelled object of {SMALLEST} pixels or more; label some objects "
            "first"
        )
    return [part.piece(kind) for part in _with_room(found)]


def divided(pieces: Sequence[LabelledPiece], seed: int) -> Division:
    """Hold a fifth back: of the groups, else of the pieces, else of the only one's objects.

    Raises
    ------
    InvalidLabels
        There is one object in all, or those of the only image can't be told apart by a line.
    """
    rng = np.random.default_rng(seed)
    if sum(piece.count for piece in pieces) < 2:
        raise InvalidLabels(
            "there is one object in all, and one is needed to learn from and another to judge by; "
            "label more objects (where ids are classes, give the kind 'semantic')"
        )
    groups = sorted({piece.group for piece in pieces})
    if len(groups) > 1:
        held = _held_groups(pieces, rng.permutation(groups).tolist())
        chosen = [piece.group in held for piece in pieces]
        how = f"{len(held)} of {len(groups)} images"
    elif len(pieces) > 1:  # planes of one stack: neighbours are alike
        count = _fifth(len(pieces))
        chosen = [index < count for index in range(len(pieces))]
        chosen = chosen if rng.random() < 0.5 else chosen[::-1]
        how = f"{count} of {len(pieces)} planes or pieces, side by side"
    else:
        return _by_area(pieces[0], rng)
    learned = tuple(p for p, out in zip(pieces, chosen, strict=True) if not out)
    judged = [p for p, out in zip(pieces, chosen, strict=True) if out]
    return Division(learned, _judged_by(judged, rng), how)


def _held_groups(pieces: Sequence[LabelledPiece], groups: Sequence[int]) -> set[int]:
    """Take a fifth of the groups in their order, and more where these have few objects."""
    held = set(groups[: _fifth(len(groups))])
    for group in groups[len(held) : max(1, int(LARGEST_SHARE * len(groups)))]:
        if sum(piece.count for piece in pieces if piece.group in held) >= LEAST_JUDGED:
            break
        held.add(group)
    return held


def _fifth(count: int) -> int:
    return max(1, round(HELD_SHARE * count))


@dataclass(frozen=True, eq=False)
class _Part:
    """A part of an image (h, w) or (h, w, C) with its labels (h, w), both of them views."""

    image: AnyArray = field(repr=False)
    labels: npt.NDArray[np.int32] = field(repr=False)
    group: int

    def piece(self, kind: Kind) -> LabelledPiece:
        return LabelledPiece(
            to_rgb(np.asarray(self.image)), _numbered(self.labels, kind), self.group
        )


def _with_room(parts: Sequence[_Part]) -> list[_Part]:
    """Choose parts, evenly spaced, of not many more than `MOST_PIXELS`; one at least."""
    total = sum(part.labels.size for part in parts)
    count = max(1, min(len(parts), len(parts) * MOST_PIXELS // total))
    if count < len(parts):
        LOG.warning("%d of %d labelled images are taken, evenly spaced: there is room for %d "
                    "million pixels", count, len(parts), MOST_PIXELS >> 20)  # fmt: skip
    return [parts[k * len(parts) // count] for k in range(count)]


def _parts(
    image: AnyArray, labels: npt.NDArray[np.int32], kind: Kind, group: int
) -> Iterator[_Part]:
    """Yield an image (H, W) or (H, W, C) with its labels (H, W), or the parts of a big one."""
    height, width = labels.shape
    whole = (0, 0, height, width)
    for y0, x0, y1, x1 in [c for c, _ in cores(labels.shape)] if is_big(labels.shape) else [whole]:
        own = labels[y0:y1, x0:x1]
        if _numbered(own, kind).any():
            yield _Part(image[y0:y1, x0:x1], own, group)


def _numbered(labels: npt.NDArray[np.int32], kind: Kind) -> IdArray:
    """Number the objects of labels (H, W) that are large enough from 1."""
    if kind == "semantic":
        parts: npt.NDArray[np.integer] = np.zeros(labels.shape, np.int64)
        for value in np.unique(labels[labels > 0]):
            own, _ = ndimage.label(labels == value, np.ones((3, 3)))
            parts = np.where(own > 0, own + parts.max(), parts)
    else:
        parts = labels
    values, inverse, counts = np.unique(parts, return_inverse=True, return_counts=True)
    kept = (values > 0) & (counts >= SMALLEST)
    numbers = np.where(kept, np.cumsum(kept), 0)
    limit = np.iinfo(np.int16).max  # of the trainer's pictures
    numbers[numbers > limit] = 0
    return numbers[inverse].reshape(labels.shape).astype(np.uint16)


def _by_area(piece: LabelledPiece, rng: np.random.Generator) -> Division:
    """Divide one image by a line: the objects beyond it are held back, and all pixels there."""
    height, width = piece.objects.shape
    axes = [0, 1] if height >= width else [1, 0]
    ends = [False, True] if rng.random() < 0.5 else [True, False]
    for axis in axes:
        for flipped in ends:
            turned = _turned(piece, axis, flipped)
            boxes = ndimage.find_objects(turned.objects)
            begins = np.array([box[0].start for box in boxes])
            cut = int(np.sort(begins)[-_fifth(len(begins))])
            learned = _numbered(turned.objects[:cut].astype(np.int32), "instance")
            if cut < SMALLEST_SIDE or not learned.any():
                continue
            part = replace(turned, image=turned.image[:cut], objects=learned)
            beyond = 1 + np.flatnonzero(begins >= cut)
            held = _judged_by([turned], rng, beyond.tolist())
            share = 1 - cut / len(turned.objects)
            return Division((part,), held, f"{share:.0%} of the area of the only image")
    raise InvalidLabels(
        "the objects of the only image can't be divided into some to learn from and some to judge "
        "by; label objects that lie apart, or give a second image"
    )


def _turned(piece: LabelledPiece, axis: int, flipped: bool) -> LabelledPiece:
    """Bring an axis of the image to the front, and perhaps its far end first."""
    image, objects = (np.moveaxis(a, axis, 0) for a in (piece.image, piece.objects))
    if flipped:
        image, objects = image[::-1], objects[::-1]
    return replace(piece, image=np.ascontiguousarray(image), objects=np.ascontiguousarray(objects))


def _judged_by(
    pieces: Sequence[LabelledPiece], rng: np.random.Generator, among: Sequence[int] = ()
) -> tuple[HeldOut, ...]:
    """Choose `MOST_JUDGED` objects, spread over the pieces; of one piece those `among`."""
    order = [pieces[i] for i in rng.permutation(len(pieces))][:MOST_JUDGED]
    picks = [rng.permutation(among or np.arange(1, p.count + 1)).tolist() for p in order]
    taken: list[list[int]] = [[] for _ in order]
    left = MOST_JUDGED
    while left and any(picks):
        for own, some in zip(taken, picks, strict=True):
            if some and left:
                own.append(some.pop())
                left -= 1
    return tuple(
        HeldOut(piece.image, piece.objects, tuple(ids))
        for piece, ids in zip(order, taken, strict=True)
        if ids
    )
