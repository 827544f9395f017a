"""Published checkpoints: the keys and shapes of a SEEM of given sizes, and loading them."""

from __future__ import annotations

from pathlib import Path

import torch

from ..files import tensor_files
from .config import SeemConfig
from .network import Seem


def expected_shapes(config: SeemConfig) -> dict[str, tuple[int, ...]]:
    """Return every key that inference needs, and its shape."""
    with torch.device("meta"):  # no memory, no time: only shapes
        network = Seem(config)
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


def load_network(path: Path, config: SeemConfig, device: str = "cpu") -> Seem:
    """Load a SEEM from its checkpoint, `.pt` or safetensors.

    Further keys of a checkpoint (losses, caption heads) are ignored. Raises `WeightsError`, naming
    the first key that is lacking or has another shape.
    """
    tensors = tensor_files.load(path, expected_shapes(config), device)
    with torch.device("meta"):
        network = Seem(config)
    network.load_state_dict({key: t.float() for key, t in tensors.items()}, assign=True)
    return network.eval().requires_grad_(False)
