"""Find, download, verify, convert and load model weights.

Weights are safetensors files. A published `.pt` checkpoint is read once without unpickling
anything but tensors, checked against the shapes the model expects, and kept as safetensors.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import WeightsError
from ...io.extras import need
from ...io.writing.disk import move, writing
from ...io.writing.whole import make_folder
from . import places, transfer
from .places import HOME_VARIABLE, cache_folder
from .tensor_files import PICKLED, ROOM, again
from .transfer import Cancel, Progress


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
        packaged = Path(__file__).parents[1] if self.packaged else cache_folder()
        return (self.folder or packaged) / self.filename

    def located(self) -> Path | None:
        """Return the path of a person's own file for it, of the file, or of what was made from it.

        None where none of them is there.
        """
        own = self.remembered()
        if own is not None and own.is_file():
            return own
        converted = self.path.with_suffix(".safetensors")
        if self.path.suffix in PICKLED and converted.is_file():
            return converted
        return self.path if self.path.is_file() else None

    def remembered(self) -> Path | None:
        """Return the path of a person's own file for it, whether or not it is still there."""
        return None if self.packaged else places.remembered(self.filename)

    def expected(self) -> tuple[str | None, int | None]:
        """Return the expected digest and size in bytes; from a `.json` for a packaged file."""
        if not self.packaged:
            return self.digest, self.size
        path = self.path.with_suffix(".json")
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            return str(entry["sha256"]), int(entry["size"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(
                f"{path} does not state sha256 and size of the packaged weights ({error}); "
                "install napari-seem again"
            ) from error


XXH128 = "xxh128:"
"""How a digest begins that is an xxh128."""
SAVED = "model.safetensors"
"""What transformers calls the weights in a folder that it saved."""


def find(file: WeightsFile, given: str | PathLike[str] | None = None, model: str = "MODEL") -> Path:
    """Return the path of a weights file, verified if a digest of it is known.

    `given` is a path of the person's own (the file, or a folder that holds it), whose digest is not
    checked; `model` is named in messages. Warns where a person's own file is gone and another takes
    its place. Raises `WeightsError`, saying what to put where, if nothing is there.
    """
    if given is not None:
        return _find_given(file, Path(given).expanduser())
    path, own = file.located(), file.remembered()
    gone = own is not None and own != path
    if path is None:
        lost = f"{file.path.name} was read from {own}, which is gone, and " if gone else ""
        raise WeightsError(lost + _missing(file, model))
    if gone:
        warnings.warn(
            f"{file.path.name} was read from {own}, which is gone; {path} takes its place",
            stacklevel=2,
        )
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
            f"{path} {what}: {actual} bytes where {size} are expected; {again(path)}"
        )
    if digest is None:
        return
    fast = digest.startswith(XXH128)
    found = XXH128 + _xxh128_of(path) if fast else sha256_of(path)
    if not found.startswith(digest):
        kind = "" if fast else "sha256 "
        raise WeightsError(f"{path} is damaged: {kind}{found}, expected {digest}; {again(path)}")


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
    FileTrouble
        The disk is full, or its folder can't be written; what has arrived stays.
    DownloadCancelled
        `cancel()` returned True; the part stays.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise WeightsError(f"{url} is no web address; give one that starts with https://")
    make_folder(target.parent, ROOM)
    part = target.with_name(target.name + ".part")
    note = f"what has arrived is kept, and gone on with ({HOME_VARIABLE} names the folder)"
    with writing(target, note=note):
        known = digest is not None
        total = transfer.transfer(url, part, size, progress, cancel, verified=known)
        _check_arrived(part, url, digest=digest, size=size if size is not None else total)
        move(part, target)
        transfer.drop(part)
    return target


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
    inside = (path.with_suffix(".safetensors"), given / SAVED) if given.is_dir() else ()
    found = next((one for one in (path, *inside) if one.is_file()), None)
    if found is not None:
        return found
    raise WeightsError(f"there are no weights at {path}; give the path of an existing file")


def _missing(file: WeightsFile, model: str) -> str:
    if file.folder is not None:
        return f"the weights {file.path} are gone; install the file of the fine-tuned model again"
    if file.packaged:
        return f"the packaged weights {file.path} are missing; install napari-seem again"
    return (
        f"the weights {file.path.name} are not here; download them (in the Models dock of napari, "
        f"by `napari-seem models --download {model}`, or by napari_seem.download_model), or get "
        f"{file.url} elsewhere and put it at {file.path}, or name another cache folder with the "
        f"variable {HOME_VARIABLE}"
    )
