"""Changes to a label array that know how to undo themselves, and the table of objects."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as dataclass_replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .checks import check_flag, check_type, said, whole_number
from .errors import InvalidLabels
from .values import ArrayValue, listed, locked, read_only

if TYPE_CHECKING:
    from .images import ArraySource, WritableArray

BoolArray = npt.NDArray[np.bool_]
NO_CLASS = ""
"""The class of objects that nobody named."""


@dataclass(frozen=True, eq=False, repr=False)
class Edit(ArrayValue):
    """Changed pixels only: where, what was there, what is there now.

    Attributes
    ----------
    offset : tuple of int
        First index of the changed block along every axis of the label array.
    changed : bool array, as many axes as the labels
        Which pixels of the block change.
    old, new : 1-D integer arrays
        Values of the changed pixels in C order, before and after.
    asked : int
        Pixels of the object that was to be written.
    kept : mapping of int to int
        Other objects that keep pixels which were asked for, and how many.
    taken : mapping of int to int
        Other objects that lose pixels to this one, and how many.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_seem as ns
    >>> labels = np.zeros((1, 6), np.uint8)
    >>> labels[0, 4:] = 9
    >>> mask = np.array([[False, True, True, True, True, False]])
    >>> edit = ns.Edit.from_mask(labels, mask, 2)
    >>> edit.asked, edit.written, dict(edit.kept)
    (4, 3, {9: 1})
    """

    offset: tuple[int, ...]
    changed: BoolArray
    old: npt.NDArray[Any]
    new: npt.NDArray[Any]
    asked: int = field(default=0, compare=False)
    kept: Mapping[int, int] = field(default_factory=dict, compare=False)
    taken: Mapping[int, int] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for name in ("changed", "old", "new"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @classmethod
    def from_mask(
        cls, labels: ArraySource, mask: BoolArray, label_id: int,
        offset: Sequence[int] | None = None, *, overwrite: bool = False, replace: bool = False,
    ) -> Edit:  # fmt: skip
        """The edit that writes an object.

        Parameters
        ----------
        labels : integer array-like of any shape
            Read at the mask's bounding box only (with `replace`: at the mask's whole block).
        mask : bool array, as many axes as `labels`
        label_id : int
            The object's value.
        offset : sequence of int, optional
            Where the mask's first corner lies in `labels`; by default at the origin.
        overwrite : bool
            Take pixels from other objects; otherwise theirs stay theirs.
        replace : bool
            Set pixels of `label_id` that lie in the mask's block but not in the mask to 0: the
            object was drawn anew.

        Raises
        ------
        InvalidLabels
            Labels that are no integers, too small a dtype for the id, or a mask that does not fit.
        """
        check_labels(labels, label_id)
        overwrite, replace = check_flag(overwrite, "overwrite"), check_flag(replace, "replace")
        if not isinstance(mask, np.ndarray) or mask.dtype != bool:
            raise InvalidLabels(
                f"the mask of an object is {said(mask)}; give bool, such as `values > 0`"
            )
        given = (0,) * mask.ndim if offset is None else offset
        check_type(given, Sequence, "the offset", "whole numbers, one for each axis")
        start = tuple(whole_number(o, "the offset") for o in given)
        _check_fit(labels, mask, start)
        block = tuple(slice(o, o + s) for o, s in zip(start, mask.shape, strict=True))
        old_block = np.asarray(labels[block])
        free = mask & ((old_block == 0) | (old_block == label_id))
        writable = mask if overwrite else free
        ids, counts = np.unique(old_block[mask & ~free], return_counts=True)
        others = dict(zip(ids.tolist(), counts.tolist(), strict=True))
        new_block = old_block.copy()
        if replace:
            new_block[(old_block == label_id) & ~mask] = 0
        new_block[writable] = label_id
        edit = cls.between(start, old_block, new_block)
        taken, kept = (others, {}) if overwrite else ({}, others)
        return dataclass_replace(edit, asked=int(mask.sum()), kept=kept, taken=taken)

    @classmethod
    def between(
        cls, start: tuple[int, ...], old: npt.NDArray[np.integer], new: npt.NDArray[np.integer]
    ) -> Edit:
        """Return what changed in a block that begins at `start`.

        `old` and `new` are its values before and after, of any shape, both of the same.
        """
        changed = old != new
        bounds = []
        for axis in range(changed.ndim):
            others = tuple(i for i in range(changed.ndim) if i != axis)
            hits = np.flatnonzero(changed.any(axis=others))
            bounds.append((hits[0], hits[-1] + 1) if hits.size else (0, 0))
        inner = tuple(slice(int(a), int(b)) for a, b in bounds)
        corner = tuple(int(s + a) for s, (a, _) in zip(start, bounds, strict=True))
        tight = changed[inner]
        return cls(corner, tight, locked(old[inner][tight]), locked(new[inner][tight]))

    @property
    def turned(self) -> Edit:
        """The edit that takes this one back."""
        return Edit(self.offset, self.changed, self.new, self.old)

    @property
    def count(self) -> int:
        """Number of changed pixels."""
        return int(self.old.size)

    @property
    def written(self) -> int:
        """Pixels of the object that are its own once the edit is applied."""
        return self.asked - sum(self.kept.values())

    @property
    def nbytes(self) -> int:
        """Bytes the edit takes in memory."""
        return self.changed.nbytes + self.old.nbytes + self.new.nbytes

    @property
    def block(self) -> tuple[slice, ...]:
        """Index of the changed block in the label array."""
        return tuple(slice(o, o + s) for o, s in zip(self.offset, self.changed.shape, strict=True))

    def apply(self, labels: WritableArray) -> None:
        """Write the new values in place into labels of any shape that holds the block.

        Raises
        ------
        InvalidLabels
            The pixels are not those that the edit was made for, or can't be written.
        """
        check_labels(labels, max(1, int(self.new.max(initial=0))))
        self._check(labels, self.old, "made")
        self.write(labels)

    def revert(self, labels: WritableArray) -> None:
        """Write the old values back in place into labels of any shape that holds the block.

        Raises
        ------
        InvalidLabels
            The pixels are not those that the edit wrote, or can't be written.
        """
        self._check(labels, self.new, "applied")
        self.write(labels, back=True)

    def write(self, labels: WritableArray, *, back: bool = False) -> None:
        """Write as `apply`, or `back` as `revert`, whatever labels (any shape) hold there now."""
        check_writable(labels)
        if self.count:
            part = np.asarray(labels[self.block]).copy()
            part[self.changed] = self.old if back else self.new
            labels[self.block] = part

    def _check(self, labels: WritableArray, expected: npt.NDArray[np.integer], since: str) -> None:
        """Raise `InvalidLabels` unless changed pixels of labels hold `expected`, values (n,)."""
        check_labels(labels, 1)
        _check_fit(labels, self.changed, self.offset)
        there = np.asarray(labels[self.block])[self.changed]
        different = int((there != expected).sum())
        if different:
            raise InvalidLabels(
                f"{different} of {self.count} pixels of the labels have changed since the edit was "
                f"{since}; make the edit again for the labels as they are"
            )

    def __repr__(self) -> str:
        parts = [f"{self.count} pixels changed at {self.offset}"]
        if self.asked:
            parts.append(f"{self.written} of {self.asked} written")
        for word, others in (("kept by", self.kept), ("taken from", self.taken)):
            if others:
                parts.append(f"{sum(others.values())} {word} {listed(list(others))}")
        return f"Edit({'; '.join(parts)})"


def check_labels(labels: object, label_id: int) -> None:
    """Raise `InvalidLabels` where `labels` cannot hold `label_id`."""
    if not hasattr(labels, "dtype") or not hasattr(labels, "shape"):
        raise InvalidLabels(f"labels are {said(labels)}; give an array of integers")
    label_id = whole_number(label_id, "an object's id")
    dtype = np.dtype(labels.dtype)
    if dtype.kind not in "iu":
        raise InvalidLabels(
            f"labels of dtype {dtype} cannot hold object ids; convert them to uint16 or uint32"
        )
    highest = int(np.iinfo(dtype).max)
    if not 0 < label_id <= highest:
        raise InvalidLabels(
            f"object id {label_id} does not fit into {dtype} labels (1 to {highest}); convert the "
            "layer to a wider integer type, or choose another id"
        )


def check_writable(labels: ArraySource) -> None:
    """Raise `InvalidLabels` where a label array, of any shape, refuses writing."""
    flags = getattr(labels, "flags", None)
    closed = getattr(labels, "read_only", False) is True  # as zarr says it
    if closed or (flags is not None and not getattr(flags, "writeable", True)):
        raise InvalidLabels(
            "the label array is read-only; copy it into memory (or open the file for writing) first"
        )


def _check_fit(labels: ArraySource, mask: BoolArray, start: tuple[int, ...]) -> None:
    """Raise `InvalidLabels` unless a mask at `start` fits into labels; both of any shape."""
    shape = tuple(labels.shape)
    fits = len(shape) == mask.ndim == len(start) and all(
        o >= 0 and o + m <= s for o, m, s in zip(start, mask.shape, shape, strict=True)
    )
    if not fits:
        raise InvalidLabels(
            f"a mask of shape {mask.shape} at {start} does not fit into labels of shape {shape}; "
            "choose a labels layer of the image's own size"
        )


@dataclass(frozen=True, eq=False)
class ObjectRecord(ArrayValue):
    """What is known of one object besides its pixels.

    Attributes
    ----------
    name : str
        What a person calls it.
    score : float
        The model's own estimate of its IoU; NaN where no model was asked.
    model : str
    prompts : int
        How many prompts it took.
    concept : str
        The word or the taught concept it is an example of.
    time : str
        When its pixels were written, as `now` gives it; "" where nobody knows.
    parent : int
        The object that it is a daughter of, where one divided; 0 for none.

    Examples
    --------
    >>> import napari_seem as ns
    >>> ns.ObjectRecord("nucleus", 0.9, "compact", prompts=2).name
    'nucleus'
    """

    name: str = ""
    score: float = float("nan")
    model: str = ""
    prompts: int = 0
    concept: str = ""
    time: str = ""
    parent: int = 0

    @property
    def class_name(self) -> str:
        """The class it counts to: its concept, or else its name."""
        return self.concept or self.name

    @classmethod
    def made(cls, word: str | None, score: float, model: str, prompts: int = 0) -> ObjectRecord:
        """Of an object that a model found just now, by a word or not."""
        return cls(word or "", round(score, 3), model, prompts, word or "", now())

    @classmethod
    def from_row(cls, row: Mapping[str, object]) -> ObjectRecord:
        """Of a row of any table: other columns are passed over, what it lacks is unknown.

        Raises `ValueError` or `TypeError` where a number is none.
        """
        return cls(**{
            key: _cell(row[key], kind, unknown)
            for key, (kind, unknown) in _CELLS.items() if key in row
        })  # fmt: skip


_CELLS: dict[str, tuple[type, Any]] = {
    "name": (str, ""), "score": (float, float("nan")), "model": (str, ""), "prompts": (int, 0),
    "concept": (str, ""), "time": (str, ""), "parent": (int, 0),
}  # fmt: skip
"""Columns of a record in their order: what they hold, and what stands for nothing known."""


def now() -> str:
    """The time as tables hold it: ISO 8601 to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _cell(value: object, kind: type, unknown: object) -> Any:
    own = type(value) is kind and value == value
    return value if own else unknown if is_empty(value) else kind(value)


