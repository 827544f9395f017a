"""The door that every file comes through: ordinary files, claims that fit, one kind of error."""

from __future__ import annotations

import io
import json
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from math import prod
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..checks import as_path
from ..errors import FileTrouble, NapariSeemError
from .writing.whole import settle

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..images import AnyArray, ArraySource

F = TypeVar("F", bound=Callable[..., Any])

JSON_BYTES = 1 << 28
"""Largest JSON document that is read; Python itself refuses more than some 1,000 levels."""
TEXT_BYTES = 1 << 30
"""Largest text, of lines, that is read."""
UNPACKED_BYTES = 1 << 31
"""Most bytes that the members of an archive, or a compressed block, may unpack to."""
MEMBERS = 1 << 20
"""Most members of an archive."""
BELIEVED = 1 << 28
"""Pixels of this many bytes are read whatever the size of their file."""
RATIO = 1 << 16
"""More pixels than these bytes for each byte of their file no compression makes."""
PIECE = 1 << 20


@contextmanager
def reading(
    path: Path, what: str = "", trouble: type[NapariSeemError] = FileTrouble,
    remedy: str = "copy it again from where it came",
) -> Iterator[None]:  # fmt: skip
    """Turn whatever a library raises on damaged bytes into an error that names the file.

    This is the one place that catches everything: what readers of damaged files raise is listed
    nowhere, and differs between their versions.

    Parameters
    ----------
    path : Path
    what : str
        What the file should be, such as "as TIFF".
    trouble : type
        The error to raise; our own pass as they are.
    remedy : str
        What to do about it.
    """
    try:
        yield
    except NapariSeemError:
        raise
    except Exception as error:
        tried = f"can't be read {what}".rstrip()
        raise trouble(f"'{path}' {tried} ({reason(error)}); {remedy}") from error


def guarded(read: F) -> F:
    """Let a function that reads the file or folder at its first argument raise no foreign errors.

    Its path leads to a folder, or to an ordinary file: neither a pipe, which would be waited for,
    nor a device, which has no end.
    """

    @wraps(read)
    def checked(path: str | PathLike[str], *args: object, **kwargs: object) -> object:
        place = as_path(path)
        settle(place.parent)
        with reading(place):
            if not place.exists():
                raise FileTrouble(f"there is no file '{place}'; check its name")
            if not place.is_dir():
                check_file(place)
            return read(place, *args, **kwargs)

    return cast(F, checked)


def reason(error: BaseException) -> str:
    """Return what went wrong, in at most a line."""
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = (str(error).strip().splitlines() or [""])[0]
    plain = isinstance(error, KeyError) or not text
    return f"{type(error).__name__} {text}".strip()[:200] if plain else text[:200]


def check_file(path: Path, most: int | None = None) -> int:
    """Return the bytes of a file; `FileTrouble` for a pipe, a device, a folder, or too many."""
    try:
        facts = path.stat()
    except (OSError, ValueError) as error:
        raise FileTrouble(f"'{path}' can't be read ({reason(error)}); check its name") from error
    if not stat.S_ISREG(facts.st_mode):
        kind = "a folder" if stat.S_ISDIR(facts.st_mode) else "a pipe or a device"
        raise FileTrouble(f"'{path}' is {kind} and no file; copy what it should be to its place")
    if most is not None and facts.st_size > most:
        raise FileTrouble(
            f"'{path}' has {facts.st_size:,} bytes, where at most {most:,} are read; split it, or "
            "see whether it is the right file"
        )
    return facts.st_size


def check_claim(path: Path, nbytes: int, *, kept: bool = True) -> None:
    """Raise `FileTrouble` where a file claims more pixels than it can hold.

    Parameters
    ----------
    path : Path
    nbytes : int
        Of the pixels, as the file's header says.
    kept : bool
        All are read into memory.
    """
    if nbytes <= BELIEVED:
        return
    size = check_file(path)
    if nbytes > size * RATIO:
        raise FileTrouble(
            f"'{path}' claims {nbytes:,} bytes of pixels but has {size:,} bytes, so that its "
            "header must be damaged; copy it again from where it came"
        )
    if kept:
        check_memory(path, nbytes)


