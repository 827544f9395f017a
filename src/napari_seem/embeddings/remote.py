"""A model that encodes on a cluster and decodes here."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import ParamSpec, cast

import numpy as np
import numpy.typing as npt

from ..errors import ClusterTrouble
from ..images import AnyArray, ArraySource, to_rgb
from ..models.base import Embedding, Model, PartEncoder
from ..models.registry import load_model
from . import packing
from .cluster import Connection

_KEY = ("sent", "sent")
PATIENCE = 300
"""Seconds that a worker may take for an image, including loading the model for the first one."""
ENCODERS = frozenset({"encode", "encode_part", "encode_lazily"})
"""What a model encodes with; only the first two run on a cluster."""
RENEWING = frozenset({"with_words", "with_context", "adapted", "plain"})
"""What a model is made anew by, with words, a context or another decoder."""
P = ParamSpec("P")


class RemoteEncoder:
    """A model whose `encode` runs on a cluster; everything else is the model's own.

    It meets the protocols that the model meets, but for `LazyEncoder`: everything is encoded on the
    cluster. The result is compressed and checked like a file of the disk cache, and is cached like
    an embedding made here.

    Parameters
    ----------
    model : Model
        Its weights must be the same on the workers, which load it by its name.
    connection : Connection
    """

    def __init__(self, model: Model, connection: Connection) -> None:
        self._model = model
        self._connection = connection
        # real members: from Python 3.12 on `isinstance` with a protocol asks no `__getattr__`
        for name in dir(model):
            if not name.startswith("_") and name not in ENCODERS:
                member = getattr(model, name)
                setattr(self, name, self._renewing(member) if name in RENEWING else member)
        if isinstance(model, PartEncoder):
            self.encode_part = self._encode_part

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

    def _encode_part(
        self, image: npt.NDArray[np.uint8], sample: npt.NDArray[np.uint8]
    ) -> Embedding:
        """Encode a part (H, W, 3) of an image on the cluster; see `PartEncoder`.

        Raises `ClusterTrouble` as `encode`.
        """
        return self._submit(encode_part_there, image, sample)

    def _renewing(self, method: Callable[P, Model]) -> Callable[P, RemoteEncoder]:
        """Let what a method returns, which is the same model otherwise, encode on the cluster."""

        @wraps(method)
        def call(*args: P.args, **options: P.kwargs) -> RemoteEncoder:
            return RemoteEncoder(method(*args, **options), self._connection)

        return call

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
    return packed(cast("PartEncoder", _model(name)).encode_part(image, sample))


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
def _model(name: str) -> Model:
    return load_model(name)
