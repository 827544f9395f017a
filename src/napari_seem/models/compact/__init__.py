"""The compact model: trained by this project, shipped inside the package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import WeightsError
from ...io.guard import check_file, reading
from .model import CompactModel

if TYPE_CHECKING:
    from torch import Tensor

    from .network import CompactConfig

__all__ = ["CompactModel", "build"]
WEIGHTS_BYTES = 1 << 30
"""Largest weights file that is read."""
SIZES = {"depths": 64}
"""Largest sizes that weights may name, by their names; others at most `SIZE`."""
SIZE = 1 << 16


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

    from safetensors import safe_open

    from .network import CompactConfig, CompactNetwork, ConvNorm

    weights_path = Path(weights_path)
    check_file(weights_path, WEIGHTS_BYTES)
    remedy = "install napari-seem again, or give the file that training/train.py wrote"
    with reading(weights_path, "as weights of the compact model", WeightsError, remedy):
        with safe_open(weights_path, "pt") as file:
            facts = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        words = tuple(map(str, json.loads(facts["words"])))
        sizes = json.loads(facts["config"])
        new = sorted(set(sizes) - {each.name for each in fields(CompactConfig)})
        if new:
            raise WeightsError(
                f"'{weights_path}' is of a compact model of a later version{_origin(facts)}: it "
                f"has '{new[0]}', which is not known here; install the latest napari-seem"
            )
        network = CompactNetwork(_config(sizes, tensors))
        missing = network.load_state_dict(tensors, strict=False).missing_keys
    lacking = [name for name in missing if not name.endswith("num_batches_tracked")]
    if lacking:
        raise WeightsError(
            f"'{weights_path}' lacks '{lacking[0]}' and {len(lacking) - 1} other tensors of the "
            f"compact model; it was written by another version{_origin(facts)}: install "
            "napari-seem again"
        )
    network.eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.fuse()
    digest = hashlib.sha256(Path(weights_path).read_bytes()).hexdigest()
    model = kind(network, words, f"compact@{digest[:12]}", device)
    model.sha256 = digest
    if "name" in facts:
        model.name = f"compact: {facts['name']}"
    return model


def _origin(facts: Mapping[str, str]) -> str:
    """Say in brackets by which version, and from which weights, a file was fine-tuned."""
    try:
        made = json.loads(facts["provenance"])
        version, begun = made["versions"]["napari-seem"], made["from"]["identity"]
    except (ValueError, LookupError, TypeError):
        return ""
    return f" ({version!s:.20}, fine-tuned from {begun!s:.40})"


def _config(sizes: Mapping[str, object], tensors: Mapping[str, Tensor]) -> CompactConfig:
    """Return the sizes of a network; ValueError unless the tensors are those of one.

    The tensors may have any shape: they are compared before any memory is taken for the network.
    """
    import torch

    from .network import CompactConfig, CompactNetwork

    known: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in sizes.items()}
    for key, value in known.items():
        for number in value if isinstance(value, tuple) else (value,):
            if type(number) is not int or not 0 <= number <= SIZES.get(key, SIZE):
                raise ValueError(f"the size {key} is {value!r:.60}")
    config = CompactConfig(**known)
    if replace(config, vocabulary=1) in (CompactConfig(), CompactConfig.second_generation(1)):
        return config  # known to be small
    with torch.device("meta"):
        wanted = CompactNetwork(config).state_dict()
    for name, value in tensors.items():
        if name in wanted and wanted[name].shape != value.shape:
            raise ValueError(f"'{name}' has the shape {tuple(value.shape)}")
    if sum(t.numel() for t in wanted.values()) > 2 * sum(t.numel() for t in tensors.values()):
        raise ValueError("most of its tensors are missing")
    return config