def check_memory(path: Path, nbytes: int) -> None:
    """Raise `FileTrouble` where pixels are larger than the memory of this machine."""
    there = memory()
    if nbytes > there:
        raise FileTrouble(
            f"the pixels of '{path}' take {nbytes:,} bytes, and this machine has {there:,}; open a "
            "part of them, or convert the file to OME-Zarr"
        )


def beginning(path: Path, count: int) -> bytes:
    """Return the first bytes of a file; none of one that can't be read."""
    with suppress(OSError), path.open("rb") as stream:
        return stream.read(count)
    return b""


def read_bytes(path: Path, most: int) -> bytes:
    """Read a file of at most so many bytes; `FileTrouble` for any other."""
    check_file(path, most)
    with reading(path):
        return path.read_bytes()


def read_text(path: Path, most: int = TEXT_BYTES, encoding: str = "utf-8") -> str:
    """Read a text of at most so many bytes; `FileTrouble` for anything else."""
    content = read_bytes(path, most)
    with reading(path, "as text"):
        return io.TextIOWrapper(io.BytesIO(content), encoding).read()


def load_json(path: Path, most: int = JSON_BYTES) -> Any:
    """Read a JSON document of at most so many bytes; `FileTrouble` for anything else."""
    text = read_text(path, most)
    with reading(path, "as JSON"):
        return json.loads(text)


def members(path: Path, file: zipfile.ZipFile, most: int = UNPACKED_BYTES) -> list[str]:
    """Return the names in an archive; `FileTrouble` where they are too many or too large."""
    entries = file.infolist()
    if len(entries) > MEMBERS or sum(entry.file_size for entry in entries) > most:
        raise FileTrouble(
            f"'{path}' unpacks to more than {most >> 20:,} MB or {MEMBERS:,} files; see whether it "
            "is the right file"
        )
    return [entry.filename for entry in entries]


def check_stored(path: Path) -> None:
    """Raise `FileTrouble` for a zip whose members unpack to more than it has bytes."""
    with reading(path, "as an archive"):
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as file:
            entries = file.infolist()
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if packed or sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise FileTrouble(f"'{path}' was packed by another program; make it again")


def member(file: zipfile.ZipFile, name: str, most: int = UNPACKED_BYTES) -> bytes:
    """Read a member of an archive in pieces: what it says of its own size may be a lie."""
    parts, total = [], 0
    with file.open(name) as stream:
        while part := stream.read(PIECE):
            total += len(part)
            if total > most:
                raise FileTrouble(f"'{name}' in '{file.filename}' unpacks to more than {most:,}")
            parts.append(part)
    return b"".join(parts)


def unpacked(packed: bytes, most: int = UNPACKED_BYTES) -> bytes:
    """Unpack a zlib stream of at most `most` bytes; ValueError beyond, zlib.error for others."""
    stream = zlib.decompressobj()
    plain = stream.decompress(packed, most)
    if stream.unconsumed_tail:
        raise ValueError(f"it unpacks to more than {most:,} bytes")
    if not stream.eof:
        raise ValueError("it is cut short")
    return plain


class BoundedFile(io.BufferedReader):
    """A file whose `read` asks for no more memory than the file has bytes left.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._size = check_file(path)
        super().__init__(io.FileIO(os.fspath(path)))

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most `size` bytes."""
        left = max(0, self._size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


class GuardedArray:
    """An array on disk, any shape, whose parts are refused by `FileTrouble` where they are damaged.

    Parameters
    ----------
    array : zarr array
    path : Path
        Of its file or folder, for messages.
    """

    def __init__(self, array: ArraySource, path: Path) -> None:
        self._array: Any = array
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_array", "_path"):
            raise AttributeError(name)
        return getattr(self._array, name)

    # napari's protocol of arrays asks for these four, and from Python 3.12 on not by `__getattr__`
    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the values."""
        return cast("np.dtype[np.generic]", self._array.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(self._array.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return prod(self.shape)

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator[AnyArray]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: object) -> AnyArray:
        """Read a part."""
        with reading(self._path):
            return self._array[index]

    def __setitem__(self, index: object, values: object) -> None:
        """Write a part."""
        self._array[index] = values

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> AnyArray:
        """Read everything; `FileTrouble` where it is larger than the memory."""
        import numpy as np

        check_memory(self._path, int(self._array.nbytes))
        return np.asarray(self[...], dtype)


def memory() -> int:
    """Return the bytes of memory of this machine; of one that does not say, more than any has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 40
