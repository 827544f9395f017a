"""The one owner of a label array: every change to its pixels, objects and colours."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from ..edits import ObjectRecord, ObjectTable, check_labels, now
from ..errors import FileTrouble, InvalidLabels
from ..palette import Palette
from ..planes import Plane
from .changes import Change, Transaction, change_made, differences, plane_edit
from .history import UndoHistory
from .hosts import LabelHost
from .objects import (
    NewObject,
    free_pixels,
    highest_id,
    object_edit,
    objects_block,
    plane_block,
    read_plane,
    relabelled,
)
from .plans import Plan, counted
from .recorder import Recorder
from .undo import Block, around


class LabelDocument:
    """A label array with its objects, classes and colours, their undo and their log.

    It works the same on an array, on labels in a folder and on a layer of napari.

    Parameters
    ----------
    host : LabelHost
        Keeps pixels, table and palette.
    log : Recorder or None
        Where the changes are logged; None logs nothing.
    empty : bool
        The array is known to hold nothing, and need not be read for a free id.

    Attributes
    ----------
    changed : Signal(Change)
        Something was done, undone or redone, by whomever.
    history : UndoHistory
        What undo and redo would do.
    """

    changed = Signal(Change)

    def __init__(
        self, host: LabelHost, log: Recorder | None = None, *, empty: bool = False
    ) -> None:
        self.host, self.log = host, log
        self._highest: int | None = 0 if empty else None
        self._open: Transaction | None = None
        self.history = UndoHistory(host, log, self.changed.emit)

    @property
    def name(self) -> str:
        """The name of the labels."""
        return self.host.name

    @property
    def data(self) -> Any:
        """The label array; change it through this document only."""
        return self.host.data

    @property
    def table(self) -> ObjectTable:
        """The table of objects; change it through this document only."""
        return self.host.read_table()

    @property
    def palette(self) -> Palette:
        """The palette, with a colour for every class of the table."""
        palette = self.host.palette
        full = palette.with_classes(record.class_name for _, record in self.table.items())
        if full is not palette:
            self.host.write_palette(full)
        return full

    @property
    def busy(self) -> bool:
        """Whether a transaction is open."""
        return self._open is not None

    def next_id(self, plane: Plane | None = None) -> int:
        """The lowest id above all that are used.

        The array is read as a whole once at most; what a script writes into planes that are not
        shown goes unnoticed.

        Parameters
        ----------
        plane : Plane, optional
            A plane whose pixels are looked at in any case.
        """
        if self._highest is None:
            self._highest = highest_id(self.data)
        elsewhere = self._highest_elsewhere(plane)
        return max(self._highest, self.history.highest, elsewhere, *self.table) + 1

    @contextmanager
    def transaction(
        self, title: str, entry: Mapping[str, object] | None = None, block: Block | None = None
    ) -> Iterator[Transaction]:
        """Make changes that are one step of undo and one line of the log, or none at all.

        Within another transaction it is part of that one.

        Parameters
        ----------
        title : str
            What is undone, as a person would say it: "rename 'cell' to 'nucleus'".
        entry : mapping, optional
            The line of the log; its `event` tells what was done.
        block : tuple of slice, optional
            Where pixels may change; by default anywhere.

        Raises
        ------
        FileTrouble
            A disk refuses the pixels; everything is as it was.
        """
        if self._open is not None:
            yield self._open
            return
        transaction = Transaction(self.host, entry or {"event": "write"})
        with self._logged(transaction, block):
            done = yield from self._run(title, transaction)
        if done is not None:
            self.host.refresh()
            self.changed.emit(done)

    def write_objects(
        self, plane: Plane, objects: Sequence[NewObject], *, overwrite: bool = False,
        replaces: bool = False, entry: Mapping[str, object] | None = None,
        colours: Mapping[str, str] = MappingProxyType({}),
    ) -> list[int]:  # fmt: skip
        """Write objects of one plane in one transaction.

        Parameters
        ----------
        plane : Plane
            Of the label array.
        objects : sequence of NewObject
        overwrite : bool
            Take pixels from other objects; otherwise they keep theirs.
        replaces : bool
            The objects were there before: their old pixels on this plane go.
        entry : mapping, optional
            The line of the log.
        colours : mapping of str to str
            Classes that get another colour, "#rrggbb".

        Returns
        -------
        list of int
            Ids of those that got at least one pixel.

        Raises
        ------
        InvalidLabels
            Before anything is written: the array can't take an id, or every pixel of every
            object belongs to another one.
        """
        self.host.check_writable()
        for new in objects:
            check_labels(self.data, new.label_id)
        if not any(free_pixels(self.data, plane, n, overwrite=overwrite).any() for n in objects):
            raise InvalidLabels(
                "every pixel of the object already belongs to another one; tick 'overwrite other "
                "objects' to take them"
            )
        whole = None if replaces else objects_block(plane, self.data.shape, objects)
        block = whole or plane_block(plane, self.data.shape)
        title = f"object {objects[0].label_id}" if len(objects) == 1 else counted(len(objects))
        written: list[int] = []
        with self.transaction(title, entry, block) as transaction:
            if colours:
                transaction.set_colours(colours)
            for new in objects:
                if not free_pixels(self.data, plane, new, overwrite=overwrite).any():
                    continue
                edit = object_edit(self.data, plane, new, overwrite=overwrite, replaces=replaces)
                transaction.write(edit)
                record = replace(new.record, time=new.record.time or now())
                transaction.set_rows({new.label_id: record})
                written.append(new.label_id)
            transaction.entry |= {
                "plane": plane.to_dict(), "ids": [new.label_id for new in objects],
                "overwrite": overwrite, "replaces": replaces,
            }  # fmt: skip
        return written

    def write_plane(
        self, plane: Plane, values: npt.NDArray[np.integer], only: Sequence[int] | None = None,
        *, title: str = "labels of a plane", entry: Mapping[str, object] | None = None,
        rows: Mapping[int, ObjectRecord | None] | None = None,
    ) -> npt.NDArray[np.int32]:  # fmt: skip
        """Replace the labels of a whole plane.

        Of labels in a folder this can't be undone: many whole planes would fill the memory.

        Parameters
        ----------
        plane : Plane
        values : integer array (H, W)
        only : sequence of int, optional
            Change pixels of these objects, and empty ones, only.
        title, entry
            As for `transaction`.
        rows : mapping, optional
            Rows of the table that change with it.

        Returns
        -------
        int32 array (H, W)
            What was there before.

        Raises
        ------
        InvalidLabels
            Before anything is written: an id is too large for the array.
        """
        present = self.read_plane(plane)
        wanted = np.asarray(values)
        if only is not None:
            free = (present == 0) | np.isin(present, only)
            wanted = np.where(free, np.where(np.isin(wanted, only), wanted, 0), present)
        changed = wanted != present
        if not changed.any() and not rows:
            return present
        self.host.check_writable()
        self._check_fits(int(wanted.max(initial=0)))
        block = plane_block(plane, self.data.shape)
        with self.transaction(title, entry, block) as transaction:
            transaction.entry["plane"] = plane.to_dict()
            transaction.set_rows(rows or {})
            if self.host.store is not None:
                ordered = wanted.T if plane.transposed else wanted
                transaction.write_block(block, ordered.reshape([s.stop - s.start for s in block]))
            elif changed.any():
                transaction.write(plane_edit(plane, present, wanted, self.data.dtype))
        return present

    def read_plane(self, plane: Plane) -> npt.NDArray[np.int32]:
        """The labels of a plane, int32 (H, W)."""
        return read_plane(self.data, plane)

    def apply(
        self, plan: Plan, blocks: Iterable[Block] = (), entry: Mapping[str, object] | None = None
    ) -> Change | None:
        """Rename, merge, delete or recolour as planned, in one transaction.

        Parameters
        ----------
        plan : Plan
        blocks : iterable of tuple of slice
            Blocks that hold every pixel of the objects in `plan.pixels`.
        entry : mapping, optional
            The line of the log.

        Returns
        -------
        Change or None
            None where nothing changed.

        Raises
        ------
        InvalidLabels
            Pixels are to change in an array that can't be written; nothing is changed then.
        FileTrouble
            A disk refuses the pixels; they are as they were.
        """
        if plan.pixels:
            self.host.check_writable()
        parts = list(blocks) if plan.pixels else []
        seen: list[Change] = []
        line = entry or {"event": plan.kind, "title": plan.title}
        with (
            self.listening(seen.append),
            self.transaction(plan.title, line, around(parts, len(self.data.shape))) as transaction,
        ):
            for block in parts:
                transaction.write(relabelled(self.data, block, plan.pixels))
            transaction.set_colours(plan.colours)
            transaction.set_rows(plan.rows)
        return seen[-1] if seen else None

    def note(self, entry: Mapping[str, object], blocks: Iterable[Block] = ()) -> None:
        """Log something that changes nothing but reads the pixels of some blocks."""
        if self.log is not None:
            for block in blocks:
                self.log.sync(self.data, block)
            self.log.note(str(entry["event"]), {k: v for k, v in entry.items() if k != "event"})

    @contextmanager
    def listening(self, slot: Callable[[Change], object]) -> Iterator[None]:
        """Call a function with every change that is made inside."""
        self.changed.connect(slot)
        try:
            yield
        finally:
            self.changed.disconnect(slot)

    def undo(self) -> str:
        """Undo what was done last, here or with napari's own tools; gives its title."""
        return self.history.undo()

    def redo(self) -> str:
        """Redo what was undone last; gives its title."""
        return self.history.redo()

    def notice(self) -> None:
        """Look for what others did to the pixels; the host calls it."""
        if self._open is None:
            self.history.notice()

    def replaced(self) -> None:
        """The host was given another array: nothing is known of it."""
        self._highest = None
        self.history.host = self.host
        self.history.replaced()

    def _run(self, title: str, transaction: Transaction) -> Generator[Transaction, None, object]:
        """Open a transaction, make it one step of undo; returns the change, None for nothing."""
        host, undo = self.host, self.host.undo
        table, palette, others = host.read_table(), host.palette, host.other_columns()
        self._open, mark, change = transaction, None, None
        try:
            with undo.step():
                try:
                    yield transaction
                    transaction.finish()
                except BaseException as error:  # half a change is none
                    undo.abandon(transaction.edits, error)
                    host.write_palette(palette)
                    _restore_table(host, table, others)
                    if host.store is not None:
                        host.store.settle()
                    raise _explained(error, host.name) from error
                if self._highest is not None:
                    self._highest = max(self._highest, transaction.highest)
                change = change_made(title, transaction, table, palette, host)
                if change is not None and transaction.can_be_undone:
                    mark = undo.mark()
        finally:
            self._open = None
            self.history.remember()
        if change is not None and transaction.can_be_undone:
            self.history.keep(change, mark, others)
        return change

    @contextmanager
    def _logged(self, transaction: Transaction, block: Block | None) -> Iterator[None]:
        if self.log is None:
            yield
            return
        with self.log.writing(transaction.entry, self.data, block, rows=self.host.rows):
            yield

    def _highest_elsewhere(self, plane: Plane | None) -> int:
        """The highest id that came otherwise; what lies on disk is not read for it."""
        if self.host.store is not None:
            return self.host.store.highest
        return 0 if plane is None else int(np.max(plane.read(self.data), initial=0))

    def _check_fits(self, highest: int) -> None:
        dtype = np.dtype(self.data.dtype)
        largest = np.iinfo(dtype).max if dtype.kind in "ui" else 1
        if highest > largest:
            raise InvalidLabels(
                f"'{self.name}' of type {dtype} can't hold the id {highest}; convert it to a "
                "wider type (right click, Convert data type)"
            )


def _restore_table(host: LabelHost, table: ObjectTable, others: object) -> None:
    if differences(dict(host.read_table().items()), dict(table.items())):
        host.write_table(table, others)


def _explained(error: BaseException, name: str) -> BaseException:
    """What a disk's refusal means for the person; other errors as they are."""
    if not isinstance(error, OSError) or isinstance(error, FileTrouble):
        return error
    return FileTrouble(f"the pixels of '{name}' can't be written ({error}); nothing was changed")