def is_empty(value: object) -> bool:
    """Whether a cell of any table says nothing: it is None, NaN, or pandas' own."""
    return not isinstance(value, str) and str(value) in ("None", "nan", "NaT", "<NA>")


class ObjectTable(MutableMapping[int, ObjectRecord]):
    """Object id -> record, in the order of the ids; of an unknown id an empty record.

    Examples
    --------
    >>> import napari_seem as ns
    >>> ns.ObjectTable({1: ns.ObjectRecord("nucleus", 0.9), 2: ns.ObjectRecord("axon")})
    ObjectTable(2 objects, names=[axon, nucleus])
    """

    def __init__(self, records: Mapping[int, ObjectRecord] | None = None) -> None:
        self._records: dict[int, ObjectRecord] = dict(records or {})

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, label_id: object) -> bool:
        return label_id in self._records

    def __getitem__(self, label_id: int) -> ObjectRecord:
        return self._records.get(label_id, ObjectRecord())

    def __setitem__(self, label_id: int, record: ObjectRecord) -> None:
        self._records[label_id] = record

    def __delitem__(self, label_id: int) -> None:
        del self._records[label_id]

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._records))

    def items(self) -> ItemsView[int, ObjectRecord]:
        """Ids with their records, in the order of the ids."""
        return dict(sorted(self._records.items())).items()

    def __repr__(self) -> str:
        names = {record.name for record in self._records.values() if record.name}
        return f"ObjectTable({len(self)} objects, names={listed(sorted(names))})"

    def remove(self, label_id: int) -> None:
        """Forget an object; unknown ids are no error."""
        self._records.pop(label_id, None)

    def to_features(self) -> dict[str, list[object]]:
        """Columns with one row per object after a first row for the background (index 0)."""
        rows = {0: ObjectRecord("background"), **dict(self.items())}
        cells = {name: [getattr(row, name) for row in rows.values()] for name in _CELLS}
        return {"index": list(rows), **cells}

    @classmethod
    def from_features(cls, columns: Mapping[str, Iterable[object]]) -> ObjectTable:
        """Read back what `to_features` gave, or an older version or another program.

        Without a column `index` the rows are those of labels 0, 1, 2, ..., as in napari. A table
        of other columns gives an empty one.
        """
        cells = {key: [_cell(value, *like) for value in list(columns[key])]
                 for key, like in _CELLS.items() if key in columns}  # fmt: skip
        ids = list(columns["index"] if "index" in columns else range(len(cells.get("name", ()))))
        every = (cells.get(key, [like[1]] * len(ids)) for key, like in _CELLS.items())
        return cls({
            label_id: ObjectRecord(*row) for given, *row in zip(ids, *every, strict=True)
            if (label_id := _cell(given, int, 0)) > 0
        })  # fmt: skip
