"""What was not saved when a program ended, brought back from the journals in the state folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..edits import ObjectTable
from ..errors import NapariSeemError
from ..images import ArraySource
from ..io.files import open_image
from ..io.grid import Grid, ids_in
from ..io.opened import Opened
from ..io.zarr.label_store import LabelStore
from ..labels.journal import BROUGHT_BACK, is_live
from ..labels.log import SUFFIX, SessionLog, read_log
from ..models.running.patience import checkpoint
from ..palette import Palette
from ..values import JsonObject
from .files import SaveLabels
from .replay import replay

CLOSING = 256
"""The last line of a journal that was closed is shorter than this, in bytes."""
SIDE = 96
"""Rows and columns of a picture."""


@dataclass(frozen=True, eq=False)
class Recovery:
    """A session whose labels were not saved.

    Attributes
    ----------
    path : Path
        Of its journal.
    session : SessionLog
    """

    path: Path
    session: SessionLog = field(repr=False)

    @property
    def labels(self) -> str:
        """The name of the labels."""
        return str(self.session.layer.get("labels") or self.session.events[0].get("labels", ""))

    @property
    def image(self) -> str:
        """The name of the image; "" where nobody knows."""
        return str(self._image.get("name", ""))

    @property
    def source(self) -> Path | None:
        """The file of the image, where it is known."""
        source = self._image.get("source")
        return Path(str(source)) if source else None

    @property
    def folder(self) -> Path | None:
        """The folder that the labels lie in, of labels on disk."""
        folder = self.session.layer.get("folder")
        return Path(str(folder)) if folder else None

    @property
    def saved(self) -> str:
        """The file that the labels came from, or were saved to last."""
        return str(self.session.layer.get("saved", ""))

    @property
    def is_of_series(self) -> bool:
        """Whether the labels belong to a series, which brings them back itself."""
        return bool(self.session.layer.get("series"))

    @property
    def time(self) -> datetime:
        """When the last event happened, in the local time zone."""
        try:
            return datetime.fromisoformat(str(self.session.events[-1]["at"])).astimezone()
        except (KeyError, ValueError):
            return datetime.fromtimestamp(self.path.stat().st_mtime).astimezone()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the labels."""
        return tuple(int(n) for n in self.session.events[0].get("shape", ()))

    @property
    def has_content(self) -> bool:
        """Whether anything would be lost without it."""
        return bool(self.session.is_unsaved or self.session.uncommitted)

    @property
    def prompts(self) -> str:
        """How many prompts were not committed, in words; "" for none."""
        lines = self.session.uncommitted
        own = sum(len(line.get("prompts", ())) for line in lines)
        count = own + sum(len(one["prompts"]) for x in lines for one in x.get("waiting", ()))
        return f"{count} prompt{'s' * (count != 1)} not committed" if count else ""

    @property
    def grid(self) -> Grid:
        """Where the labels lie, as the layer was placed last."""
        known = self.session.layer.get("grid") or self.session.events[0].get("grid", {})
        return Grid.plain(self.shape).placed_by(known)

    @property
    def palette(self) -> Palette:
        """The colours of the classes."""
        return Palette.from_dict(self.session.layer.get("palette"))

    def read(self) -> Recovered:
        """The labels as they were, in any thread.

        Raises
        ------
        LogTrouble
            The journal is damaged.
        FileTrouble
            The folder of labels on disk is gone.
        """
        if self.folder is not None:
            store, table, _ = LabelStore.open(self.folder)
            return Recovered(self, store.array, table, self._opened())
        done = replay(self.session)
        return Recovered(self, done.labels, done.table, self._opened())

    @property
    def _image(self) -> JsonObject:
        named = self.session.layer.get("image")
        if isinstance(named, dict) and named.get("name"):
            return named
        logged = [event for event in self.session.events if event["event"] == "image"]
        return logged[-1] if logged else {}

    def _opened(self) -> Opened | None:
        """The image, where its file is there and fits; its pixels are not read."""
        source = self.source
        if source is None or not source.exists():
            return None
        with suppress(NapariSeemError, OSError, ValueError):
            opened = open_image(source)
            return opened if opened.grid.shape == self.shape else None
        return None


