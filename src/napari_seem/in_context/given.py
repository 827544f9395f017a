"""Examples and targets as people give them, checked before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InvalidImage, InvalidLabels
from ..images import AnyArray
from ..io.images import MOST_CHANNELS
from ..models.base import Embedding
from ..models.in_context import Example
from ..sources import is_big

Picture = AnyArray | Embedding
"""An image (H, W) or (H, W, C), or its embedding."""
LabelledImage = tuple[Picture, AnyArray]
"""An image (H, W) or (H, W, C), and its integer labels (H, W)."""
ExampleLike = LabelledImage | Example


def is_array(value: object) -> bool:
    """Return whether a value is an array of any kind, of numpy, dask, zarr or pictures."""
    if isinstance(value, type):
        return False
    return any(hasattr(value, name) for name in ("__array__", "__array_interface__"))


def is_picture(value: object) -> bool:
    """Return whether a value is one picture: an array or an embedding."""
    return is_array(value) or isinstance(value, Embedding)


def check_picture(image: object, what: str) -> Picture:
    """Return a picture (H, W) or (H, W, C); big ones are not read.

    Raises
    ------
    InvalidImage
        It is no picture, or a stack of them.
    """
    if isinstance(image, Embedding):
        return image
    if not is_array(image):
        read = " (read it first, by napari_seem.io.images.read_image)"
        raise InvalidImage(
            f"{what} is a {type(image).__name__}; give an array (H, W) or (H, W, channels)"
            f"{read if isinstance(image, (str, os.PathLike)) else ''}"
        )
    array: Any = image if hasattr(image, "shape") else np.asarray(image)
    shape = tuple(int(n) for n in array.shape)
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] > MOST_CHANNELS):
        raise InvalidImage(
            f"{what} has the shape {shape}, and one picture is (H, W) or (H, W, channels); of a "
            "stack give a list of its planes, or use propagate; of channels first give "
            "numpy.moveaxis(image, 0, -1)"
        )
    if 0 in shape:
        raise InvalidImage(f"{what} has the shape {shape}, and so no pixel; give another one")
    if is_big(shape):
        return array  # type: ignore[no-any-return]
    return np.asarray(array)


def as_examples(given: object) -> list[tuple[Picture, object]]:
    """Return examples as pairs of a picture and its labels, which are not checked.

    Parameters
    ----------
    given : (image, labels), Example, or an iterable of them

    Raises
    ------
    InvalidLabels
        There is no example, or something else among them.
    InvalidImage
        An image that is no picture.
    """
    if isinstance(given, Example) or _is_pair(given):
        every: Sequence[Any] = [given]
    elif isinstance(given, (str, Mapping)) or is_array(given) or not isinstance(given, Iterable):
        raise InvalidLabels(
            f"the examples are a {type(given).__name__}; give (image, labels), an Example, or a "
            "list of them"
        )
    else:
        every = list(given)
    if not every:
        raise InvalidLabels("there is no example; label one to five images and give them")
    return [_pair(one, number) for number, one in enumerate(every, 1)]


def _pair(one: object, number: int) -> tuple[Picture, object]:
    if isinstance(one, Example):
        return one.embedding, one.labels
    if isinstance(one, (tuple, list)) and len(one) == 2:
        return check_picture(one[0], f"the image of example {number}"), one[1]
    raise InvalidLabels(
        f"example {number} is a {type(one).__name__}; give the pair (image, labels), or an Example"
    )


def _is_pair(value: object) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2 and is_picture(value[0])
