"""What models give: an encoded image, the answer to a turn, everything that is in the image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property, partial
from threading import Lock
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..checks import said
from ..edits import ObjectRecord, ObjectTable
from ..errors import InvalidArgument, InvalidPrompt
from ..notebook import Picture, as_html, outlined
from ..prompts import as_mask
from ..values import ArrayValue, locked, read_only
from .panoptic import Panoptic, panoptic_of

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int32]
Array = npt.NDArray[Any]
PICTURE = "picture"
"""Where in `Embedding.scratch` the small picture of the image is."""


@dataclass(frozen=True, eq=False, repr=False)
class Embedding(ArrayValue):
    """An encoded image: opaque to all but the model that made it.

    Attributes
    ----------
    model : str
        Identity of the model and its weights; another model refuses the embedding.
    shape : (int, int)
        Height and width of the image in pixels: the frame of every prompt and mask.
    tensors : mapping of str to tensor
        The model's own cached features.
    meta : mapping of str to plain values
        The few numbers the model needs besides (scales, paddings).
    lasting : bool
        Whether it is worth keeping on disk: reading it takes less time than encoding again.
    scratch : dict
        What the model worked out last and may need again: never on disk, a megabyte at most. An
        answer is the same without it.
    """

    model: str
    shape: tuple[int, int]
    tensors: Mapping[str, Any]
    meta: Mapping[str, Any] = field(default_factory=dict)
    lasting: bool = field(default=True, compare=False)
    scratch: dict[str, Any] = field(default_factory=dict, init=False, compare=False)

    @property
    def picture(self) -> Picture | None:
        """A small picture of the image, uint8 (h, w, 3), on which notebooks show answers."""
        return self.scratch.get(PICTURE)

    @property
    def nbytes(self) -> int:
        """Size of the cached features in bytes."""
        return sum(t.numel() * t.element_size() for t in self.tensors.values())

    def __repr__(self) -> str:
        size = f"{self.shape[0]} x {self.shape[1]}"
        return f"{type(self).__name__}({size}, {self.model}, {self.nbytes / 1e6:.1f} MB)"


class OnPicture:
    """An answer that knows a small picture of its image, to be shown on it in a notebook."""

    picture: Picture | None

    def on(self, picture: Picture | None) -> Self:
        """Return the same answer, to be shown on a picture: uint8 (h, w, 3)."""
        if picture is self.picture:
            return self
        new = copy(self)
        object.__setattr__(new, "picture", picture)
        return new


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(ArrayValue, OnPicture):
    """The answer to one turn. `np.asarray` of it is the mask.

    Attributes
    ----------
    logits : float32 array of shape (H, W)
        Greater than 0 inside the object, in the frame of the image; read-only.
    score : float
        The model's own estimate of its intersection over union, 0..1.
    label : str or None
        The name of the object, where the model knows one.
    memory : object
        Opaque; give it to the next turn's `predict`.
    picture : uint8 array of shape (h, w, 3), or None
        A small picture of the image, on which notebooks show the object.
    others : callable, optional
        Gives other answers to the same prompts, the best first; called once, when `alternatives`
        are first asked for.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> prediction = ns.Prediction(np.pad(np.ones((4, 6), np.float32), 2, constant_values=-1), 0.9)
    >>> prediction
    Prediction(8 x 10, area=24, box=(2, 2, 6, 8), score=0.90)
    >>> int(np.asarray(prediction).sum())
    24
    """

    logits: FloatArray
    score: float
    label: str | None = None
    memory: Any = field(default=None, compare=False)
    picture: Picture | None = field(default=None, compare=False)
    others: Callable[[], Iterable[Prediction]] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        logits = self.logits
        plane = isinstance(logits, np.ndarray) and logits.ndim == 2
        if not plane or logits.dtype.kind not in "fiub":
            raise InvalidArgument(
                f"the logits of a prediction are {said(logits)}; give an array (H, W) of numbers, "
                "over 0 inside the object"
            )
        object.__setattr__(self, "logits", read_only(logits))
        object.__setattr__(self, "others", once(self.others))

    @cached_property
    def mask(self) -> BoolArray:
        """The object as a bool array of shape (H, W); read-only."""
        mask = self.logits > 0
        mask.flags.writeable = False
        return mask

    @cached_property
    def bbox(self) -> tuple[int, int, int, int] | None:
        """Half-open (y0, x0, y1, x1) around the mask, or None where the mask is empty."""
        return mask_bbox(self.mask)

    @cached_property
    def area(self) -> int:
        """Pixels inside the mask."""
        return int(self.cut_out()[0].sum())

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        height, width = self.logits.shape
        return height, width

    @property
    def alternatives(self) -> tuple[Prediction, ...]:
        """The answer itself, and others to the same prompts that differ, the best first.

        They are worked out once, by the thread that asks first. Only this answer where the model
        offers no choice.
        """
        return (self, *(self.others or tuple)())

    @property
    def known_alternatives(self) -> tuple[Prediction, ...] | None:
        """As `alternatives`; None where they are not worked out yet."""
        found = self.others.found if isinstance(self.others, _Once) else ()
        return None if found is None else (self, *found)

    def cut_out(self) -> tuple[BoolArray, tuple[int, int]]:
        """Return the mask within `bbox`, and the (y, x) of its corner in the image.

        The array is of shape (y1 - y0, x1 - x0), and of shape (0, 0) where the mask is empty.
        """
        y0, x0, y1, x1 = self.bbox or (0, 0, 0, 0)
        return self.mask[y0:y1, x0:x1], (y0, x0)

    def overview(self) -> tuple[BoolArray, tuple[int, int], int]:
        """Return what to show: a mask (h, w), its corner (y, x), image pixels a mask pixel."""
        return self.mask, (0, 0), 1

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.mask, dtype, copy=copy)

    def __repr__(self) -> str:
        name = f", label={self.label!r}" if self.label else ""
        score = f"score={self.score:.2f}"
        size = _size(self.shape)
        return f"Prediction({size}, area={self.area}, box={self.bbox}, {score}{name})"

    def _repr_html_(self) -> str:
        score = f"{self.score:.2f}"
        row = {"name": self.label, "score": score, "area": self.area, "box": self.bbox}
        mask, (y, x), step = self.overview()
        shown = outlined(self.picture, self.shape, [(mask, (y, x), step)])
        return as_html(repr(self), shown, [row])


class _Once:
    """Other answers, worked out once; what they are worked out from is let go then."""

    def __init__(self, work_out: Callable[[], Iterable[Prediction]]) -> None:
        self._work_out = work_out
        self.found: tuple[Prediction, ...] | None = None
        self._turn = Lock()

    def __call__(self) -> tuple[Prediction, ...]:
        with self._turn:
            if self.found is None:
                self.found, self._work_out = tuple(self._work_out()), tuple
            return self.found

    def __reduce__(self) -> tuple[object, ...]:
        return _Once, (partial(tuple, self()),)


def once(others: Callable[[], Iterable[Prediction]] | None) -> _Once | None:
    """Return what gives other answers such that they are worked out once; None stays so."""
    return None if others is None else _Once(others)


@dataclass(frozen=True, eq=False, repr=False)
class Instance(ArrayValue):
    """One proposed object. `np.asarray` of it is `mask`.

    Attributes
    ----------
    mask : bool array of shape (y1 - y0, x1 - x0)
        The object within `bbox`; read-only.
    bbox : (int, int, int, int)
        Half-open (y0, x0, y1, x1) in image pixels.
    score : float
        0..1.
    label : str or None
        The object's name.
    thing : bool
        False for stuff (sky, road), which has one region a name.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> ns.Instance(np.ones((3, 5), bool), (10, 20, 13, 25), 0.9, "nucleus")
    Instance(area=15, box=(10, 20, 13, 25), score=0.90, label='nucleus')
    """

    mask: BoolArray
    bbox: tuple[int, int, int, int]
    score: float
    label: str | None = None
    thing: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "mask", as_mask(self.mask, "mask of an object"))
        y0, x0, y1, x1 = self.bbox
        if self.mask.shape != (y1 - y0, x1 - x0):
            raise InvalidPrompt(
                f"the mask of an object has shape {self.mask.shape} but its box {self.bbox} is "
                f"{y1 - y0} x {x1 - x0}; give the mask within the box"
            )

    @cached_property
    def area(self) -> int:
        """Pixels inside the mask."""
        return int(self.mask.sum())

    def full_mask(self, shape: tuple[int, int]) -> BoolArray:
        """Return the mask as a bool array of an image's `shape` (H, W)."""
        out = np.zeros(shape, dtype=bool)
        y0, x0, y1, x1 = self.bbox
        out[y0:y1, x0:x1] = self.mask
        return out

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.mask, dtype, copy=copy)

    def __repr__(self) -> str:
        name = f", label={self.label!r}" if self.label else ""
        kind = "" if self.thing else ", stuff"
        return f"Instance(area={self.area}, box={self.bbox}, score={self.score:.2f}{name}{kind})"


