"""Made-up SEEM weights by the recipe of the parity vectors, and the vectors themselves."""

from __future__ import annotations

import math
import zlib
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from napari_seem.models.seem.checkpoint import expected_shapes
from napari_seem.models.seem.config import SeemConfig
from napari_seem.models.seem.network import Seem

DATA = Path(__file__).parents[1] / "data"


def made_up(key: str, shape: tuple[int, ...]) -> Tensor:
    """The tensor that the recipe gives for one key."""
    n = torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(key.encode())))
    *parents, last = key.split(".")
    parent = parents[-1] if parents else ""
    if last == "logit_scale":
        return torch.tensor(math.log(10.0))
    if "gamma_" in last:
        return 0.5 + 0.1 * n
    if last == "weight" and len(shape) == 1:
        return 1 + 0.1 * n
    if last in ("bias", "in_proj_bias"):
        return 0.05 * n
    named = any(word in key for word in ("query_feat", "spatial_featured", "pn_indicator"))
    matrix = len(shape) >= 2 and last in ("weight", "in_proj_weight")
    if matrix and "embed" not in parent and not named:
        return n / math.sqrt(math.prod(shape[1:]))
    if last in ("class_embed", "lang_proj") or "sptial_embed" in key:
        return n / math.sqrt(shape[0])
    return 0.5 * n


def made_up_network(config: SeemConfig) -> Seem:
    """A SEEM of these sizes with the recipe's weights."""
    network = _without_weights(config)
    state = {key: made_up(key, shape) for key, shape in expected_shapes(config).items()}
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def decoders_weights(config: SeemConfig) -> dict[str, Tensor]:
    """The recipe's weights of all but the backbone and the text encoder."""
    return {
        key: made_up(key, shape)
        for key, shape in expected_shapes(config).items()
        if not key.startswith("backbone.") and "lang_encoder." not in key
    }


def frugal_network(config: SeemConfig, dtype: torch.dtype, kept: dict[str, Tensor]) -> Seem:
    """The same as `made_up_network` in a precision, with hardly any memory of its own.

    Weights that are not in `kept` are made up whenever they are used. The recipe's numbers have
    single precision, so that turning them to double precision at each use loses nothing.
    """
    network = _without_weights(config)
    for key, shape in expected_shapes(config).items():
        parent, _, name = key.rpartition(".")
        module = network.get_submodule(parent)
        if key in kept and tuple(kept[key].shape) == shape:
            setattr(module, name, nn.Parameter(kept[key], requires_grad=False))
            weight: nn.Module = Kept(dtype)
        else:
            weight = MadeUpAtUse(key, dtype)
        register_parametrization(module, name, weight, unsafe=True)
    return network.eval().requires_grad_(False)


def _without_weights(config: SeemConfig) -> Seem:
    with torch.device("meta"):
        return Seem(config)


class Kept(nn.Module):
    """A weight in some precision."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, weight: Tensor) -> Tensor:
        return weight.to(self.dtype)


class MadeUpAtUse(nn.Module):
    """The recipe's weight of one key, in some precision."""

    def __init__(self, key: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.key = key
        self.dtype = dtype

    def forward(self, empty: Tensor) -> Tensor:
        return made_up(self.key, tuple(empty.shape)).to(self.dtype)


@cache
def vectors(name: str) -> dict[str, Tensor]:
    """The measured inputs and outputs of one parity file."""
    return load_file(DATA / f"{name}.safetensors")
