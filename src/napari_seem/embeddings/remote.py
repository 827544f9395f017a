"""A model that encodes on a cluster and decodes here."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ClusterTrouble
from ..images import AnyArray, ArraySource, to_rgb
from ..models.base import Embedding
from ..models.context import Context, in_context_of
from ..models.registry import load_model
from ..models.teachable import Words
from . import packing
from .cluster import Connection

_KEY = ("sent", "sent")
PATIENCE = 300
"""Seconds that a worker may take for an image, including loading the model for the first one."""


class RemoteEncoder:
    """A model whose `encode` runs on a cluster; everything else is the model's own.

    The result is compressed and checked like a file of the disk cache, and is cached like an
    embedding made here.

    Parameters
    ----------
    model : Model
        Its weights must be the same on the workers, which load it by its name.
    connection : Connection
    """

    encode_lazily = None  # not of the model: everything is encoded on the cluster

    def __init__(self, model: Any, connection: Connection) -> None:
        self._model = model
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode(self, image: ArraySource, channels: int | None = None) -> Embedding:
        """Encode an image (H, W) or (H, W, C) on the cluster.

        Raises
        ------
        ClusterTrouble
            The cluster is gone, does not answer, or has other weights.
        """
        plain = image.dtype == np.uint8 and channels is None
        # of a float image an eighth is sent
        seen = np.asarray(image) if plain else to_rgb(image, channels=channels)
        return self._submit(encode_there, seen)

    def encode_part(self, image: npt.NDArray[np.uint8], sample: npt.NDArray[np.uint8]) -> Embedding:
        """Encode a part of an image on the cluster, as the model's own `encode_part`.

        `image` (H, W, 3) is the part, `sample` (h, w, 3) pixels of the whole, both uint8.

        Raises
        ------
        ClusterTrouble
            As `encode`.
        """
        return self._submit(encode_part_there, image, sample)

    def with_words(self, words: Words) -> RemoteEncoder:
        """Return the same, knowing taught words; see `TeachableModel`."""
        return RemoteEncoder(self._model.with_words(words), self._connection)

    def with_context(self, context: Context | None) -> RemoteEncoder:
        """Return the same, steered by accepted objects; see `ContextModel`."""
        return RemoteEncoder(in_context_of(self._model, context), self._connection)

    def _submit(self, work: Callable[..., bytes], *images: AnyArray) -> Embedding:
        """Run `work` on a worker, on images (H, W) or (H, W, C), and unpack its embedding."""
        client = self._connection.client()
        future = client.submit(work, self._model.name, *images, pure=False)
        try:
            sent = future.result(timeout=PATIENCE)
        except Exception as error:
            future.cancel()
            raise ClusterTrouble(
                f"the cluster at '{self._connection.address}' could not encode the image "
                f"({error!r}); see that its workers run, or empty its address in the preferences "
                "to encode here"
            ) from error
        embedding = unpacked(sent)
        if embedding.model != self._model.identity:
            raise ClusterTrouble(
                f"the workers encode with {embedding.model}, here it is {self._model.identity}; "
                "install the same weights everywhere"
            )
        return embedding


def encode_there(name: str, image: AnyArray) -> bytes:
    """Encode an image (H, W) or (H, W, C) on a worker; return it compressed."""
    return packed(_model(name).encode(image))


def encode_part_there(
    name: str, image: npt.NDArray[np.uint8], sample: npt.NDArray[np.uint8]
) -> bytes:
    """Encode a part (H, W, 3) of an image on a worker, `sample` (h, w, 3) showing the whole."""
    return packed(_model(name).encode_part(image, sample))


def packed(embedding: Embedding) -> bytes:
    """Turn an embedding into bytes with checksums."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "embedding"
        packing.write(path, _KEY, embedding)
        return path.read_bytes()


def unpacked(sent: bytes) -> Embedding:
    """Turn the bytes of `packed` into an embedding; `ClusterTrouble` if they are damaged."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "embedding"
        path.write_bytes(sent)
        try:
            return packing.read(path, _KEY)
        except packing.Damaged as error:
            raise ClusterTrouble(f"an encoded image arrived damaged ({error})") from error


@lru_cache(maxsize=2)
def _model(name: str) -> Any:
    return load_model(name)
