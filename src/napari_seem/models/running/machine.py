"""What decides how fast a model runs here, and which weights it has: for reports of problems."""

from __future__ import annotations

import hashlib
import os

from ..files.transfer import CHUNK
from ..registry import MODELS, available_devices
from . import threads


def compute_facts() -> dict[str, str]:
    """Return the devices, the instruction set, and how many threads compute here, as measured."""
    import torch

    return {
        "devices": ", ".join(available_devices()[1:]),
        "instruction set": torch.backends.cpu.get_cpu_capability(),
        "threads": f"{threads.limit()} of {os.cpu_count()} processors, "
        f"{threads.for_turns()} for a turn in the viewer",
    }


def weights_facts() -> dict[str, str]:
    """Return the sha256 of the weights file of each model, or that the file is not here."""
    found = {}
    for name, spec in MODELS.items():
        path = spec.weights.located()
        if path is None:
            found[name] = "not downloaded"
            continue
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(8 * CHUNK):
                digest.update(block)
        wanted = spec.weights.expected()[0] if spec.weights.packaged else None
        damaged = wanted not in (None, digest.hexdigest())
        found[name] = f"sha256 {digest.hexdigest()}" + (" (not the published file)" * damaged)
    return found
