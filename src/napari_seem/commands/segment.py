"""Find everything on a plane, or what words name, and accept what was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..edits import ObjectRecord
from ..errors import InvalidLabels
from ..labels.objects import NewObject
from ..models.base import Instance, Segmentation
from ..models.filters import Wanted
from ..planes import Plane
from ..sources.source import OpenPlane
from ..values import JsonObject
from .base import OnPlane
from .workspace import Workspace

if TYPE_CHECKING:
    from ..images import WritableArray

SEMANTIC, PANOPTIC = "semantic", "panoptic"
BoolArray = npt.NDArray[np.bool_]
MapRegion = tuple[BoolArray, tuple[int, int], "str | None", float, bool]
"""A cut-out mask, its corner (row, column), name, score, and whether all of its name are one."""


class WriteObjects(OnPlane):
    """Objects that a model found by itself, accepted.

    Attributes
    ----------
    words : list of str or None
        What was looked for; None for everything.
    area : list of int or None
        The part (y0, x0, y1, x1) of a big plane that was looked at; None for all of it.
    whole : bool
        A big plane was worked through frame by frame.
    filters : dict or None
        Bounds on what was offered; see `Wanted`.
    numbers : list of int or None
        Which of the objects found were accepted, from 1; None for all within the bounds.
    overwrite : bool
        Take pixels from other objects.
    replaces : bool
        Never; kept for logs of before.
    ids : list of int or None
        Their ids, once they are written.
    """

    event: Literal["segment"] = "segment"
    words: list[str] | None = None
    area: list[int] | None = None
    whole: bool = False
    filters: JsonObject | None = None
    numbers: list[int] | None = None
    overwrite: bool = False
    replaces: bool = False
    ids: list[int] | None = None

    @property
    def wanted(self) -> Wanted:
        """The bounds on objects."""
        return Wanted(**(self.filters or {}))

    def run(self, workspace: Workspace) -> Iterator[int | Segmentation]:
        """Look again, in any thread; yields how many steps are done, at last what was found."""
        area = None if self.area is None else (*map(int, self.area),)
        if self.model is not None:
            workspace.check_finds_by(self.model)
        yield from workspace.open(self).segment(self.words, area)  # type: ignore[arg-type]

    def chosen(self, found: Segmentation) -> list[Instance]:
        """The objects that were accepted, of all that were found."""
        if self.numbers is None:
            return [one for one in found.instances if self.wanted.holds(one)]
        return [found.instances[number - 1] for number in self.numbers]

    def apply(self, workspace: Workspace, chosen: Sequence[Instance]) -> list[int]:
        """Write objects in one transaction.

        Parameters
        ----------
        workspace : Workspace
        chosen : sequence of Instance
            Perhaps merged by a person.

        Returns
        -------
        list of int
            Ids of those that got at least one pixel.

        Raises
        ------
        InvalidLabels
            The labels can't take them; nothing is written then.
        """
        document, plane = workspace.document, self.place
        ids = self.ids
        if not ids:
            first = document.next_id(plane)
            ids = list(range(first, first + len(chosen)))
        model = "" if self.model is None else self.model.name
        objects = [
            NewObject(
                one.mask, (one.bbox[0], one.bbox[1]), label_id,
                ObjectRecord.made(one.label, one.score, model, 1 if self.words else 0),
            )
            for one, label_id in zip(chosen, ids, strict=True)
        ]  # fmt: skip
        return document.write_objects(
            plane, objects, overwrite=self.overwrite, entry=self.to_dict()
        )

    def run_and_apply(
        self, workspace: Workspace, plane: OpenPlane, *, semantic: bool = False
    ) -> Iterator[int | Segmentation]:
        """Look, and accept all that is within the bounds; a big plane frame by frame.

        Yields
        ------
        int, then a Segmentation
            How many steps are done; at last what was found, unwanted objects left out.
        """
        if self.whole:
            yield from self.apply_in_frames(workspace, plane, semantic=semantic)
            return
        for found in plane.segment(self.words):
            if isinstance(found, int):
                yield found
        assert isinstance(found, Segmentation)
        yield without_unwanted(found, self.accept(workspace, found))

    def accept(self, workspace: Workspace, found: Segmentation) -> list[Instance]:
        """Write the objects that were accepted, if any, of all that were found; gives them."""
        chosen = self.chosen(found)
        if chosen:
            self.apply(workspace, chosen)
        return chosen

    def apply_in_frames(
        self, workspace: Workspace, plane: OpenPlane, *, semantic: bool = False
    ) -> Iterator[int | Segmentation]:
        """Work through a big plane, writing objects into the labels as they are found.

        It can't be undone. The labels of the plane are overwritten.

        Yields
        ------
        int, then a Segmentation
            How many steps are done; at last what was found, unwanted objects left out.
        """
        document, wanted = workspace.document, self.wanted
        out = _PlaneView(document.data, self.place)
        work = plane.in_frames(self.words, out=out.array, semantic=semantic)
        entry = {**self.to_dict(), "stored": "objects found frame by frame keep their numbers"}
        with document.transaction("everything", entry) as transaction:
            for done in work.run():
                if done < work.total:
                    yield done
            kept = [one for one in work.objects if wanted.admits(one.area, one.score, one.name)]
            if len(kept) < len(work.objects):
                _keep_only(out.array, [one.label_id for one in kept])
            out.write()
            model = "" if self.model is None else self.model.name
            transaction.set_rows({
                one.label_id: ObjectRecord.made(one.name, one.score, model) for one in kept
            })  # fmt: skip
        found = work.found
        chosen = [one for one in found.instances if wanted.holds(one)]
        yield without_unwanted(found, chosen)


class WriteMap(OnPlane):
    """What every pixel of a plane is, written into labels of their own.

    Attributes
    ----------
    kind : str
        "semantic": an id a name, the same on every plane; "panoptic": things apart, too.
    """

    event: Literal["write_map"] = "write_map"
    kind: str = SEMANTIC
    overwrite: bool = True
    replaces: bool = False
    ids: list[int] | None = None

    def apply(self, workspace: Workspace, found: Segmentation) -> list[int]:
        """Write the regions in one transaction; gives their ids.

        Parameters
        ----------
        workspace : Workspace
        found : Segmentation
            With a semantic map; its instances are those to be seen on it.
        """
        document, plane = workspace.document, self.place
        known = {record.name: label_id for label_id, record in document.table.items()}
        model = "" if self.model is None else self.model.name
        free = document.next_id(plane)
        objects = []
        for mask, corner, name, score, shared in regions_of(found, self.kind):
            label_id = known.get(name or "", free) if shared else free
            free += label_id == free
            record = ObjectRecord.made(name, score, model)
            objects.append(NewObject(mask, corner, label_id, record))
        if not objects:
            return []
        return document.write_objects(plane, objects, overwrite=True, entry=self.to_dict())


def regions_of(found: Segmentation, kind: str) -> list[MapRegion]:
    """The regions of a semantic or panoptic map.

    Raises
    ------
    InvalidLabels
        The model gave no such map.
    """
    if found.semantic is None:
        raise InvalidLabels("this model gives no map of names; choose another model, or objects")
    if kind == SEMANTIC:
        names = dict(enumerate(found.names, start=1))
        cuts = _cuts(found.semantic)
        return [(*cut, names[value], float("nan"), True) for value, cut in cuts if value in names]
    panoptic = found.panoptic
    segments = {segment.label_id: segment for segment in panoptic.segments}
    return [
        (*cut, segments[value].name, _score(segments[value].score), not segments[value].thing)
        for value, cut in _cuts(panoptic.labels)
        if value in segments
    ]


def without_unwanted(found: Segmentation, chosen: Sequence[Instance]) -> Segmentation:
    """What was found, with the chosen objects only; the semantic map stays whole."""
    return replace(found, instances=tuple(chosen))


def _cuts(values: npt.NDArray[np.int32]) -> list[tuple[int, tuple[BoolArray, tuple[int, int]]]]:
    """Cut the values of a map, int32 (H, W), into (value, (mask, first corner)), one for each."""
    return [
        (value, (values[where] == value, (where[0].start, where[1].start)))
        for value, where in enumerate(ndimage.find_objects(values), start=1)
        if where is not None
    ]


def _score(score: float | None) -> float:
    return float("nan") if score is None else score


class _PlaneView:
    """A plane of a label array, of any shape, that can be written like an array of two axes."""

    def __init__(self, data: WritableArray, plane: Plane) -> None:
        self._data, self._plane = data, plane
        flat = len(data.shape) == 2 and not plane.transposed
        self.array: Any = data if flat else np.zeros(plane.shape(data.shape), data.dtype)
        self._flat = flat

    def write(self) -> None:
        """Put the plane into the array, where it is none of its own."""
        if not self._flat:
            block = self._plane.block((0, 0, *self.array.shape))
            values = self.array.T if self._plane.transposed else self.array
            self._data[block] = values.reshape([part.stop - part.start for part in block])


def _keep_only(labels: WritableArray, ids: Sequence[int], strip: int = 1024) -> None:
    """Remove all other ids from an array (H, W), strip by strip."""
    for top in range(0, labels.shape[0], strip):
        part = np.asarray(labels[top : top + strip])
        labels[top : top + strip] = np.where(np.isin(part, ids), part, 0).astype(part.dtype)
