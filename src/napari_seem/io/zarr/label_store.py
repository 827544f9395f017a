"""Labels in a folder: an OME-Zarr label group that is written while a person works."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import finalize

import numpy as np
import numpy.typing as npt

from ...edits import Edit, ObjectTable
from ...errors import FileTrouble, InvalidLabels
from ...values import JsonObject
from ..extras import need
from ..grid import Grid
from ..writing.disk import retrying
from ..writing.whole import Workplace, make_folder, settle, writing
from .pending import Pending
from .read import attributes, is_ome_zarr, read_ome_labels
from .write import CHUNK, LabelLevel, begin_ome_labels, coarsen, describe_ome_labels

if TYPE_CHECKING:
    from types import ModuleType


Block = tuple[slice, ...]
STEP = "step"
"""Key of the number of the last change that is whole."""
MATRIX, UNITS = "matrix", "units"
"""Keys of the labels' place in a viewer: OME-Zarr itself can't express that of rotated images."""


def default_home() -> Path:
    """Return the folder for labels of big images: $NAPARI_SEEM_LABELS, or the person's own."""
    from platformdirs import user_data_path

    chosen = os.environ.get("NAPARI_SEEM_LABELS")
    return Path(chosen) if chosen else user_data_path("napari-seem") / "labels"


class LabelStore:
    """An array of labels in a folder, and coarser copies of it that are kept in step.

    Parameters
    ----------
    path : Path
        Of the label group.
    levels : sequence of zarr array (..., H, W)
        The full-size one first.

    Attributes
    ----------
    highest : int
        The highest id that was written through this object.
    """

    def __init__(self, path: Path, levels: Sequence[LabelLevel]) -> None:
        self.path, self.levels = path, list(levels)
        self.highest = 0
        self._about: JsonObject = {}
        self._pending, self._step = Pending(path), 0

    def __deepcopy__(self, _: object) -> LabelStore:
        return self  # copying a layer's metadata must not copy its pixels

    @classmethod
    def create(
        cls, home: Path, name: str, grid: Grid, dtype: npt.DTypeLike = np.uint16, *,
        coarser: bool = False,
    ) -> LabelStore:  # fmt: skip
        """Create an empty store in a folder of its own, named after the time and `name`.

        Parameters
        ----------
        home : Path
            Created where it is missing.
        name : str
        grid : Grid
            Of the image, with the transform that a viewer shows it by.
        dtype : unsigned integer type
        coarser : bool
            With coarser copies, by halves along the last two axes, down to 1,024 pixels.

        Raises
        ------
        FileTrouble
            The folder can't be written.
        MissingPackage
            zarr is not installed.
        """
        need("zarr")
        plain = Grid.scaled(grid.shape, grid.axes, grid.spacing, None, grid.units)
        make_folder(home)
        with writing(home):
            path = _unused(home, name)
            store = cls(path, begin_ome_labels(path, plain, dtype, coarser=coarser))
            store._about = {"name": name, MATRIX: grid.matrix.tolist(), UNITS: list(grid.units)}
            store.describe(ObjectTable())
        return store

    @classmethod
    def open(cls, path: Path) -> tuple[LabelStore, ObjectTable, JsonObject]:
        """Open a store that was created before; also its objects, and its notes.

        What a program that died had changed by half is taken back.

        Raises
        ------
        FileTrouble
            It is no label group, or can't be written.
        """
        zarr = need("zarr")
        known = attributes(path) if is_ome_zarr(path) else {}
        if "image-label" not in known:
            raise FileTrouble(f"'{path}' holds no labels; choose the .zarr folder of a label group")
        _, table, about = read_ome_labels(path)
        with writing(path):
            group = zarr.open_group(path, mode="r+", use_consolidated=False)
            levels = [group[entry["path"]] for entry in known["multiscales"][0]["datasets"]]
        store = cls(path, levels)
        store._about = {key: about[key] for key in ("name", MATRIX, UNITS) if key in about}
        store._step = int(about.get(STEP, 0))
        store._heal()
        return store, table, about

    @property
    def array(self) -> LabelLevel:
        """The labels at full size."""
        return self.levels[0]

    def write(self, block: Block, values: npt.NDArray[np.integer]) -> None:
        """Write values into a block, and into the coarser pixels that show it.

        Parameters
        ----------
        block : tuple of slice
            One for each axis of the full-size array.
        values : integer array (..., H, W)
            Of the block's shape.

        Raises
        ------
        FileTrouble
            The disk is full.
        InvalidLabels
            An id is too large for the array.
        """
        highest = int(values.max(initial=0))
        most = int(np.iinfo(self.array.dtype).max)
        if highest > most:
            raise InvalidLabels(
                f"'{self.path.name}' holds ids up to {most}, not {highest}; save the labels under "
                "another name in a wider type"
            )
        values = values.astype(self.array.dtype, copy=False)

        def put() -> None:
            self.array[block] = values
            coarsen(self.levels, block)

        with writing(self.path):
            retrying(put)
        self.highest = max(self.highest, highest)

    def change(self, edit: Edit, *, back: bool = False) -> None:
        """Apply an edit, or revert it; raises as `write`."""
        if not edit.count:
            return
        part = np.array(self.array[edit.block])
        part[edit.changed] = edit.old if back else edit.new
        self.write(edit.block, part)

    def change_whole(self, edit: Edit, *, back: bool = False) -> None:
        """Apply an edit, or revert it, as a part of what `settle` or `describe` ends."""
        self.prepare(edit.block)
        self.change(edit, back=back)

    def prepare(self, block: Block) -> None:
        """Keep the pixels of a block, which are restored unless `settle` or `describe` follows.

        Raises
        ------
        FileTrouble
            The disk is full.
        """
        if all(part.stop > part.start for part in block):
            with writing(self.path):
                self._pending.keep(self._step + 1, block, np.asarray(self.array[block]))

    def settle(self) -> None:
        """What was prepared is written whole, or is as it was."""
        self._pending.settle()

    def describe(
        self, table: ObjectTable, about: Mapping[str, object] | None = None, *, ends: bool = True
    ) -> None:
        """Write the table of objects, and their provenance, beside the pixels.

        Parameters
        ----------
        table : ObjectTable
        about : mapping, optional
        ends : bool
            The change that was prepared is whole with it.
        """
        step = self._step + int(ends and self._pending.is_open)
        notes = {**(about or {}), **self._about, STEP: step}
        with writing(self.path):
            describe_ome_labels(self.path, table, notes)
        self._step = step
        if ends:
            self.settle()

    def _heal(self) -> None:
        """Take back what was changed by half."""
        with writing(self.path):
            for block, values in self._pending.left(self._step):
                self.write(block, values)
            if self._pending.is_open:
                for path in self.path.rglob("*.partial"):  # of zarr, which died while writing
                    path.unlink(missing_ok=True)
        self.highest = 0
        self.settle()


