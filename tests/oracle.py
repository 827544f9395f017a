"""What labels, their objects and colours should be: plain arrays and dictionaries, and a list."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_seem.edits import ObjectRecord


@dataclass(eq=False)
class Step:
    """One thing that was done: values before and after of what it changed."""

    where: Any
    old: Any
    new: Any
    rows: dict[int, tuple[Any, Any]]
    colours: dict[str, tuple[Any, Any]]
    cells: dict[int, str] = field(default_factory=dict)


@dataclass(eq=False)
class Oracle:
    """Pixels, rows and colours as they should be, and what was done and undone, the latest last.

    Times are left out of the rows: nobody says when something should be done. `cells` are those of
    another program's column, which go and come back with their rows; `recorded` is called with
    every new step.
    """

    pixels: np.ndarray
    rows: dict[int, ObjectRecord] = field(default_factory=dict)
    colours: dict[str, str] = field(default_factory=dict)
    done: deque[Step] = field(default_factory=lambda: deque(maxlen=100))
    undone: deque[Step] = field(default_factory=lambda: deque(maxlen=100))
    cells: dict[int, str] = field(default_factory=dict)
    recorded: Callable[[], None] = lambda: None

    def become(self, pixels=None, rows=None, colours=None, *, undoable=True) -> bool:
        """Take other values as one step; whether anything changed."""
        pixels = self.pixels if pixels is None else pixels
        rows = self.rows if rows is None else {i: replace(r, time="") for i, r in rows.items()}
        colours = self.colours if colours is None else colours
        where = np.nonzero(pixels != self.pixels)
        step = Step(
            where, self.pixels[where], pixels[where],
            _pairs(self.rows, rows), _pairs(self.colours, colours),
        )  # fmt: skip
        if not (step.old.size or step.rows or step.colours):
            return False
        self.pixels, self.rows, self.colours = pixels.copy(), dict(rows), dict(colours)
        self._move_cells(step, 1)
        if undoable:
            self.recorded()
            self.done.append(step)
            self.undone.clear()
        return True

    def undo(self) -> None:
        """Take the last step back, where there is one."""
        if self.done:
            step = self.done.pop()
            self.undone.append(step)
            self.pixels[step.where] = step.old
            self._put(step, 0)

    def redo(self) -> None:
        """Do what was undone last again."""
        if self.undone:
            step = self.undone.pop()
            self.done.append(step)
            self.pixels[step.where] = step.new
            self._put(step, 1)

    def ids(self) -> set[int]:
        """Ids that are taken, by pixels or a row."""
        return {*np.unique(self.pixels).tolist(), *self.rows} - {0}

    def area(self, label_id: int) -> int:
        """Pixels of an object."""
        return int((self.pixels == label_id).sum())

    def classes(self) -> dict[str, list[int]]:
        """Class -> ids of its objects; "" for none."""
        found: dict[str, list[int]] = {}
        for i in sorted(self.ids()):
            found.setdefault(self.row(i).class_name, []).append(i)
        return found

    def row(self, label_id: int) -> ObjectRecord:
        """What is known of an object."""
        return self.rows.get(label_id, ObjectRecord())

    def moved(self, ids, to: str) -> dict[int, ObjectRecord]:
        """The rows with some objects in another class."""
        rows = dict(self.rows)
        for i in ids:
            old = self.row(i)
            follows = old.name == old.class_name
            rows[i] = replace(old, concept=to, name=to if follows else old.name)
        return {i: r for i, r in rows.items() if i in self.rows or r != ObjectRecord()}

    def deleted(self, ids) -> tuple[np.ndarray, dict[int, ObjectRecord]]:
        """Pixels and rows without some objects, whose daughters have no parent then."""
        pixels = np.where(np.isin(self.pixels, list(ids)), 0, self.pixels)
        rows = {i: r for i, r in self.rows.items() if i not in ids}
        rows = {i: replace(r, parent=0) if r.parent in ids else r for i, r in rows.items()}
        return pixels.astype(self.pixels.dtype), rows

    def merged(self, ids) -> tuple[np.ndarray, dict[int, ObjectRecord]]:
        """Pixels and rows with some objects as one: the largest, or lowest of several."""
        order = sorted(ids, key=lambda i: (-self.area(i), i))
        keep, gone, every = order[0], order[1:], [self.row(i) for i in order]
        pixels = np.where(np.isin(self.pixels, gone), keep, self.pixels)
        rows = {i: r for i, r in self.rows.items() if i not in gone}
        rows = {i: replace(r, parent=keep) if r.parent in gone else r for i, r in rows.items()}
        scores = [r.score for r in every if r.score == r.score]
        rows[keep] = ObjectRecord(
            next((r.name for r in every if r.name), ""),
            min(scores) if scores else float("nan"),
            next((r.model for r in every if r.model), ""),
            sum(r.prompts for r in every),
            next((r.concept for r in every if r.concept), ""),
            parent=next((r.parent for r in every if r.parent and r.parent not in ids), 0),
        )
        return pixels.astype(self.pixels.dtype), rows

    def differences(self, pixels, rows, colours) -> list[str]:
        """What is other than it should be, in words."""
        wrong = pixels != self.pixels
        found = []
        if wrong.any():
            at = tuple(int(n) for n in np.argwhere(wrong)[0])
            found.append(
                f"{int(wrong.sum())} wrong pixels, first {at}: {pixels[at]}, not {self.pixels[at]}"
            )
        rows = {i: replace(r, time="") for i, r in rows.items()}
        for i, (right, there) in _pairs(self.rows, rows).items():
            found.append(f"row {i} is {there}, not {right}")
        for name, colour in self.colours.items():
            if name in colours and colours[name] != colour:
                found.append(f"class {name!r} is {colours[name]}, not {colour}")
        return found

    def _move_cells(self, step: Step, side: int) -> None:
        back = {i: step.cells.pop(i) for i, pair in step.rows.items()
                if pair[side] is not None and i in step.cells}  # fmt: skip
        gone = [i for i, pair in step.rows.items() if pair[side] is None]
        step.cells |= {i: self.cells.pop(i) for i in gone if i in self.cells}
        self.cells |= back

    def _put(self, step: Step, side: int) -> None:
        self._move_cells(step, side)
        for known, pairs in ((self.rows, step.rows), (self.colours, step.colours)):
            for key, pair in pairs.items():
                if pair[side] is None:
                    known.pop(key, None)
                else:
                    known[key] = pair[side]


def _pairs(before, after) -> dict[Any, tuple[Any, Any]]:
    keys = {*before, *after}
    return {
        k: (before.get(k), after.get(k)) for k in keys
        if not _same(before.get(k), after.get(k))
    }  # fmt: skip


def _same(one, other) -> bool:
    if isinstance(one, ObjectRecord) and isinstance(other, ObjectRecord):
        return repr(one) == repr(other)  # of which NaN is like NaN
    return one == other
