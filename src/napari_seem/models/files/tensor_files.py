"""Files of tensors: safetensors, and torch checkpoints that are converted to them once.

Nothing but tensors is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import NapariSeemError, WeightsError
from ...io.guard import check_file, check_stored, reading
from ...io.writing.whole import make_folder, replacing
from ...values import JsonObject
from .places import HOME_VARIABLE, cache_folder

if TYPE_CHECKING:
    from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]
MAX_BYTES = 8 * 2**30
"""No weights file is larger."""
MAX_HEADER_BYTES = 16 * 2**20
METADATA = "__metadata__"
"""Key of the metadata in the header of a safetensors file."""
MADE_FROM = "made from"
"""Key of the metadata that tells which checkpoint a file was made from."""
WRAPPERS = ("model", "model_state", "state_dict")
"""Keys under which trainers keep a state dict: SAM 2.1's, torch_em's, and Lightning's."""
SECOND = "decoder_state"
"""Key under which torch_em keeps a second state dict; its weights get the key before their own."""
BESIDE = "_decoder"
"""How the name of a decoder's file ends, after that of the file that it belongs to."""
PICKLED = frozenset({".pt", ".pth", ".bin"})
ROOM = f"free some disk space, or name another folder with the variable {HOME_VARIABLE}"
"""What can be done where weights can't be written."""


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    """Read keys and shapes of a safetensors file, from its header alone.

    Raises `WeightsError` where the file is no safetensors file or is shorter than its header says.
    """
    header = header_of(path)
    return {key: entry["shape"] for key, entry in header.items() if key != METADATA}


def header_of(path: Path) -> JsonObject:
    """Read the header of a safetensors file: entries by key, and the metadata by `METADATA`.

    Raises `WeightsError` as `shapes_of`.
    """
    size = check_file(path, MAX_BYTES)
    with path.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        text = stream.read(length) if 2 <= length <= MAX_HEADER_BYTES else b""
    try:
        header: JsonObject = json.loads(text)
        entries = [entry for key, entry in header.items() if key != METADATA]
        end = 8 + length + max((entry["data_offsets"][1] for entry in entries), default=0)
        for entry in entries:
            entry["shape"] = tuple(entry["shape"])
    except (ValueError, AttributeError, LookupError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"{path} is not a safetensors file (or only its beginning is left); {again(path)}"
        ) from error
    if size < end:
        raise WeightsError(
            f"{path} is truncated: {size} bytes where its header promises {end}; {again(path)}"
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

    A `.pt` checkpoint is converted once; see `convert`. Nothing stays mapped, as Windows neither
    replaces nor deletes a file that is.
    """
    from safetensors import safe_open

    check_file(path, MAX_BYTES)
    if _is_pickled(path):
        path = convert(path, expected)
    found = shapes_of(path)
    check_shapes(found, expected or {}, path)
    with reading(path, "as a safetensors file", WeightsError, again(path)):  # noqa: SIM117
        with safe_open(path, framework="pt", device=device) as stream:
            return {key: _copied(stream.get_tensor(key)) for key in (expected or found)}


def _copied(tensor: Tensor) -> Tensor:
    """Copy a tensor of any shape from the file that it is mapped from; on graphics it is a copy."""
    return tensor.clone() if tensor.device.type == "cpu" else tensor


def load_second(path: Path, device: str = "cpu") -> dict[str, Tensor]:
    """Load the tensors of the second state dict in a weights file, by key; none without one."""
    check_file(path, MAX_BYTES)
    if _is_pickled(path):
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


def _is_pickled(path: Path) -> bool:
    """Return whether a file is a torch checkpoint, which micro-sam keeps without a suffix."""
    return path.suffix in PICKLED or (not path.suffix and zipfile.is_zipfile(path))


def convert(path: Path, expected: Shapes | None = None) -> Path:
    """Convert a torch checkpoint (a plain state dict) to safetensors, once; return the new path.

    Keys outside `expected` are left out. Nothing but tensors is ever unpickled. What is made notes
    name, size and time of the checkpoint, so that nothing else is taken for it; a safetensors file
    of that name that a person has is left alone.

    Raises
    ------
    WeightsError
        The file is damaged, holds anything else, or has not what is `expected`.
    FileTrouble
        The disk is full, or neither its folder nor the cache folder can be written.
    """
    beside, elsewhere, stamp = path.with_suffix(".safetensors"), _elsewhere(path), _stamp(path)
    for done in (beside, elsewhere):
        if _made_from(done) == stamp:
            return done
    state = _read_pickled(path)
    check_shapes({key: tuple(t.shape) for key, t in state.items()}, expected or {}, path)
    tensors = {key: state[key].contiguous().clone() for key in (expected or state)}
    is_free = not beside.exists() or _made_from(beside) is not None
    done = beside if is_free and os.access(path.parent, os.W_OK) else elsewhere
    make_folder(done.parent, ROOM)
    with replacing(done) as (part,):
        _save(tensors, part, {MADE_FROM: stamp})
    return done


def _stamp(path: Path) -> str:
    """Return what tells a file from another of its name: name, bytes and time of change."""
    facts = path.stat()
    return f"{path.name} {facts.st_size} {facts.st_mtime_ns}"


def _made_from(path: Path) -> str | None:
    """Return the stamp of what a file was made from; None for one that was not made here."""
    try:
        stamp = header_of(path).get(METADATA, {}).get(MADE_FROM)
    except NapariSeemError:  # there is none, or it is damaged
        return None
    return stamp if isinstance(stamp, str) else None


def _elsewhere(path: Path) -> Path:
    """Return what is made of a file beside which nothing can, or may, be written."""
    place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    return cache_folder() / "converted" / f"{path.stem}-{place}.safetensors"


def _save(tensors: dict[str, Tensor], path: Path, notes: dict[str, str]) -> None:
    """Write tensors of any shape as a safetensors file; OSError for a full disk, too."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(tensors, path, notes)
    except SafetensorError as error:  # the library has its own error for a full disk
        raise OSError(str(error)) from error


def _read_pickled(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a torch checkpoint, by key."""
    import torch

    check_file(path, MAX_BYTES)
    check_stored(path)
    remedy = f"it is truncated or damaged, or something else; {again(path)}"
    with reading(path, "as a torch checkpoint", WeightsError, remedy):
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise WeightsError(
                f"{path} is not a plain dictionary of tensors and is not opened, because "
                "unpickling anything else could run foreign code; use the published checkpoint, or "
                "save the weights alone where they were trained "
                "(torch.save(model.state_dict(), 'weights.pt'))"
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


def again(path: Path) -> str:
    """Return what can be done about a damaged file."""
    return f"delete {path.name} and download or install it again"
