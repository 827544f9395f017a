"""Everything on a big plane, found frame by frame, with one id for each object across frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import said, whole_number
from ..edits import check_labels, check_writable
from ..errors import InvalidArgument, InvalidLabels
from ..images import AnyArray, WritableArray
from ..models.base import Instance, Model, Segmentation, check_model
from ..planes import boxes
from ..progress import Progress, reporting
from .frames import Area, Frame, cores
from .pixels import PlaneImage, PlanePixels, encode_frame
from .stitch import FrameObjects, Groups, Ids, Part, Spill, common, compare

IdBlock = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FoundObject:
    """One object of a whole plane.

    Attributes
    ----------
    label_id : int
    name : str or None
    score : float
        Mean of the model's scores of its parts, weighted by their areas.
    bbox : (y0, x0, y1, x1)
        Half-open, in the plane.
    area : int
        Pixels.
    """

    label_id: int
    name: str | None
    score: float
    bbox: Area
    area: int


@dataclass(frozen=True, eq=False)
class WholePlane:
    """All objects of a big plane.

    Attributes
    ----------
    labels : array-like (H, W)
        The array that was written.
    objects : tuple of FoundObject
        In the order of their ids, 1, 2, 3, ...
    names : tuple of str
        The words that were searched for, or the model's vocabulary.
    semantic : array-like (H, W), or None
        As `Segmentation.semantic`, if an array was given for it.
    stuff : tuple of str
        As `Segmentation.stuff`.
    """

    labels: Any = field(repr=False)
    objects: tuple[FoundObject, ...]
    names: tuple[str, ...] = ()
    semantic: Any = field(default=None, repr=False)
    stuff: tuple[str, ...] = ()

    def __repr__(self) -> str:
        height, width = self.labels.shape
        return f"WholePlane({height} x {width}, {len(self.objects)} objects)"


class PlaneRun:
    """A run over a whole plane; `run` does it and yields its progress.

    Memory is bounded by one row of frames, whatever the size of the plane: the label array is
    written frame by frame, and a frame's labels are dropped once all its neighbours were compared
    with it.

    Parameters
    ----------
    model : Model
    image : array-like (H, W) or (H, W, C), list of its resolutions, or PlanePixels
    names : sequence of str, optional
        Find only what these words name.
    out : integer array-like (H, W), optional
        numpy or zarr; overwritten. By default a new uint32 array.
    semantic : integer array-like (H, W), optional
        Gets the index of the name that fits each pixel, plus one.
    halo : int, optional
        Pixels by which a frame overlaps its neighbours, by default 128. Objects up to this size
        come out as if segmented in one frame.
    order : sequence of int, optional
        Numbers of the frames, each once; the result is the same in any order.

    Raises
    ------
    InvalidLabels
        `out` or `semantic` has another shape, or can't be written.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> run = ns.PlaneRun(ns.load_model("compact"), np.zeros((2100, 400), np.uint8))
    >>> [done for done in run.run()][-1] == run.total
    True
    >>> run.objects
    ()
    """

    def __init__(
        self, model: Model, image: PlaneImage, names: Sequence[str] | None = None, *,
        out: WritableArray | None = None, semantic: WritableArray | None = None,
        halo: int | None = None, order: Sequence[int] | None = None,
    ) -> None:  # fmt: skip
        self._model = check_model(model)
        self._pixels = image if isinstance(image, PlanePixels) else PlanePixels.of(image)
        self._names = names
        self.labels: WritableArray = np.zeros(self._pixels.shape, np.uint32) if out is None else out
        self.semantic: Any = semantic
        for array in [self.labels] if semantic is None else [self.labels, semantic]:
            _check_out(array, self._pixels.shape)
        self._frames = cores(
            self._pixels.shape, 1, None if halo is None else whole_number(halo, "halo", 0)
        )
        self._order = list(range(len(self._frames)) if order is None else order)
        if sorted(self._order) != list(range(len(self._frames))):
            raise InvalidArgument(
                f"order is {said(order)}; name each of the {len(self._frames)} frames once"
            )
        self._waiting: dict[int, FrameObjects] = {}
        self._not_compared = {n: set(self._neighbours(n)) for n in range(len(self._frames))}
        self._groups = Groups()
        self._spills: list[Spill] = []
        self._instances: dict[int, list[tuple[str | None, float]]] = {}
        self._own: dict[int, list[int]] = {}
        self.objects: tuple[FoundObject, ...] = ()
        self.vocabulary: tuple[str, ...] = tuple(names or model.vocabulary())
        self.stuff: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Number of steps of `run`."""
        return 2 * len(self._frames)

    def run(self) -> Iterator[int]:
        """Find, stitch and number; yield the number of steps done. `labels` is valid at the end.

        Raises
        ------
        InvalidLabels
            There are more objects than the label array can number.
        """
        for done, number in enumerate(self._order, 1):
            self._find(number)
            yield done
        ids = self._ids()
        sums: dict[int, _Sum] = {}
        for number in range(len(self._frames)):
            self._renumber(number, ids, sums)
            yield len(self._frames) + number + 1
        self.objects = tuple(sums[label_id].object(label_id) for label_id in sorted(sums))

    @property
    def found(self) -> Segmentation:
        """What was found, once the run is done."""
        whole = WholePlane(self.labels, self.objects, self.vocabulary, self.semantic, self.stuff)
        return Segmentation(
            self._pixels.shape, instances_of(whole), self.semantic, self.vocabulary, self.stuff
        )

    def _find(self, number: int) -> None:
        """Segment one frame, write its own part, and compare it with the neighbours done before."""
        core, frame = self._frames[number]
        found = FrameObjects(number, core, frame.area, self._segment_frame(number, frame))
        own = found.within(core)
        highest = int(own.max(initial=0))
        if highest:
            check_labels(self.labels, highest)
        self._own[number] = [int(label) for label in np.unique(own) if label]
        self.labels[_slices(core)] = own.astype(self.labels.dtype)
        for other in sorted(self._not_compared[number]):
            if other in self._waiting:
                pair = (self._waiting[other], found)
                if other > number:
                    pair = (found, self._waiting[other])
                self._spills.extend(compare(*pair, self._groups))
                self._mark_compared(other, number)
        if self._not_compared[number]:
            self._waiting[number] = found

    def _mark_compared(self, other: int, number: int) -> None:
        """Mark two frames as compared; forget one that was compared with all its neighbours."""
        self._not_compared[number].discard(other)
        self._not_compared[other].discard(number)
        if not self._not_compared[other]:
            del self._waiting[other]

    def _segment_frame(self, number: int, frame: Frame) -> Ids:
        pixels = self._pixels.read(frame)
        out = np.zeros(frame.shape, np.uint16)
        self._instances[number] = []
        if _is_blank(pixels):
            return out
        embedding = encode_frame(self._model, self._pixels, frame, pixels)
        everything = self._model.segment(embedding, self._names)
        self._keep_semantic(number, frame, everything)
        instances = everything.instances
        for label in range(len(instances), 0, -1):
            y0, x0, y1, x1 = instances[label - 1].bbox
            out[y0:y1, x0:x1][instances[label - 1].mask] = label
        self._instances[number] = [(i.label, i.score) for i in instances]
        return out

    def _keep_semantic(self, number: int, frame: Frame, found: Segmentation) -> None:
        """Write the semantic map of a frame's own part."""
        self.vocabulary, self.stuff = found.names or self.vocabulary, found.stuff
        if self.semantic is None or found.semantic is None:
            return
        core = self._frames[number][0]
        if found.names:
            check_labels(self.semantic, len(found.names))
        y0, x0, y1, x1 = (c - o for c, o in zip(core, (frame.y0, frame.x0) * 2, strict=True))
        self.semantic[_slices(core)] = found.semantic[y0:y1, x0:x1].astype(self.semantic.dtype)

    def _neighbours(self, number: int) -> list[int]:
        area = self._frames[number][1].area
        columns = sum(core[0] == 0 for core, _ in self._frames)
        near = (number + down * columns + right for down in (-1, 0, 1) for right in (-1, 0, 1))
        return [
            other
            for other in near
            if 0 <= other < len(self._frames) and other != number
            and common(area, self._frames[other][1].area)
        ]  # fmt: skip

    def _ids(self) -> dict[Part, int]:
        """Return the final id of the first part of each object, in reading order."""
        ids: dict[Part, int] = {}
        for number in range(len(self._frames)):
            for label in self._own[number]:
                ids.setdefault(self._groups.find((number, label)), len(ids) + 1)
        if ids:
            check_labels(self.labels, len(ids))
        return ids

    def _renumber(self, number: int, ids: dict[Part, int], sums: dict[int, _Sum]) -> None:
        core, _ = self._frames[number]
        where = _slices(core)
        local = np.asarray(self.labels[where])
        table = np.zeros(max(self._own[number], default=0) + 1, np.int64)
        scores: dict[int, list[Part]] = {}
        for label in self._own[number]:
            final = ids[self._groups.find((number, label))]
            table[label] = final
            scores.setdefault(final, []).append((number, label))
        block = table[local]
        for spill in sorted((s for s in self._spills if s.into == number), key=lambda s: s.part):
            self._spill(block, table[local], core, spill, ids)
        for final, where_it_is in boxes(block):
            inside = block[where_it_is] == final
            parts = scores.get(final, [])
            pieces = [
                (*self._instances[n][label - 1], int((local[where_it_is] == label).sum()))
                for n, label in parts
            ]
            sums.setdefault(final, _Sum()).add(core, where_it_is, int(inside.sum()), pieces)
        self.labels[where] = block.astype(self.labels.dtype)

    def _spill(
        self, block: IdBlock, before: IdBlock, core: Area, spill: Spill, ids: dict[Part, int]
    ) -> None:
        """Give an object the free pixels where it goes on, unless it was found there after all.

        `block` and `before` are ids (h, w) of the frame's own part; `block` is changed in place.
        """
        y, x = spill.corner[0] - core[0], spill.corner[1] - core[1]
        where = np.s_[y : y + spill.mask.shape[0], x : x + spill.mask.shape[1]]
        final = ids[self._groups.find(spill.part)]
        if not (before[where] == final).any():
            block[where][spill.mask & (block[where] == 0)] = final


