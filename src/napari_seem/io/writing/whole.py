"""Files that are written whole or not at all, several of them together, by one program at a time.

What is not finished lies in a folder of its own beside the files, with an unguessable name, that
its program holds by a lock. Once everything is written, a list of the files in it says that they
belong in their places; a program that is killed while it puts them there leaves that list, and
`settle` goes on from it. Without the list, `settle` removes the folder.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from errno import EACCES, EISDIR, ENOENT
from pathlib import Path

from ...errors import FileTrouble
from .disk import CLOSE_IT, is_held, move, own_folder, reason_of, remove, writing
from .locks import LOCK, Lock

LOG = logging.getLogger(__name__)
PREFIX = ".napari-seem-"
"""Folders of unfinished files begin with this; eight random letters follow."""
LIST, NEW, OLD = "list", "new", "old"
"""In such a folder: the names of files that are finished, these, and former ones."""
MOST_LISTED = 1 << 26
"""Bytes of the list of files at most."""
PATIENCE = 30.0
"""Seconds that another program is waited for."""


class Workplace:
    """A folder for what is not finished; it goes when it is closed or its program is gone.

    Parameters
    ----------
    folder : Path
        In which it is made.

    Attributes
    ----------
    path : Path

    Raises
    ------
    OSError
        The folder is missing or may not be written.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = None
        while self._lock is None:  # a sweep by another program takes a folder without a lock
            self.path = own_folder(folder, PREFIX)
            self._lock = Lock.take(self.path / LOCK, make=True)

    def close(self) -> None:
        """Delete it and everything in it; what is listed stays for `settle`."""
        assert self._lock is not None
        self._lock.release()  # Windows deletes no file that is open
        if not (self.path / LIST).exists():
            shutil.rmtree(self.path, ignore_errors=True)


@contextlib.contextmanager
def replacing(
    *finals: Path, texts: Mapping[Path, str] | None = None, home: Path | None = None,
    durable: bool = True,
) -> Iterator[list[Path]]:  # fmt: skip
    """Yield paths to write to instead of the final ones; they are put in place at the end.

    Nothing is replaced before everything is written, and a program that is killed leaves the former
    or the new files of a folder, never some of each. What a link points to is replaced, not the
    link; files keep their permissions.

    Parameters
    ----------
    finals : Path
        Files, or folders such as a zarr group.
    texts : mapping of Path to str, optional
        Further files, and what they hold; read at the end.
    home : Path, optional
        The folder in which unfinished files lie; with it, what lies in it and below is put in place
        together. By default that of each file.
    durable : bool
        Wait until the disk has them, so that they also outlive a power cut.

    Yields
    ------
    list of Path
        With the same names, in other folders.

    Raises
    ------
    FileTrouble
        The disk is full, the folder is missing or may not be written, or a file is read-only.
    """
    places: dict[Path, Workplace] = {}
    every = dict.fromkeys((*finals, *(texts or {})))
    with contextlib.ExitStack() as stack:
        stack.enter_context(writing(*every, note="an older file is unchanged"))

        def part_of(final: Path) -> Path:
            folder = _home(final, home)
            if folder not in places:
                settle(folder)
                places[folder] = Workplace(folder)
                stack.callback(places[folder].close)
            part = places[folder].path / NEW / final.relative_to(folder)
            part.parent.mkdir(parents=True, exist_ok=True)
            return part

        parts = {target: part_of(target) for target in map(_target, finals)}
        yield list(parts.values())
        for final, text in (texts or {}).items():
            part = parts[_target(final)] = part_of(_target(final))
            part.write_text(text, encoding="utf-8", errors="surrogateescape")
        for final, part in parts.items():
            _prepare(part, final, durable)
        for folder, place in places.items():
            own = [one for one in parts if _home(one, home) == folder]
            _put_all(place.path, [one.relative_to(folder).as_posix() for one in own], durable)


def settle(folder: Path) -> None:
    """Finish, or remove, what programs that were killed left unfinished in a folder.

    What another program is about to put in place is waited for. A folder that can't be read or
    written is left as it is.
    """
    if folder.name == "labels":  # perhaps of an OME-Zarr image, beside which their log lies
        settle(folder.parent.parent)
    try:
        with os.scandir(folder) as entries:
            left = [
                Path(one.path)
                for one in entries
                if one.name.startswith(PREFIX) and one.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return
    for place in left:
        with contextlib.suppress(OSError):
            _settle(place)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other programs and threads from changing a file that is read, changed and written.

    Raises
    ------
    FileTrouble
        Another program changes it for longer than is waited, or its folder can't be written.
    """
    beside, end = path.with_name(f".{path.name}.lock"), time.monotonic() + PATIENCE
    with writing(path):
        while (lock := Lock.take(beside, make=True)) is None:
            if time.monotonic() > end:
                raise FileTrouble(f"'{path}' is being changed by another program; try again later")
            time.sleep(0.01)
    try:
        yield
    finally:
        lock.release(beside)


def make_folder(folder: Path, remedy: str = "choose another folder") -> None:
    """Create a folder, and those above it, where they are missing.

    Raises
    ------
    FileTrouble
        It can't be created; `remedy` says what to do.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileTrouble(
            f"there can be no folder '{folder}' ({reason_of(error)}); {remedy}"
        ) from error


