"""Find, download, verify, convert and load model weights.

Weights are safetensors files. A published `.pt` checkpoint is read once without unpickling
anything but tensors, checked against the shapes the model expects, and kept as safetensors.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import WeightsError
from ..io.extras import need
from ..io.guard import check_file, check_stored, reading
from ..io.whole import replacing
from . import places, transfer
from .places import HOME_VARIABLE, cache_folder
from .transfer import MAX_BYTES, Cancel, Progress

if TYPE_CHECKING:
    from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]
MAX_HEADER_BYTES = 16 * 2**20
METADATA = "__metadata__"
"""Key of the metadata in the header of a safetensors file."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file a model needs.

    Attributes
    ----------
    filename : str
        Its name in the cache folder, or its path below `napari_seem/models` where it is packaged.
    url : str or None
        Where it is published; None for a packaged file.
    folder : Path or None
        Where it lies, if it is a person's own.
    digest, size : str and int, or None
        Digest, and bytes. For a packaged file they stand in the `.json` beside it; for a published
        one None means that nobody published a digest, and keys and shapes are checked instead. A
        digest is sha256 or the beginning of one, in hexadecimal, or "xxh128:" and an xxh128.
    """

    filename: str
    url: str | None = None
    digest: str | None = None
    size: int | None = None
    folder: Path | None = None

    @property
    def packaged(self) -> bool:
        """Whether the file comes inside the package."""
        return self.url is None and self.folder is None

    @property
    def path(self) -> Path:
        """Where the file lies, or would lie."""
        packaged = Path(__file__).parent if self.packaged else cache_folder()
        return (self.folder or packaged) / self.filename

    def located(self) -> Path | None:
        """Return the path of the file or of the safetensors made from it; None without both."""
        converted = self.path.with_suffix(".safetensors")
        if self.path.suffix in PICKLED and converted.is_file():
            return converted
        return self.path if self.path.is_file() else self._remembered()

    def _remembered(self) -> Path | None:
        return None if self.packaged else places.remembered(self.filename)

    def expected(self) -> tuple[str | None, int | None]:
        """Return the expected digest and size in bytes; from a `.json` for a packaged file."""
        if not self.packaged:
            return self.digest, self.size
        path = self.path.with_suffix(".json")
        try:
            entry = json.loads(path.read_text())
            return str(entry["sha256"]), int(entry["size"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(
                f"{path} does not state sha256 and size of the packaged weights ({error}); "
                "install napari-seem again"
            ) from error


XXH128 = "xxh128:"
"""How a digest begins that is an xxh128."""
WRAPPERS = ("model", "model_state", "state_dict")
"""Keys under which trainers keep a state dict: SAM 2.1's, torch_em's, and Lightning's."""
SECOND = "decoder_state"
"""Key under which torch_em keeps a second state dict; its weights get the key before their own."""
PICKLED = frozenset({".pt", ".pth", ".bin"})
BESIDE = "_decoder"
"""How the name of a decoder's file ends, after that of the file that it belongs to."""


def find(file: WeightsFile, given: str | PathLike[str] | None = None) -> Path:
    """Return the path of a weights file, verified if a digest of it is known.

    `given` is a path of the person's own (the file, or a folder that holds it), whose digest is not
    checked. Raises `WeightsError`, saying what to put where, if nothing is there.
    """
    if given is not None:
        return _find_given(file, Path(given).expanduser())
    path = file.located()
    if path is None:
        raise WeightsError(_missing(file))
    digest, size = file.expected()
    if path == file.path:
        verify(path, digest=digest, size=size)
    return path


def verify(path: Path, *, digest: str | None = None, size: int | None = None) -> None:
    """Raise `WeightsError` unless the file has the given `size` in bytes and `digest`.

    Where the digest is an xxh128, `MissingPackage` is raised without the package xxhash.
    """
    actual = path.stat().st_size
    if size is not None and actual != size:
        what = "is truncated" if actual < size else "is too long"
        raise WeightsError(
            f"{path} {what}: {actual} bytes where {size} are expected; {_again(path)}"
        )
    if digest is None:
        return
    fast = digest.startswith(XXH128)
    found = XXH128 + _xxh128_of(path) if fast else sha256_of(path)
    if not found.startswith(digest):
        kind = "" if fast else "sha256 "
        raise WeightsError(f"{path} is damaged: {kind}{found}, expected {digest}; {_again(path)}")


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _xxh128_of(path: Path) -> str:
    with path.open("rb") as stream:
        return str(hashlib.file_digest(stream, need("xxhash").xxh128).hexdigest())


