"""Made-up SegGPT weights by the recipe of the parity vectors."""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import torch
from safetensors.torch import load_file

from napari_seem.models.seggpt.config import SMALL
from napari_seem.models.seggpt.network import SegGpt

VECTORS = Path(__file__).parent / "data" / "seggpt_small.safetensors"


def made_up(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The tensor that the recipe gives for one key."""
    n = torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(key.encode())))
    if any(word in key for word in ("token", "position", "rel_pos")):
        return 0.2 * n
    if len(shape) == 1:
        return 0.05 * n if key.endswith("bias") else 1 + 0.1 * n
    return n / math.sqrt(math.prod(shape[1:]))


def made_up_network() -> SegGpt:
    """The small SegGPT with the recipe's weights."""
    network = SegGpt(SMALL)
    state = {key: made_up(key, tuple(t.shape)) for key, t in network.state_dict().items()}
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def vectors() -> dict[str, torch.Tensor]:
    """The measured inputs and outputs."""
    return load_file(VECTORS)
