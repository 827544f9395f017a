"""Encoded images on disk: one file each in one folder, which several programs may share."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import warnings
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .. import __version__
from ..checks import whole_number
from ..io.writing.whole import Workplace, settle
from ..models.base import Embedding
from ..models.files.places import cache_folder
from . import packing
from .keys import Key

DEFAULT_DISK_BYTES = 4096 << 20
FOLDER_VARIABLE = "NAPARI_SEEM_CACHE"
WAITING = 4
"""Largest number of embeddings that wait to be written; further ones are not written."""
NAME = re.compile(r"[0-9a-f]{32}\.embedding\.zarr\.zip")
"""Names of the files that are counted or deleted: the folder may hold others."""


def default_folder() -> Path:
    """Return the folder of encoded images: `$NAPARI_SEEM_CACHE`, or in the cache folder."""
    given = os.environ.get(FOLDER_VARIABLE)
    return Path(given).expanduser() if given else cache_folder() / "embeddings"


class Usage(NamedTuple):
    """How many embeddings are on disk, and their bytes."""

    images: int
    nbytes: int


class EmbeddingStore:
    """Embeddings in a folder; the least recently used go first; safe in threads and processes.

    A file is written under another name and then renamed, so that a reader finds all of it or
    nothing. A file that can't be read counts as absent. Files that one process deletes do no harm
    to others.

    Parameters
    ----------
    folder : path, optional
        By default `default_folder()`. Created when first written to.
    max_bytes : int
        Bound on the sum of the files' sizes.

    Raises
    ------
    MissingPackage
        zarr is not installed.
    """

    def __init__(
        self, folder: str | Path | None = None, max_bytes: int = DEFAULT_DISK_BYTES
    ) -> None:
        packing.check_zarr()
        self.folder = Path(folder).expanduser() if folder else default_folder()
        self.max_bytes = whole_number(max_bytes, "max_bytes", 0)
        self._waiting: deque[tuple[Key, Embedding]] = deque()
        self._writer: threading.Thread | None = None
        self._warned = False
        self._state = threading.Condition()

    def path(self, key: Key) -> Path:
        """Return where an embedding lies, or would lie; it depends on the package's version."""
        identity = repr((packing.FORMAT, __version__, *key)).encode()
        name = hashlib.blake2b(identity, digest_size=16).hexdigest()
        return self.folder / f"{name}.embedding.zarr.zip"

    def __contains__(self, key: Key) -> bool:
        return self.path(key).is_file()

    def usage(self) -> Usage:
        """Return the number and the bytes of embeddings, of this and other programs."""
        sizes = [entry.size for entry in self._entries()]
        return Usage(len(sizes), sum(sizes))

    def touch(self, key: Key) -> int | None:
        """Count an embedding as used now; return its bytes on disk, or None where it is absent."""
        path = self.path(key)
        try:
            size = path.stat().st_size
        except OSError:
            return None
        _mark_used(path)
        return size

    def get(self, key: Key) -> Embedding | None:
        """Return the embedding under (model identity, content key); None where there is none.

        A damaged one is deleted.
        """
        path = self.path(key)
        try:
            embedding = packing.read(path, key)
        except OSError:
            return None
        except packing.Damaged:
            _delete(path)
            return None
        _mark_used(path)
        return embedding

    def put(self, key: Key, embedding: Embedding) -> int | None:
        """Write an embedding now; return its bytes, or None if it is larger than the bound.

        Raises
        ------
        OSError
            The folder can't be written to, or the disk is full.
        """
        path = self.path(key)
        self.folder.mkdir(parents=True, exist_ok=True)
        settle(self.folder)
        place = Workplace(self.folder)
        try:
            part = place.path / path.name
            packing.write(part, key, embedding)
            size = part.stat().st_size
            if size > self.max_bytes:
                return None
            _rename(part, path)
        finally:
            place.close()
        self._shrink(path)
        return size

    def put_later(self, key: Key, embedding: Embedding) -> bool:
        """Write an embedding in the background; returns False if too many wait already.

        A disk that can't be written to is warned of once.
        """
        with self._state:
            if len(self._waiting) >= WAITING:
                return False
            self._waiting.append((key, embedding))
            if self._writer is None:
                # no daemon: the program ends once what waits is written
                self._writer = threading.Thread(target=self._write_all, name="embeddings to disk")
                self._writer.start()
            return True

    def flush(self) -> None:
        """Wait until all waiting embeddings are written."""
        with self._state:
            self._state.wait_for(lambda: self._writer is None)

    def clear(self) -> Usage:
        """Delete every embedding in the folder; return what was deleted."""
        with self._state:
            self._waiting.clear()
        self.flush()
        settle(self.folder)
        gone = [entry.size for entry in self._entries() if _delete(entry.path)]
        return Usage(len(gone), sum(gone))

    def _write_all(self) -> None:
        """Write until nothing waits; the thread ends then."""
        try:
            while (job := self._next()) is not None:
                try:
                    self.put(*job)
                except OSError as error:
                    self._warn_once(error)
        finally:
            with self._state:
                self._writer = None
                self._state.notify_all()

    def _next(self) -> tuple[Key, Embedding] | None:
        with self._state:
            if self._waiting:
                return self._waiting.popleft()
            self._writer = None  # under the same lock, so that nobody waits for a thread that ends
            return None

    def _warn_once(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"encoded images can't be kept in '{self.folder}' ({error}); they stay in memory. "
                "Free some space, or choose another folder in the preferences",
                RuntimeWarning,
                stacklevel=2,
            )

    def _shrink(self, newest: Path) -> None:
        """Delete the least recently used files until the bound is kept."""
        entries = sorted(self._entries(), key=lambda entry: (entry.path == newest, entry.used))
        total = sum(entry.size for entry in entries)
        for entry in entries:
            if total <= self.max_bytes:
                break
            _delete(entry.path)
            total -= entry.size

    def _entries(self) -> Iterator[StoredFile]:
        """Yield our files in the folder; other programs may delete them meanwhile."""
        try:
            found = list(os.scandir(self.folder))
        except OSError:
            return
        for file in found:
            if NAME.fullmatch(file.name) is None:
                continue
            try:
                facts = file.stat()
            except OSError:
                continue
            yield StoredFile(Path(file.path), facts.st_size, facts.st_mtime_ns)


class StoredFile(NamedTuple):
    """One file: its path, its bytes, and when it was used last in nanoseconds."""

    path: Path
    size: int
    used: int


def _mark_used(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:
        return  # a folder that can only be read has no order of use


def _rename(part: Path, path: Path) -> None:
    try:
        os.replace(part, path)
    except PermissionError:
        # Windows: somebody reads the same embedding just now, so it is there
        if not path.exists():
            raise


def _delete(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False  # deleted by somebody else, or not ours to delete
    return True
