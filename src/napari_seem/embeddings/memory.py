"""Encoded images in memory, up to a number of bytes, above those on disk."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ..checks import check_type, whole_number
from ..images import AnyArray
from ..models.base import Embedding
from .keys import Encoder, Key, key_of
from .store import EmbeddingStore

DEFAULT_BYTES = 1 << 30
MOST_BEGUN = 4
"""Images that are kept while only parts of them are encoded; each is a few times its pixels."""


class EmbeddingCache:
    """A cache that drops the least recently used embeddings first; safe in threads.

    Parameters
    ----------
    max_bytes : int
        Bound on the sum of the embeddings' sizes in memory. A single embedding above it is returned
        but not kept.
    store : EmbeddingStore, optional
        Embeddings are read from here if they are not in memory, and written to in the background.

    Examples
    --------
    >>> import napari_seem as ns
    >>> from skimage.data import coins
    >>> model, cache = ns.load_model("compact"), ns.EmbeddingCache()
    >>> key = (model.identity, "coins")
    >>> first = cache.get_or_encode(key, lambda: model.encode(coins()))
    >>> cache.get_or_encode(key, lambda: model.encode(coins())) is first
    True
    """

    def __init__(self, max_bytes: int = DEFAULT_BYTES, store: EmbeddingStore | None = None) -> None:
        self.max_bytes = whole_number(max_bytes, "max_bytes", 0)
        self.store = store
        self._entries: OrderedDict[Key, Embedding] = OrderedDict()
        self._begun: OrderedDict[Key, Embedding] = OrderedDict()
        self._running: dict[Key, Future[Embedding]] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return EmbeddingCache, (self.max_bytes,)  # what it holds is encoded anew elsewhere

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Key) -> bool:
        """Return whether an embedding is in memory, without looking on disk."""
        with self._lock:
            return key in self._entries

    @property
    def nbytes(self) -> int:
        """Bytes held in memory now."""
        with self._lock:
            return self._held()

    def get(self, key: Key) -> Embedding | None:
        """Return the embedding under (model identity, content key) from memory or disk, or None."""
        entry = self._remembered(key)
        if entry is None and self.store is not None:
            entry = self.store.get(key)
            if entry is not None:
                self._keep(key, entry)
        return entry

    def get_or_begin(self, key: Key, begin: Callable[[], Embedding]) -> tuple[Embedding, bool]:
        """Return the embedding under `key`, or one of which parts are encoded as they are needed.

        Parameters
        ----------
        key : (str, str)
        begin : callable
            Prepares one; see `LazyEncoder`. It is kept apart, the last few of them, until the
            whole is there: no other method returns it, and it is not written to disk.

        Returns
        -------
        embedding : Embedding
        is_whole : bool
        """
        whole = self.get(key)
        if whole is not None:
            return whole, True
        with self._lock:
            begun = self._begun.get(key)
        begun = begin() if begun is None else begun
        with self._lock:
            if key in self._entries:
                return self._entries[key], True
            self._begun[key] = begun
            self._begun.move_to_end(key)
            if len(self._begun) > MOST_BEGUN:
                self._begun.popitem(last=False)
        return begun, False

    def is_begun(self, key: Key) -> bool:
        """Return whether turns use parts of an image that is not encoded as a whole."""
        with self._lock:
            return key in self._begun

    def get_or_encode(
        self, key: Key, encode: Callable[[], Embedding], *, ahead: bool = False
    ) -> Embedding:
        """Return the embedding under `key`; where there is none, call `encode` once and keep it.

        A second thread that needs it meanwhile waits for the first one's result (or its error).

        Parameters
        ----------
        key : (str, str)
        encode : callable
        ahead : bool
            It is not needed yet: it stays in memory only if no other has to be dropped for it, and
            writing it to disk is left to the caller.
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
            embedding = future.result()
            self._keep(key, embedding, ahead)
            return embedding
        try:
            embedding = self._read_or_encode(key, encode, ahead)
        except BaseException as error:
            with self._lock:
                del self._running[key]
            future.set_exception(error)
            raise
        self._keep(key, embedding, ahead)
        with self._lock:
            del self._running[key]
        future.set_result(embedding)
        return embedding

    def clear(self) -> None:
        """Drop everything in memory; files stay on disk."""
        with self._lock:
            self._entries.clear()
            self._begun.clear()

    def close(self) -> None:
        """Drop everything in memory, and wait until all is on disk."""
        self.clear()
        if self.store is not None:
            self.store.flush()

    def _remembered(self, key: Key) -> Embedding | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    def _read_or_encode(self, key: Key, encode: Callable[[], Embedding], ahead: bool) -> Embedding:
        embedding = None if self.store is None else self.store.get(key)
        if embedding is None:
            embedding = encode()
            if self.store is not None and embedding.lasting and not ahead:
                self.store.put_later(key, embedding)
        return embedding

    def _keep(self, key: Key, embedding: Embedding, ahead: bool = False) -> None:
        with self._lock:
            total = self._held() + embedding.nbytes
            if embedding.nbytes > self.max_bytes or (ahead and total > self.max_bytes):
                return
            self._entries[key] = embedding
            self._begun.pop(key, None)
            total = self._held()
            while total > self.max_bytes:
                _, oldest = self._entries.popitem(last=False)
                total -= oldest.nbytes

    def _held(self) -> int:
        return sum(entry.nbytes for entry in self._entries.values())


def encoded(model: Encoder, plane: AnyArray, cache: EmbeddingCache | None) -> Embedding:
    """Encode a plane (H, W) or (H, W, C), or take its embedding from the cache."""
    if cache is None:
        return model.encode(plane)
    check_type(cache, EmbeddingCache, "cache", "an EmbeddingCache")
    return cache.get_or_encode(key_of(model, plane), lambda: model.encode(plane))
