"""What a person can point with: the prompts of one plane, in its pixel coordinates.

Coordinates are (row, column) in pixels, pixel centres at integers; boxes are half-open.
A prompt is a value: frozen, and made of nothing but numbers, text and read-only arrays of its own.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from ..checks import said
from ..errors import InvalidPrompt
from ..values import ArrayValue, locked, read_only

if TYPE_CHECKING:
    from ..models.base import Embedding

BoolArray = npt.NDArray[np.bool_]


def new_uid() -> str:
    """A short identifier that no other prompt has."""
    return uuid4().hex[:12]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Identified(ArrayValue):
    """What every prompt has: an identifier that travels with it, into layers and logs.

    Two prompts are equal where they say the same, whatever their identifiers.
    """

    uid: str = field(default_factory=new_uid, compare=False, repr=False)

    def __reduce__(self) -> tuple[object, ...]:
        # by the constructor, so that arrays are read-only after copy and pickle, too
        return _rebuilt, (type(self), {f.name: getattr(self, f.name) for f in fields(self)})


@dataclass(frozen=True, slots=True, eq=False)
class Point(Identified):
    """A click at (`y`, `x`): on the object, or (`positive=False`) on what is not the object.

    The centre of the first pixel is (0, 0), so that an image begins at -0.5.

    Raises
    ------
    InvalidPrompt
        A coordinate is no number.

    Examples
    --------
    >>> import napari_seem as ns
    >>> ns.Point(120, 80, positive=False)
    Point(y=120, x=80, positive=False)
    """

    y: float
    x: float
    positive: bool = True

    def __post_init__(self) -> None:
        _check_numbers(self, "y", "x")


@dataclass(frozen=True, slots=True, eq=False)
class Box(Identified):
    """The half-open rectangle [`y0`, `y1`) x [`x0`, `x1`) around the object.

    Opposite corners may be given in either order; what lies outside of the image is cut off.

    Raises
    ------
    InvalidPrompt
        A coordinate is no number.

    Examples
    --------
    >>> import napari_seem as ns
    >>> ns.Box(10, 20, 30, 60) == ns.Box(10.0, 20.0, 30.0, 60.0)
    True
    """

    y0: float
    x0: float
    y1: float
    x1: float
    positive: bool = True

    def __post_init__(self) -> None:
        _check_numbers(self, "y0", "x0", "y1", "x1")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Polygon(Identified):
    """A closed outline, such as a rough lasso; `vertices` has shape (N, 2), rows before columns.

    Raises
    ------
    InvalidPrompt
        For fewer than three vertices, and those that are no finite numbers.

    Examples
    --------
    >>> import napari_seem as ns
    >>> ns.Polygon([(0, 0), (0, 9), (9, 0)])
    Polygon(3 vertices, rows 0 to 9, columns 0 to 9, positive=True)
    """

    vertices: npt.NDArray[np.float64]
    positive: bool = True

    def __post_init__(self) -> None:
        _check_sign(self)
        try:
            vertices = np.asarray(self.vertices)
            vertices = np.array(vertices, dtype=None if vertices.dtype.kind == "c" else float)
        except (TypeError, ValueError):
            vertices = np.empty(0, object)
        if vertices.dtype != float:
            raise InvalidPrompt(
                "the vertices of a polygon are not numbers; give an array (N, 2) of rows, columns"
            )
        if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 3:
            raise InvalidPrompt(
                f"a polygon needs at least 3 (row, column) vertices, got an array of shape "
                f"{vertices.shape}; draw it again"
            )
        if not np.isfinite(vertices).all():
            raise InvalidPrompt("a vertex of the polygon is NaN or infinite; draw it again")
        object.__setattr__(self, "vertices", read_only(vertices))

    def __repr__(self) -> str:
        low, high = self.vertices.min(0), self.vertices.max(0)
        where = f"rows {low[0]:g} to {high[0]:g}, columns {low[1]:g} to {high[1]:g}"
        return f"Polygon({len(self.vertices)} vertices, {where}, positive={self.positive})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Painted(Identified):
    """What scribbles and masks have in common.

    `mask` is (H, W) bool, the size of the image; or, with `corner`, a part of it whose first pixel
    lies at (y, x), so that a stroke on a big image needs no mask of the image's size.

    Raises
    ------
    InvalidPrompt
        `mask` is not bool (integers of one value besides 0 are taken), or not of two axes; or
        `corner` is no pair of whole numbers.
    """

    mask: BoolArray
    positive: bool = True
    corner: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        _check_sign(self)
        object.__setattr__(self, "mask", as_mask(self.mask, type(self).__name__.lower()))
        if self.corner is not None:
            object.__setattr__(self, "corner", _as_corner(self.corner))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> BoolArray:
        return np.array(self.mask, dtype, copy=copy)

    def __repr__(self) -> str:
        place = f", corner={self.corner}" if self.corner else ""
        shape = " x ".join(map(str, self.mask.shape))
        pixels = int(self.mask.sum())
        kind = type(self).__name__
        return f"{kind}({shape}, {pixels} pixels{place}, positive={self.positive})"


class Scribble(Painted):
    """Brush strokes that lie inside the object.

    `mask` is (H, W) bool, the size of the image; or, with `corner`, a part of it whose first pixel
    lies at (y, x). Raises `InvalidPrompt` as `Mask` does.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> stroke = np.zeros((64, 64), bool)
    >>> stroke[30, 10:40] = True
    >>> ns.Scribble(stroke)
    Scribble(64 x 64, 30 pixels, positive=True)
    """

    __slots__ = ()


class Mask(Painted):
    """A whole-object guess to be refined.

    Parameters
    ----------
    mask : bool array of shape (H, W)
        Of the size of the image; or, with `corner`, a part of it. Copied, unless it is read-only.
    positive : bool
    corner : (int, int), optional
        Where the part's first pixel lies in the image, (y, x).

    Raises
    ------
    InvalidPrompt
        `mask` is not bool (integers of one value besides 0 are taken), or not of two axes; or
        `corner` is no pair of whole numbers.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> ns.Mask(np.ones((5, 8), bool), corner=(100, 20))
    Mask(5 x 8, 40 pixels, corner=(100, 20), positive=True)
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class Text(Identified):
    """A word or a phrase that names what is wanted.

    Raises
    ------
    InvalidPrompt
        It is no string, or empty.

    Examples
    --------
    >>> import napari_seem as ns
    >>> ns.Text("nucleus")
    Text(text='nucleus', positive=True)
    """

    text: str
    positive: bool = True

    def __post_init__(self) -> None:
        _check_sign(self)
        if not isinstance(self.text, str):
            raise InvalidPrompt(
                f"the text prompt is {said(self.text)}; give a word such as 'nucleus'"
            )
        if not self.text.strip():
            raise InvalidPrompt("the text prompt is empty; type a word such as 'nucleus'")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Reference(Identified):
    """A region of another (or the same) image that shows what is wanted.

    `embedding` comes from the same model's `encode`; `mask` is (H, W) bool in that image.

    Raises
    ------
    InvalidPrompt
        `embedding` is an image that was not encoded, or `mask` is not bool, empty or not of the
        size of that image.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> from skimage.data import coins
    >>> model = ns.load_model("compact")
    >>> shown = model.encode(coins()[:160, :200])
    >>> one = ns.Session(model, shown).add(ns.Point(130, 120))
    >>> others = model.encode(coins()[160:])
    >>> model.predict(others, [ns.Reference(shown, one.mask)]).area > 1000
    True
    """

    embedding: Embedding
    mask: BoolArray
    positive: bool = True

    def __post_init__(self) -> None:
        _check_sign(self)
        mask = as_mask(self.mask, "reference mask")
        shape = getattr(self.embedding, "shape", None)
        if not hasattr(self.embedding, "tensors") or shape is None:
            raise InvalidPrompt(
                f"a reference takes an encoded image, not {type(self.embedding).__name__}; give "
                "model.encode(image)"
            )
        if mask.shape != tuple(shape):
            raise InvalidPrompt(
                f"the reference mask has shape {mask.shape} but its image has "
                f"{tuple(shape)}; mark the region on the image that was encoded"
            )
        if not mask.any():
            raise InvalidPrompt("the reference region is empty; mark at least one pixel of it")
        object.__setattr__(self, "mask", mask)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.mask.shape))
        return f"Reference({shape}, {int(self.mask.sum())} pixels, positive={self.positive})"


