"""One embedding as one file: a zarr group in an uncompressed zip.

A single file is renamed into place and deleted in one step, which a folder of chunks is not. The
zip holds a checksum of every chunk and of all metadata, and checks it as they are read.
"""

from __future__ import annotations

import errno
import struct
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..images import AnyArray, ArraySource
from ..io.extras import need
from ..io.guard import check_file, check_stored
from ..models.base import Embedding
from ..models.tensors import Packed, pack, unpack
from ..values import JsonObject
from .keys import Key

if TYPE_CHECKING:
    from zarr.codecs import BloscCodec

FORMAT = 1
EMBEDDING_BYTES = 1 << 30
"""Largest file that is read, and largest array in it."""
CHUNK_BYTES = 4 << 20
"""Size of the chunks, which are compressed in several threads."""
BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, KeyError, TypeError,
    IndexError, AttributeError, RuntimeError, OverflowError, MemoryError, SystemError,
)  # fmt: skip
"""Exceptions that zip, zarr and its codecs raise on damaged bytes."""


class Damaged(Exception):
    """A file whose contents are not those that were written."""


def check_zarr() -> None:
    """Raise `MissingPackage` if zarr is not installed."""
    need("zarr")


def write(path: Path, key: Key, embedding: Embedding) -> None:
    """Write an embedding to a file.

    Raises
    ------
    OSError
        The disk is full or can't be written to.
    TypeError
        Its `meta` holds more than plain values.
    """
    packed = {name: pack(tensor) for name, tensor in embedding.tensors.items()}
    try:
        _write(path, key, embedding, packed, _codec())
    except RuntimeError as error:
        if "shutdown" not in str(error):
            raise
        # the program is ending: zarr can start no thread to compress in any more
        _write(path, key, embedding, packed, None)


def read(path: Path, key: Key) -> Embedding:
    """Read what `write` wrote.

    Raises
    ------
    FileNotFoundError
    Damaged
        A part of it was changed, or it was written by another version.
    OSError
        The disk can't be read.
    """
    import zarr
    from zarr.storage import ZipStore

    path.stat()  # what is not found from here on is damage
    try:
        check_file(path, EMBEDDING_BYTES)
        check_stored(path)
        with ZipStore(path, mode="r") as file:
            group: Any = zarr.open_group(file, mode="r", zarr_format=3)
            facts = dict(group.attrs)
            if (facts["format"], *facts["key"]) != (FORMAT, *key):
                raise Damaged(f"'{path}' holds another embedding than its name says")
            tensors = {name: unpack(_read(group[name], entry))
                       for name, entry in facts["tensors"].items()}  # fmt: skip
            height, width = facts["shape"]
            return Embedding(facts["model"], (height, width), tensors, _from_json(facts["meta"]))
    except (OSError, *BROKEN) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT, errno.EINVAL):
            raise  # the disk's own trouble; a damaged zip may ask for a place before its start
        raise Damaged(f"'{path}' is damaged ({error})") from error


def _write(
    path: Path,
    key: Key,
    embedding: Embedding,
    packed: Mapping[str, Packed],
    codec: BloscCodec | None,
) -> None:
    import zarr
    from zarr.storage import ZipStore

    entry = {
        name: {"dtype": p.dtype, "shape": p.shape, "stride": p.stride, "device": p.device,
               "crc32": zlib.crc32(np.ascontiguousarray(p.array).data)}
        for name, p in packed.items()
    }  # fmt: skip
    facts = {
        "format": FORMAT, "version": __version__, "key": key, "model": embedding.model,
        "shape": embedding.shape, "meta": _to_json(embedding.meta), "tensors": entry,
    }  # fmt: skip
    with ZipStore(path, mode="w") as file:
        group = zarr.create_group(file, attributes=facts, zarr_format=3)
        for name, p in packed.items():
            group.create_array(
                name, data=p.array, chunks=_chunks(p.array), compressors=codec, filters=None,
                config={"write_empty_chunks": True},
            )  # fmt: skip


def _read(array: ArraySource, entry: JsonObject) -> Packed:
    """Read a packed array (n, ...), and compare it with its checksum."""
    chunk = prod(getattr(array, "chunks", ())) * array.dtype.itemsize
    whole = prod(array.shape) * array.dtype.itemsize
    if max(chunk, whole) > EMBEDDING_BYTES:
        raise Damaged(f"it claims an array of shape {tuple(array.shape)}")
    values = np.ascontiguousarray(array[...])
    # the zip's own checksums miss a chunk that is not there, which zarr takes for zeros
    if zlib.crc32(values.data) != entry["crc32"]:
        raise Damaged("the values are not those that were written")
    return Packed(
        values, entry["dtype"], tuple(entry["shape"]), tuple(entry["stride"]), entry["device"]
    )


def _codec() -> BloscCodec:
    """Return a codec that shrinks half floats by a quarter, and is read faster than none."""
    from zarr.codecs import BloscCodec

    return BloscCodec(cname="lz4", clevel=1, shuffle="shuffle")


def _chunks(array: AnyArray) -> tuple[int, ...]:
    """Return the chunk shape of an array (n, ...): slabs of the first axis, of similar size."""
    if not array.ndim:
        return ()
    pieces = max(1, -(-array.nbytes // CHUNK_BYTES))
    return max(1, -(-array.shape[0] // pieces)), *(max(1, n) for n in array.shape[1:])


def _to_json(value: object) -> object:
    """Convert plain values to JSON; a tuple becomes a mapping, to differ from a list."""
    if isinstance(value, tuple):
        return {"tuple": [_to_json(v) for v in value]}
    if isinstance(value, list):
        return [_to_json(v) for v in value]
    if isinstance(value, Mapping):
        return {"mapping": {str(k): _to_json(v) for k, v in value.items()}}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"an embedding's meta holds plain values, not {type(value).__name__}")


def _from_json(value: object) -> Any:
    if isinstance(value, list):
        return [_from_json(v) for v in value]
    if isinstance(value, dict):
        ((kind, inner),) = value.items()
        if kind == "tuple":
            return tuple(_from_json(v) for v in inner)
        return {k: _from_json(v) for k, v in inner.items()}
    return value
