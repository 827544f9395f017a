"""Encoded images, kept in memory up to a number of bytes and found by content and model."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
import numpy.typing as npt

from .images import Window
from .models.base import Embedding

DEFAULT_BYTES = 1 << 30
Key = tuple[str, str]


def content_key(
    image: npt.NDArray[Any], window: Window | None = None, bands: Sequence[int] | None = None
) -> str:
    """A name for what a model is shown: one plane's pixels, and how they were windowed.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array
        One plane; never a whole volume.
    window, bands
        As given to `napari_seem.images.to_rgb`.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((image.shape, image.dtype.str, window, bands and tuple(bands))).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


class EmbeddingCache:
    """Least recently used embeddings go first once `max_bytes` are exceeded; safe in threads.

    Parameters
    ----------
    max_bytes : int
        Bound on the sum of the embeddings' sizes. A single embedding above it is handed out but
        not kept.
    """

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        if max_bytes < 0:
            raise ValueError(f"max_bytes must not be negative, got {max_bytes}")
        self.max_bytes = max_bytes
        self._entries: OrderedDict[Key, Embedding] = OrderedDict()
        self._running: dict[Key, Future[Embedding]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Key) -> bool:
        with self._lock:
            return key in self._entries

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        with self._lock:
            return sum(entry.nbytes for entry in self._entries.values())

    def get(self, key: Key) -> Embedding | None:
        """The embedding under (model identity, content key), or None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    def get_or_encode(self, key: Key, encode: Callable[[], Embedding]) -> Embedding:
        """The embedding under `key`; where there is none, `encode` is called once and kept.

        A second thread that asks meanwhile waits for the first one's result (or its error).
        """
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
            future = self._running.get(key)
            mine = future is None
            if future is None:
                future = self._running[key] = Future()
        if not mine:
            return future.result()
        try:
            embedding = encode()
        except BaseException as error:
            with self._lock:
                del self._running[key]
            future.set_exception(error)
            raise
        with self._lock:
            del self._running[key]
            self._keep(key, embedding)
        future.set_result(embedding)
        return embedding

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def _keep(self, key: Key, embedding: Embedding) -> None:
        if embedding.nbytes > self.max_bytes:
            return
        self._entries[key] = embedding
        total = sum(entry.nbytes for entry in self._entries.values())
        while total > self.max_bytes:
            _, oldest = self._entries.popitem(last=False)
            total -= oldest.nbytes
