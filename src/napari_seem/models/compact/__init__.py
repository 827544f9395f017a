"""The compact model: trained by this project, shipped inside the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...errors import WeightsError
from .model import CompactModel

__all__ = ["CompactModel", "build"]


def build(
    weights_path: Path, device: str = "cpu", kind: type[CompactModel] = CompactModel
) -> CompactModel:
    """Build the model from one safetensors file.

    Parameters
    ----------
    weights_path : Path
        Written by `training/train.py`; sizes and vocabulary are in its metadata.
    device : str
        A torch device.
    kind : type
        Class of the model.

    Raises
    ------
    WeightsError
        Where the file is no safetensors file, or not one of the compact model.
    """
    import hashlib

    from safetensors import SafetensorError, safe_open

    from .network import CompactConfig, CompactNetwork, ConvNorm

    try:
        with safe_open(weights_path, "pt") as file:
            facts = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        sizes = json.loads(facts["config"])
        words = tuple(json.loads(facts["words"]))
        known: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in sizes.items()
        }
        config = CompactConfig(**known)
        network = CompactNetwork(config)
        missing = network.load_state_dict(tensors, strict=False).missing_keys
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise WeightsError(
            f"'{weights_path}' holds no weights of the compact model ({error}); install "
            "napari-seem again, or give the file that training/train.py wrote"
        ) from error
    lacking = [name for name in missing if not name.endswith("num_batches_tracked")]
    if lacking:
        raise WeightsError(
            f"'{weights_path}' lacks '{lacking[0]}' and {len(lacking) - 1} other tensors of the "
            "compact model; it was written by another version: install napari-seem again"
        )
    network.eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.fuse()
    digest = hashlib.sha256(Path(weights_path).read_bytes()).hexdigest()[:12]
    return kind(network, words, f"compact@{digest}", device)
