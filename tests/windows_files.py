"""What Windows refuses, on Linux: to replace, rename or delete files that are open or mapped."""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class SharingViolation(PermissionError):
    """As Windows raises it: its own number of the error is there."""

    winerror = 32


def is_open(place: str) -> bool:
    """Whether this process has an ordinary file open or mapped: this one, or one below it."""
    below = place + os.sep
    for number in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{number}")
            found = path == place or path.startswith(below)
            if found and stat.S_ISREG(os.stat(f"/proc/self/fd/{number}").st_mode):
                return True
        except OSError:
            continue  # closed meanwhile
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    return f" {place}\n" in maps or f" {below}" in maps


def refuse(path: Any, folder: int | None = None) -> None:
    """Raise what Windows raises where a file, or one below a folder, is open."""
    place = os.fspath(path)
    if folder is not None:
        place = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), place)
    place = os.path.join(os.path.realpath(os.path.dirname(place)), os.path.basename(place))
    if is_open(place):
        raise SharingViolation(13, "the process can't access the file", place)


def pretend(patch: pytest.MonkeyPatch) -> None:
    """Let `os` refuse what Windows refuses."""
    if os.name == "nt":
        return  # which refuses it itself
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("only Linux lists the files that a process has open")

    def moving(real: Callable[..., None], *, over: bool) -> Callable[..., None]:
        def move(source: Any, target: Any, **options: Any) -> None:
            refuse(source, options.get("src_dir_fd"))
            if os.path.lexists(target):
                refuse(target, options.get("dst_dir_fd"))
                if not over:
                    raise FileExistsError(17, "the file exists", os.fspath(target))
            real(source, target, **options)

        return move

    def deleting(real: Callable[..., None]) -> Callable[..., None]:
        def delete(path: Any, **options: Any) -> None:
            refuse(path, options.get("dir_fd"))
            real(path, **options)

        return delete

    patch.setattr(os, "replace", moving(os.replace, over=True))
    patch.setattr(os, "rename", moving(os.rename, over=False))
    for name in ("unlink", "remove", "rmdir"):
        patch.setattr(os, name, deleting(getattr(os, name)))
    patch.setattr(shutil, "_use_fd_functions", False)


@contextmanager
def scanned(path: Path, seconds: float | None = None) -> Iterator[None]:
    """Hold a file open as a virus scanner does: for some seconds, or as long as the block."""
    file = path.open("rb")
    if seconds is None:
        with file:
            yield
        return
    scanner = threading.Thread(target=lambda: (time.sleep(seconds), file.close()))
    scanner.start()
    try:
        yield
    finally:
        scanner.join()
