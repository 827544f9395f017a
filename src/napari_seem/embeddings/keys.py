"""Keys of encoded images: the content shown to a model, and the model's identity."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..images import AnyArray, Window
from ..models.base import Embedding

Key = tuple[str, str]
"""The model's identity, and a `content_key`."""


class Encoder(Protocol):
    """The part of a model that encodes."""

    identity: str

    def encode(self, image: AnyArray) -> Embedding:
        """Encode an image (H, W) or (H, W, C), once."""


def content_key(
    image: AnyArray, window: Window | None = None, bands: Sequence[int] | None = None
) -> str:
    """Compute a digest of what a model is shown: one plane's pixels, and how they were windowed.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array
        One plane; never a whole volume. The order of its bytes does not matter.
    window, bands
        As given to `napari_seem.images.to_rgb`.
    """
    plain = np.ascontiguousarray(image, image.dtype.newbyteorder("<"))
    shown = window and tuple(float(end) for end in window), bands and tuple(map(int, bands))
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((image.shape, plain.dtype.str, *shown)).encode())
    digest.update(plain.data)
    return digest.hexdigest()


def key_of(model: Encoder, plane: AnyArray) -> Key:
    """Return the key of a plane (H, W) or (H, W, C) for a model."""
    return model.identity, content_key(plane)
