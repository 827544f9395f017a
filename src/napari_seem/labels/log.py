"""The log: JSON lines, an event each, grouped in sessions; read with care, written whole."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

from ..checks import as_path
from ..errors import LogTrouble
from ..io.formats import ending
from ..io.guard import check_file, reading
from ..io.writing.whole import replacing
from ..io.zarr.read import is_ome_zarr
from ..values import JsonObject
from .legacy import upgraded

FORMAT = "napari-seem log"
VERSION = 2
SUFFIX = ".log.jsonl"
LOG_BYTES = 1 << 31
"""Largest log that is read."""
PROMPTS, LAYER, WRITTEN = "prompts", "layer", "written"
ASIDE = (PROMPTS, LAYER, WRITTEN)
"""Lines of a journal without a number, of which the last count: prompts that were not committed,
what is known of the layer, and how many events are in its file."""
OPENED = ("open", "opened")
NEAR = 2
"""The path of an image is kept relative to the log if it leads at most this many folders up."""
Event = JsonObject
CHANGES, CONTENT = ("paint", "recovered"), {"patch", "objects"}
"""Events that change labels, even where their line holds none of the keys of what was changed."""


@dataclass(frozen=True, eq=False)
class SessionLog:
    """What was done to one Labels layer from when it was first worked on.

    Attributes
    ----------
    events : list of dict
        The first is `open`; all in the form of this version.
    prompts : list of dict
        The latest line of each plane that tells of prompts which were not committed.
    layer : dict
        What the journal knows of the layer: `labels` (its name), `grid`, `palette`, `saved` (its
        file), `folder` (of labels on disk), `image` (name and source), `series`.
    written : int
        The number of the last event that is in a file of labels, too.
    cut_off : bool
        The last line was not written to its end, as in a program that died; it is left out.
    """

    events: list[Event] = field(repr=False)
    cut_off: bool = False
    prompts: list[Event] = field(default_factory=list, repr=False)
    layer: Event = field(default_factory=dict, repr=False)
    written: int = 0

    @property
    def is_unsaved(self) -> bool:
        """Whether something was changed that is in no file of labels."""
        return is_unsaved(self.events, self.written)

    @property
    def uncommitted(self) -> list[Event]:
        """The prompts of each plane that were not committed when the log ends."""
        return [line for line in self.prompts if line.get("prompts") or line.get("waiting")]

    @property
    def name(self) -> str:
        """What tells the session from others."""
        return str(self.events[0]["session"])


def time_now() -> str:
    """The time of an event, ISO 8601 to the millisecond, in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def line_of(event: Event) -> str:
    """An event as a line, without its end."""
    return json.dumps(plain(event), ensure_ascii=False, allow_nan=False)


