"""What a disk refuses: what can be done about it, and how long that is waited for.

Windows neither replaces nor deletes a file that is open anywhere: in a virus scanner or an indexer
for a moment, in another thread of this program, or in another program for hours.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from ...errors import FileTrouble

T = TypeVar("T")

HELD = frozenset({5, 32, 33, 1224})
"""Errors of Windows: access denied, sharing violation, lock violation, a file that is mapped."""
NO_PATH = frozenset({3, 206})
"""Errors of Windows: no such path, and a name that is too long, which it often reports as that."""
LONGEST = 259
"""Most letters of a path on Windows, unless its registry allows more."""
PATIENCE = 5.0
"""Seconds for which a file that somebody holds is tried again."""
REMEDY = "free some disk space, or choose another folder"
CLOSE_IT = "close the program that has it open, and try again"
_REMEDIES = {
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EROFS: "choose a folder that can be written, on another disk",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def file_key(path: Path) -> str:
    """Return what is equal for two names of one file: on Windows and macOS, case tells none."""
    name = str(path.absolute())
    return name.casefold() if sys.platform in ("win32", "darwin") else name


def is_held(error: BaseException) -> bool:
    """Whether Windows refused because somebody has the file open."""
    return getattr(error, "winerror", None) in HELD


def retrying(step: Callable[[], T]) -> T:
    """Return what `step` does, which is tried again for some seconds while a file is held.

    Raises
    ------
    OSError
        As `step` raises it: another error at once, and this one when the time is up.
    """
    end, pause = time.monotonic() + PATIENCE, 0.01
    while True:
        try:
            return step()
        except OSError as error:
            if not is_held(error) or time.monotonic() > end:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 0.25)


def move(source: Path, target: Path) -> None:
    """Give a file or folder another name, replacing a file of that name; raises `OSError`."""
    retrying(lambda: source.replace(target))


def remove(path: Path) -> None:
    """Delete a file, if it is there; raises `OSError`."""
    retrying(lambda: path.unlink(missing_ok=True))


def own_folder(parent: Path, prefix: str) -> Path:
    """Make a folder with an unguessable name, which only this person may read.

    Unlike `tempfile.mkdtemp`, which on Windows tries thousands of names where a share can only be
    read, as `os.access` says that it can be written.

    Raises
    ------
    OSError
        The parent is missing or may not be written.
    """
    path = parent / f"{prefix}{secrets.token_hex(4)}"
    # on Windows what is moved out of a folder keeps its rights, which 0o700 takes from all others
    path.mkdir(0o777 if sys.platform == "win32" else 0o700)
    return path


@contextlib.contextmanager
def writing(*paths: Path, note: str = "") -> Iterator[None]:
    """Turn an `OSError` of writing into a `FileTrouble` that says what can be done.

    Parameters
    ----------
    paths : Path
        What is written.
    note : str
        Said before what can be done.
    """
    try:
        yield
    except FileTrouble:
        raise
    except OSError as error:
        names = " and ".join(f"'{path}'" for path in paths[:2])
        if len(paths) > 2:
            names += f" and {len(paths) - 2} more files"
        remedy = remedy_of(error, paths)
        if note:
            remedy = f"{note}. {remedy[0].upper()}{remedy[1:]}"
        folder, why = paths[0].parent, f"({reason_of(error)}); {remedy}"
        if not folder.is_dir():
            why = f"because there is no folder '{folder}'; choose another folder"
        raise FileTrouble(f"{names} can't be written {why}") from error


def reason_of(error: OSError) -> str:
    """Return why a disk refused, in few words."""
    return "it is open in another program" if is_held(error) else error.strerror or str(error)


def remedy_of(error: OSError, paths: tuple[Path, ...] = ()) -> str:
    """Return what a person can do about an error of writing.

    Parameters
    ----------
    error : OSError
    paths : tuple of Path
        What was to be written.
    """
    if is_held(error):
        return CLOSE_IT
    longest = max((len(str(path.absolute())) for path in paths), default=0)
    if getattr(error, "winerror", None) in NO_PATH and longest > LONGEST * 0.7:
        return (
            f"Windows takes no names of more than {LONGEST} letters with all folders: choose a "
            "shorter name, or a folder nearer to the beginning of the disk"
        )
    return _REMEDIES.get(error.errno or 0, REMEDY)
