"""A propagation: labelled seed planes of a stack or a video, and the planes between and beyond."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from os import PathLike
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ..checks import check_choice, check_flag, real_number, whole_number
from ..embeddings import EmbeddingCache
from ..errors import InvalidArgument, InvalidLabels
from ..images import AnyArray, Sliceable, WritableArray, shared_window
from ..in_context import Learner
from ..models.in_context import Kind, check_kind
from ..progress import Progress, reporting
from ..values import listed, locked
from . import lineage, newcomers, shapes
from .beside import Beside
from .carriers import carry
from .carriers.carrier import Carrier, carrier_of
from .ends import End, ended_at, without
from .known import KnownPlanes
from .order import in_turn, reachable
from .record import RunRecord
from .results import Event, PlaneResult, Results, html_of
from .seeds import Seeds, seed_planes
from .shapes import Shape
from .stack import Stack, has_contrast

Method = Literal["model", "shape", "copy"]
METHODS: tuple[Method, ...] = get_args(Method)


class Propagation:
    """Carries the labels of seed planes through a stack or a video.

    Planes are done nearest to a seed first. Every plane starts from the shapes that the nearest
    finished planes on both sides let expect; the model, which has learned from the nearest accepted
    planes, corrects them. SAM 2.1 carries each object by its own memory of it instead.

    Parameters
    ----------
    model : Model or None
        'compact', 'seggpt-vit-l' or a SAM 2.1, from `load_model`; None only for methods that need
        none.
    volume : array-like (..., H, W), (..., H, W, 3 or 4)
        Anything that slices; three axes, or four of which the last holds channels. Read plane by
        plane.
    seeds : mapping of int to integer array (H, W), or integer array-like of the stack's shape
        Labelled planes by their index along `axis`, negative ones counted from the end; 0 is
        background. Of an array those planes count that hold a label.
    axis : int
        Along which to carry.
    method : str
        'model'; 'shape': interpolation of outlines between seeds; 'copy': of the nearest seed.
    kind : str, optional
        'semantic': the objects look different from each other; 'instance': they are many of one
        kind. By default judged from their number.
    within : (int, int), optional
        First and last plane to label, half-open.
    find_new : bool
        Whether to find objects that no seed has; not by the memory of SAM 2.1.
    stop_below : float
        Nothing is carried on from a plane with a lower score.
    divide : bool
        The axis is time, and objects that fall apart, or that shrink or end where new ones appear,
        have divided: daughters get ids of their own, and `parents` names what they came from.
        Planes are then done in the order of time.
        Otherwise an object that splits, as an organ that forks, stays one object.
    first_id : int
        New objects and daughters get ids from this one on, and above those of the seeds.
    cache : EmbeddingCache, optional
    out : integer array (numpy, zarr), optional
        Of the stack's shape without channels. Finished planes are written to it at once, and only a
        bounded number of them stays in memory; planes that are not done are left as they are.
        Others must not write to it in the meantime.

    Raises
    ------
    InvalidImage
        An array of another number of axes.
    InvalidLabels
        No seed, seeds outside the stack or of another shape, or without any object; an `out` of
        another shape, that can't be written, or that can't hold an id.
    InvalidArgument
        A method, a kind or a bound that does not exist.
    UnsupportedPrompt
        The model can't carry objects through a stack, or can't find new ones.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> volume = np.random.default_rng(0).normal(100, 5, (4, 48, 48))
    >>> volume[:, 10:30, 10:30] += 80
    >>> work = ns.Propagation(ns.load_model("compact"), volume, {0: volume[0] > 140})
    >>> for plane in work.run():
    ...     print(plane.index, plane.labels[20, 20])
    1 1
    2 1
    3 1
    >>> work
    Propagation(shape=(4, 48, 48), axis=0, method='model', kind='semantic', done=4 of 4, ids=[1])
    """

    def __init__(
        self, model: Learner | None, volume: Sliceable, seeds: Seeds, axis: int = 0, *,
        method: Method = "model", kind: Kind | None = None,
        within: tuple[int, int] | None = None, find_new: bool = False, stop_below: float = 0.0,
        divide: bool = False, first_id: int = 1, cache: EmbeddingCache | None = None,
        out: WritableArray | None = None,
    ) -> None:  # fmt: skip
        check_choice(method, METHODS, "method")
        if kind is not None:
            check_kind(kind)
        if method == "model" and model is None:
            raise InvalidArgument("the method 'model' needs a model; give one, or another method")
        self.method: Method = method
        self.find_new = check_flag(find_new, "find_new")
        self.stop_below = real_number(stop_below, "stop_below", 0, 1)
        self.divide = check_flag(divide, "divide")
        self._stack = Stack(volume, axis)
        self._range = self._stack.range(within)
        self._done = Results(self._stack, out)
        self._known = KnownPlanes(self._stack, self._done)
        self._areas = self._known.areas
        self._carrier: Carrier | None = None
        self._ends: set[End] = set()
        self._renumbered: list[int] = []
        for index, labels in seed_planes(seeds, self._stack):
            self._accept(index, labels)
        ids = sorted({i for index in self._areas for i in self._ids_of(index)})
        if not ids:
            raise InvalidLabels("no seed plane has a label; label at least one object in one plane")
        alike = self.divide or len(ids) >= shapes.MANY
        self.kind: Kind = kind or ("instance" if alike else "semantic")
        first_new = max(ids[-1] + 1, whole_number(first_id, "first_id", 1))
        self._known.first_new = first_new
        self._window = shared_window(self._stack.read(k) for k in self._areas)
        name = getattr(model, "identity", "")
        self._settings = name, method, self.kind, find_new, stop_below, divide, first_new
        if method == "model":
            self._carrier = carrier_of(
                model, self._known, self.kind, self._window, find_new=self.find_new,
                divide=self.divide, cache=cache,
            )  # fmt: skip

    def __repr__(self) -> str:
        shape, axis, count = self._stack.shape, self._stack.axis, self._stack.count
        ids = sorted({i for result in self._done.values() for i in result.scores})
        return (
            f"Propagation(shape={shape}, axis={axis}, method='{self.method}', kind='{self.kind}', "
            f"done={len(self._done)} of {count}, ids={listed(ids)})"
        )

    def _repr_html_(self) -> str:
        return html_of(self._done, self._stack, self._window, repr(self))

    @property
    def results(self) -> dict[int, PlaneResult]:
        """The planes done so far by index, including seeds."""
        return dict(sorted(self._done.items()))

    @property
    def labels(self) -> WritableArray:
        """Labels of the whole stack in the array's own axis order; 0 where not done yet.

        `out` itself where there is one, with what stood there where nothing is done; otherwise a
        new int32 array, read-only since it is not the one that the run keeps.
        """
        labels = self._done.whole()
        if self._done.out is None and isinstance(labels, np.ndarray):
            locked(labels)
        return labels

    @property
    def scores(self) -> dict[int, float]:
        """Score of each plane done."""
        return {index: result.score for index, result in self.results.items()}

    @property
    def events(self) -> list[Event]:
        """Objects that ended, split or are new, in the order of planes."""
        return [event for result in self.results.values() for event in result.events]

    @property
    def parents(self) -> dict[int, int]:
        """The objects that others divided into: daughter -> parent."""
        return {event.id: event.parent for event in self.events if event.parent}

    @property
    def pending(self) -> list[int]:
        """The planes to do, in their order: nearest to an accepted plane first.

        By a model's memory, all planes between two accepted ones come before those of the next gap.
        """
        seeds = np.array(sorted([k for k, areas in self._areas.items() if areas.size] or [0]))
        left = np.setdiff1d(np.arange(*self._range), list(self._done), assume_unique=True)
        if self.stop_below:
            low = [k for k, r in self._done.items() if not r.accepted and r.score < self.stop_below]
            left = left[reachable(left, seeds, np.array(sorted(low), int), self.divide)]
        by_gap = self._carrier is not None and self._carrier.gap_by_gap
        return [int(index) for index in in_turn(left, seeds, self.divide, by_gap)]

    def to_review(self) -> list[int]:
        """Return the planes that were computed, the least sure first."""
        computed = [result for result in self.results.values() if not result.accepted]
        return [result.index for result in sorted(computed, key=lambda result: result.score)]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> AnyArray:
        return np.array(self.labels, dtype, copy=copy)

    def run(
        self, progress: bool | Progress | None = None,
        resume: str | PathLike[str] | None = None,
    ) -> Iterator[PlaneResult]:  # fmt: skip
        """Do the planes that are pending, one at each step.

        Stop iterating to cancel, or raise an exception in `progress`: finished planes stay, and
        another `run` goes on from there. A plane comes again where its objects turn out to be those
        of a later seed, and get their ids.

        Parameters
        ----------
        progress : bool or callable, optional
            True for a bar; a callable gets (done, total, what).
        resume : str or Path, optional
            A file that keeps the planes, one after another. The same run by another program, which
            was killed, is gone on from: its planes come first. Delete it when all is done.
        """
        before = len(self._done)
        settings = (*self._settings, self._range, sorted(map(repr, self._ends)))
        record = RunRecord(resume, self._stack, self._known.seeds, settings)
        with reporting(progress, len(self.pending), "propagate") as report:
            for result in record.begin():
                if result.index in self.pending:
                    self._done[result.index] = result
                    yield result
            while pending := self.pending:
                index = pending[0]
                self._done[index] = self._plane(index)
                if self.divide:
                    self._again(lineage.join_seed(self._done, index))
                record.add(self._done[k] for k in [index, *self._renumbered])
                yield self._done[index]
                report(len(self._done) - before)
                while self._renumbered:
                    yield self._done[self._renumbered.pop()]

    def limit(self, within: tuple[int, int] | None) -> None:
        """Label other planes, first and last, half-open, from now on; finished ones stay."""
        self._range = self._stack.range(within)

    def encode_all(self) -> None:
        """Encode every plane that a run would, into the cache."""
        for index in sorted({*range(*self._range), *self._areas}):
            image = self._stack.read(index)
            if has_contrast(image) and self._carrier is not None:
                self._carrier.encode(image)

    def correct(self, index: int, labels: AnyArray) -> list[int]:
        """Accept corrected labels (H, W) of a plane, which becomes a seed.

        Objects that were there and are not any more are erased from this plane only; say by `end`
        that they end there. Returns the planes that depend on it, up to the next accepted ones:
        they are pending again.
        """
        index = self._stack.position(index)
        lower = max((k for k in self._areas if k < index), default=-1)
        upper = min((k for k in self._areas if k > index), default=self._stack.count)
        former = self._done.get(index)
        there = set() if former is None else former.erased | shapes.outlines(former.labels).keys()
        self._accept(index, labels, there)
        self._forget(index)
        return self._drop(range(lower + 1, upper))

    def end(self, label_id: int, plane: int, after: bool = True) -> list[int]:
        """State that an object ends on a plane: it is removed from the planes beyond, for good.

        The planes after that one are meant, or those before; up to the next accepted plane that
        holds the object. Returns those that it was removed from.
        """
        wanted = whole_number(label_id, "the id of an object", 1)
        end = End(wanted, self._stack.position(plane), check_flag(after, "after"))
        self._ends.add(end)
        reach = end.beyond(self._known.seeds, self._stack.count)
        changed = [k for k in reach if k in self._done and wanted in self._ids_of(k)]
        for k in changed:
            self._done[k] = without(self._done[k], [wanted])
        return changed

    def reopen(self, label_id: int, plane: int, after: bool = True) -> list[int]:
        """Take back what `end` stated; gives the planes that are pending again for it."""
        self._ends.discard(end := End(label_id, self._stack.position(plane), after))
        return self._drop(end.beyond(self._known.seeds, self._stack.count))

    def accept(self, index: int) -> None:
        """Accept a plane as it is: it becomes a seed, and no plane has to be done again."""
        index = self._stack.position(index)
        if index not in self._done:
            raise InvalidLabels(f"plane {index} is not done yet; run the propagation first")
        self._accept(index, self._done[index].labels, self._done[index].erased)
        self._forget()

    def _drop(self, planes: Iterable[int]) -> list[int]:
        """Forget planes that nobody accepted: they are pending again."""
        stale = [k for k in planes if k in self._done and k not in self._areas]
        for k in stale:
            del self._done[k]
        return stale

    def _accept(self, index: int, labels: AnyArray, there: Iterable[int] = ()) -> None:
        """Make a plane with labels (H, W) a seed; `there` are the objects that it had before."""
        seed = self._stack.checked(index, labels)
        ids, areas = np.unique(seed[seed > 0], return_counts=True)
        scores = dict.fromkeys((int(i) for i in ids), 1.0)
        erased = frozenset(there) - scores.keys()
        result = PlaneResult(index, seed, scores, accepted=True, erased=erased)
        self._known.accept(result, areas)

    def _forget(self, index: int | None = None) -> None:
        if self._carrier is not None:
            self._carrier.forget(index)

    def _plane(self, index: int) -> PlaneResult:
        if self.method == "copy":
            nearest = min(self._areas, key=lambda k: (abs(k - index), k))
            copied = self._without_ended(index, shapes.expected(self._done[nearest].labels, None))
            return self._by_shape(index, copied, 1.0)
        known: Collection[int] = self._done if self.method == "model" else self._areas
        beside = Beside(index, self._done, known, self.divide)
        image = self._stack.read(index)
        blind = self.method == "shape" or not has_contrast(image)
        moved = None if blind else beside.moved(self._stack, self._window, image)
        if self._join_newcomers(beside):
            beside = Beside(index, self._done, known, self.divide)
        expected = self._without_ended(index, beside.expected(moved))
        if blind:
            return self._by_shape(index, expected, 1.0 if self.method == "shape" else carry.BLIND)
        assert self._carrier is not None
        return self._carrier.label(index, expected, beside.planes)

    def _without_ended(self, index: int, expected: dict[int, Shape]) -> dict[int, Shape]:
        ended = ended_at(index, self._ends, self._known.seeds, self._stack.count)
        return {i: shape for i, shape in expected.items() if i not in ended}

    def _by_shape(self, index: int, expected: dict[int, Shape], certainty: float) -> PlaneResult:
        return carry.by_shape(index, expected, certainty, self._stack.plane_shape, self._areas)

    def _ids_of(self, index: int) -> frozenset[int]:
        """Return the ids of an accepted plane."""
        return frozenset(self._done[index].scores)

    def _join_newcomers(self, beside: Beside) -> bool:
        """Give one id to an object that was found anew from both sides; whether there is one."""
        if not self.find_new or beside.below is None or beside.above is None:
            return False
        lower, upper = (self._done[k].labels for k in beside.planes)
        found = newcomers.same(lower, upper, self._known.first_new)
        self._again(newcomers.renumber(self._done, found))
        return bool(found)

    def _again(self, planes: Iterable[int]) -> None:
        """Hand planes over again, on which ids changed."""
        changed = [k for k in planes if k not in self._renumbered]
        self._renumbered += changed
        for k in changed:
            self._forget(k)
