"""A session done again without a display: by what is stored, and by the models that did it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..edits import ObjectRecord, ObjectTable
from ..errors import LogTrouble
from ..labels.log import Event, SessionLog
from ..labels.patches import Patch
from ..labels.provenance import plane_from_dict
from ..labels.snapshot import digest_of
from .redo import Loader, Pictures, ReplayRunner


@dataclass(frozen=True)
class Difference:
    """An event that came out otherwise when it was done again.

    Attributes
    ----------
    event : int
        Its number in the session.
    kind : str
    place : str
        The plane, for people.
    pixels : int
        How many differ.
    first : tuple of int or None
        Where the first of them lies in the labels.
    of : int
        How many pixels the event had changed.
    why : str
        Where it could not be done again.
    """

    event: int
    kind: str
    place: str
    pixels: int
    first: tuple[int, ...] | None = None
    of: int = 0
    why: str = ""

    def __str__(self) -> str:
        where = "" if self.first is None else f", the first at {self.first}"
        place = f" on {self.place}" if self.place else ""
        return (
            f"event {self.event} ({self.kind}){place}: {self.pixels} pixels differ{where}; it "
            f"changed {self.of}" + (f" ({self.why})" if self.why else "")
        )


@dataclass(frozen=True, eq=False)
class Replayed:
    """What came of a session.

    Attributes
    ----------
    labels : integer array
        As they were when the session was saved; what models did is as they do it now.
    table : ObjectTable
    differences : list of Difference
        Empty where everything came out as it was recorded.
    redone : int
        Events that models did again.
    stored : list of str
        What was taken from the record though models were wanted, and why.
    """

    labels: npt.NDArray[Any] = field(repr=False)
    table: ObjectTable
    differences: list[Difference]
    redone: int
    stored: list[str]


def replay(
    session: SessionLog, pictures: Pictures | None = None, loader: Loader | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Replayed:  # fmt: skip
    """Do a session again.

    Every event is done from the state that the record has before it, so that what differs is told
    where it begins and not at everything that follows.

    Parameters
    ----------
    session : SessionLog
    pictures : callable, optional
        Gives the array of an image as a log tells it; `LogTrouble` where it has another.
    loader : callable, optional
        Gives a model by name; without it the stored changes are taken, no image is needed, and
        the outcome is exact.
    progress : callable
        Told how many events of how many are done.

    Raises
    ------
    LogTrouble
        The log is damaged, the image or a model's weights are not those of the record.
    """
    run = _Run(session.events[0], None if loader is None else ReplayRunner(loader, pictures))
    for done, event in enumerate(session.events, start=1):
        run.do(event)
        progress(done, len(session.events))
    return run.outcome()


class _Run:
    """The labels as recorded and as done again, side by side."""

    def __init__(self, opened: Event, redo: ReplayRunner | None) -> None:
        try:
            shape, dtype = tuple(int(n) for n in opened["shape"]), np.dtype(opened["dtype"])
            self.recorded: npt.NDArray[Any] = np.zeros(shape, dtype)
        except (KeyError, TypeError, ValueError) as error:
            raise LogTrouble(f"the log does not tell the labels' shape ({error!r})") from None
        self.again = self.recorded if redo is None else self.recorded.copy()
        self.redo = redo
        self.rows: dict[int, dict[str, Any]] = {}
        self.differences: list[Difference] = []
        self.redone = 0
        self.stored: list[str] = []

    def do(self, event: Event) -> None:
        """Do one event."""
        patch = Patch.from_dict(event["patch"]) if "patch" in event else Patch.empty()
        if event["event"] == "saved":
            self._check_saved(event)
        self._take_rows(event.get("objects", {}))
        if not patch.count and self.redo is None:
            return
        self._fit(patch)
        made, why = None, ""
        if self.redo is not None:
            self.redo.prepare(event, self.recorded)
            made, why = self.redo.plane(event, self.recorded)
        if made is None:
            if why:
                self.stored.append(f"event {event['n']} ({event['event']}): {why}")
            patch.apply(self.recorded)
            if self.again is not self.recorded:
                patch.apply(self.again)
            return
        self._compare(event, patch, made, why)

    def outcome(self) -> Replayed:
        """What came of it."""
        table = ObjectTable({i: ObjectRecord.from_row(row) for i, row in self.rows.items()})
        return Replayed(self.again, table, self.differences, self.redone, self.stored)

    def _compare(self, event: Event, patch: Patch, made: npt.NDArray[Any], why: str) -> None:
        self.redone += 1
        plane = plane_from_dict(event["plane"])
        before = plane.read(self.recorded).copy()
        patch.apply(self.recorded)
        differ = plane.read(self.recorded) != made
        view = plane.read(self.again)
        view[made != before] = made[made != before]
        if differ.any():
            y, x = (int(n) for n in np.argwhere(differ)[0])
            first = tuple(int(n) for n in plane.to_array(y, x))
            at = [str(n) for n in plane.index if n is not None]
            place = f"plane {', '.join(at)}" if at else ""
            told = event["n"], event["event"], place, int(differ.sum()), first, patch.count, why
            self.differences.append(Difference(*told))

    def _check_saved(self, event: Event) -> None:
        if event.get("labels") != digest_of(self.recorded):
            raise LogTrouble(
                f"event {event['n']}: the stored changes do not lead to the labels that were saved "
                "then; the log is damaged"
            )

    def _take_rows(self, rows: dict[str, Any]) -> None:
        for key, row in rows.items():
            if row is None:
                self.rows.pop(int(key), None)
            else:
                self.rows[int(key)] = row

    def _fit(self, patch: Patch) -> None:
        """Make the arrays wider where values need it, as napari's own conversion does."""
        if not patch.count or self.recorded.dtype.itemsize == 8:
            return
        limits = np.iinfo(self.recorded.dtype)
        if patch.values.min() >= limits.min and patch.values.max() <= limits.max:
            return
        same = self.again is self.recorded
        self.recorded = self.recorded.astype(np.int64)
        self.again = self.recorded if same else self.again.astype(np.int64)
