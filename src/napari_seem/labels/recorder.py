"""The log of one label array: every line is a command with the pixels that it changed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ..values import JsonObject
from .journal import Journal
from .log import FORMAT, PROMPTS, VERSION, WRITTEN, Event, is_unsaved, plain, time_now
from .snapshot import Area, LabelSnapshot, digest_of

if TYPE_CHECKING:
    from ..images import ArraySource

Rows = dict[str, JsonObject]
"""Object id, as text -> what its row of the table says."""
NEVER: Rows = {}


class Recorder:
    """Logs what is done to a label array, so that it can be replayed to the last pixel.

    Before a command the pixels it may touch are compared with what the log knows of them: what
    anybody else changed meanwhile becomes a line `external` of its own. After the command, what it
    has changed is stored with it.

    Parameters
    ----------
    data : integer array-like (..., H, W)
        As it is when the log begins; what it holds is part of the log.
    name : str
        Of the labels.
    rows : mapping, optional
        The table of objects.
    journal : callable, optional
        Given the session's name, gives the `Journal` that takes each event at once, or None.
    empty : bool
        The array is known to hold nothing, and need not be read.
    grid : mapping, optional
        Axes, affine and units of the labels as plain values.
    """

    def __init__(
        self, data: ArraySource, name: str = "", rows: Rows | None = None,
        journal: Callable[[str], Journal | None] = lambda _: None, *, empty: bool = False,
        grid: Mapping[str, object] | None = None,
    ) -> None:  # fmt: skip
        from .. import __version__

        self.events: list[Event] = []
        self.session = uuid.uuid4().hex[:12]
        self.journal = journal(self.session)
        self.busy = False
        self._written = 0
        self._images: dict[str, int] = {}
        self._rows: Rows = NEVER
        self._snapshot = LabelSnapshot(data.shape)
        self._add(
            "open",
            {
                "format": FORMAT, "version": VERSION, "program": f"napari-seem {__version__}",
                "session": self.session, "labels": name, "shape": list(self.shape),
                "dtype": np.dtype(data.dtype).str, "grid": dict(grid or {}),
            },
            None if empty else data, rows=rows,
        )  # fmt: skip

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the labels."""
        return self._snapshot.shape

    @property
    def nbytes(self) -> int:
        """Bytes taken by what is known of the labels."""
        return self._snapshot.nbytes

    @property
    def is_unsaved(self) -> bool:
        """Whether something was changed since the labels were saved last."""
        return is_unsaved(self.events, self._written)

    def fork(self) -> Recorder:
        """Another that knows the same, for a copy of the labels."""
        other = Recorder.__new__(Recorder)
        other.events = list(self.events)
        other.session = self.session
        other.journal, other.busy = None, False
        other._written = self._written
        other._images, other._rows = dict(self._images), self._rows
        other._snapshot = self._snapshot.copy()
        return other

    def image(self, values: Mapping[str, object]) -> int:
        """The number of an image in this log; it is logged when it is seen first."""
        name = str(values["fingerprint"])
        if name not in self._images:
            self._images[name] = len(self._images) + 1
            self._add("image", {"id": self._images[name], **values})
        return self._images[name]

    def sync(
        self, data: ArraySource, area: Area | None = None, entry: Event | None = None,
        rows: Rows | None = None,
    ) -> bool:  # fmt: skip
        """Log what changed in an area, and in the table, that no line tells of.

        Parameters
        ----------
        data : integer array-like (..., H, W)
        area : tuple of slice, optional
            By default everything.
        entry : dict, optional
            What it was: `{"event": "paint"}`; by default `external`, as by a script.
        rows : mapping, optional
            The table as it is now.

        Returns
        -------
        bool
            Whether anything had changed.
        """
        if self.busy:
            return False
        line = {"event": "external"} if entry is None else dict(entry)
        return self._add(line.pop("event"), line, data, area, rows=rows, needed=False)

    @contextmanager
    def writing(
        self, entry: Event, data: ArraySource, area: Area | None = None, *,
        rows: Callable[[], Rows] | None = None,
    ) -> Iterator[None]:  # fmt: skip
        """Log an entry around the code that makes it, which may add to the entry.

        Nothing is noted where neither pixels nor rows of the table change. An event inside another
        one is part of that.

        Parameters
        ----------
        entry : dict
            What is done; `event` names it.
        data : integer array-like (..., H, W)
            The labels, which are changed in place.
        area : tuple of slice, optional
            Where they may change, one slice for each axis; by default anywhere.
        rows : callable, optional
            Gives the table of objects as it is now.
        """
        if self.busy:
            yield
            return
        self.sync(data, area, rows=None if rows is None else rows())
        self.busy = True
        try:
            yield
        except BaseException:
            entry["stored"] = "it was not finished"
            raise
        finally:
            self.busy = False
            changed = None if rows is None else rows()
            details = {key: value for key, value in entry.items() if key != "event"}
            self._add(str(entry["event"]), details, data, area, rows=changed, needed=False)

    def note(self, kind: str, details: Mapping[str, object]) -> None:
        """Note something that changes no labels."""
        self._put(kind, dict(details))

    def uncommitted(self, values: Mapping[str, object]) -> None:
        """Keep prompts that are not committed yet in the journal, for after a crash.

        Parameters
        ----------
        values : mapping
            `plane`, `prompts` and what else tells where they lie; those of a plane replace the
            ones before.
        """
        if self.journal is not None:
            self.journal.put({"event": PROMPTS, "at": time_now(), **plain(values)})

    def describe(self, values: Mapping[str, object]) -> None:
        """Keep in the journal what a layer is, besides its pixels and objects."""
        if self.journal is not None:
            self.journal.describe(plain(values))

    def saved(self, data: ArraySource, name: str, rows: Rows | None = None) -> list[Event]:
        """Log that the labels (..., H, W) were written to a file; gives all lines up to that."""
        self.sync(data, rows=rows)
        digest = digest_of(data)
        self._put("save", {"file": name, "dtype": np.dtype(data.dtype).str, "labels": digest})
        return list(self.events)

    def written(self, count: int, path: str) -> None:
        """The first events are in a file of labels, too; call it in any thread.

        Parameters
        ----------
        count : int
            As many as there were when what was written was taken.
        path : str
        """
        self._written = max(self._written, count)
        if self.journal is not None:
            self.journal.put({"event": WRITTEN, "at": time_now(), "upto": count, "file": path})

    def close(self) -> None:
        """Log that nobody works on the labels any more."""
        if self.events[-1]["event"] != "close":
            self._put("close", {})

    def _add(
        self, kind: str, details: Mapping[str, object], data: ArraySource | None = None,
        area: Area | None = None, *, rows: Rows | None = None, needed: bool = True,
    ) -> bool:  # fmt: skip
        """Log what changed in labels (..., H, W) and rows.

        False if that is nothing and the line is not `needed`.
        """
        line = dict(details)
        patch = None if data is None else self._snapshot.take(data, area)
        changed = self._changed(rows) if rows is not None else {}
        if changed:
            line["objects"] = changed
        if patch is not None and patch.count:
            line |= {"pixels": patch.count, "patch": patch.to_dict()}
        elif not needed and not changed:
            return False
        self._put(kind, line)
        return True

    def _changed(self, rows: Rows) -> dict[str, object]:
        """Rows that are other than before; null for those that are gone."""
        known = self._rows
        new = {k: r for k, r in rows.items() if known.get(k) is not r}
        changed: JsonObject = {k: plain(r) for k, r in new.items() if known.get(k) != r}
        changed |= {key: None for key in known if key not in rows}
        self._rows = rows
        return changed

    def _put(self, kind: str, details: Mapping[str, object]) -> None:
        event = {
            "n": len(self.events) + 1,
            "at": time_now(),
            "event": kind,
            **plain(details),
        }
        self.events.append(event)
        if self.journal is not None:
            self.journal.put(event)