Prompt = Point | Box | Polygon | Scribble | Mask | Text | Reference
SpatialPrompt = Point | Box | Polygon | Scribble | Mask
PROMPT_TYPES: tuple[type, ...] = (Point, Box, Polygon, Scribble, Mask, Text, Reference)


def as_mask(mask: object, what: str) -> BoolArray:
    """Take a mask (H, W) of `what`: bool, or integers of one value besides 0; read-only after it.

    Raises
    ------
    InvalidPrompt
        For other values, such as probabilities, logits and label images, and for other axes.
    """
    try:
        array = np.asarray(mask)
    except ValueError:  # rows of several lengths
        array = np.asarray(None)
    if array.ndim != 2:
        raise InvalidPrompt(
            f"a {what} must be a 2-D array (H, W), got shape {array.shape}; give a mask of the "
            "image, or a part of it with its corner"
        )
    if array.dtype == bool:
        return read_only(array)
    if array.dtype.kind not in "iu":
        raise InvalidPrompt(
            f"a {what} must be bool, got {array.dtype}; of logits give `values > 0`, of "
            "probabilities `values > 0.5`"
        )
    values = array[array != 0]
    if values.size and not (values == values[0]).all():
        raise InvalidPrompt(
            f"a {what} must be bool, got {array.dtype} of several values; of a label image give "
            "`labels == number`"
        )
    return locked(array != 0)


def _rebuilt(kind: type[Prompt], values: dict[str, Any]) -> Prompt:
    return kind(**values)


def _check_numbers(prompt: Point | Box, *names: str) -> None:
    """Raise `InvalidPrompt` unless these fields of a prompt are numbers."""
    _check_sign(prompt)
    for name in names:
        value = getattr(prompt, name)
        if not isinstance(value, numbers.Real) or isinstance(value, (bool, np.bool_)):
            raise InvalidPrompt(
                f"{name} of a {type(prompt).__name__.lower()} is {said(value)}, a "
                f"{type(value).__name__}; give a number of pixels"
            )
        if isinstance(value, np.generic):
            object.__setattr__(prompt, name, value.item())


def _check_sign(prompt: Identified) -> None:
    """Raise `InvalidPrompt` unless a prompt is plainly positive or negative."""
    positive = getattr(prompt, "positive")  # noqa: B009
    if isinstance(positive, np.bool_):
        object.__setattr__(prompt, "positive", bool(positive))
    elif not isinstance(positive, bool):
        raise InvalidPrompt(
            f"positive of a {type(prompt).__name__.lower()} is {said(positive)}; give True or False"
        )


def _as_corner(corner: object) -> tuple[int, int]:
    """Take a corner as two whole numbers."""
    try:
        y, x = cast(tuple[float, float], corner)
        whole = int(y), int(x)
        if (y, x) == whole and math.isfinite(y) and math.isfinite(x):
            return whole
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidPrompt(f"the corner of a mask is {said(corner)}; give whole numbers (y, x)")
