"""What a second run needs of a first, in files small enough to be handed over one by one.

Weights are kept in half precision, which moves them by less than a step does, Muon's momentum in
bfloat16, AdamW's moments as they are. The running average is what `compact.safetensors` holds.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from napari_seem.errors import DamagedState
from napari_seem.training.learner import Learner
from napari_seem.training.state import export, take_over

LARGEST = 15 * 2**20
"""Bytes of tensors in one file, under the 16 MiB that a device machine hands back."""
WEIGHTS = "compact.safetensors"
BY_WORD = ("words", "word_bias")
"""Parameters with a row for each word of the vocabulary."""


def save_parts(learner: Learner, words: Sequence[str], folder: Path) -> None:
    """Write `compact.safetensors` and state-0.safetensors, state-1.safetensors, ...

    All files are written beside the old ones first and take their places together.
    """
    folder.mkdir(parents=True, exist_ok=True)
    portions = list(_portions(_state(learner)))
    metadata = {
        "step": str(learner.step), "words": json.dumps(list(words)), "parts": str(len(portions)),
    }  # fmt: skip
    written = []
    for number, part in enumerate(portions):
        file = folder / f"state-{number}.safetensors"
        save_file(part, file.with_suffix(".part"), metadata)
        written.append(file)
    export(learner.average, words, folder / WEIGHTS)
    for file in written:
        file.with_suffix(".part").replace(file)


def load_parts(learner: Learner, words: Sequence[str], folder: Path) -> None:
    """Go on from what `save_parts` wrote; words that were not known then begin anew.

    Raises
    ------
    DamagedState
        Where files are missing or damaged, or of another network.
    """
    saved: dict[str, Tensor] = {}
    facts: list[dict[str, str]] = []
    try:
        for file in sorted(folder.glob("state-*.safetensors")):
            with safe_open(file, "pt") as part:
                facts.append(part.metadata())
                saved |= {name: part.get_tensor(name) for name in part.keys()}  # noqa: SIM118
        take_over(learner.average, folder / WEIGHTS, words)
    except (SafetensorError, OSError) as error:
        raise DamagedState(f"'{folder}' can't be gone on from: {error}") from error
    if not facts or len(facts) != int(facts[0]["parts"]):
        raise DamagedState(
            f"'{folder}' lacks some of the files state-0.safetensors, state-1.safetensors, ...; "
            "give all that the run before wrote"
        )
    if len({fact["step"] for fact in facts}) > 1:
        warnings.warn(f"'{folder}' holds parts of two moments; both are used", stacklevel=2)
    _put(learner, saved, json.loads(facts[0]["words"]), words)
    learner.step = int(facts[0]["step"])


def _state(learner: Learner) -> Iterator[tuple[str, Tensor]]:
    for name, value in learner.network.state_dict().items():
        yield f"network/{name}", value.half() if value.dtype.is_floating_point else value
    for parameter, name in _names(learner).items():
        for optimizer in learner.optimizers:
            for key, value in optimizer.state.get(parameter, {}).items():
                yield f"{key}/{name}", value.bfloat16() if key == "momentum" else value


def _names(learner: Learner) -> dict[Tensor, str]:
    return {parameter: name for name, parameter in learner.network.named_parameters()}


def _portions(tensors: Iterator[tuple[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    """Tensors on the CPU, as many together as may go into one file."""
    part: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors:
        here = tensor.detach().cpu().contiguous()
        if part and size + here.nbytes > LARGEST:
            yield part
            part, size = {}, 0
        part[name] = here
        size += here.nbytes
    yield part


def _put(
    learner: Learner, saved: dict[str, Tensor], known: Sequence[str], words: Sequence[str]
) -> None:
    """Fill network and optimisers, in place."""
    rows = [(row, words.index(word)) for row, word in enumerate(known) if word in words]
    for name, own in learner.network.state_dict().items():
        if f"network/{name}" not in saved:
            raise DamagedState(f"there is no '{name}'; the run before trained another network")
        _fill(own, saved[f"network/{name}"], name, rows)
    owner = {p: o for o in learner.optimizers for group in o.param_groups for p in group["params"]}
    for parameter, name in _names(learner).items():
        state = owner[parameter].state[parameter]
        for key in ("momentum", "exp_avg", "exp_avg_sq"):
            if f"{key}/{name}" in saved:
                state[key] = torch.zeros_like(parameter, requires_grad=False)
                _fill(state[key], saved[f"{key}/{name}"], name, rows)
        if f"step/{name}" in saved:
            state["step"] = saved[f"step/{name}"].to(parameter.device)


def _fill(own: Tensor, value: Tensor, name: str, rows: list[tuple[int, int]]) -> None:
    """Copy a saved tensor, of words by (row in the file, own row)."""
    if name in BY_WORD:
        for row, place in rows:
            own[place] = value[row].to(own)
    elif value.shape == own.shape:
        own.copy_(value)
    else:
        raise DamagedState(
            f"'{name}' has shape {tuple(value.shape)}, here it has {tuple(own.shape)}; the run "
            "before trained another network"
        )
