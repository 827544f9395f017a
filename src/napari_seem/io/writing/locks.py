"""Files that one program at a time holds."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

LOCK = "lock"
"""Name of the lock of a folder, which goes with it."""
ABANDONED = 3600.0
"""Seconds after which a lock is given up on a disk that has no locks."""
_FAR = 1 << 40
"""Where Windows locks a byte: it lets nobody read what is locked."""


def hold(handle: int) -> bool:
    """Lock an open file until it is closed; False where another program, or this one, holds it.

    Raises
    ------
    OSError
        The disk has no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


class Lock:
    """An open file that one program at a time holds; the system frees it when that one ends."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    @classmethod
    def take(cls, path: Path, *, make: bool = False) -> Lock | None:
        """Lock a file; None where another program holds it, or deleted it meanwhile."""
        flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | (os.O_CREAT if make else 0)
        try:
            lock = cls(os.open(path, flags, 0o600))
        except FileNotFoundError:
            if path.name == LOCK:  # a sweep took the folder
                return None
            raise
        try:
            same = hold(lock._handle) and os.path.samestat(os.fstat(lock._handle), os.stat(path))
        except FileNotFoundError:
            same = False
        except OSError:  # a disk without locks
            same = make or time.time() - path.stat().st_mtime > ABANDONED
        if not same:
            os.close(lock._handle)
        return lock if same else None

    def release(self, path: Path | None = None) -> None:
        """Let others have it; with a path, delete it as well."""
        left = path
        with contextlib.suppress(OSError):  # Windows deletes no open file
            if left is not None:  # while it is held, or else another program's could be deleted
                left.unlink()
                left = None
        os.close(self._handle)
        with contextlib.suppress(OSError):
            if left is not None:
                left.unlink()