def fetch(
    file: WeightsFile, *, progress: Progress | None = None, cancel: Cancel | None = None
) -> Path:
    """Return the path of a published file, downloading it first where it is not there yet."""
    if file.url is None or file.located() is not None:
        return find(file)
    return download(
        file.url,
        file.path,
        digest=file.digest,
        size=file.size,
        progress=progress,
        cancel=cancel,
    )


def download(
    url: str,
    target: Path,
    *,
    digest: str | None = None,
    size: int | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Path:
    """Download `url` to `target`; a transfer cut short is resumed by the next call.

    What arrived before is gone on with where the server still has the same version (by its ETag),
    or where a digest proves what comes of it. From an encrypted address only encrypted ones are
    followed. The bytes arrive in `<target>.part`, which takes its real name only when it is whole
    and, where a digest is known, verified.

    Raises
    ------
    WeightsError
        The address cannot be read, the transfer broke off, or the file is not the expected one.
    DownloadCancelled
        `cancel()` returned True; the part stays.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise WeightsError(f"{url} is no web address; give one that starts with https://")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        known = digest is not None
        total = transfer.transfer(url, part, size, progress, cancel, verified=known)
    except (OSError, HTTPException, ValueError) as error:
        raise WeightsError(
            f"downloading {url} failed ({error}); check the network and try again (it resumes "
            f"where it stopped), or put the file at {target} by hand"
        ) from error
    _check_arrived(part, url, digest=digest, size=size if size is not None else total)
    os.replace(part, target)
    transfer.drop(part)
    return target


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    """Read keys and shapes of a safetensors file, from its header alone.

    Raises `WeightsError` where the file is no safetensors file or is shorter than its header says.
    """
    header = header_of(path)
    return {key: entry["shape"] for key, entry in header.items() if key != METADATA}


def header_of(path: Path) -> dict[str, Any]:
    """Read the header of a safetensors file: entries by key, and the metadata by `METADATA`.

    Raises `WeightsError` as `shapes_of`.
    """
    size = check_file(path, MAX_BYTES)
    with path.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        text = stream.read(length) if 2 <= length <= MAX_HEADER_BYTES else b""
    try:
        header: dict[str, Any] = json.loads(text)
        entries = [entry for key, entry in header.items() if key != METADATA]
        end = 8 + length + max((entry["data_offsets"][1] for entry in entries), default=0)
        for entry in entries:
            entry["shape"] = tuple(entry["shape"])
    except (ValueError, AttributeError, LookupError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"{path} is not a safetensors file (or only its beginning is left); {_again(path)}"
        ) from error
    if size < end:
        raise WeightsError(
            f"{path} is truncated: {size} bytes where its header promises {end}; {_again(path)}"
        )
    return header


def check_shapes(found: Shapes, expected: Shapes, path: Path) -> None:
    """Raise `WeightsError` for the first expected key that is lacking or has another shape."""
    for key, shape in expected.items():
        if key not in found:
            raise WeightsError(
                f"{path} lacks key {key}: it holds the weights of another model, or of a part of "
                "it; choose the file that belongs to this model"
            )
        if tuple(found[key]) != tuple(shape):
            raise WeightsError(
                f"{path}: key {key} has shape {tuple(found[key])}, expected {tuple(shape)}; "
                "it belongs to a model of another size, choose the matching file"
            )


def load(path: Path, expected: Shapes | None = None, device: str = "cpu") -> dict[str, Tensor]:
    """Load the tensors of a weights file, by key; only the keys of `expected` if that is given.

    A `.pt` checkpoint is converted once; the safetensors file stays beside it (or in the cache
    folder, where its own folder cannot be written to).
    """
    from safetensors import safe_open

    check_file(path, MAX_BYTES)
    if is_pickled(path):
        path = convert(path, expected)
    found = shapes_of(path)
    check_shapes(found, expected or {}, path)
    with reading(path, "as a safetensors file", WeightsError, _again(path)):  # noqa: SIM117
        with safe_open(path, framework="pt", device=device) as stream:
            return {key: stream.get_tensor(key) for key in (expected or found)}


def load_second(path: Path, device: str = "cpu") -> dict[str, Tensor]:
    """Load the tensors of the second state dict in a weights file, by key; none without one."""
    check_file(path, MAX_BYTES)
    if is_pickled(path):
        path = convert(path)
    start = f"{SECOND}."
    keys = {key: shape for key, shape in shapes_of(path).items() if key.startswith(start)}
    found = load(path, keys, device) if keys else {}
    return {key.removeprefix(start): tensor for key, tensor in found.items()}


def decoder_beside(path: Path) -> Path | None:
    """Return the file of the decoder beside a weights file: vit_b_decoder.pt beside vit_b.pt."""
    suffixes = (".pt", ".pth", "", ".bin", ".safetensors")
    near = (path.with_name(f"{path.stem}{BESIDE}{suffix}") for suffix in suffixes)
    return next((one for one in near if one.is_file()), None)


def is_pickled(path: Path) -> bool:
    """Return whether a file is a torch checkpoint, which micro-sam keeps without a suffix."""
    return path.suffix in PICKLED or (not path.suffix and zipfile.is_zipfile(path))


def convert(path: Path, expected: Shapes | None = None) -> Path:
    """Convert a torch checkpoint (a plain state dict) to safetensors, once; return the new path.

    Keys outside `expected` are left out. Nothing but tensors is ever unpickled.
    """
    from safetensors.torch import save_file

    for folder in (path.parent, cache_folder()):
        done = folder / f"{path.stem}.safetensors"
        if done.is_file() and done.stat().st_mtime >= path.stat().st_mtime:
            return done
    state = _read_pickled(path)
    check_shapes({key: tuple(t.shape) for key, t in state.items()}, expected or {}, path)
    tensors = {key: state[key].contiguous().clone() for key in (expected or state)}
    folder = path.parent if os.access(path.parent, os.W_OK) else cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / f"{path.stem}.safetensors"
    with replacing(done) as (part,):
        save_file(tensors, part)
    return done


def _read_pickled(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a torch checkpoint, by key."""
    import torch

    check_file(path, MAX_BYTES)
    check_stored(path)
    remedy = f"it is truncated or damaged, or something else; {_again(path)}"
    with reading(path, "as a torch checkpoint", WeightsError, remedy):
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise WeightsError(
                f"{path} is not a plain dictionary of tensors and is not opened, because "
                "unpickling anything else could run foreign code; use the published checkpoint or "
                "a safetensors file"
            ) from error
    tensors = _tensors_of(state)
    if not tensors:
        raise WeightsError(f"{path} holds no tensors by name; use the published checkpoint")
    return tensors


def _tensors_of(state: object) -> dict[str, Tensor]:
    """Return the tensors of a state dict, or of those that stand in it beside other things."""
    import torch

    if not isinstance(state, Mapping):
        return {}
    inside = next((state[key] for key in WRAPPERS if isinstance(state.get(key), Mapping)), state)
    found = {str(key): t for key, t in inside.items() if isinstance(t, torch.Tensor)}
    second = state.get(SECOND)
    if isinstance(second, Mapping):
        found |= {f"{SECOND}.{key}": t for key, t in second.items() if isinstance(t, torch.Tensor)}
    return found


def _check_arrived(part: Path, url: str, *, digest: str | None, size: int | None) -> None:
    have = part.stat().st_size
    if size is not None and have < size:
        raise WeightsError(
            f"the download of {url} broke off after {have} of {size} bytes; try again, it resumes "
            "from there"
        )
    try:
        verify(part, digest=digest, size=size)
    except WeightsError as error:
        transfer.drop(part)
        raise WeightsError(
            f"the file from {url} is not the published one and was deleted ({error})"
        ) from error


def _find_given(file: WeightsFile, given: Path) -> Path:
    path = given / Path(file.filename).name if given.is_dir() else given
    if path.is_file():
        return path
    converted = path.with_suffix(".safetensors")
    if given.is_dir() and converted.is_file():
        return converted
    raise WeightsError(f"there are no weights at {path}; give the path of an existing file")


def _missing(file: WeightsFile) -> str:
    if file.folder is not None:
        return f"the weights {file.path} are gone; install the file of the fine-tuned model again"
    if file.packaged:
        return f"the packaged weights {file.path} are missing; install napari-seem again"
    return (
        f"the weights {file.path.name} are not here; download them from {file.url} (in napari: "
        f"the Models dock; in Python: napari_seem.models.weights.fetch) and put them at "
        f"{file.path}, or name another cache folder with the variable {HOME_VARIABLE}"
    )


def _again(path: Path) -> str:
    return f"delete {path.name} and download or install it again"
