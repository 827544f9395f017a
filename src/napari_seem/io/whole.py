"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EISDIR
from pathlib import Path

from ..errors import FileTrouble


@contextmanager
def replacing(*finals: Path) -> Iterator[list[Path]]:
    """Yield paths to write to instead of the final ones; they are put in place at the end.

    Nothing is replaced before everything is written: where writing fails, the files that were there
    are unchanged.

    Parameters
    ----------
    finals : Path
        Files, or folders such as a zarr group.

    Yields
    ------
    list of Path
        In the same folders, with the same endings.

    Raises
    ------
    FileTrouble
        The disk is full, the folder is missing or may not be written.
    """
    parts = [final.with_name(f".part-{os.getpid()}-{final.name}") for final in finals]
    try:
        yield parts
        for final, part in zip(finals, parts, strict=True):
            if final.is_dir() and not part.is_dir():  # or the last could fail after the first
                raise IsADirectoryError(EISDIR, "there is a folder of that name", str(final))
        for final, part in zip(finals, parts, strict=True):
            _put(part, final)
    except OSError as error:
        if isinstance(error, FileTrouble):
            raise
        names = " and ".join(f"'{final}'" for final in finals[:2])
        if len(finals) > 2:
            names += f" and {len(finals) - 2} more files"
        if not finals[0].parent.is_dir():
            raise FileTrouble(
                f"{names} can't be written: there is no folder '{finals[0].parent}'"
            ) from error
        raise FileTrouble(
            f"{names} can't be written ({error.strerror or error}); an older file is unchanged. "
            "Free some disk space, or choose another folder"
        ) from error
    finally:
        for part in parts:
            _remove(part)


def _put(part: Path, final: Path) -> None:
    """Move a file or folder to its place; a folder that is there already is removed."""
    if part.is_dir() and final.exists():
        old = final.with_name(f".old-{os.getpid()}-{final.name}")
        final.replace(old)
        try:
            part.replace(final)
        except OSError:
            old.replace(final)
            raise
        _remove(old)
        return
    part.replace(final)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
