"""The journal: the log of a session as it goes on, from which it is recovered after a crash."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from weakref import finalize, ref

from ..errors import FileTrouble, LogTrouble
from ..io.writing.locks import hold
from ..values import JsonObject
from .log import ASIDE, LAYER, OPENED, PROMPTS, SUFFIX, WRITTEN, Event, line_of, read_log, time_now

FOLDER_VARIABLE = "NAPARI_SEEM_LOGS"
SYNC_AFTER = 10.0
"""Seconds after which what was written is synced to the disk, so that a power cut leaves it."""
BROUGHT_BACK = "recovered"
"""Why a journal was closed whose labels another one goes on with."""
KEPT_DAYS = 30
KEPT_BYTES = 1 << 30
"""Journals of sessions that ended are deleted after so many days, and beyond so many bytes."""


class Journal:
    """Writes each event of a session to a file as soon as it happened.

    What was written is safe from a crash of the program at once, and from a power cut within
    `SYNC_AFTER` seconds. The file is locked for as long as the session goes on. Where it can't be
    written, events wait until it can.

    Parameters
    ----------
    path : Path
        Made with the first event that is worth it: labels that are only looked at leave no file.
    warn : callable
        Given a message, once, where the file can't be written.
    """

    def __init__(self, path: Path, warn: Callable[[str], None] = lambda _: None) -> None:
        self.path = path
        self._warn = warn
        self._told = False
        self._lock = threading.RLock()
        self._begun = False
        self._waiting: list[Event] = []
        self._layer: JsonObject = {}
        self._file: BinaryIO | None = None
        self._timer: threading.Timer | None = None

    def put(self, event: Event) -> None:
        """Write an event; in any thread."""
        kind = event["event"]
        with self._lock:
            if kind == "close" and not self._begun:
                self._waiting.clear()
                return
            self._waiting.append(event)
            if self._begun or _is_worth_a_file(event):
                self.begin()
            if kind == WRITTEN:
                self.sync()
            elif kind == "close":
                self._let_go()

    def describe(self, values: Mapping[str, object]) -> None:
        """Write what is known of the layer, where it is other than before."""
        if values != self._layer:
            self._layer = dict(values)
            self.put({"event": LAYER, **values})

    def begin(self) -> None:
        """Write what waits, though nothing was changed yet."""
        with self._lock:
            self._begun = True
            self._write_waiting()

    def sync(self) -> None:
        """Let the disk have what was written."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if self._file is not None:
            with suppress(OSError, ValueError):  # it was closed meanwhile
                os.fsync(self._file.fileno())

    def _write_waiting(self) -> None:
        lines = "".join(line_of(one) + "\n" for one in self._waiting).encode()
        try:
            _write(self._opened(), lines)
        except OSError as error:
            if not self._told:
                self._told = True
                self._warn(f"the log '{self.path}' can't be written ({error.strerror or error})")
            return
        self._waiting.clear()
        if self._timer is None:
            known = ref(self)
            self._timer = threading.Timer(SYNC_AFTER, lambda: _sync_of(known))
            self._timer.daemon = True
            self._timer.start()

    def _opened(self) -> BinaryIO:
        former = self._file
        if former is not None and self.path.exists():
            return former
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+b", buffering=0)
        _lock(file)
        finalize(self, file.close)  # the lock goes with the session
        if former is not None:  # its file was deleted meanwhile, which is still read
            _copy(former, file, self.path)
        self._file = file
        return file

    def _let_go(self) -> None:
        self.sync()
        if self._file is not None:
            self._file.close()
            self._file = None


def _is_worth_a_file(event: Event) -> bool:
    if event["event"] == PROMPTS:
        return bool(event.get("prompts") or event.get("waiting"))
    return event["event"] not in (*OPENED, *ASIDE, "image")


def logs_folder() -> Path:
    """Where logs of sessions are kept as they go on: `$NAPARI_SEEM_LOGS`, or the state folder."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_state_path

    return user_state_path("napari-seem", appauthor=False) / "logs"


def is_live(path: Path) -> bool:
    """Whether a journal is written by a program that runs, this one or another."""
    try:
        with path.open("r+b") as file:
            return not _lock(file)
    except OSError:
        return False


def discard(path: Path, why: str = "discarded") -> None:
    """Mark a journal that nobody writes as closed; its labels are offered no more.

    Raises
    ------
    FileTrouble
        It can't be written.
    """
    try:
        number = len(read_log(path)[-1].events) + 1
        event: Event = {"n": number, "at": time_now(), "event": "close", "why": why}
        text = path.read_bytes()
        with path.open("r+b") as file:
            file.truncate(text.rfind(b"\n") + 1)  # what was cut off would spoil the line
            file.seek(0, os.SEEK_END)
            file.write(f"{line_of(event)}\n".encode())
    except (OSError, LogTrouble) as error:
        raise FileTrouble(f"'{path}' can't be marked as done ({error}); delete it") from error


def clean_up(folder: Path, days: float = KEPT_DAYS, most: int = KEPT_BYTES) -> None:
    """Delete the oldest journals of sessions that ended, by their age and by all their bytes."""
    oldest, total = time.time() - days * 86400, 0
    known = []
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):  # another program cleans up, too
            state = path.stat()
            known.append((state.st_mtime, state.st_size, path))
    for written, size, path in sorted(known, reverse=True):
        total += size
        if (written < oldest or total > most) and not is_live(path):
            with suppress(OSError):
                path.unlink()
                total -= size


def _sync_of(known: Callable[[], Journal | None]) -> None:
    journal = known()
    if journal is not None:
        journal.sync()


def _write(file: BinaryIO, lines: bytes) -> None:
    """Append whole lines or nothing; the file is unbuffered."""
    start = file.seek(0, os.SEEK_END)
    try:
        rest = memoryview(lines)
        while rest:
            rest = rest[file.write(rest) :]
    except OSError:
        with suppress(OSError):
            file.truncate(start)
        raise


def _copy(former: BinaryIO, file: BinaryIO, path: Path) -> None:
    """Write all of a deleted file to a new one, and close it; else there is no new one."""
    former.seek(0)
    try:
        _write(file, former.read())
    except OSError:
        file.close()
        path.unlink(missing_ok=True)
        raise
    former.close()


def _lock(file: BinaryIO) -> bool:
    """Lock a file until it is closed; False where somebody else has."""
    try:
        return hold(file.fileno())
    except OSError:  # a disk without locks
        return True
