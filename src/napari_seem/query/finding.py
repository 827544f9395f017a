"""Findings: place, score, packed mask and a small picture of each."""

from __future__ import annotations

import zlib
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..images import AnyArray
from ..models.base import Instance
from ..planes import Plane
from ..values import locked

Area = tuple[int, int, int, int]
BoolArray = npt.NDArray[np.bool_]
Picture = npt.NDArray[np.uint8]

SIDE = 88
"""Pixels along a picture."""
AROUND = 0.35
"""Margin of an object's picture on every side, as a share of the object's side."""
LEAST_AROUND = 8
OUTLINE, SHADE = (255, 214, 10), 0.35
"""Colour of outlines, and factor of the pixels next to them: visible on any ground."""
LEVEL = 1
"""Compression level; a higher one takes longer and saves little."""


@dataclass(frozen=True)
class PlaneRef:
    """A plane that is searched.

    Attributes
    ----------
    title : str
        For people.
    source : hashable
        What the plane belongs to: a file's path, or any key of the caller for an image.
    plane : Plane
        Of the source's array.
    """

    title: str
    source: Hashable
    plane: Plane

    @property
    def position(self) -> int | None:
        """The plane's number along its stack; None for a single image, the first of several."""
        return next((at for at in self.plane.index if at is not None), None)


@dataclass(frozen=True, repr=False)
class Finding:
    """One object that a word names; `numpy.asarray` gives its mask.

    Attributes
    ----------
    place : PlaneRef
    word : str
        The model's name for it, or the word that was searched for.
    score : float
        0..1.
    bbox : (y0, x0, y1, x1)
        Half-open, in the plane.
    area : int
        Pixels.
    number : int
        Its number among all that the model found on the plane, from 1.
    content : str
        The content key of the plane; empty for planes too big for one pass.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> from skimage.data import coins
    >>> for finding in ns.find(ns.load_model("compact"), coins(), "nucleus"):
    ...     assert finding.mask.sum() == finding.area
    ...     assert 0 <= finding.score <= 1
    """

    place: PlaneRef
    word: str
    score: float
    bbox: Area
    area: int
    number: int
    content: str
    _mask: bytes = field(repr=False)
    _picture: bytes = field(repr=False)
    _picture_shape: tuple[int, int, int] = field(repr=False)

    @classmethod
    def of(
        cls, place: PlaneRef, word: str, score: float, bbox: Area, mask: BoolArray,
        picture: Picture, number: int = 1, content: str = "",
    ) -> Finding:  # fmt: skip
        """Create a finding.

        Parameters
        ----------
        place, word, score, number, content
            See `Finding`.
        bbox : (y0, x0, y1, x1)
        mask : bool array (y1 - y0, x1 - x0)
        picture : uint8 array (h, w, 3)
        """
        height, width, channels = picture.shape
        return cls(
            place, word, float(score), bbox, int(mask.sum()), number, content,
            zlib.compress(np.packbits(mask).tobytes(), LEVEL),
            zlib.compress(np.ascontiguousarray(picture).tobytes(), LEVEL),
            (height, width, channels),
        )  # fmt: skip

    def __repr__(self) -> str:
        return (
            f"Finding('{self.word}', score={self.score:.3f}, bbox={self.bbox}, area={self.area}, "
            f"in '{self.place.title}')"
        )

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> AnyArray:
        return np.array(self.mask, dtype, copy=copy)

    @property
    def mask(self) -> BoolArray:
        """The object within `bbox`: bool (y1 - y0, x1 - x0)."""
        y0, x0, y1, x1 = self.bbox
        bits = np.frombuffer(zlib.decompress(self._mask), np.uint8)
        count = (y1 - y0) * (x1 - x0)
        return locked(np.unpackbits(bits, count=count).reshape(y1 - y0, x1 - x0).astype(bool))

    @property
    def instance(self) -> Instance:
        """The object as a model found it."""
        return Instance(self.mask, self.bbox, self.score, self.word)

    @property
    def corner(self) -> tuple[int, int]:
        """The (y, x) of the mask's first pixel in the plane."""
        return self.bbox[0], self.bbox[1]

    @property
    def picture(self) -> Picture:
        """The object and its surroundings, outlined: uint8 (h, w, 3), at most `SIDE` long."""
        pixels = np.frombuffer(zlib.decompress(self._picture), np.uint8)
        return pixels.reshape(self._picture_shape)

    @property
    def nbytes(self) -> int:
        """Bytes of mask and picture as they are kept."""
        return len(self._mask) + len(self._picture)


@dataclass(frozen=True, repr=False)
class PlaneFindings:
    """The findings on one plane, or why it could not be searched."""

    place: PlaneRef
    findings: tuple[Finding, ...] = ()
    problem: str = ""

    def __repr__(self) -> str:
        what = f"problem={self.problem[:100]!r}" if self.problem else f"{len(self.findings)} found"
        return f"PlaneFindings('{self.place.title}', {what})"


def frame_of(bbox: Area, shape: tuple[int, int]) -> Area:
    """Return the square around an object that its picture shows, pushed into the plane (H, W)."""
    y0, x0, y1, x1 = bbox
    longest = max(y1 - y0, x1 - x0)
    side = longest + 2 * max(LEAST_AROUND, round(AROUND * longest))
    starts, stops = [], []
    for low, high, size in ((y0, y1, shape[0]), (x0, x1, shape[1])):
        start = max(0, min((low + high - side) // 2, size - side))
        starts.append(start)
        stops.append(min(size, start + side))
    return starts[0], starts[1], stops[0], stops[1]


def outlined(pixels: Picture, mask: BoolArray) -> Picture:
    """Draw a picture of an object.

    Parameters
    ----------
    pixels : uint8 (h, w, 3)
        The object and its surroundings, at any size.
    mask : bool (h', w')
        The object in the same area, perhaps at another resolution.

    Returns
    -------
    uint8 (h, w, 3)
        The longer side is `SIDE`.
    """
    from skimage.transform import resize

    height, width = pixels.shape[:2]
    scale = SIDE / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    out = resize(pixels, size, order=1, anti_aliasing=scale < 1, preserve_range=True)
    inside = resize(mask.astype(np.float32), size, order=1, anti_aliasing=scale < 1) > 0.5
    line = inside & ~ndimage.binary_erosion(inside, border_value=1)
    beside = ndimage.binary_dilation(inside) & ~inside
    out[beside] *= SHADE
    out[line] = OUTLINE
    return np.clip(out, 0, 255).astype(np.uint8)
