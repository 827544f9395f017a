"""Folders of zarr groups, opened with bounds; this module needs zarr."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import zarr
from zarr.storage import LocalStore

from ...errors import FileTrouble
from ..guard import JSON_BYTES, GuardedArray, check_file, reading

CHUNK_BYTES = 1 << 31
"""Largest chunk, or shard, that is read."""
_DESCRIPTIONS = ("zarr.json", ".zgroup", ".zattrs", ".zarray", ".zmetadata")


class OrdinaryFiles(LocalStore):
    """A folder whose chunks and descriptions are ordinary files of bounded size."""

    async def get(self, key: str, *args: Any, **options: Any) -> Any:
        """Read a file; None where there is none."""
        self._check(key)
        return await super().get(key, *args, **options)

    def get_sync(self, key: str, *args: Any, **options: Any) -> Any:
        """Read a file; None where there is none."""
        self._check(key)
        return super().get_sync(key, *args, **options)

    def _check(self, key: str) -> None:
        place = self.root / key
        if place.exists() and not place.is_dir():
            check_file(place, JSON_BYTES if place.name in _DESCRIPTIONS else CHUNK_BYTES)


def open_group(path: Path) -> Any:
    """Open a zarr group to be read; `FileTrouble` where there is none."""
    arrays = any((path / name).exists() for name in (".zarray", "zarr.json"))
    what = "as a zarr group" + ("; it may be one array without the description" if arrays else "")
    with reading(path, what, remedy="choose the .zarr folder of an OME-Zarr image"):
        store = OrdinaryFiles(path, read_only=True)
        return zarr.open_group(store, mode="r", use_consolidated=False)


def open_level(group: Any, path: Path, name: str) -> GuardedArray:
    """Open an array of the group at `path`; its chunks are bounded: one is unpacked at a time.

    Raises
    ------
    FileTrouble
        The array is not there, or its chunks are too large.
    """
    if name not in group:
        raise FileTrouble(f"'{path}' lacks the level '{name}' that it describes")
    level = group[name]
    if not hasattr(level, "chunks"):
        raise FileTrouble(f"'{path}' names the level '{name}', which is no array")
    chunk = prod(level.shards or level.chunks) * level.dtype.itemsize
    if chunk > CHUNK_BYTES:
        raise FileTrouble(
            f"'{path}' has chunks of {chunk:,} bytes, where at most {CHUNK_BYTES:,} are read; "
            "write it again in smaller ones"
        )
    return GuardedArray(level, path)
