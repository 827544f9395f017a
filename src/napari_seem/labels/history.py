"""Undo and redo of a label document, and the one place that notices what others did."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from .changes import Change, with_rows
from .hosts import LabelHost
from .log import Event
from .recorder import Recorder
from .undo import STEPS, Block, Step, around, planes_in

if TYPE_CHECKING:
    from pandas import DataFrame


PAINTING = "painting"
"""The title of strokes that a person made with napari's own tools."""


@dataclass(frozen=True, eq=False)
class _Done:
    """A transaction as undo needs it: pixels are kept by the backend, which knows it by `mark`.

    `other_columns` are those of the rows that come back when it is undone, or redone.
    """

    change: Change
    mark: Any
    other_columns: Any


class UndoHistory:
    """Undo and redo of pixels, rows and colours together, whoever changed the pixels.

    Parameters
    ----------
    host : LabelHost
        Its undo backend keeps the pixels, and knows transactions by their marks.
    log : Recorder or None
    tell : callable
        Called with every `Change` that is not made by a transaction.
    """

    def __init__(
        self, host: LabelHost, log: Recorder | None, tell: Callable[[Change], None]
    ) -> None:
        self.host, self.log = host, log
        self.highest = 0
        self._tell = tell
        self._done: deque[_Done] = deque(maxlen=STEPS)
        self._undone: deque[_Done] = deque(maxlen=STEPS)
        self._seen_done: list[Any] = []
        self._seen_undone: list[Any] = []
        self._pending: list[tuple[Block, Event]] = []
        self.remember()

    @property
    def undo_title(self) -> str:
        """What undo would take back; "" for nothing."""
        return _title(self._done, self.host.undo.done)

    @property
    def redo_title(self) -> str:
        """What redo would bring back; "" for nothing."""
        return _title(self._undone, self.host.undo.undone)

    def undo(self) -> str:
        """Undo what was done last, by this document or with napari's tools; gives its title."""
        title = self.undo_title
        if self._done and self._done[-1].mark is None:
            self._travel(self._done, self._undone, "undone")
        elif title:
            self.host.undo.undo()
            self.notice()
            self.host.refresh()
        return title

    def redo(self) -> str:
        """Redo what was undone last; gives its title."""
        title = self.redo_title
        if self._undone and self._undone[-1].mark is None:
            self._travel(self._undone, self._done, "redone")
        elif title:
            self.host.undo.redo()
            self.notice()
            self.host.refresh()
        return title

    def notice(self) -> None:
        """Look for what others did: strokes with napari's tools, and its own undo and redo.

        The host calls it; it is the one place where such changes are seen.
        """
        self._note_pending()
        undo = self.host.undo
        done, undone = list(undo.done), list(undo.undone)
        back = [step for step in reversed(undone) if _contains(self._seen_done, step[0])]
        forward = [step for step in done if _contains(self._seen_undone, step[0])]
        painted = [
            step for step in done
            if not _contains(self._seen_done, step[0])
            and not _contains(self._seen_undone, step[0])
        ]  # fmt: skip
        self.remember()
        for step in back:
            self._moved(step, "undone")
        for step in forward:
            self._moved(step, "redone")
        for step in painted:
            self._painted(step)

    def replaced(self) -> None:
        """The host has other pixels: nothing is known of them."""
        self.highest = 0
        self._pending.clear()
        steps = [*self.host.undo.done, *self.host.undo.undone]
        marks = [part for step in steps for part in step]
        for kept in (self._done, self._undone):  # what the backend forgot can't be undone
            known = [one for one in kept if one.mark is None or _contains(marks, one.mark)]
            kept.clear()
            kept.extend(known)
        self.remember()

    def keep(self, change: Change, mark: object, others: DataFrame | None) -> None:
        """Remember a transaction, and others' columns of the table from before it."""
        self.remember()
        gone = [i for i, (_, new) in change.rows.items() if new is None]
        lost = None if others is None else others[others.index.isin(gone)]
        self._done.append(_Done(replace(change, edits=()), mark, lost))
        self._undone.clear()

    def remember(self) -> None:
        """Take the backend's steps for known."""
        undo = self.host.undo
        self._seen_done = [step[0] for step in undo.done if len(step)]
        self._seen_undone = [step[0] for step in undo.undone if len(step)]

    def _travel(
        self, source: deque[_Done], target: deque[_Done], state: Literal["undone", "redone"],
        blocks: Sequence[Block] = (), event: Event | None = None,
    ) -> None:  # fmt: skip
        """Undo or redo the last transaction's rows and colours."""
        step = source.pop()
        change, side = step.change, int(state == "redone")
        gone = [i for i, pair in change.rows.items() if pair[side] is None]
        target.append(replace(step, other_columns=self.host.other_columns(gone)))
        if change.colours:
            colours = {name: pair[side] for name, pair in change.colours.items()}
            self.host.write_palette(self.host.palette.changed(colours))
        if change.rows:
            rows = {i: pair[side] for i, pair in change.rows.items()}
            self.host.write_table(with_rows(self.host.read_table(), rows), step.other_columns)
        kind = "undo" if state == "undone" else "redo"
        self._note(blocks, event or {"event": kind, "title": change.title}, rows=bool(change.rows))
        self.host.refresh()
        self._tell(replace(change, state=state))

    def _moved(self, step: Step, state: Literal["undone", "redone"]) -> None:
        """A step of the pixels was undone or redone: rows and colours go along."""
        blocks = self.host.undo.blocks(step)
        source, target = (
            (self._done, self._undone) if state == "undone" else (self._undone, self._done)
        )
        known = bool(source) and source[-1].mark is not None and step[-1] is source[-1].mark
        title = source[-1].change.title if known else PAINTING
        event = {"event": "undo" if state == "undone" else "redo", "title": title}
        if known:
            self._travel(source, target, state, blocks, event)
            return
        self._note(blocks, event)
        self._tell(Change(PAINTING, state, planes=planes_in(blocks)))

    def _painted(self, step: Step) -> None:
        """A stroke was made with napari's own tools."""
        undo = self.host.undo
        self._undone.clear()
        self.highest = max(self.highest, undo.highest(step))
        blocks = undo.blocks(step)
        self._note(blocks, {"event": "paint"})
        self._tell(Change(PAINTING, planes=planes_in(blocks)))

    def _note(self, blocks: Sequence[Block], event: Event, *, rows: bool = False) -> None:
        """Log pixels, and rows, that changed outside of a transaction."""
        if self.log is None or not (blocks or rows):
            return
        block = around(blocks, len(self.host.data.shape))
        table = self.host.rows() if rows else None
        if not self.log.sync(self.host.data, block, event, table):
            # napari tells of some strokes before they are made
            self._pending.append((block, event))

    def _note_pending(self) -> None:
        pending, self._pending = self._pending, []
        for block, event in pending:
            if self.log is not None:
                self.log.sync(self.host.data, block, event)


def _contains(items: Sequence[object], item: object) -> bool:
    return any(one is item for one in items)


def _title(transactions: deque[_Done], steps: Sequence[Step]) -> str:
    last = transactions[-1] if transactions else None
    if last is not None and (last.mark is None or (steps and steps[-1][-1] is last.mark)):
        return last.change.title
    return PAINTING if steps else ""
