"""Random sequences of what a person does with labels, against a plain `Oracle`.

`run(kind, seed, folder)` does one; the same seed does the same. A failure tells every step.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from oracle import Oracle
from sequences_naming import CLASSES, COLOURS, Naming

from napari_seem.commands.carried import EndObjects
from napari_seem.commands.commit import Commit
from napari_seem.commands.propagation import Propagate, PropagationRun
from napari_seem.commands.replay import replay
from napari_seem.commands.workspace import Workspace
from napari_seem.edits import Edit, ObjectRecord, ObjectTable
from napari_seem.errors import InvalidLabels
from napari_seem.io.grid import Grid
from napari_seem.io.zarr.label_store import LabelStore
from napari_seem.labels.census import Census, count_planes
from napari_seem.labels.document import LabelDocument
from napari_seem.labels.hosts import ArrayHost
from napari_seem.labels.log import SessionLog
from napari_seem.labels.recorder import Recorder
from napari_seem.models.base import Prediction
from napari_seem.planes import Plane
from napari_seem.sources.source import source_of_array
from napari_seem.sources.stack import StackSource

SHAPES = (((16, 18), 2), ((5, 14, 16), 6), ((2, 3, 12, 14), 2))
"""Shapes of labels, and how often they are taken."""


class Wrong(AssertionError):
    """Something is other than it should be; tells the steps that led there."""


class Failed(Exception):
    """Raised within a transaction on purpose."""


def run(kind: str, seed: int, folder=None, steps: int | None = None) -> int:
    """Do a random sequence on labels of a kind of `KINDS`; how many steps it had.

    Raises
    ------
    Wrong
        An error, a wrong pixel, row or colour, or a log that leads elsewhere.
    """
    rng = np.random.default_rng(seed)
    sequence = KINDS[kind](rng, folder)
    count = steps or (150 if rng.random() < 0.02 else int(rng.integers(5, 40)))
    try:
        for _ in range(count):
            sequence.step()
        sequence.end()
    except Exception as error:
        trail = "\n".join(f"  {n}. {what}" for n, what in enumerate(sequence.trail, 1))
        raise Wrong(f"{kind} sequence {seed}: {error!r} after\n{trail}") from error
    return count


class Sequence(Naming):
    """A document and its oracle; every method called `do_...` is something that may be done.

    What does not apply returns None or False, and another thing is done instead.
    """

    often: ClassVar[dict[str, float]] = {"commit": 9, "undo": 5, "redo": 3, "stroke": 3, "plane": 2}

    def __init__(self, rng: np.random.Generator, folder=None) -> None:
        self.rng, self.folder, self.trail = rng, folder, list[str]()
        weights = np.array([times for _, times in SHAPES], float)
        self.shape = SHAPES[rng.choice(len(SHAPES), p=weights / weights.sum())][0]
        self.fresh()

    def fresh(self) -> None:
        """Begin with new labels, empty or with two objects."""
        rng = self.rng
        self.run: PropagationRun | None = None
        self.written: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self.dtype = np.dtype(rng.choice(["uint8", "uint16", "uint32", "int64"]))
        pixels = np.zeros(self.shape, self.dtype)
        self.oracle = Oracle(pixels)
        if rng.random() < 0.5:
            lead = tuple(int(rng.integers(n)) for n in self.shape[:-2])
            pixels[(*lead, slice(1, 4), slice(2, 9))] = 2
            pixels[(*lead, slice(6, 9), slice(2, 9))] = 7
            self.oracle.rows = {
                2: ObjectRecord("cell", 0.5, "disc", 2, "cell"),
                7: ObjectRecord("seven", float("nan"), "", 0, "cell", parent=2),
            }
        self.document = self.opened(pixels.copy(), ObjectTable(dict(self.oracle.rows)))
        self.census = Census(self.shape)
        self.document.changed.connect(self._on_change)
        self.check()

    def opened(self, pixels: np.ndarray, table: ObjectTable) -> LabelDocument:
        """The document."""
        host = ArrayHost(pixels, "labels", table)
        return LabelDocument(host, Recorder(pixels, "labels", host.rows()))

    def step(self) -> None:
        """Do something and look whether all is as it should be."""
        every = [name[3:] for name in dir(self) if name.startswith("do_")]
        weights = np.array([self.often.get(name, 1) for name in every], float)
        for name in self.rng.choice(every, 30, p=weights / weights.sum()):
            self.trail.append(str(name))
            if getattr(self, f"do_{name}")() not in (None, False):
                break
            self.trail.pop()
        self.check()

    def check(self) -> None:
        """Compare pixels, rows, colours and what undo would do with the oracle."""
        colours = self.document.palette.colours
        found = self.oracle.differences(self.pixels(), dict(self.document.table.items()), colours)
        self.oracle.colours = {**colours, **self.oracle.colours}
        history = self.document.history
        for title, steps in ((history.undo_title, self.oracle.done),
                             (history.redo_title, self.oracle.undone)):  # fmt: skip
            if bool(title) != bool(steps):
                found.append(f"{len(steps)} steps to take, of the title {title!r}")
        assert not found, "; ".join(found)

    def end(self) -> None:
        """Replay the log."""
        log = self.document.log
        log.sync(self.document.data, rows=self.document.host.rows())
        again = replay(SessionLog(log.events))
        table = {i: replace(r, time="") for i, r in again.table.items()}
        found = self.oracle.differences(again.labels, table, {})
        assert not found, f"the log leads to {found}"

    def pixels(self) -> np.ndarray:
        """The labels as they are."""
        return np.asarray(self.document.data[...])

    # ---- what a person does

    def do_commit(self):
        plane, oracle = self.some_plane(), self.oracle
        mask = self.some_mask(plane.shape(self.shape))
        again = self.rng.random() < 0.25 and sorted(oracle.ids())
        label_id = int(self.rng.choice(again)) if again else None
        overwrite = bool(self.rng.random() < 0.3)
        word = str(self.rng.choice(["", *CLASSES]))
        name = str(self.rng.choice(["", "", "mine"]))
        colour = str(self.rng.choice(COLOURS)) if word and self.rng.random() < 0.3 else ""
        self.say(plane.index, plane.axes, mask.sum(), label_id, overwrite, word, name, colour)
        command = Commit(
            images=[], windows=[], plane=plane.to_dict(), label_id=label_id, name=name,
            overwrite=overwrite, replaces=label_id is not None, concept=word, colour=colour,
        )  # fmt: skip
        taken, new = oracle.ids(), label_id
        logits = np.where(mask, np.float32(3), np.float32(-3))
        there = plane.read(oracle.pixels)
        free = mask & (overwrite | (there == 0) | (there == (label_id or 0)))
        try:
            ids = command.apply(Workspace(self.document), Prediction(logits, 0.75, None, 1))
        except InvalidLabels:
            assert not free.any() or max(taken) >= np.iinfo(self.dtype).max
            return True
        if label_id is None:
            new = ids[0]
            assert new not in {0, *taken}, f"id {new} is taken"
        assert ids == [new]
        wanted = oracle.pixels.copy()
        view = plane.read(wanted)
        view[view == new] = 0 if label_id is not None else new
        view[free] = new
        former = oracle.row(new) if label_id is not None else ObjectRecord()
        concept = word or former.concept
        kept = former.name or concept
        row = ObjectRecord(name or kept, 0.75, "", 0, concept, parent=former.parent)
        known = self.oracle.colours
        colours = {**known, word: colour} if colour and word not in known else known
        return oracle.become(wanted, {**oracle.rows, new: row}, colours)

    def do_stroke(self):
        plane, value = self.some_plane(), int(self.rng.choice([0, *self.oracle.ids(), 9]))
        mask = self.some_mask(plane.shape(self.shape))
        wanted = self.oracle.pixels.copy()
        plane.read(wanted)[mask] = value
        edit = Edit.between((0,) * len(self.shape), self.oracle.pixels, wanted)
        if not edit.count:
            return False
        self.say(plane.index, mask.sum(), value)
        with self.document.transaction("a stroke") as transaction:
            transaction.write(edit)
        return self.oracle.become(wanted)

    def do_plane(self):
        plane = self.some_plane()
        present = plane.read(self.oracle.pixels)
        values, only = present.copy(), None
        for value in self.rng.choice([0, *self.oracle.ids(), 11], 2):
            values[self.some_mask(values.shape)] = value
        if self.rng.random() < 0.5:
            only = [int(self.rng.choice([*self.oracle.ids(), 11]))]
        self.say(plane.index, plane.axes, only)
        self.document.write_plane(plane, values, only)
        return self.wrote_plane(plane, values, only) or True

    def do_undo(self):
        if not self.oracle.done:
            return False
        assert self.document.undo(), "nothing is undone"
        self.oracle.undo()
        return True

    def do_redo(self):
        if not self.oracle.undone:
            return False
        assert self.document.redo(), "nothing is redone"
        self.oracle.redo()
        return True

    def do_back_and_forth(self):
        every = self.rng.random() < 0.2
        count = min(len(self.oracle.done), 100 if every else int(self.rng.integers(1, 12)))
        for _ in range(count):
            self.do_undo()
            self.check()
        for _ in range(count):
            self.do_redo()
        return count

    def do_failure(self):
        plane = self.some_plane()
        values = np.where(self.some_mask(plane.shape(self.shape)), 3, 0).astype(self.dtype)
        edit = Edit.between(*plane.place(np.zeros_like(values)), plane.place(values)[1])
        edit = replace(edit, old=np.asarray(self.oracle.pixels[edit.block])[edit.changed])
        try:
            with self.document.transaction("what fails") as transaction:
                transaction.write(edit)
                transaction.set_rows({3: ObjectRecord("wrong"), 1: None})
                transaction.set_colours({"cell": "#010101"})
                raise Failed
        except Failed:
            return True

    def do_propagate(self):
        if len(self.shape) != 3 or not self.oracle.pixels.any():
            return False
        axis, only = int(self.rng.integers(3)), self.rng.choice([None, self.some_id()])
        only = None if only is None or not self.oracle.area(only) else int(only)
        self.say(axis, only)
        stack = StackSource(
            source_of_array(np.zeros(self.shape, np.uint8), Plane.across(axis, 0)), axis
        )
        command = Propagate(
            images=[], windows=[], run="r", axis=axis, method="shape", within=(0, self.shape[axis]),
            only=only,
        )  # fmt: skip
        self.run, self.written = PropagationRun(Workspace(self.document), stack, command), {}
        try:
            self.run.begin()
            for result in self.run.run():
                plane = stack.at(result.index)
                before = plane.read(self.oracle.pixels).copy()
                self.run.apply(result)
                self.wrote_plane(plane, result.labels, None if only is None else [only])
                self.written[result.index] = before, plane.read(self.oracle.pixels).copy()
                self.check()
        except InvalidLabels:  # all was propagated before, or a plane holds more ids than it may
            self.run = None
            return True
        self.run.keep_note()
        return True

    def do_accept(self):
        if self.run is None or not self.written:
            return False
        self.run.accept(int(self.rng.choice(list(self.written))))
        return True

    def do_take_back(self):
        if self.run is None or not self.written:
            return False
        self.run.restore()
        pixels, stack = self.oracle.pixels.copy(), self.run.stack
        for number, (before, after) in self.written.items():
            view = stack.at(number).read(pixels)
            own = (before != after) & (view == after)
            view[own] = before[own]
        self.run = None
        return self.took_back(pixels) or True

    def do_end(self):
        if len(self.shape) != 3 or not self.oracle.pixels.any():
            return False
        axis = int(self.rng.integers(3))
        plane = Plane.across(axis, int(self.rng.integers(self.shape[axis])))
        after = bool(self.rng.random() < 0.5)
        command = EndObjects(axis=axis, plane=plane.to_dict(), after=after)
        ends, planes = command.apply(self.document)
        self.say(axis, plane.index[axis], after, planes)
        pixels = self.pixels()
        gone = np.moveaxis(pixels != self.oracle.pixels, axis, 0)
        assert not pixels[pixels != self.oracle.pixels].any()
        assert np.flatnonzero(gone.any(axis=(1, 2))).tolist() == planes
        assert all((k > plane.index[axis]) == after for k in planes)
        ids = {end.id for end in ends}
        assert {*np.unique(self.oracle.pixels[pixels != self.oracle.pixels]).tolist()} <= ids
        return self.took_back(pixels) or True

    # ---- helpers

    def say(self, *what) -> None:
        """Tell more of the step."""
        self.trail[-1] += " " + " ".join(str(one) for one in what)

    def wrote_plane(self, plane: Plane, values, only=None) -> bool:
        """Give the oracle a plane of labels."""
        wanted = self.oracle.pixels.copy()
        view = plane.read(wanted)
        free = np.ones(view.shape, bool) if only is None else (view == 0) | np.isin(view, only)
        new = values if only is None else np.where(np.isin(values, only), values, 0)
        view[free] = np.asarray(new, self.dtype)[free]
        return self.took_back(wanted)

    def took_back(self, pixels) -> bool:
        """Give the oracle what was written by whole planes."""
        return self.oracle.become(pixels, undoable=self.document.host.store is None)

    def some_plane(self) -> Plane:
        """A plane along any two axes, either way round."""
        ndim = len(self.shape)
        last = self.rng.random() < 0.6
        rows, columns = (ndim - 2, ndim - 1) if last else self.rng.choice(ndim, 2, replace=False)
        axes = int(rows), int(columns)
        index = tuple(
            None if i in axes else int(self.rng.integers(n)) for i, n in enumerate(self.shape)
        )
        return Plane(index, axes)

    def some_mask(self, shape) -> np.ndarray:
        """An ellipse or box somewhere, of at least one pixel."""
        (h, w), rng = shape, self.rng
        y, x = rng.integers(h), rng.integers(w)
        a, b = rng.uniform(0.5, max(1, h / 3)), rng.uniform(0.5, max(1, w / 3))
        dy, dx = np.abs(np.arange(h) - y)[:, None] / a, np.abs(np.arange(w) - x) / b
        return dy**2 + dx**2 <= 1 if rng.random() < 0.7 else np.maximum(dy, dx) <= 1

    def some_id(self) -> int | None:
        """An object, or None where there is none."""
        ids = sorted(self.oracle.ids())
        return int(self.rng.choice(ids)) if ids else None

    def some_ids(self) -> list[int]:
        """A few objects."""
        ids = sorted(self.oracle.ids())
        count = min(len(ids), int(self.rng.integers(1, 4)))
        return [int(i) for i in self.rng.choice(ids, count, replace=False)] if count else []

    def counted(self) -> Census:
        """Where the objects lie; only what was said to have changed is counted anew."""
        for batch in count_planes(self.document.data, self.census.missing()):
            for index, counted in batch.items():
                self.census.put(index, counted)
        return self.census

    def _on_change(self, change) -> None:
        self.census.forget(change.planes)


class InFolder(Sequence):
    """Labels in an OME-Zarr folder, which is opened again in the end."""

    def opened(self, pixels, table):
        """The document of a new folder."""
        store = LabelStore.create(self.folder, "labels", Grid.plain(self.shape), self.dtype)
        store.write(tuple(slice(0, n) for n in self.shape), pixels)
        host = ArrayHost(store, "labels", table)
        host.write_table(table)
        return LabelDocument(host, Recorder(store.array, "labels", host.rows()))

    def end(self):
        """Open the folder again."""
        super().end()
        store, table, about = LabelStore.open(self.document.host.store.path)
        rows = {i: replace(r, time="") for i, r in table.items()}
        colours = about.get("colours", {})
        found = self.oracle.differences(np.asarray(store.array[...]), rows, colours)
        assert not found, f"the folder holds {found}"


KINDS: dict[str, type[Sequence]] = {"memory": Sequence, "folder": InFolder}
