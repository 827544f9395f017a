"""Encoding planes in advance, so that the first click on each is answered soon."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from ..errors import NapariSeemError, StoreTrouble
from ..images import AnyArray
from ..models.base import Embedding
from .keys import Encoder, Key, key_of
from .memory import EmbeddingCache

Outcome = Literal["encoded", "there", "failed"]


@dataclass(frozen=True)
class Ready:
    """The outcome for one plane.

    Attributes
    ----------
    index : int
    outcome : 'encoded', 'there' or 'failed'
    nbytes : int
        Size of the embedding.
    problem : str
        Why it failed.
    """

    index: int
    outcome: Outcome
    nbytes: int = 0
    problem: str = ""


def encode_ahead(
    model: Encoder, read: Callable[[int], AnyArray], planes: Collection[int],
    cache: EmbeddingCache, here: Callable[[], int] = lambda: 0,
    may_go_on: Callable[[], bool] = lambda: True, room: StorageQuota | None = None,
) -> Iterator[Ready]:  # fmt: skip
    """Encode planes one at a time, the nearest first; stop iterating to cancel.

    They go to the cache's disk store; without one, into its memory. No embedding is dropped from
    memory for them, and none of them for another.

    Parameters
    ----------
    model : Encoder
    read : callable
        Returns a plane (H, W) or (H, W, C) by its number.
    planes : collection of int
    cache : EmbeddingCache
    here : callable
        Returns the plane to be near to; called before every plane.
    may_go_on : callable
        Called before every plane; it may wait. False ends.
    room : StorageQuota, optional
        Several runs that belong together share one.

    Yields
    ------
    Ready
        Also for a plane that was there already, and for one that can't be read or encoded.

    Raises
    ------
    StoreTrouble
        The rest does not fit, or the disk can't be written to.
    """
    left, room = set(planes), room or StorageQuota(cache)
    while left and may_go_on():
        now = here()
        index = min(left, key=lambda k: (abs(k - now), k))
        left.discard(index)
        yield _encode_one(model, index, read, room)


def _encode_one(
    model: Encoder, index: int, read: Callable[[int], AnyArray], room: StorageQuota
) -> Ready:
    """Encode one plane, (H, W) or (H, W, C), unless it is in the cache already."""
    try:
        plane = read(index)
    except (NapariSeemError, OSError) as error:
        return Ready(index, "failed", problem=str(error))
    key = key_of(model, plane)
    size = room.touch(key)
    if size is not None:
        return Ready(index, "there", size)
    room.check()
    try:
        embedding = room.cache.get_or_encode(key, lambda: model.encode(plane), need="ahead")
    except NapariSeemError as error:
        return Ready(index, "failed", problem=str(error))
    return Ready(index, "encoded", room.fill(key, embedding))


class StorageQuota:
    """The space that the planes of one run take on disk, or in memory where there is no store.

    Parameters
    ----------
    cache : EmbeddingCache
    """

    def __init__(self, cache: EmbeddingCache) -> None:
        self.cache = cache
        self._kept = self._taken = self._last = 0

    def touch(self, key: Key) -> int | None:
        """Return the bytes of a plane that is there already, and count it as used now."""
        store = self.cache.store
        if store is not None:
            size = store.touch(key)
        else:
            known = self.cache.get(key)
            size = None if known is None else known.nbytes
        self._count(size)
        return size

    def check(self) -> None:
        """Raise `StoreTrouble` if one more like the last would push out planes of this run."""
        store = self.cache.store
        if store is not None:
            full = self._taken + self._last > store.max_bytes
        else:
            full = self.cache.nbytes + self._last > self.cache.max_bytes
        if full:
            raise self._full()

    def fill(self, key: Key, embedding: Embedding) -> int:
        """Keep a new embedding, on disk where there is a store; return its bytes.

        Raises `StoreTrouble` if it can't be kept.
        """
        store = self.cache.store
        if store is None or not embedding.lasting:
            size = embedding.nbytes if key in self.cache else None
        else:
            try:
                size = store.put(key, embedding)
            except OSError as error:
                raise StoreTrouble(
                    f"encoded images can't be kept in '{store.folder}' ({error}); free some space, "
                    "or choose another folder"
                ) from error
        if size is None:
            raise self._full()
        self._last = size
        self._count(size)
        return size

    def _count(self, size: int | None) -> None:
        if size is not None:
            self._kept += 1
            self._taken += size

    def _full(self) -> StoreTrouble:
        where = "memory" if self.cache.store is None else "disk space"
        return StoreTrouble(
            f"the {where} allowed for encoded images is full with {self._kept} planes; allow "
            "more megabytes to encode the rest too"
        )
