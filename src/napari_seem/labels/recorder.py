"""Keeps the record of one label array: every event with the pixels that it changed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np

from .log import FORMAT, VERSION, Event, Journal, plain
from .snapshot import Area, LabelSnapshot, digest_of

Rows = dict[str, dict[str, Any]]
"""Object id, as text -> what its row of the table says."""
NEVER: Rows = {}


class Recorder:
    """Notes what is done to a label array, so that it can be replayed to the last pixel.

    Before an event the pixels it may touch are compared with what the record knows of them: what
    anybody else changed meanwhile becomes an event `by_hand` of its own. After it, what it has
    changed is stored with it.

    Parameters
    ----------
    data : integer array-like of two or more axes
        As it is when the record begins; what it holds is part of the record.
    name : str
        Of the labels.
    rows : mapping, optional
        The table of objects.
    journal : Journal, optional
        Takes each event at once.
    empty : bool
        The array is known to hold nothing, and need not be read.
    """

    def __init__(
        self, data: Any, name: str = "", rows: Rows | None = None,
        journal: Journal | None = None, *, empty: bool = False,
    ) -> None:  # fmt: skip
        from .. import __version__

        self.events: list[Event] = []
        self.journal = journal
        self.busy = False
        self._images: dict[str, int] = {}
        self._rows: Rows = NEVER
        self._snapshot = LabelSnapshot(data.shape)
        self._add(
            "opened",
            {
                "format": FORMAT, "version": VERSION, "program": f"napari-seem {__version__}",
                "session": uuid.uuid4().hex[:12], "labels": name, "shape": list(self.shape),
                "dtype": np.dtype(data.dtype).str,
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

    def fork(self) -> Recorder:
        """Another that knows the same, for a copy of the labels."""
        other = Recorder.__new__(Recorder)
        other.events = list(self.events)
        other.journal, other.busy = None, False
        other._images, other._rows = dict(self._images), self._rows
        other._snapshot = self._snapshot.copy()
        return other

    def image(self, told: Mapping[str, Any]) -> int:
        """Number of an image in this record; it is noted when it is seen first."""
        name = str(told["fingerprint"])
        if name not in self._images:
            self._images[name] = len(self._images) + 1
            self._add("image", {"id": self._images[name], **told})
        return self._images[name]

    def sync(self, data: Any, area: Area | None = None, how: str = "otherwise") -> bool:
        """Note what changed in an area that no event tells of; gives whether anything did."""
        if self.busy:
            return False
        patch = self._snapshot.take(data, area)
        if patch.count:
            self._put("by_hand", {"how": how, "pixels": patch.count, "patch": patch.to_dict()})
        return bool(patch.count)

    @contextmanager
    def writing(
        self, kind: str, data: Any, area: Area | None = None, *,
        rows: Callable[[], Rows] | None = None,
    ) -> Iterator[Event]:  # fmt: skip
        """Note an event around the code that makes it; yields details to be filled in.

        Nothing is noted where neither pixels nor rows of the table change. An event inside another
        one is part of that.

        Parameters
        ----------
        kind : str
            What is done: `committed`, `renamed`, ...
        data : integer array-like
            The labels, which are changed in place.
        area : tuple of slice, optional
            Where they may change, one slice for each axis; by default anywhere.
        rows : callable, optional
            Gives the table of objects as it is now.
        """
        details: Event = {}
        if self.busy:
            yield details
            return
        self.sync(data, area)
        moved = {} if rows is None else self._changed(rows())
        if moved:  # such as by undo, which takes rows of the table along
            self._put("by_hand", {"how": "otherwise", "objects": moved})
        self.busy = True
        try:
            yield details
        except BaseException:
            details["stored"] = "it was not finished"
            raise
        finally:
            self.busy = False
            changed = None if rows is None else rows()
            self._add(kind, details, data, area, rows=changed, needed=False)

    def done(
        self, kind: str, data: Any, area: Area | None, details: Mapping[str, Any],
        rows: Rows | None = None,
    ) -> None:  # fmt: skip
        """Note an event that is over: all that changed in its area is its own."""
        self._add(kind, details, data, area, rows=rows, needed=False)

    def note(self, kind: str, details: Mapping[str, Any]) -> None:
        """Note something that changes no labels."""
        self._put(kind, dict(details))

    def saved(self, data: Any, name: str, rows: Rows | None = None) -> list[Event]:
        """Note that the labels were written to a file, and give all events up to that."""
        self.sync(data)
        changed = {"objects": self._changed(rows)} if rows is not None else {}
        self._put("saved", {
            "file": name, "dtype": np.dtype(data.dtype).str, "labels": digest_of(data),
            **({} if not changed.get("objects") else changed),
        })  # fmt: skip
        return list(self.events)

    def _add(
        self, kind: str, details: Mapping[str, Any], data: Any = None, area: Area | None = None,
        *, rows: Rows | None = None, needed: bool = True,
    ) -> None:  # fmt: skip
        told = dict(details)
        patch = None if data is None else self._snapshot.take(data, area)
        changed = self._changed(rows) if rows is not None else {}
        if changed:
            told["objects"] = changed
        if patch is not None and patch.count:
            told |= {"pixels": patch.count, "patch": patch.to_dict()}
        elif not needed and not changed:
            return
        self._put(kind, told)

    def _changed(self, rows: Rows) -> dict[str, Any]:
        """Rows that are other than before; null for those that are gone."""
        known = self._rows
        changed: dict[str, Any] = {k: plain(r) for k, r in rows.items() if known.get(k) != r}
        changed |= {key: None for key in known if key not in rows}
        self._rows = rows
        return changed

    def _put(self, kind: str, details: Mapping[str, Any]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        event = {"n": len(self.events) + 1, "at": now, "event": kind, **plain(details)}
        self.events.append(event)
        if self.journal is not None:
            self.journal.put(event)
