"""The files of a training: its state, two deep, and the weights as they would ship."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import DamagedState
from ..models.compact.network import CompactNetwork

State = dict[str, Any]
NEWEST, BEFORE = "state.pt", "state-before.pt"
DIGEST = hashlib.sha256().digest_size


def write_state(folder: Path, state: State) -> None:
    """Write a state, its digest in front, and keep the one before."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    newest = folder / NEWEST
    with TemporaryDirectory(prefix=".napari-seem-", dir=folder) as beside:  # nobody knows its name
        part = Path(beside) / NEWEST
        part.write_bytes(hashlib.sha256(content).digest() + content)
        if newest.exists():
            newest.replace(folder / BEFORE)
        part.replace(newest)


def latest_state(folder: Path, words: Sequence[str], device: torch.device) -> State | None:
    """Return the newest undamaged state in a folder; None where there is no state at all.

    A damaged one is skipped with a warning.

    Raises
    ------
    DamagedState
        All are damaged, or it is of another vocabulary.
    """
    files = [folder / name for name in (NEWEST, BEFORE) if (folder / name).exists()]
    for left, file in reversed(list(enumerate(reversed(files)))):
        try:
            return _read_state(file, words, device)
        except DamagedState as error:
            if not left:
                raise
            warnings.warn(f"{error}; the state before it is used", stacklevel=2)
    return None


def _read_state(file: Path, words: Sequence[str], device: torch.device) -> State:
    content = file.read_bytes()
    digest, content = content[:DIGEST], content[DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        raise DamagedState(
            f"'{file}' is damaged or was not written to its end; delete it to start again"
        )
    state = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
    if tuple(json.loads(state["words"])) != tuple(words):
        raise DamagedState(
            f"'{file}' is of a training with another vocabulary; give the pictures it was begun "
            "with, or another folder"
        )
    return state


def take_over(network: CompactNetwork, weights: Path, words: Sequence[str]) -> int:
    """Copy exported weights into a network, as far as they fit.

    Word vectors go by their words. Convolutions that have more maps than the file begin the new
    inputs with zero and keep their own new outputs.

    Returns
    -------
    int
        Tensors that were copied, wholly or in part.
    """
    with safe_open(weights, "pt") as file:
        known = json.loads(file.metadata()["words"])
        saved = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    own = network.state_dict()
    taken = 0
    with torch.no_grad():
        for name, value in saved.items():
            if name not in own:
                continue
            if name in ("words", "word_bias"):
                for row, word in enumerate(known):
                    if word in words:
                        own[name][list(words).index(word)].copy_(value[row])
                taken += 1
            elif _fits_into(value, own[name]):
                _copy_corner(value, own[name])
                taken += 1
    return taken


def _fits_into(value: Tensor, own: Tensor) -> bool:
    """Return whether `value` is along no axis larger than `own`; both of any shape."""
    return value.ndim == own.ndim and all(
        a <= b for a, b in zip(value.shape, own.shape, strict=True)
    )


def _copy_corner(value: Tensor, own: Tensor) -> None:
    """Copy `value` (M, ...) to the beginning of `own` (N, ...), and zero the rest of its rows."""
    rows = value.shape[0] if value.ndim else None
    if value.ndim > 1:
        own[:rows].zero_()
    own[tuple(slice(size) for size in value.shape)].copy_(value)


def between(given: CompactNetwork, trained: CompactNetwork, share: float) -> CompactNetwork:
    """Return the network that lies a `share` of the way from given weights to trained ones.

    That keeps most of what was learned, and forgets less of what the given weights could do
    elsewhere (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022).
    """
    network = copy.deepcopy(given)
    goal = trained.state_dict()
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            value.lerp_(goal[name].to(value), share)
    return network


def exported(
    network: CompactNetwork, words: Sequence[str], about: Mapping[str, str] | None = None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return weights in half precision, and the metadata that builds the network again.

    `about` is further metadata.
    """
    tensors = {
        name: (value.half() if value.dtype.is_floating_point else value).cpu().contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    metadata = {"config": json.dumps(asdict(network.config)), "words": json.dumps(list(words))}
    return tensors, metadata | dict(about or {})


def export(network: CompactNetwork, words: Sequence[str], path: Path) -> None:
    """Write weights in half precision with everything needed to build the network again."""
    tensors, metadata = exported(network, words)
    with TemporaryDirectory(prefix=".napari-seem-", dir=path.parent) as beside:
        part = Path(beside) / path.name
        save_file(tensors, part, metadata)
        part.replace(path)
