"""How the intensities of an image are brought to what a model sees, as a value that can be kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .errors import InvalidImage
from .images import WINDOWS, ArraySource, Sliceable, Window, to_rgb
from .values import JsonObject

if TYPE_CHECKING:
    from .planes import Plane

PERCENTILES = (1.0, 99.0)
"""Of a volume, its darkest value left out: the air around a head is no tissue."""
PLANES_SAMPLED = 9
PIXELS_SAMPLED = 256
INDEX_WINDOW = (-1.0, 1.0)


@dataclass(frozen=True)
class IntensityWindow:
    """A window, bands or an index; without any of them a plane's own percentiles are taken.

    Attributes
    ----------
    window : (low, high) or None
        Intensities shown as black and white, the same on every plane.
    bands : tuple of int or None
        One to three channels to show as red, green and blue, numbered from 0.
    index : bool
        Show the normalised difference (a - b) / (a + b) of the two `bands`, -1 to 1; the
        vegetation index NDVI where they are near infrared and red.
    percentiles : (low, high) or None
        Take the window from these percentiles of the whole volume; see `resolved`.
    name : str
        What people call it.
    """

    window: Window | None = None
    bands: tuple[int, ...] | None = None
    index: bool = False
    percentiles: tuple[float, float] | None = None
    name: str = ""

    @classmethod
    def named(cls, text: str) -> IntensityWindow:
        """A look by its name: a CT preset, "volume", or two numbers with a comma.

        Raises
        ------
        InvalidImage
            For anything else.
        """
        wanted = text.strip().lower()
        if wanted in WINDOWS:
            return cls(window=WINDOWS[wanted], name=wanted)
        if wanted == "volume":
            return cls(percentiles=PERCENTILES, name=wanted)
        try:
            low, high = (float(part) for part in wanted.split(","))
        except ValueError:
            raise InvalidImage(
                f"'{text}' is no intensity window; give LOW,HIGH or one of: "
                f"{', '.join([*WINDOWS, 'volume'])}"
            ) from None
        return cls(window=(low, high))

    @property
    def plain(self) -> bool:
        """Whether a model gets the plane as it is."""
        return self == IntensityWindow(name=self.name)

    def resolved(self, volume: ArraySource, channels: bool = False) -> IntensityWindow:
        """The look with its window worked out, where it is taken from the volume.

        Parameters
        ----------
        volume : array-like (..., H, W) or (..., H, W, C)
            A few of its planes are read, sparsely.
        channels : bool
            Whether the last axis is channels.
        """
        if self.percentiles is None:
            return self
        window = volume_window(volume, self.percentiles, channels)
        return replace(self, window=window, percentiles=None)

    def apply(self, plane: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """What a model is given of a plane (H, W) or (H, W, C).

        Returns
        -------
        array
            The plane itself where the look is plain, else uint8 (H, W, 3).

        Raises
        ------
        InvalidImage
            Bands that do not exist, an empty window, an index of other than two bands.
        """
        if self.plain:
            return plane
        if not self.index:
            return to_rgb(plane, self.window, self.bands)
        if self.bands is None or len(self.bands) != 2:
            raise InvalidImage("an index is made of two bands; name near infrared and red")
        return to_rgb(difference_index(plane, *self.bands), self.window or INDEX_WINDOW)

    def to_dict(self) -> dict[str, object]:
        """What was used, as plain values for the results; nothing for a plain look."""
        values: JsonObject = {}
        if self.name:
            values["name"] = self.name
        if self.window is not None:
            values["window"] = [float(end) for end in self.window]
        if self.percentiles is not None:
            values["percentiles"] = list(self.percentiles)
        if self.bands is not None:
            values["normalised difference" if self.index else "bands"] = list(self.bands)
        return values

    @classmethod
    def from_dict(cls, values: JsonObject) -> IntensityWindow:
        """Read back what `to_dict` gave."""

        def ends(key: str) -> tuple[float, float] | None:
            return None if key not in values else (float(values[key][0]), float(values[key][1]))

        bands = values.get("normalised difference", values.get("bands"))
        return cls(
            ends("window"), None if bands is None else tuple(map(int, bands)),
            "normalised difference" in values, ends("percentiles"), str(values.get("name", "")),
        )  # fmt: skip


def difference_index(
    image: npt.NDArray[np.generic], first: int, second: int
) -> npt.NDArray[np.float32]:
    """(a - b) / (a + b) of two bands; 0 where both are 0.

    Rouse et al. 1974, "Monitoring vegetation systems in the Great Plains with ERTS", for near
    infrared and red.

    Parameters
    ----------
    image : (H, W, C)
    first, second : int
        Bands a and b.

    Raises
    ------
    InvalidImage
        A band that is not there.
    """
    count = image.shape[2] if image.ndim == 3 else 1
    for band in (first, second):
        if not 0 <= band < count:
            raise InvalidImage(f"there is no band {band}; the image has {count}, numbered from 0")
    a, b = (image[..., band].astype(np.float32) for band in (first, second))
    total = a + b
    out = np.zeros(total.shape, np.float32)
    np.divide(a - b, total, out=out, where=total != 0)
    return out


def volume_window(
    volume: ArraySource, percentiles: tuple[float, float] = PERCENTILES, channels: bool = False
) -> Window:
    """Find one intensity window for a volume (..., H, W) or (..., H, W, C), from a sparse sample.

    The lowest value is left out where it makes up a part of the sample: it is air or padding;
    not of two-valued images, whose window is from one value to the other.
    """
    lead = volume.ndim - 2 - channels
    shape = volume.shape[:lead]
    count = prod(shape) if lead else 1
    chosen = np.unique(np.linspace(0, count - 1, min(count, PLANES_SAMPLED)).astype(int))
    step = max(1, -(-max(volume.shape[lead : lead + 2]) // PIXELS_SAMPLED))
    sparse = (slice(None, None, step),) * 2
    parts = [
        np.asarray(volume[(*(int(i) for i in np.unravel_index(k, shape)), *sparse)]).ravel()
        if lead else np.asarray(volume[sparse]).ravel()
        for k in chosen
    ]  # fmt: skip
    values = np.concatenate(parts).astype(np.float64)
    values = values[np.isfinite(values)]
    inner = values[values > values.min()] if values.size else values
    if not inner.size:
        start = float(values.min()) if values.size else 0.0
        return start, start + 1.0
    low, high = np.percentile(inner, percentiles)
    return (float(low if high > low else values.min()), float(high))


class WindowedArray:
    """An array whose planes are read as a look shows them: uint8, three channels last, or gray.

    Parameters
    ----------
    array : array-like
        Read by the plane only.
    look : IntensityWindow
        Resolved, not plain.
    channels : bool
        Whether the array's last axis is channels.
    gray : bool
        Give the first of the three channels only, without an axis of its own.
    """

    def __init__(
        self, array: Sliceable, look: IntensityWindow, channels: bool = False, gray: bool = False
    ) -> None:
        self._array, self._look, self._gray = array, look, gray
        spatial = tuple(array.shape)[: len(array.shape) - channels]
        self.shape = spatial if gray else (*spatial, 3)
        self.ndim = len(self.shape)
        self.dtype = np.dtype(np.uint8)

    def __getitem__(self, where: object) -> npt.NDArray[np.generic]:
        seen = self._look.apply(np.asarray(self._array[where]))
        return seen[..., 0] if self._gray else seen


class Channels:
    """Arrays of one shape as the channels, last, of one; read where it is read.

    Parameters
    ----------
    arrays : sequence of array-like
        Sliced along all of their axes or less.
    """

    def __init__(self, arrays: Sequence[ArraySource]) -> None:
        self._arrays = tuple(arrays)
        self.shape = (*(int(n) for n in arrays[0].shape), len(self._arrays))
        self.ndim = len(self.shape)
        self.dtype = np.result_type(*(np.dtype(array.dtype) for array in arrays))

    def __getitem__(self, where: object) -> npt.NDArray[np.generic]:
        return np.stack([np.asarray(array[where]) for array in self._arrays], axis=-1)


def windowed(array: ArraySource, look: IntensityWindow, channels: bool = False) -> Sliceable:
    """Show an array (..., H, W) or (..., H, W, C) by a look; a plain one gives the array itself."""
    resolved = look.resolved(array, channels)
    return array if resolved.plain else WindowedArray(array, resolved, channels)


def shown_levels(
    levels: Sequence[Sequence[ArraySource]], looks: Sequence[IntensityWindow],
    colours: Sequence[bool], index: bool = False,
) -> list[list[Sliceable]]:  # fmt: skip
    """What a model is shown of one image, or of several as the channels of one picture.

    Parameters
    ----------
    levels : sequence of sequence of array-like, (..., H, W) or (..., H, W, C)
        For each image its resolutions, finest first; read by the plane only.
    looks : sequence of IntensityWindow
        One for each image, resolved.
    colours : sequence of bool
        Whether the last axis of an image is its colours.
    index : bool
        Show the normalised difference of the two images instead.

    Returns
    -------
    list of list of array-like
        The resolutions of each channel of the picture; one list for colour.
    """
    if index:
        look = IntensityWindow(bands=(0, 1), index=True)
        return [[WindowedArray(Channels(pair), look, channels=True)
                 for pair in zip(*levels, strict=False)]]  # fmt: skip
    if all(look.plain for look in looks):
        return [list(own) for own in levels]
    several = len(levels) > 1
    return [
        [WindowedArray(level, _windowed(look), rgb, gray=several) for level in own]
        for own, look, rgb in zip(levels, looks, colours, strict=True)
    ]


def read_shown(shown: Sequence[Sequence[Sliceable]], plane: Plane) -> npt.NDArray[np.generic]:
    """A plane of what `shown_levels` gave, as the model gets it: (H, W) or (H, W, C)."""
    parts = [plane.read(levels[0]) for levels in shown]
    return parts[0] if len(parts) == 1 else np.stack(parts, axis=-1)


def _windowed(look: IntensityWindow) -> IntensityWindow:
    """A look that always makes 8-bit of what it shows; the same window where it has one."""
    return replace(look, bands=(0,)) if look.plain else look


class Banded:
    """An array of which some channels are read, as they are.

    Parameters
    ----------
    array : array-like (..., H, W, C)
    bands : sequence of int

    Raises
    ------
    InvalidImage
        A band that is not there.
    """

    def __init__(self, array: ArraySource, bands: Sequence[int]) -> None:
        count = int(array.shape[-1])
        absent = [band for band in bands if not 0 <= band < count]
        if absent or not 1 <= len(bands) <= 3:
            raise InvalidImage(
                f"bands {list(bands)} cannot be shown: the image has {count} channels, numbered "
                "from 0; name one to three of them"
            )
        self._array, self._bands = array, list(bands)
        self.shape = (*tuple(array.shape)[:-1], len(self._bands))
        self.ndim = len(self.shape)
        self.dtype = np.dtype(array.dtype)

    def __getitem__(self, where: object) -> npt.NDArray[np.generic]:
        return np.asarray(self._array[where])[..., self._bands]


def windowed_in_parts(
    array: ArraySource, look: IntensityWindow, channels: bool = False
) -> Sliceable:
    """As `windowed`, of a plane (H, W) or (H, W, C) read in parts: all must be as bright.

    Where the look names bands and no window, they are given as they are, for whoever reads the
    parts to find one window for all.
    """
    resolved = look.resolved(array, channels)
    if channels and resolved.bands and resolved.window is None and not resolved.index:
        return Banded(array, resolved.bands)
    return windowed(array, resolved, channels)