class ScratchPlanes(MutableMapping[int, npt.NDArray[np.int32]]):
    """Label planes by their number, kept in a folder that is deleted with this object.

    Parameters
    ----------
    array : zarr array (planes, H, W)
    """

    def __init__(self, array: LabelLevel) -> None:
        self._array = array
        self._kept: dict[int, None] = {}

    def __getitem__(self, number: int) -> npt.NDArray[np.int32]:
        if number not in self._kept:
            raise KeyError(number)
        return np.asarray(self._array[number]).astype(np.int32)

    def __setitem__(self, number: int, plane: npt.NDArray[np.integer]) -> None:
        """Write a plane (H, W)."""
        self._array[number] = plane
        self._kept[number] = None

    def __delitem__(self, number: int) -> None:
        del self._kept[number]

    def clear(self) -> None:
        """Forget all planes."""
        self._kept.clear()

    def __iter__(self) -> Iterator[int]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)


class Scratch:
    """A folder for temporary arrays; it is deleted with the object or after the process.

    Parameters
    ----------
    beside : Path
        A file or folder on the disk to use.
    """

    def __init__(self, beside: Path) -> None:
        with writing(beside):
            settle(beside.parent)
            place = Workplace(beside.parent)
        self.folder = place.path
        self._remove = finalize(self, place.close)

    def array(
        self, name: str, shape: Sequence[int], dtype: npt.DTypeLike = np.uint32
    ) -> LabelLevel:
        """Create an array (..., H, W), chunked by planes, 0 everywhere."""
        zarr = need("zarr")
        lead = (1,) * (len(shape) - 2)
        chunks = (*lead, *(min(n, CHUNK) for n in shape[-2:]))
        return zarr.create_array(
            self.folder / name, shape=tuple(shape), chunks=chunks, dtype=np.dtype(dtype),
            fill_value=0,
        )  # fmt: skip

    def close(self) -> None:
        """Delete everything in it."""
        self._remove()


def moment_of(data: Any) -> Any:
    """Return labels (..., H, W) as they are now, whatever is written to the array later.

    An array in memory is copied. Of one in a zarr folder every chunk gets a second name in a
    folder beside it: zarr, from 3.1.3 on, replaces chunks and does not write into them.
    """
    if isinstance(data, np.ndarray):
        return data.copy()
    root = getattr(getattr(data, "store", None), "root", None)
    if not isinstance(root, Path):
        return data
    zarr = need("zarr")
    scratch = Scratch(root)
    copy = os.link if _release(zarr) >= (3, 1, 3) else shutil.copyfile
    try:
        shutil.copytree(root / data.path, scratch.folder / "moment", copy_function=copy)
    except OSError:  # a disk where a file has one name only
        place = scratch.folder / "moment"
        shutil.copytree(root / data.path, place, copy_function=shutil.copyfile, dirs_exist_ok=True)
    moment = zarr.open_array(scratch.folder / "moment", mode="r")
    finalize(moment, scratch.close)
    return moment


def _release(package: ModuleType) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", package.__version__)[:3])


def matrix_of(about: Mapping[str, object], ndim: int) -> npt.NDArray[np.float64] | None:
    """Return the transform (ndim + 1, ndim + 1) that labels were noted with, or None."""
    matrix = np.asarray(about.get(MATRIX, ()), float)
    return matrix if matrix.shape == (ndim + 1, ndim + 1) else None


def is_kept(about: Mapping[str, object]) -> bool:
    """Return whether labels were written to their folder while a person worked on them."""
    return MATRIX in about


def _unused(home: Path, name: str) -> Path:
    stem = re.sub(r"[^\w .-]+", "_", name).strip(" .") or "labels"
    start = f"{datetime.now():%Y-%m-%d %H.%M.%S} {stem[:80]}"
    for number in range(1, 1000):
        path = home / f"{start}{f' {number}' if number > 1 else ''}.zarr"
        if not path.exists():
            return path
    raise FileTrouble(f"'{home}' has no free name for these labels; choose another folder")
