"""A session done again without a display: by what is stored, and by the models that did it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..edits import ObjectRecord, ObjectTable
from ..errors import LogTrouble, NapariSeemError
from ..io.guard import memory
from ..labels.document import LabelDocument
from ..labels.hosts import ArrayHost
from ..labels.log import Event, SessionLog
from ..labels.patches import Patch
from ..labels.snapshot import digest_of
from ..models.running.patience import checkpoint
from ..planes import Plane
from ..values import JsonObject
from .replay_runner import Loader, Pictures, ReplayRunner


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
    run = _Run(session.events[0], loader, pictures)
    for done, event in enumerate(session.events, start=1):
        checkpoint()
        run.do(event)
        progress(done, len(session.events))
    return run.outcome()


class _Run:
    """The labels as recorded and as done again, side by side."""

    def __init__(self, opened: Event, loader: Loader | None, pictures: Pictures | None) -> None:
        try:
            shape, dtype = tuple(int(n) for n in opened["shape"]), np.dtype(opened["dtype"])
            if dtype.kind not in "iu" or min(shape) < 0:
                raise ValueError(f"{dtype} labels of shape {shape}")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise LogTrouble(f"the log lacks the labels' shape ({error!r}); damaged") from None
        if prod(shape) * dtype.itemsize > memory():
            raise LogTrouble(
                f"the log tells of labels of shape {shape}, which are larger than the memory of "
                "this machine; it is damaged, or replay it on a larger machine"
            )
        recorded: npt.NDArray[Any] = np.zeros(shape, dtype)
        self.document = LabelDocument(ArrayHost(recorded, undo_bytes=0))
        self.runner = None if loader is None else ReplayRunner(self.document, loader, pictures)
        self.again = recorded if loader is None else recorded.copy()
        self.rows: dict[int, JsonObject] = {}
        self.differences: list[Difference] = []
        self.redone = 0
        self.stored: list[str] = []

    @property
    def recorded(self) -> npt.NDArray[np.integer]:
        """The labels as the log has them."""
        data: npt.NDArray[Any] = self.document.data
        return data

    def do(self, event: Event) -> None:
        """Do one line of the log."""
        try:
            self._do(event)
        except NapariSeemError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise LogTrouble(
                f"event {event.get('n')} ({event['event']}) lacks something ({error!r}); the log "
                "is damaged; --without-models takes the stored pixels"
            ) from None

    def _do(self, event: Event) -> None:
        patch = Patch.from_dict(event["patch"]) if "patch" in event else Patch.empty()
        if event["event"] == "save":
            self._check_saved(event)
        made, why = None, ""
        self._fit(patch)
        if self.runner is not None:
            self.runner.prepare(event)
            made, why = self.runner.plane(event)
        self._take_rows(event.get("objects", {}))
        if made is not None:
            self._compare(event, patch, made, why)
            return
        if why:
            self.stored.append(f"event {event['n']} ({event['event']}): {why}")
        patch.apply(self.recorded)
        if self.again is not self.recorded:
            patch.apply(self.again)

    def outcome(self) -> Replayed:
        """What came of it."""
        return Replayed(self.again, _table(self.rows), self.differences, self.redone, self.stored)

    def _compare(self, event: Event, patch: Patch, made: npt.NDArray[np.integer], why: str) -> None:
        """Compare a plane that was made again, integer (H, W), with the recorded one."""
        self.redone += 1
        plane = Plane.from_dict(event["plane"])
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

    def _take_rows(self, rows: JsonObject) -> None:
        for key, row in rows.items():
            if row is None:
                self.rows.pop(int(key), None)
            else:
                self.rows[int(key)] = row
        if rows:
            self.document.host.write_table(_table(self.rows))

    def _fit(self, patch: Patch) -> None:
        """Make the arrays wider where values need it, as napari's own conversion does."""
        if not patch.count or self.recorded.dtype.itemsize == 8:
            return
        limits = np.iinfo(self.recorded.dtype)
        if patch.values.min() >= limits.min and patch.values.max() <= limits.max:
            return
        same = self.again is self.recorded
        self.document.host = ArrayHost(
            self.recorded.astype(np.int64), table=self.document.table, undo_bytes=0
        )
        self.document.replaced()
        self.again = self.recorded if same else self.again.astype(np.int64)


def _table(rows: dict[int, JsonObject]) -> ObjectTable:
    return ObjectTable({i: ObjectRecord.from_row(row) for i, row in rows.items()})
