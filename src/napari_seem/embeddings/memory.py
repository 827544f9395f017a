"""Encoded images in memory, up to a number of bytes, above those on disk."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal

from ..checks import check_type, whole_number
from ..errors import Abandoned
from ..images import AnyArray
from ..models.base import Embedding
from .keys import Encoder, Key, key_of
from .store import EmbeddingStore

DEFAULT_BYTES = 1 << 30
MOST_BEGUN = 4
"""Images that are kept while only parts of them are encoded; each is a few times its pixels."""

Need = Literal["now", "soon", "ahead"]
"""What an embedding is for: an image that is asked about, that is looked at, or another one."""


class EmbeddingCache:
    """A cache that drops the least recently used embeddings first; safe in threads.

    Those that were encoded in advance, and not asked about since, are dropped before all others.

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
        self._unused: set[Key] = set()
        self._running: dict[Key, Future[Embedding]] = {}
        self._waiting = 0
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[object, ...]:
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

    @property
    def is_awaited(self) -> bool:
        """Whether a thread waits for what another one encodes."""
        return self._waiting > 0

    def emptied(self) -> EmbeddingCache:
        """Return another cache like this, with nothing in memory."""
        return EmbeddingCache(self.max_bytes, self.store)

    def get(self, key: Key, need: Need = "now") -> Embedding | None:
        """Return the embedding under (model identity, content key) from memory or disk, or None."""
        with self._lock:
            entry = self._entries.get(key)
        if entry is None and self.store is not None:
            entry = self.store.get(key)
        if entry is not None:
            self._use(key, entry, need)
        return entry

    def get_or_begin(
        self, key: Key, begin: Callable[[], Embedding], on_part: Callable[[], object] = lambda: None
    ) -> Embedding:
        """Return the embedding under `key`, or one of which parts are encoded as they are needed.

        Parameters
        ----------
        key : (str, str)
        begin : callable
            Prepares one; see `LazyEncoder`. It is kept apart, the last few of them, until the
            whole is there: no other method returns it, and it is not written to disk.
        on_part : callable
            Called without arguments where the whole is not there.
        """
        whole = self.get(key)
        if whole is not None:
            return whole
        with self._lock:
            begun = self._begun.get(key)
        begun = begin() if begun is None else begun
        with self._lock:
            if key in self._entries:
                return self._entries[key]
            self._begun[key] = begun
            self._begun.move_to_end(key)
            if len(self._begun) > MOST_BEGUN:
                self._begun.popitem(last=False)
        on_part()
        return begun

    def is_begun(self, key: Key) -> bool:
        """Return whether turns use parts of an image that is not encoded as a whole."""
        with self._lock:
            return key in self._begun

    def get_or_encode(
        self, key: Key, encode: Callable[[], Embedding], *, need: Need = "now"
    ) -> Embedding:
        """Return the embedding under `key`; where there is none, call `encode` once and keep it.

        A second thread that needs it meanwhile waits for the first one's result (or its error); it
        encodes itself where the first one's work was `Abandoned`.

        Parameters
        ----------
        key : (str, str)
        encode : callable
        need : 'now', 'soon' or 'ahead'
            What is not needed now is written to disk only when it is. One for soon takes the place
            of others in memory, but not of the one that was asked for last; one ahead is not kept
            where another had to be dropped for it.
        """
        while True:
            with self._lock:
                embedding, future = self._entries.get(key), self._running.get(key)
                if embedding is None and future is None:
                    mine = self._running[key] = Future()
                    break
            if embedding is None and future is not None:
                embedding = self._result(future)
            if embedding is not None:
                self._use(key, embedding, need)
                return embedding
        try:
            stored = None if self.store is None else self.store.get(key)
            embedding = encode() if stored is None else stored
        except BaseException as error:
            with self._lock:
                del self._running[key]
            mine.set_exception(error)
            raise
        self._use(key, embedding, need)
        with self._lock:
            del self._running[key]
        mine.set_result(embedding)
        return embedding

    def clear(self) -> None:
        """Drop everything in memory; files stay on disk."""
        with self._lock:
            self._entries.clear()
            self._begun.clear()
            self._unused.clear()

    def close(self) -> None:
        """Drop everything in memory, and wait until all is on disk."""
        self.clear()
        if self.store is not None:
            self.store.flush()

    def _result(self, future: Future[Embedding]) -> Embedding | None:
        """Wait for what another thread encodes; None where it gave up."""
        with self._lock:
            self._waiting += 1
        try:
            return future.result()
        except Abandoned:
            return None
        finally:
            with self._lock:
                self._waiting -= 1

    def _use(self, key: Key, embedding: Embedding, need: Need) -> None:
        """Keep an embedding as the one used last; write it once it is needed."""
        with self._lock:
            used = key in self._entries and key not in self._unused
            if self._make_room(key, embedding.nbytes, need):
                self._entries[key] = embedding
                self._entries.move_to_end(key)
                self._begun.pop(key, None)
                if need != "now" and not used:
                    self._unused.add(key)
        if need != "now" or used or self.store is None or not embedding.lasting:
            return
        if key not in self.store:
            self.store.put_later(key, embedding)

    def _make_room(self, key: Key, nbytes: int, need: Need) -> bool:
        """Drop others for an embedding; False, and nothing is dropped, where it can't be kept."""
        others = [known for known in self._entries if known != key]
        used = [known for known in others if known not in self._unused]
        if need == "ahead":
            droppable = []
        else:
            droppable = [known for known in others if known in self._unused]
            droppable += used if need == "now" else used[:-1]
        excess = sum(self._entries[known].nbytes for known in others) + nbytes - self.max_bytes
        dropped = []
        while excess > 0 and droppable:
            dropped.append(droppable.pop(0))
            excess -= self._entries[dropped[-1]].nbytes
        if excess > 0:
            return False
        for one in dropped:
            del self._entries[one]
        self._unused -= {*dropped, key}
        return True

    def _held(self) -> int:
        return sum(entry.nbytes for entry in self._entries.values())


def encoded(model: Encoder, plane: AnyArray, cache: EmbeddingCache | None) -> Embedding:
    """Encode a plane (H, W) or (H, W, C), or take its embedding from the cache."""
    if cache is None:
        return model.encode(plane)
    check_type(cache, EmbeddingCache, "cache", "an EmbeddingCache")
    return cache.get_or_encode(key_of(model, plane), lambda: model.encode(plane))
