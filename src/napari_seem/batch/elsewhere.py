"""A model that encodes on a cluster and decodes here."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..embeddings import packing
from ..errors import ClusterTrouble
from ..images import to_rgb
from ..models.base import Embedding
from ..models.registry import load_model

_KEY = ("sent", "sent")


class EncodedElsewhere:
    """Any model, but for `encode`, which a cluster does; everything else is the model's own.

    What comes back is compressed and checked like a file of the disk cache, and is cached like an
    embedding made here.

    Parameters
    ----------
    model : Model
        Its weights must be the same on the workers, which load it by its name.
    client : distributed.Client
    """

    def __init__(self, model: Any, client: Any) -> None:
        self._model = model
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode(self, image: npt.NDArray[Any]) -> Embedding:
        """Encode an image on the cluster.

        Raises
        ------
        ClusterTrouble
            The cluster is gone, or has other weights.
        """
        seen = image if image.dtype == np.uint8 else to_rgb(image)  # an eighth of a float image
        future = self._client.submit(encode_there, self._model.name, seen, pure=False)
        try:
            sent = future.result()
        except Exception as error:
            raise ClusterTrouble(
                f"the cluster could not encode the image ({error!r}); switch it off in the "
                "preferences to encode here"
            ) from error
        embedding = unpacked(sent)
        if embedding.model != self._model.identity:
            raise ClusterTrouble(
                f"the workers encode with {embedding.model}, here it is {self._model.identity}; "
                "install the same weights everywhere"
            )
        return embedding


def encode_there(name: str, image: npt.NDArray[Any]) -> bytes:
    """Runs on a worker: an encoded image, compressed."""
    return packed(_model(name).encode(image))


def packed(embedding: Embedding) -> bytes:
    """An embedding as bytes with checksums."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "embedding"
        packing.write(path, _KEY, embedding)
        return path.read_bytes()


def unpacked(sent: bytes) -> Embedding:
    """What `packed` gave; `ClusterTrouble` where it was damaged on its way."""
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