@dataclass
class _Sum:
    """The size, box and parts of an object, collected while its parts are numbered."""

    area: int = 0
    box: Area | None = None
    pieces: list[tuple[str | None, float, int]] = field(default_factory=list)

    def add(
        self, core: Area, where: tuple[slice, slice], area: int,
        pieces: list[tuple[str | None, float, int]],
    ) -> None:  # fmt: skip
        """Take in a part that lies at `where`, rows and columns of the ids (h, w) of `core`."""
        rows, cols = where
        box = (core[0] + rows.start, core[1] + cols.start, core[0] + rows.stop,
               core[1] + cols.stop)  # fmt: skip
        old = self.box or box
        self.box = (min(old[0], box[0]), min(old[1], box[1]), max(old[2], box[2]),
                    max(old[3], box[3]))  # fmt: skip
        self.area += area
        self.pieces.extend(pieces)

    def object(self, label_id: int) -> FoundObject:
        assert self.box is not None
        weights = [max(1, size) for _, _, size in self.pieces]
        score = float(np.average([score for _, score, _ in self.pieces], weights=weights))
        name = max(self.pieces, key=lambda piece: piece[2])[0]
        return FoundObject(label_id, name, score, self.box, self.area)


def segment_tiled(
    model: Model, image: PlaneImage, names: Sequence[str] | None = None, *,
    out: WritableArray | None = None, semantic: WritableArray | None = None,
    progress: bool | Progress | None = None,
) -> WholePlane:  # fmt: skip
    """Find everything on a plane of any size.

    Parameters
    ----------
    model : Model
    image : array-like (H, W) or (H, W, C), list of its resolutions, or PlanePixels
    names, out, semantic
        As for `PlaneRun`.
    progress : bool or callable, optional
        True shows a bar; a callable gets steps done, steps in all, and what is being done.

    Returns
    -------
    WholePlane

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> labels = np.zeros((2100, 400), np.uint16)
    >>> blank = np.zeros(labels.shape, np.uint8)
    >>> len(ns.segment_tiled(ns.load_model("compact"), blank, out=labels).objects)
    0
    """
    work = PlaneRun(model, image, names, out=out, semantic=semantic)
    with reporting(progress, work.total, "segment the plane") as report:
        for done in work.run():
            report(done)
    return WholePlane(work.labels, work.objects, work.vocabulary, work.semantic, work.stuff)


