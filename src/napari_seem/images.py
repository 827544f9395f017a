"""Images of any kind as the 8-bit RGB pictures that models read.

The mapping of intensities is a value (`Window`, band indices), so that it can be written into
results and applied again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .checks import said
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
MOST_CHANNELS = 32
"""Longest last axis of an array of three that is taken for channels."""
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

    def __array__(self) -> Any: ...


class WritableArray(ArraySource, Protocol):
    """An array that slices and can be written to."""

    def __setitem__(self, index: Any, values: Any, /) -> None: ...


def to_rgb(
    image: npt.ArrayLike,
    window: Window | Sequence[Window] | None = None,
    bands: Sequence[int] | None = None,
    channels: int | None = None,
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
    channels : int, optional
        Axis of the channels, as for `as_picture`.

    Returns
    -------
    uint8 array of shape (H, W, 3)

    Raises
    ------
    InvalidImage
        For complex, object or text arrays, arrays that are not one plane, empty ones, those
        without a single finite value, an upside-down window, and bands that do not exist.
    """
    array = np.asarray(as_picture(image, channels))
    if array.dtype.kind == "f" and not np.isfinite(array).any():
        raise InvalidImage("the image holds no finite value (all NaN or infinite); give another")
    shown = _choose(array[..., None] if array.ndim == 2 else array, bands)
    if shown.dtype == np.uint8 and window is None:
        return _as_three(shown.astype(np.uint8, copy=False))
    return _as_three(_stretch(shown, window))


def as_picture(image: npt.ArrayLike | ArraySource, channels: int | None = None) -> ArraySource:
    """Take an array as one plane, (H, W) or (H, W, C); its pixels are not read.

    Parameters
    ----------
    image : array-like of any real dtype
        numpy, dask, zarr, or any other array that slices; nested lists of numbers, too.
    channels : int, optional
        Axis of the channels of an array of three axes. By default the last one, if it is at most
        `MOST_CHANNELS` long: a longer one is more likely an axis of space. Where it is another
        axis, the array is read into memory.

    Raises
    ------
    InvalidImage
        For stacks, arrays whose channels come first, other numbers of axes, dtypes that are no
        real numbers, arrays without a pixel, and an axis of channels that does not exist.
    """
    source: Any = image if hasattr(image, "shape") and hasattr(image, "dtype") else _numbers(image)
    dtype, shape = np.dtype(source.dtype), tuple(int(n) for n in source.shape)
    if dtype.kind not in "buif":
        raise InvalidImage(
            f"an image of dtype {dtype} cannot be shown to a model; convert it to integers "
            "or floats first (of complex data take the magnitude)"
        )
    if len(shape) not in (2, 3):
        raise InvalidImage(
            f"an image is (H, W) or (H, W, channels), got an array of shape {shape}; "
            "pass one plane of it"
        )
    if channels is not None:
        axis = isinstance(channels, (int, np.integer)) and not isinstance(channels, bool)
        if len(shape) == 2 or not axis or channels not in range(-3, 3):
            raise InvalidImage(
                f"an image of shape {shape} has no axis of channels {said(channels)}; "
                + ("give None" if len(shape) == 2 else "give 0, 1 or 2, or None for the last")
            )
        if channels % 3 != 2:
            source = np.moveaxis(np.asarray(source), channels, -1)
    elif len(shape) == 3 and shape[2] > MOST_CHANNELS:
        raise InvalidImage(_no_picture(shape))
    if 0 in shape:
        raise InvalidImage(f"the image of shape {shape} holds no pixel; give one of at least 1 x 1")
    out: ArraySource = source
    return out


def _numbers(image: object) -> AnyArray:
    """Turn nested lists into an array of any shape."""
    try:
        array = np.asarray(image)
    except (TypeError, ValueError):
        array = np.asarray(None)
    if array.dtype.kind not in "buifc":
        raise InvalidImage(
            f"{type(image).__name__} is no image; give an array (H, W) or (H, W, channels)"
        )
    return array


def _no_picture(shape: tuple[int, ...]) -> str:
    """Say what an array of three axes seems to be, whose last one is too long for channels."""
    if shape[0] <= 4:
        seems = "looks as if its channels came first; pass channels=0"
    else:
        seems = (
            "looks like a stack; pass one plane of it, use napari_seem.propagate for the stack, or "
            f"pass channels=2 if these are {shape[2]} channels"
        )
    return f"an image is (H, W) or (H, W, channels); the array of shape {shape} {seems}"


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


def _choose(channels: AnyArray, bands: Sequence[int] | None) -> AnyArray:
    """Select bands of an image (H, W, C), by default the first three: (H, W, bands)."""
    count = channels.shape[2]
    if bands is None:
        return channels[..., : min(count, 3)]
    try:
        absent = [band for band in bands if not 0 <= int(band) == band < count]
    except (TypeError, ValueError):
        raise InvalidImage(f"bands are {bands!r}; give channel numbers such as (0, 1)") from None
    if absent or not 1 <= len(bands) <= 3:
        raise InvalidImage(
            f"bands {list(bands)} cannot be shown: the image has {count} channels, numbered from "
            "0; name one to three of them"
        )
    return channels[..., list(bands)]


def _stretch(channels: AnyArray, window: Window | Sequence[Window] | None) -> npt.NDArray[np.uint8]:
    """Map the intensities of (H, W, C) to 0..255 by one window, or by one for each channel."""
    given = None if window is None else _windows(window)
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


def _windows(window: object) -> npt.NDArray[np.float64]:
    """Return intensity windows as an array (N, 2), low before high."""
    try:
        given = np.asarray(window, float).reshape(-1, 2)
        if len(given) and (given[:, 0] < given[:, 1]).all():
            return given
    except (TypeError, ValueError):
        pass
    raise InvalidImage(f"the intensity window {window} is empty or upside down; give (low, high)")


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