@dataclass(frozen=True, eq=False, repr=False)
class Segmentation(ArrayValue, OnPicture):
    """Everything found in one image. `np.asarray` of it is the label image.

    Attributes
    ----------
    shape : (int, int)
        Height and width of the image in pixels.
    instances : tuple of Instance
        Best first; they do not overlap in `labels`.
    semantic : int32 array of shape (H, W), or None
        Index into `names` plus one; 0 where no name fits.
    names : tuple of str
        The vocabulary of `semantic`.
    stuff : tuple of str
        Those of `names` whose parts of `semantic` belong to `panoptic`.
    picture : uint8 array of shape (h, w, 3), or None
        A small picture of the image, on which notebooks show the objects.

    Examples
    --------
    >>> import napari_seem as ns
    >>> from skimage.data import coins
    >>> model = ns.load_model("compact")
    >>> found = model.segment(model.encode(coins()))
    >>> found.labels.shape, int(found.labels.max()) == len(found)
    ((303, 384), True)
    >>> {instance.thing for instance in found.instances}
    {True}
    """

    shape: tuple[int, int]
    instances: tuple[Instance, ...]
    semantic: IntArray | None = None
    names: tuple[str, ...] = ()
    stuff: tuple[str, ...] = ()
    picture: Picture | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.semantic, np.ndarray):  # may be as large as the plane: not copied
            object.__setattr__(self, "semantic", locked(self.semantic.view()))

    @cached_property
    def panoptic(self) -> Panoptic:
        """Instances, and stuff where no instance is: every pixel in at most one region."""
        return panoptic_of(self)

    @cached_property
    def labels(self) -> IntArray:
        """Instance i as value i + 1 in an int32 array (H, W); the better instance wins overlaps.

        Read-only; copy it to go on from there.
        """
        out = np.zeros(self.shape, dtype=np.int32)
        for index in reversed(range(len(self.instances))):
            y0, x0, y1, x1 = self.instances[index].bbox
            out[y0:y1, x0:x1][self.instances[index].mask] = index + 1
        return locked(out)

    @property
    def objects(self) -> ObjectTable:
        """Names and scores, as `write_labels` keeps them beside the labels."""
        return ObjectTable({
            number: ObjectRecord(one.label or "", float(one.score))
            for number, one in enumerate(self.instances, 1)
        })  # fmt: skip

    def __len__(self) -> int:
        return len(self.instances)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.labels, dtype, copy=copy)

    def __repr__(self) -> str:
        counts = Counter(i.label or "unnamed" for i in self.instances)
        most = [f"{name} {count}" for name, count in counts.most_common(3)]
        parts = [_size(self.shape), f"{len(self)} objects", *most]
        if len(counts) > 3:
            parts.append(f"{len(counts) - 3} more names")
        if self.semantic is not None:
            parts.append(f"semantic map of {len(self.names)} names")
        return f"Segmentation({', '.join(parts)})"

    def _repr_html_(self) -> str:
        rows = [
            {"id": n, "name": i.label, "score": f"{i.score:.2f}", "area": i.area, "box": i.bbox}
            for n, i in enumerate(self.instances, 1)
        ]
        masks = [(i.mask, (i.bbox[0], i.bbox[1]), 1) for i in self.instances]
        return as_html(repr(self), outlined(self.picture, self.shape, masks), rows)


def mask_bbox(mask: BoolArray) -> tuple[int, int, int, int] | None:
    """Return the half-open box (y0, x0, y1, x1) around the True pixels of a mask.

    Parameters
    ----------
    mask : bool array of shape (H, W)

    Returns
    -------
    (int, int, int, int), or None where no pixel is True.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return None
    cols = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"