def plain(value: object) -> Any:
    """Anything as what JSON holds: numbers that are none become null, other things text."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (set, frozenset)):
        value = sorted(value)
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def read_log(path: str | PathLike[str]) -> list[SessionLog]:
    """Read the sessions of a log, oldest first.

    Raises
    ------
    LogTrouble
        An empty file, a damaged or missing line, a file of another kind or a newer version.
    """
    path = as_path(path)
    with reading(path, "as a log of napari-seem", LogTrouble, "restore the file from a copy"):
        return _read(path)


def _read(path: Path) -> list[SessionLog]:
    *lines, last = _text(path).split("\n")
    sessions: list[list[Event]] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            _put(sessions, _event(line, path, number), path, number)
    cut_off = False
    if last.strip():
        try:
            _put(sessions, _event(last, path, len(lines) + 1), path, len(lines) + 1)
        except LogTrouble:
            cut_off = bool(sessions)
            if not cut_off:
                raise
    if not sessions:
        raise LogTrouble(f"'{path}' is empty; give a log that napari-seem wrote beside labels")
    read = [_session(events) for events in sessions]
    return [*read[:-1], replace(read[-1], cut_off=cut_off)]


def is_unsaved(events: Sequence[Event], written: int = 0) -> bool:
    """Whether pixels or objects were changed after the event that was in a file last."""
    for event in reversed(events):
        if event["event"] == "close" or event["n"] <= written:
            return False
        if event["event"] in CHANGES or (event["event"] not in OPENED and CONTENT & event.keys()):
            return True
    return False


def _session(lines: Sequence[Event]) -> SessionLog:
    """A session of its lines; prompts are left out once they were committed."""
    prompts: dict[str, Event] = {}
    last: dict[str, Event] = {}
    for line in lines:
        last[line["event"]] = line
        if line["event"] == PROMPTS:
            prompts[json.dumps([line.get("image"), line.get("plane")], sort_keys=True)] = line
        elif line["event"] in ("commit", "committed"):
            prompts = {key: _uncommitted(known, line) for key, known in prompts.items()}
    events = upgraded([line for line in lines if line["event"] not in ASIDE])
    written = last.get(WRITTEN, {}).get("upto", 0)
    if LAYER not in last:  # of a version that did not tell whether the file was written in the end
        written = max((event["n"] for event in events if event["event"] == "save"), default=0)
    return SessionLog(
        events, prompts=list(prompts.values()), layer=last.get(LAYER, {}), written=int(written)
    )


def _uncommitted(line: Event, commit: Event) -> Event:
    """A line of prompts without those of a commit, which are known by their identifiers."""
    if line.get("plane") != commit.get("plane"):
        return line
    uids = {one.get("uid") for one in commit.get("prompts", ())}
    waiting = line.get("waiting", ())
    left = [one for one in waiting if not uids & {p.get("uid") for p in one["prompts"]}]
    kept = [p for p in line.get("prompts", ()) if p.get("uid") not in uids]
    return {**line, "prompts": kept, "waiting": left}


def _text(path: Path) -> str:
    if not path.exists():
        raise LogTrouble(f"there is no file '{path}'; check its path")
    try:
        check_file(path, LOG_BYTES)
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise LogTrouble(f"'{path}' is not a log of napari-seem: it is not text") from None


def log_path(labels: Path) -> Path:
    """Where the log of a label file lies; of labels in an OME-Zarr image, beside the image."""
    folder, kind = labels.parent, ending(labels)
    stem = labels.name[: len(labels.name) - len(kind)]
    if folder.name == "labels" and is_ome_zarr(folder.parent):
        image = folder.parent
        return image.with_name(f"{image.name.removesuffix('.zarr')}.{stem}{SUFFIX}")
    return labels.with_name(stem + SUFFIX)


def write_log(path: Path, events: Sequence[Event]) -> Path:
    """Write a session to a log; sessions that are there already stay, above it.

    Lines of the same session are replaced, so that a session can be saved again and again. What
    stands there and can't be read stays as it is.

    Raises
    ------
    FileTrouble
        The disk is full, the folder read-only; what was there is as it was.
    """
    with replacing(texts={path: log_text(path, events)}):
        return path


def log_text(path: Path, events: Sequence[Event]) -> str:
    """The text of a log with the lines of a session, as `write_log` writes it."""
    own = str(events[0]["session"])
    try:
        former = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")[:-1]
    except FileNotFoundError:
        former = []
    lines = [*_others(former, own), *(line_of(_near(event, path.parent)) for event in events)]
    return "\n".join(lines) + "\n"


def _event(line: str, path: Path, number: int) -> Event:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LogTrouble(
            f"line {number} of '{path}' is damaged ({error}); restore the file from a copy"
        ) from None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise LogTrouble(f"line {number} of '{path}' is not an event of a napari-seem log")
    return event


def _put(sessions: list[list[Event]], event: Event, path: Path, number: int) -> None:
    """Put an event to its session, checking that none is missing before it."""
    if event["event"] in OPENED:
        if event.get("format") != FORMAT:
            raise LogTrouble(f"line {number} of '{path}' is not of a napari-seem log")
        if not isinstance(event.get("version"), int) or event["version"] > VERSION:
            raise LogTrouble(
                f"'{path}' was written in version {event.get('version')} of the log; this "
                f"napari-seem reads up to {VERSION}; update it"
            )
        sessions.append([])
    elif not sessions:
        raise LogTrouble(f"line {number} of '{path}': the first line must be 'open'")
    if event["event"] in ASIDE:
        sessions[-1].append(event)
        return
    due = _last_number(sessions[-1]) + 1
    if event.get("n") != due:
        raise LogTrouble(
            f"line {number} of '{path}' is event {event.get('n')}, where {due} should be; lines "
            "are missing; restore the file from a copy"
        )
    sessions[-1].append(event)


def _last_number(events: Sequence[Event]) -> int:
    """The number of the last event that has one."""
    return next((int(e["n"]) for e in reversed(events) if e["event"] not in ASIDE), 0)


def _others(lines: Sequence[str], own: str) -> list[str]:
    """The lines of a log but for those of one session."""
    kept, mine = [], False
    for line in lines:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = {}
        if isinstance(event, dict) and event.get("event") in OPENED:
            mine = event.get("session") == own
        if not mine:
            kept.append(line)
    return kept


def _near(event: Event, folder: Path) -> Event:
    """Tell where the image lies from the log's own folder, or by its name; never who has it."""
    if event["event"] != "image" or not event.get("source"):
        return event
    source = Path(event["source"])
    return {**event, "source": _way(source, folder.resolve()) or source.name}


def _way(source: Path, folder: Path) -> str:
    """The way from a folder to a file nearby; "" where it leads far, or past a person's home."""
    try:
        common = Path(os.path.commonpath([source, folder]))
    except ValueError:  # on another drive, or not absolute
        return ""
    past_home = common != Path.home() and Path.home().is_relative_to(common)
    way = Path(os.path.relpath(source, folder))
    return "" if past_home or way.parts.count("..") > NEAR else way.as_posix()
