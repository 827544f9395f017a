"""Images of any kind as the 8-bit RGB pictures that models read.

The mapping of intensities is a value (`Window`, band indices), so that it can be written into
results and applied again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .errors import InvalidImage

AnyArray = npt.NDArray[np.generic]
"""An array of any type of values."""
Window = tuple[float, float]
WINDOWS: dict[str, Window] = {
    "soft tissue": (-160.0, 240.0),
    "bone": (-450.0, 1050.0),
    "lung": (-1350.0, 150.0),
    "brain": (0.0, 80.0),
}
"""CT presets in Hounsfield units, (lowest shown, highest shown)."""
PERCENTILES = (1.0, 99.0)
SAMPLE = 200_000
"""Largest number of pixels from which the percentiles of a plane are computed."""


class Sliceable(Protocol):
    """An array that slices."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size along every axis."""

    def __getitem__(self, index: Any, /) -> Any: ...


class ArraySource(Sliceable, Protocol):
    """An array that slices: of numpy, dask or zarr, or any other with a shape and a dtype."""

    @property
    def ndim(self) -> int:
        """Number of axes."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the values."""

    def __array__(self) -> npt.NDArray[Any]: ...


class WritableArray(ArraySource, Protocol):
    """An array that slices and can be written to."""

    def __setitem__(self, index: Any, values: Any, /) -> None: ...


def to_rgb(
    image: npt.ArrayLike,
    window: Window | Sequence[Window] | None = None,
    bands: Sequence[int] | None = None,
) -> npt.NDArray[np.uint8]:
    """Bring an image to 8-bit RGB.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array of any real dtype
        8-bit images of one, three or four channels pass unchanged (alpha is dropped).
    window : (low, high), or a sequence of one for each channel shown, optional
        Intensities shown as black and white. Without it the 1st and 99th percentile of each
        channel are taken.
    bands : sequence of int, optional
        Channels to show as red, green and blue; by default the first three. One band is shown
        in gray; of two, blue stays empty.

    Returns
    -------
    uint8 array of shape (H, W, 3)

    Raises
    ------
    InvalidImage
        For complex, object or text arrays, arrays that are not 2-D or 3-D, empty ones, those
        without a single finite value, an upside-down window, and bands that do not exist.
    """
    array = np.asarray(image)
    _check(array)
    channels = array[..., None] if array.ndim == 2 else array
    channels = _choose(channels, bands)
    if channels.dtype == np.uint8 and window is None:
        return _as_three(channels.astype(np.uint8, copy=False))
    return _as_three(_stretch(channels, window))


def channel_windows(
    image: AnyArray, bands: Sequence[int] | None = None
) -> tuple[Window, ...] | None:
    """Return the windows that `to_rgb` chooses for the channels of an image; None for uint8.

    `image` is an array (H, W) or (H, W, C).
    """
    if image.dtype == np.uint8:
        return None
    channels = _choose(image[..., None] if image.ndim == 2 else image, bands)
    return tuple(_percentiles(channels[..., index]) for index in range(channels.shape[2]))


def shared_window(planes: Iterable[AnyArray]) -> Window | None:
    """Compute one intensity window for several planes of a stack, so that all are shown alike.

    Parameters
    ----------
    planes : iterable of arrays (H, W) or (H, W, C)

    Returns
    -------
    (float, float) or None
        None for uint8, which is shown unchanged. Planes without a finite value are left out.
    """
    ends = []
    for plane in planes:
        if plane.dtype == np.uint8:
            return None
        if plane.dtype.kind != "f" or np.isfinite(plane).any():
            ends.append(_percentiles(plane.reshape(plane.shape[0], -1)))
    if not ends:
        return None
    return min(low for low, _ in ends), max(high for _, high in ends)


def _check(array: AnyArray) -> None:
    """Raise `InvalidImage` unless an array is an image (H, W) or (H, W, C) with a finite value."""
    if array.dtype.kind not in "buif":
        raise InvalidImage(
            f"an image of dtype {array.dtype} cannot be shown to a model; convert it to integers "
            "or floats first (of complex data take the magnitude)"
        )
    if array.ndim not in (2, 3):
        raise InvalidImage(
            f"an image is (H, W) or (H, W, channels), got an array of shape {array.shape}; "
            "pass one plane of it"
        )
    if array.size == 0:
        raise InvalidImage(f"the image of shape {array.shape} holds no pixel")
    if array.dtype.kind == "f" and not np.isfinite(array).any():
        raise InvalidImage("the image holds no finite value (all NaN or infinite)")


def _choose(channels: AnyArray, bands: Sequence[int] | None) -> AnyArray:
    """Select bands of an image (H, W, C), by default the first three: (H, W, bands)."""
    count = channels.shape[2]
    if bands is None:
        return channels[..., : min(count, 3)]
    absent = [band for band in bands if not 0 <= band < count]
    if absent or not 1 <= len(bands) <= 3:
        raise InvalidImage(
            f"bands {list(bands)} cannot be shown: the image has {count} channels, numbered from "
            "0; name one to three of them"
        )
    return channels[..., list(bands)]


def _stretch(channels: AnyArray, window: Window | Sequence[Window] | None) -> npt.NDArray[np.uint8]:
    """Map the intensities of (H, W, C) to 0..255 by one window, or by one for each channel."""
    given = None if window is None else np.asarray(window, float).reshape(-1, 2)
    if given is not None and not (given[:, 0] < given[:, 1]).all():
        raise InvalidImage(
            f"the intensity window {window} is empty or upside down; give (low, high)"
        )
    out = np.empty(channels.shape, np.uint8)
    for index in range(channels.shape[2]):
        channel = channels[..., index]
        low, high = _percentiles(channel) if given is None else given[index % len(given)]
        # 32-bit floats don't distinguish large whole numbers or close doubles
        narrow = channel.dtype.itemsize <= 2 or channel.dtype == np.float32
        exact: Any = np.float32 if narrow else np.float64
        scaled = (channel.astype(exact) - exact(low)) * exact(255 / (high - low))
        if channel.dtype.kind == "f":
            scaled = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0)
        out[..., index] = np.clip(scaled, 0, 255)
    return out


def _percentiles(channel: AnyArray) -> Window:
    """Return the 1st and the 99th percentile of a channel (H, W), from a sample of its pixels."""
    step = max(1, int(np.ceil(np.sqrt(channel.size / SAMPLE))))
    sample = channel[::step, ::step].astype(np.float64).ravel()
    finite = sample[np.isfinite(sample)]
    if not finite.size:
        every = channel[np.isfinite(channel)]
        finite = every.astype(np.float64) if every.size else np.zeros(1)
    low, high = np.percentile(finite, PERCENTILES)
    if high <= low:  # flat but for a few pixels
        low, high = finite.min(), finite.max()
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)


def _as_three(channels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Repeat or pad (H, W, C) of at most three channels to (H, W, 3)."""
    count = channels.shape[2]
    if count == 3:
        return channels
    if count == 1:
        return np.repeat(channels, 3, axis=2)
    empty = np.zeros((*channels.shape[:2], 1), np.uint8)
    return np.concatenate([channels, empty], axis=2)