def instances_of(found: WholePlane) -> tuple[Instance, ...]:
    """Return the objects with their masks, best first; only their own pixels are read."""
    ordered = sorted(found.objects, key=lambda one: (-one.score, one.label_id))
    return tuple(
        Instance(
            np.asarray(found.labels[_slices(one.bbox)]) == one.label_id, one.bbox, one.score,
            one.name, one.name not in found.stuff,
        )
        for one in ordered
    )  # fmt: skip


def _is_blank(pixels: AnyArray) -> bool:
    """Return whether an image (h, w) or (h, w, C) is constant, as on a mosaic's empty rim."""
    if pixels.dtype.kind == "f":
        finite = np.isfinite(pixels)
        if not finite.any():
            return True
        return bool((pixels[finite] == pixels[finite][0]).all())
    return bool(pixels.min() == pixels.max())


def _check_out(labels: WritableArray, shape: tuple[int, int]) -> None:
    """Raise `InvalidLabels` unless `labels` (H, W) can be written to."""
    check_labels(labels, 1)
    if tuple(labels.shape) != shape:
        raise InvalidLabels(
            f"the label array has the shape {tuple(labels.shape)} but the plane has {shape}; give "
            "one of the plane's own size"
        )
    check_writable(labels)


def _slices(area: Area) -> tuple[slice, slice]:
    """The rows and columns of an area, as an index into a plane (H, W)."""
    return slice(area[0], area[2]), slice(area[1], area[3])
