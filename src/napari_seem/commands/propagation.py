"""Propagate labels through a stack, plane by plane, and correct them on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from ..edits import ObjectRecord
from ..errors import InvalidLabels
from ..io.zarr.label_store import Scratch, ScratchPlanes
from ..labels.objects import plane_block, read_plane
from ..propagation import Method, PlaneResult, Propagation
from ..propagation.ends import End
from ..propagation.seeds import SeedPlanes
from ..sources.stack import StackSource
from ..values import JsonObject
from .base import Command, ModelRef, OnPlane
from .carried import CARRIED, Made, carried_planes, ends_of, stack_key
from .workspace import Workspace

if TYPE_CHECKING:
    from ..io.zarr.write import LabelLevel


IntArray = npt.NDArray[np.int32]


class Propagate(OnPlane):
    """Labels of some planes are propagated to others.

    Attributes
    ----------
    run : str
        Names the run; `PropagatePlane` and `AcceptPlane` tell of it.
    axis : int
        Of the image's array, along which the planes follow each other.
    method : "model" or "shape"
    only : int or None
        One object's id; None for all.
    within : (int, int)
        Planes to label, half-open.
    find_new : bool
        Look for objects that no seed has.
    stop_below : float
        Nothing is propagated from a plane with a lower score.
    divide : bool
        Objects that split have divided: their daughters get ids of their own.
    resumes : bool
        The run goes on, after corrections or to other planes.
    seeds, corrected : list of int, optional
        Planes that it starts from, and those that a person corrected.
    """

    event: Literal["propagate"] = "propagate"
    run: str
    axis: int
    method: Method = "model"
    only: int | None = None
    within: tuple[int, int]
    find_new: bool = False
    stop_below: float = 0.0
    divide: bool = False
    resumes: bool = False
    seeds: list[int] | None = None
    corrected: list[int] | None = None


class PropagatePlane(Command):
    """A plane of a run is done."""

    event: Literal["propagate_plane"] = "propagate_plane"
    run: str
    index: int
    score: float
    model: ModelRef | None = None
    plane: JsonObject | None = None
    images: list[int] | None = None
    windows: list[JsonObject] | None = None


class AcceptPlane(Command):
    """A plane of a run is right, as it was propagated or as a person corrected it."""

    event: Literal["accept_plane"] = "accept_plane"
    run: str
    index: int
    corrected: bool
    plane: JsonObject


class PropagationRun:
    """Propagates the labels of a document; corrections make it go on from there.

    Parameters
    ----------
    workspace : Workspace
    stack : StackSource
    command : Propagate
        Without seeds; they are the planes that are labelled.
    name_plane : callable, optional
        Names a plane by its number, for undo.
    scratch : Path, optional
        Finished planes are kept on the disk of this file, not in memory; by default only those
        of labels that lie in a folder.

    Attributes
    ----------
    engine : Propagation or None
        The planes that are done, and what is left; None before the first run.
    scratch : Scratch or None
        Where planes are kept on disk for a while.
    """

    def __init__(
        self, workspace: Workspace, stack: StackSource, command: Propagate,
        scratch: Path | None = None, name_plane: Callable[[int], str] = "plane {}".format,
    ) -> None:  # fmt: skip
        self.command, self.stack, self._name_plane = command, stack, name_plane
        self.engine: Propagation | None = None
        self._workspace, self._document = workspace, workspace.document
        self._made = Made({}, {})
        self._ends: set[End] = set()
        self._first_id = 1
        store = self._document.host.store
        self._beside = scratch or (None if store is None else store.path)
        self.scratch: Scratch | None = None
        self._seeds: Mapping[int, IntArray] = {}

    @staticmethod
    def new_name() -> str:
        """A name for a run that no other has."""
        return uuid4().hex[:8]

    @property
    def results(self) -> Mapping[int, PlaneResult]:
        """The planes that are done, by number."""
        return {} if self.engine is None else self.engine.results

    @property
    def planned(self) -> int:
        """How many planes are to be done."""
        done = set(self._seeds if self.engine is None else self.engine.results)
        return len([k for k in range(*self.command.within) if k not in done])

    def begin(self) -> None:
        """Take the seeds; in the main thread. Those on disk are read when they are needed.

        Raises
        ------
        InvalidLabels
            Nothing is labelled.
        """
        self._begin_scratch()
        command = self.command
        numbers = self._labelled() if command.seeds is None else command.seeds
        self._seeds = self._seed_planes(numbers)
        self._ends = ends_of(self._document, self.stack.plane, self.stack.axis)
        if command.divide or command.find_new:
            self._first_id = self._document.next_id()
        self._note(command, {"resumes": False, "seeds": sorted(numbers)}, numbers)

    def resume(self, within: tuple[int, int], corrected: list[int] | None = None) -> None:
        """Go on after corrections, or to other planes.

        Parameters
        ----------
        within : (int, int)
        corrected : list of int, optional
            By default the planes that are other than the run left them.
        """
        self.command = self.command.model_copy(update={"within": within})
        self.end(ends_of(self._document, self.stack.plane, self.stack.axis))
        changed = self._corrected() if corrected is None else corrected
        if self.engine is not None:
            for number in changed:
                self.engine.correct(number, self._present(number))
            self.engine.limit(within)
        self._seeds = {}
        self._note(self.command, {"resumes": True, "corrected": changed}, changed)

    def end(self, ends: set[End]) -> None:
        """Respect from now on what was said of where objects end, and nothing else."""
        if self.engine is not None:
            for gone in self._ends - ends:
                self.engine.reopen(gone.id, gone.plane, gone.after)
            for one in ends - self._ends:
                self.engine.end(one.id, one.plane, one.after)
        self._ends = ends

    def run(self, resume: Path | None = None) -> Iterator[PlaneResult]:
        """Do the planes that are left, in any thread; stop iterating to cancel.

        The file `resume` keeps them meanwhile, as of `Propagation.run`.
        """
        if self.engine is None:
            self.engine = self._make()
        yield from self.engine.run(resume=resume)

    def apply(self, result: PlaneResult) -> None:
        """Write a plane in one transaction.

        Raises
        ------
        InvalidLabels, FileTrouble
            The labels can't take it.
        """
        place, command = self.stack.at(result.index), self.command
        rows = self._new_rows(result)
        self._made.note_rows(rows, self._document)
        line = PropagatePlane(
            run=command.run, index=result.index, score=result.score, model=self._model_ref()
        )
        before = self._document.write_plane(
            place, result.labels, self._family(), title=self._name_plane(result.index),
            entry=line.to_dict(), rows=rows,
        )  # fmt: skip
        self._made.note_plane(result.index, before, self._document.read_plane(place))

    def accept(self, number: int) -> None:
        """Take a plane as it is now for a seed."""
        if self.engine is None or number not in self.engine.results:
            return
        present = self._present(number)
        same = np.array_equal(present, self.engine.results[number].labels)
        place = self.stack.at(number)
        line = AcceptPlane(
            run=self.command.run, index=number, corrected=not same, plane=place.to_dict()
        )
        self._document.note(line.to_dict(), [plane_block(place, self._document.data.shape)])
        if same:
            self.engine.accept(number)
        else:
            self.engine.correct(number, present)
        self.keep_note()

    def correct(self, number: int) -> None:
        """Take a plane for a seed as a person made it."""
        if self.engine is not None:
            self.engine.correct(number, self._present(number))

    def restore(self) -> int:
        """Give the planes of the run the labels they had before; how many there were.

        Pixels and rows that were changed since the run wrote them stay.
        """
        count = self._made.take_back(self._document, self.stack.at)
        self.engine = None
        self.keep_note()
        return count

    def keep_note(self) -> None:
        """Remember with the labels which planes nobody has accepted yet."""
        host = self._document.host
        left = [k for k, result in self.results.items() if not result.accepted]
        key = stack_key(self.stack.plane, self.stack.axis, self.command.only)
        host.write_note(CARRIED, {**(host.read_note(CARRIED) or {}), key: left})

    def close(self) -> None:
        """Delete what was kept on disk for a while."""
        if self.scratch is not None:
            self.scratch.close()

    def _make(self) -> Propagation:
        command = self.command
        model: Any = None if command.model is None else self._workspace.model(command.model)
        cache = None if model is None else self._workspace.models.cache
        engine = Propagation(
            model, self.stack, self._seeds, method=command.method, within=command.within,
            find_new=command.find_new, stop_below=command.stop_below, divide=command.divide,
            first_id=self._first_id, cache=cache, out=self._room("propagated"),
        )  # fmt: skip
        for one in self._ends:
            engine.end(one.id, one.plane, one.after)
        return engine

    def _note(self, command: Propagate, more: dict[str, object], read: list[int]) -> None:
        """Log that the run begins or goes on."""
        if self._document.log is None:
            return
        shape = self._document.data.shape
        line = {**command.to_dict(), **self._workspace.shown(self.stack.source), **more}
        self._document.note(line, [plane_block(self.stack.at(k), shape) for k in read])

    def _model_ref(self) -> ModelRef | None:
        ref = self.command.model
        if ref is None:
            return None
        return ModelRef(**self._workspace.model_ref(ref.name))

    def _new_rows(self, result: PlaneResult) -> dict[int, ObjectRecord | None]:
        """Rows of objects that no seed had and that are found here first, and of daughters.

        Where a plane is done again, rows of those that are not found any more go.
        """
        assert self.engine is not None
        table, rows = self._document.table, dict[int, ObjectRecord | None]()
        model = "" if self.command.model is None else self.command.model.name
        following = self.engine.results.get(result.index + 1) if self.command.divide else None
        seeds = following.events if following is not None and following.accepted else ()
        for event in (*result.events, *seeds):
            known, parent = table[event.id], table[event.parent].class_name
            if event.kind == "new" and event.id not in table:
                score = result.scores.get(event.id, float("nan"))
                row = ObjectRecord.made(parent, score, model)
                rows[event.id] = replace(row, parent=event.parent)
            elif event.parent and known.parent != event.parent:
                rows[event.id] = replace(known, parent=event.parent)
        if result.index in self._made.before:
            found = {event.id for event in self.engine.events}
            gone = [i for i, (old, _) in self._made.rows.items() if old is None and i not in found]
            rows |= dict.fromkeys(i for i in gone if i in table)
        return rows

    def _labelled(self) -> list[int]:
        """Planes that are labelled, but for those that a run labelled."""
        command = self.command
        carried = carried_planes(
            self._document, self.stack.plane, self.stack.axis, command.only
        )  # fmt: skip
        found = [
            k for k in range(self.stack.shape[0])
            if k not in carried and self._present(k).any()
        ]  # fmt: skip
        if not found:
            what = "anything" if command.only is None else f"object {command.only}"
            raise InvalidLabels(
                f"'{self._document.name}' has no plane in which {what} is labelled; label at least "
                "one plane, then propagate it"
            )
        return found

    def _corrected(self) -> list[int]:
        """Planes that look different from what the last run left are the person's own."""
        known, changed = self.results, []
        for number in range(self.stack.shape[0]):
            former = known.get(number)
            present = self._present(number)
            if former is None:
                if present.any() and number not in self._made.before:
                    changed.append(number)
            elif not np.array_equal(present, self._allowed(former.labels, number)):
                changed.append(number)
        return changed

    def _allowed(self, values: IntArray, number: int) -> IntArray:
        """Return what of a result, int32 (H, W), can be written where other objects keep pixels."""
        family = self._family()
        if family is None:
            return values
        whole = self._document.read_plane(self.stack.at(number))
        return np.where((whole == 0) | np.isin(whole, family), values, 0).astype(np.int32)

    def _seed_planes(self, numbers: Sequence[int]) -> Mapping[int, IntArray]:
        """Labels of seeds; many that lie on disk would fill the memory, and are read in turn."""
        if self._beside is None:
            return {number: self._present(number) for number in numbers}
        data = self._document.data  # a worker reads the array, never the layer
        return SeedPlanes(numbers, lambda k: self._chosen(read_plane(data, self.stack.at(k))))

    def _present(self, number: int) -> IntArray:
        return self._chosen(self._document.read_plane(self.stack.at(number)))

    def _chosen(self, values: IntArray) -> IntArray:
        """The labels (H, W) of the object that is propagated, where it is one only."""
        family = self._family()
        return values if family is None else np.where(np.isin(values, family), values, 0)

    def _family(self) -> list[int] | None:
        """The object that is propagated and what it divided into, where it is one only."""
        only = self.command.only
        if only is None:
            return None
        family = [only]
        parents = self.engine.parents if self.engine is not None and self.command.divide else {}
        for member in family:  # grows while it is gone through
            family += [child for child, parent in parents.items() if parent == member]
        return family

    def _begin_scratch(self) -> None:
        """Planes of labels that lie on disk are remembered there, too, and not in memory."""
        self.close()
        self.scratch = None if self._beside is None else Scratch(self._beside)
        self._made = Made(self._planes("before"), self._planes("written"))

    def _planes(self, name: str) -> MutableMapping[int, IntArray]:
        """Room for planes by their number, on disk where the labels lie there."""
        room = self._room(name)
        return {} if room is None else ScratchPlanes(room)

    def _room(self, name: str) -> LabelLevel | None:
        """An array on disk for planes of the stack, where its labels lie there; else None."""
        return None if self.scratch is None else self.scratch.array(name, self.stack.shape[:3])
