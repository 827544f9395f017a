"""A propagation: labelled seed planes of a stack or a video, and the planes between and beyond."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..checks import check_choice, check_flag, real_number
from ..embeddings import EmbeddingCache
from ..errors import InvalidArgument, InvalidLabels
from ..images import AnyArray, Sliceable, WritableArray, shared_window, to_rgb
from ..in_context import Learner, check_can_learn, frames
from ..models.in_context import Example, Kind, Lesson, check_kind
from ..progress import Progress, reporting
from ..values import listed, locked
from . import carry, newcomers, shapes
from .carry import ClassShares
from .events import events_of
from .motion import moves
from .order import distances, reachable
from .results import Event, PlaneResult, Results, html_of
from .seeds import Seeds, seed_planes
from .shapes import IntArray, Shape
from .stack import Stack, has_contrast

Method = Literal["model", "shape", "copy"]
METHODS: tuple[Method, ...] = get_args(Method)
MANY = 8
"""Least number of objects that are taken to be of one kind."""
BLIND = 0.25
"""Factor on the score of a plane without contrast."""
DOUBT = 0.5
"""Share of an object's score that comes from the plane it was carried from."""


class Propagation:
    """Carries the labels of seed planes through a stack or a video.

    Planes are done nearest to a seed first. Every plane starts from the shapes that the nearest
    finished planes on both sides let expect; the model, which has learned from the nearest accepted
    planes, corrects them.

    Parameters
    ----------
    model : Model or None
        'compact' or 'seggpt-vit-l', from `load_model`; None only for methods that need none.
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
        Whether to find objects that no seed has.
    stop_below : float
        Nothing is carried on from a plane with a lower score.
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
        The model can't label by example.

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
        cache: EmbeddingCache | None = None, out: WritableArray | None = None,
    ) -> None:  # fmt: skip
        check_choice(method, METHODS, "method")
        if kind is not None:
            check_kind(kind)
        if method == "model" and model is None:
            raise InvalidArgument("the method 'model' needs a model; give one, or another method")
        self.method: Method = method
        self.find_new = check_flag(find_new, "find_new")
        self.stop_below = real_number(stop_below, "stop_below", 0, 1)
        self._model = check_can_learn(model) if method == "model" else None
        self._stack = Stack(volume, axis)
        self._range = self._stack.range(within)
        self._done = Results(self._stack, out)
        self._areas: dict[int, npt.NDArray[np.int64]] = {}
        self._lessons: dict[tuple[int, ...], Lesson] = {}
        for index, labels in seed_planes(seeds, self._stack):
            self._accept(index, labels)
        ids = sorted({i for index in self._areas for i in self._ids_of(index)})
        if not ids:
            raise InvalidLabels("no seed plane has a label; label at least one object in one plane")
        self.kind: Kind = kind or ("instance" if len(ids) >= MANY else "semantic")
        self._first_new = ids[-1] + 1
        self._cache = cache
        self._window = shared_window(self._stack.read(k) for k in self._areas)

    def __repr__(self) -> str:
        shape, axis, count = self._stack.shape, self._stack.axis, self._stack.count
        ids = sorted({i for result in self._done.values() for i in result.scores})
        return (
            f"Propagation(shape={shape}, axis={axis}, method='{self.method}', kind='{self.kind}', "
            f"done={len(self._done)} of {count}, ids={listed(ids)})"
        )

    def _repr_html_(self) -> str:
        return html_of(self._done, self._stack, self._window, repr(self))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": None}  # encoded images are encoded again

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
    def pending(self) -> list[int]:
        """The planes to do, in their order: nearest to an accepted plane first."""
        seeds = np.array(sorted(self._areas))
        left = np.setdiff1d(np.arange(*self._range), list(self._done), assume_unique=True)
        if self.stop_below:
            low = [k for k, r in self._done.items() if not r.accepted and r.score < self.stop_below]
            left = left[reachable(left, seeds, np.array(sorted(low), int))]
        nearest = np.argsort(distances(left, seeds), kind="stable")
        return [int(index) for index in left[nearest]]

    def to_review(self) -> list[int]:
        """Return the planes that were computed, the least sure first."""
        results = self.results
        computed = [index for index, result in results.items() if not result.accepted]
        return sorted(computed, key=lambda index: results[index].score)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> AnyArray:
        return np.array(self.labels, dtype, copy=copy)

    def run(self, progress: bool | Progress | None = None) -> Iterator[PlaneResult]:
        """Do the planes that are pending, one at each step.

        Stop iterating to cancel, or raise an exception in `progress`: finished planes stay, and
        another `run` goes on from there.

        Parameters
        ----------
        progress : bool or callable, optional
            True for a bar; a callable gets (done, total, what).
        """
        before = len(self._done)
        with reporting(progress, len(self.pending), "propagate") as report:
            while pending := self.pending:
                index = pending[0]
                self._done[index] = self._plane(index)
                yield self._done[index]
                report(len(self._done) - before)

    def limit(self, within: tuple[int, int] | None) -> None:
        """Label other planes from now on, first and last, half-open; finished planes stay."""
        self._range = self._stack.range(within)

    def encode_all(self) -> None:
        """Encode every plane that a run would, into the cache."""
        for index in sorted({*range(*self._range), *self._areas}):
            image = self._stack.read(index)
            if has_contrast(image) and self._model is not None:
                frames.encode_all(self._model, self._shown(image), self._cache)

    def correct(self, index: int, labels: AnyArray) -> list[int]:
        """Accept corrected labels (H, W) of a plane, which becomes a seed.

        Returns the planes that depend on it, up to the next accepted ones: they are pending again.
        """
        index = self._stack.position(index)
        labels = self._stack.checked(index, labels)
        lower = max((k for k in self._areas if k < index), default=-1)
        upper = min((k for k in self._areas if k > index), default=self._stack.count)
        self._accept(index, labels)
        stale = [k for k in self._done if lower < k < upper and k != index]
        for k in stale:
            del self._done[k]
        self._lessons = {key: value for key, value in self._lessons.items() if index not in key}
        return sorted(stale)

    def accept(self, index: int) -> None:
        """Accept a plane as it is: it becomes a seed, and no plane has to be done again."""
        index = self._stack.position(index)
        if index not in self._done:
            raise InvalidLabels(f"plane {index} is not done yet; run the propagation first")
        self._accept(index, self._done[index].labels)
        self._lessons = {}

    def _accept(self, index: int, labels: AnyArray) -> None:
        """Make a plane with labels (H, W) a seed."""
        seed = self._stack.checked(index, labels)
        ids, areas = np.unique(seed[seed > 0], return_counts=True)
        scores = dict.fromkeys((int(i) for i in ids), 1.0)
        self._done[index] = PlaneResult(index, seed, scores, accepted=True)
        self._areas[index] = areas

    def _plane(self, index: int) -> PlaneResult:
        if self.method == "copy":
            nearest = min(self._areas, key=lambda k: (abs(k - index), k))
            return self._by_shape(index, shapes.expected(self._done[nearest].labels, None), 1.0)
        known: Iterable[int] = self._done if self.method == "model" else self._areas
        below = max((k for k in known if k < index), default=None)
        above = min((k for k in known if k > index), default=None)
        image = self._stack.read(index)
        blind = self.method == "shape" or not has_contrast(image)
        moved = None if blind else self._moved(image, index, below, above)
        expected = self._expected(index, below, above, moved)
        if blind:
            return self._by_shape(index, expected, 1.0 if self.method == "shape" else BLIND)
        beside = [k for k in (below, above) if k is not None]
        return self._by_model(index, image, expected, beside)

    def _expected(
        self, index: int, below: int | None, above: int | None,
        moved: Mapping[int, tuple[float, float]] | None,
    ) -> dict[int, Shape]:  # fmt: skip
        def known(k: int | None) -> IntArray | None:
            return None if k is None else self._done[k].labels

        if below is None or above is None:
            return shapes.expected(known(above if below is None else below), None, moved=moved)
        self._join_newcomers(below, above)
        share = (index - below) / (above - below)
        return shapes.expected(known(below), known(above), share)

    def _moved(
        self, image: AnyArray, index: int, below: int | None, above: int | None
    ) -> dict[int, tuple[float, float]] | None:
        """Estimate how far objects moved to a plane from the only known neighbour.

        `image` is (H, W) or (H, W, C).
        """
        if (below is None) == (above is None):
            return None
        other = above if below is None else below
        assert other is not None
        before = self._stack.read(other)
        if abs(other - index) > 1 or not has_contrast(before):
            return None
        return moves(
            to_rgb(before, self._window), to_rgb(image, self._window),
            shapes.outlines(self._done[other].labels),
        )  # fmt: skip

    def _by_shape(self, index: int, expected: dict[int, Shape], certainty: float) -> PlaneResult:
        """Label a plane by expectation only; the further from a seed, the lower its scores."""
        labels = shapes.paint(expected, self._stack.plane_shape)
        far = min(abs(k - index) for k in self._areas)
        there = np.unique(labels)
        scores = {i: certainty / (1 + 0.1 * far) if i in there else 0.0 for i in expected}
        return PlaneResult(index, labels, scores, events_of(index, labels, expected))

    def _by_model(
        self, index: int, image: AnyArray, expected: dict[int, Shape],
        beside: Sequence[int],
    ) -> PlaneResult:  # fmt: skip
        """Label a plane, `image` (H, W) or (H, W, C), by expectation and model."""
        shape = self._stack.plane_shape
        if not expected and not self.find_new:
            return PlaneResult(index, np.zeros(shape, np.int32), {})
        lesson = self._lesson(index)
        box = (
            (0, 0, *shape)
            if self.find_new
            else shapes.joint_box(one.box for one in expected.values())
        )
        assert self._model is not None
        seen = frames.shares(self._model, lesson, self._shown(image), box, self._cache)
        ids = lesson.ids if self.kind == "semantic" else ()
        source = ClassShares(box, seen, tuple(ids))
        labels, scores = carry.assign_labels(expected, source, shape)
        scores = {i: score * self._inherited(beside, i) for i, score in scores.items()}
        events = events_of(index, labels, expected)
        if self.find_new:
            found = newcomers.find(labels, seen, self._usual_area(), self._next_id())
            labels = np.where(found.labels > 0, found.labels, labels)
            scores |= found.scores
            events += tuple(Event("new", number, index) for number in found.scores)
        return PlaneResult(index, labels, scores, events)

    def _inherited(self, beside: Sequence[int], number: int) -> float:
        """Return the factor by which the neighbours' scores lower an object's score."""
        scores = [self._done[k].scores.get(number, 0.0) for k in beside]
        return 1 - DOUBT + DOUBT * max(scores, default=1.0)

    def _lesson(self, index: int) -> Lesson:
        """Learn from the nearest accepted planes on both sides, and others with further ids."""
        ordered = sorted(self._areas, key=lambda k: (abs(k - index), k))
        sides = [[k for k in ordered if k <= index][:1], [k for k in ordered if k > index][:1]]
        chosen = {k for side in sides for k in side if self._ids_of(k)}
        missing = {i for k in self._areas for i in self._ids_of(k)}
        missing -= {i for k in chosen for i in self._ids_of(k)}
        for k in ordered:
            if missing & self._ids_of(k):
                chosen.add(k)
                missing -= self._ids_of(k)
        key = tuple(sorted(chosen))
        if key not in self._lessons:
            assert self._model is not None
            examples = [one for k in key for one in self._examples(k)]
            self._lessons[key] = self._model.learn(examples, self.kind)
        return self._lessons[key]

    def _examples(self, index: int) -> list[Example]:
        """Return what an accepted plane teaches."""
        assert self._model is not None
        seed = self._done[index].labels
        part = None if self.find_new else shapes.surroundings(seed)
        shown = self._shown(self._stack.read(index))
        return frames.examples_of(self._model, shown, seed, self._cache, part)

    def _shown(self, image: AnyArray) -> frames.Shown:
        """Return a plane (H, W) or (H, W, C) as the model gets it, by the stack's window."""
        assert self._model is not None
        shown = image if self._window is None else to_rgb(image, self._window)
        return frames.prepared(self._model, shown, self._cache)

    def _ids_of(self, index: int) -> frozenset[int]:
        """Return the ids of an accepted plane."""
        return frozenset(self._done[index].scores)

    def _usual_area(self) -> float:
        return float(np.median(np.concatenate(list(self._areas.values()))))

    def _next_id(self) -> int:
        return max(self._done.highest + 1, self._first_new)

    def _join_newcomers(self, below: int, above: int) -> None:
        """Give one id to an object that was found anew from both sides."""
        if not self.find_new:
            return
        same = newcomers.same(self._done[below].labels, self._done[above].labels, self._first_new)
        for old, new in same.items():
            for k, result in list(self._done.items()):
                if old in result.scores:
                    self._done[k] = newcomers.renamed(result, old, new)
                    if result.accepted:
                        self._lessons = {}