@dataclass(frozen=True, eq=False)
class Recovered:
    """Labels that were brought back.

    Attributes
    ----------
    recovery : Recovery
    labels : integer array (..., H, W)
    table : ObjectTable
    opened : Opened or None
        The image, where its file was found.
    """

    recovery: Recovery
    labels: ArraySource = field(repr=False)
    table: ObjectTable
    opened: Opened | None

    @property
    def count(self) -> int:
        """How many objects there are, with and without a row in the table."""
        ids = ids_in(self.labels) if isinstance(self.labels, np.ndarray) else set()
        return len(ids | {label_id for label_id, _ in self.table.items()})

    @property
    def grid(self) -> Grid:
        """That of the image's file where the labels lie on it, else that of the layer."""
        own = self.recovery.grid
        if self.opened is None or not np.allclose(self.opened.grid.matrix, own.matrix):
            return own
        return self.opened.grid

    def save(self, path: Path) -> list[Path]:
        """Write the labels to a file; raises as `SaveLabels.run`."""
        about = {"recovered": self.recovery.path.name}
        order = SaveLabels(path, self.labels, self.table, self.recovery.palette, self.grid, about)
        return order.run()

    def picture(self) -> npt.NDArray[np.uint8]:
        """A picture of the plane with most labels over its image, (rows, columns, 3)."""
        lead, plane = self._fullest()
        step = max(1, -(-max(plane.shape) // SIDE))
        starts = [np.arange(0, n, step) for n in plane.shape]  # the highest id of each square
        ids = np.maximum.reduceat(plane, starts[0], axis=0)
        ids = np.maximum.reduceat(ids, starts[1], axis=1)
        grey = np.full((*ids.shape, 3), 40, np.uint8)
        with suppress(NapariSeemError, OSError, ValueError, IndexError):
            grey = self._under(lead, step, grey)
        inside = ids != 0
        hue = (ids[inside].astype(np.float64) * 0.618034 % 1.0)[:, None] * 2 * np.pi
        colour = 150 + 100 * np.cos(hue + np.array([0.0, 2.1, 4.2]))
        grey[inside] = (0.4 * grey[inside] + 0.6 * colour).astype(np.uint8)
        return grey

    def _fullest(self) -> tuple[tuple[int, ...], npt.NDArray[np.integer]]:
        """The plane with most labels, (H, W), and where it is; on disk, the one changed last."""
        shape = self.labels.shape
        if isinstance(self.labels, np.ndarray):
            counts = np.count_nonzero(self.labels, axis=(-2, -1))
            lead = tuple(
                int(n) for n in np.unravel_index(int(np.argmax(counts)), shape[:-2] or (1,))
            )
            lead = lead[: len(shape) - 2]
        else:
            planes = (event.get("plane") for event in reversed(self.recovery.session.events))
            known = next((one for one in planes if isinstance(one, dict)), {})
            lead = tuple(int(n or 0) for n in known.get("at", ())[:-2]) or (0,) * (len(shape) - 2)
        return lead, np.asarray(self.labels[lead])

    def _under(
        self, lead: tuple[int, ...], step: int, empty: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.uint8]:
        """The plane of the image, uint8 (rows, columns, 3)."""
        if self.opened is None:
            return empty
        data, axis = self.opened.data, self.opened.channel_axis
        index: list[Any] = [
            *(int(n) for n in lead),
            slice(None, None, step),
            slice(None, None, step),
        ]
        if axis is not None:
            index.insert(axis, 0)
        plane = np.asarray(data[tuple(index)], np.float64)
        low, high = np.percentile(plane[np.isfinite(plane)], (1, 99))
        grey = np.clip((plane - low) / max(high - low, 1e-9), 0, 1) * 255
        return np.repeat(np.nan_to_num(grey).astype(np.uint8)[..., None], 3, axis=-1)


def left_behind(folder: Path, *, every: bool = False) -> list[Path]:
    """The journals of sessions that nobody works on and that were not closed, the latest first.

    Parameters
    ----------
    folder : Path
        Of the journals.
    every : bool
        Those of labels that were discarded or removed as well.
    """
    known = []
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):  # another program may delete it
            if path.is_file():  # no pipe, which would be waited for
                known.append((path.stat().st_mtime, path))
    found = [path for _, path in sorted(known, reverse=True)]
    return [path for path in found if (every or not is_closed(path)) and not is_live(path)]


def recoveries(folder: Path, *, every: bool = False) -> list[Recovery]:
    """What was not saved, the latest first; journals that can't be read are left out.

    Parameters
    ----------
    folder : Path
        Of the journals.
    every : bool
        What was discarded, and labels that were removed without being saved, as well; but not
        what was brought back.
    """
    return list(each_recovery(folder, every=every))


def each_recovery(folder: Path, *, every: bool = False) -> Iterator[Recovery]:
    """Yield what was not saved as it is read; see `recoveries`."""
    for path in left_behind(folder, every=every):
        checkpoint()
        try:
            session = read_log(path)[-1]
        except (NapariSeemError, OSError):
            continue
        if session.events[-1].get("why") == BROUGHT_BACK:  # another journal goes on with it
            continue
        one = Recovery(path, _reopened(session) if every else session)
        if one.has_content:
            yield one


def is_closed(path: Path, why: str = "") -> bool:
    """Whether the last line of a journal closes it, without reading the others.

    Parameters
    ----------
    path : Path
    why : str
        For this reason; by default for any.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - CLOSING))
        last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    return b'"event": "close"' in last and (not why or f'"why": "{why}"'.encode() in last)


def _reopened(session: SessionLog) -> SessionLog:
    """A session without the lines that closed it."""
    events = list(session.events)
    while len(events) > 1 and events[-1]["event"] == "close":
        events.pop()
    return replace(session, events=events)