def _home(final: Path, home: Path | None) -> Path:
    """Return the folder in which a file lies before it is finished."""
    within = home is not None and final.parent.resolve().is_relative_to(home.resolve())
    return home if home is not None and within else final.parent


def _target(final: Path) -> Path:
    """Return the file that a name stands for."""
    # `resolve` raises where a link leads to itself
    return Path(os.path.realpath(final)) if final.is_symlink() else final


def _settle(place: Path) -> None:
    """Finish or remove one folder of unfinished files, unless its program is at work."""
    end = time.monotonic() + PATIENCE
    while (lock := Lock.take(place / LOCK)) is None:
        if not (place / LOCK).exists():
            with contextlib.suppress(OSError):  # it is empty, but for a lock that was made just now
                place.rmdir()
            if not (place / LOCK).exists():
                shutil.rmtree(place, ignore_errors=True)
            return
        if not (place / LIST).exists() or time.monotonic() > end:
            return
        time.sleep(0.01)
    try:
        names = _listed(place / LIST)
        if names:
            LOG.warning("%s: %s are put in place for a program that ended", place.parent, names)
        _move(place, names)
    finally:
        lock.release()
    shutil.rmtree(place, ignore_errors=True)


def _listed(path: Path) -> list[str]:
    """Return the names in a list of files; none where there is no list, or one of other names."""
    try:
        if path.stat().st_size > MOST_LISTED:
            return []
        names = path.read_text(encoding="utf-8").split("\0")
    except (OSError, ValueError):
        return []
    folder = path.parent.parent.resolve()
    inside = all((folder / name).parent.resolve().is_relative_to(folder) for name in names)
    plain = all(
        {"", ".", ".."}.isdisjoint(name.split("/")) and PREFIX not in name for name in names
    )
    return names if inside and plain else []


def _prepare(part: Path, final: Path, durable: bool) -> None:
    """Check that a finished file can take its place, and give it the former one's permissions."""
    if not part.exists():
        raise FileNotFoundError(ENOENT, "nothing was written", str(final))
    if final.exists():
        mode = final.stat().st_mode
        if not mode & stat.S_IWUSR:
            raise PermissionError(EACCES, "it is read-only", str(final))
        if final.is_dir() and not part.is_dir():
            raise IsADirectoryError(EISDIR, "there is a folder of that name", str(final))
        if part.is_file() and part.stat().st_mode != mode:
            part.chmod(stat.S_IMODE(mode))
    if durable:
        for one in part.rglob("*") if part.is_dir() else [part]:
            if one.is_file():
                _to_disk(one)


def _put_all(place: Path, names: list[str], durable: bool) -> None:
    """Put finished files in their places; where that fails, all are as they were."""
    single = len(names) == 1 and (place / NEW / names[0]).is_file()
    if not single:  # one file is replaced in one step
        listing = place / f"{LIST}.part"
        listing.write_text("\0".join(names), encoding="utf-8")
        if durable:
            _to_disk(listing)
        move(listing, place / LIST)
    try:
        _move(place, names, keep=not single)
    except OSError as error:
        for name in reversed(names):
            _move_back(place, name)
        remove(place / LIST)
        if is_held(error):
            _keep_beside(place, names[0], error)
        raise
    if durable and sys.platform != "win32":
        _to_disk(place.parent)
    remove(place / LIST)


def _keep_beside(place: Path, name: str, error: OSError) -> None:
    """Keep finished files that can't be put in their places, and say where.

    Raises
    ------
    FileTrouble
        Always.
    """
    final = place.parent / name
    numbers = (f" {number}" if number > 1 else "" for number in range(1, 1000))
    kept = next(
        one for n in numbers if not (one := final.with_name(f"{final.name} saved{n}")).exists()
    )
    move(place / NEW, kept)
    raise FileTrouble(
        f"'{final}' can't be replaced ({reason_of(error)}), so that what was saved lies in the "
        f"folder '{kept.name}' beside it; {CLOSE_IT}"
    ) from error


def _move(place: Path, names: list[str], *, keep: bool = True) -> None:
    """Move files to their places, and those that were there aside."""
    for name in names:
        part, final, old = place / NEW / name, place.parent / name, place / OLD / name
        if not os.path.lexists(part):
            continue
        if keep and os.path.lexists(final) and not os.path.lexists(old):
            old.parent.mkdir(parents=True, exist_ok=True)
            if final.is_dir() or part.is_dir():
                move(final, old)
            else:
                _keep(final, old)
        move(part, final)


def _keep(final: Path, old: Path) -> None:
    """Give a file a second name, or, on disks where it can have one only, another one."""
    try:
        os.link(final, old)
    except OSError:
        move(final, old)


def _move_back(place: Path, name: str) -> None:
    """Undo the move of one file."""
    part, final, old = place / NEW / name, place.parent / name, place / OLD / name
    if not os.path.lexists(part):
        move(final, part)
    elif os.path.lexists(final):  # it was not moved
        return
    if os.path.lexists(old):
        move(old, final)


def _to_disk(path: Path) -> None:
    """Wait until the disk has a file."""
    handle = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
