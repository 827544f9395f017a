"""Made-up SEEM weights by the recipe of the parity vectors, and the vectors themselves."""

from __future__ import annotations

import math
import zlib
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

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


def made_up_network(
    config: SeemConfig, dtype: torch.dtype = torch.float32, like: Seem | None = None
) -> Seem:
    """A SEEM of these sizes with the recipe's weights; those that `like` has too are shared."""
    with torch.device("meta"):
        network = Seem(config)
    made = like.state_dict() if like is not None else {}
    state = {}
    for key, shape in expected_shapes(config).items():
        shared = key in made and tuple(made[key].shape) == shape
        state[key] = made[key] if shared else made_up(key, shape).to(dtype)
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


@cache
def vectors(name: str) -> dict[str, Tensor]:
    """The measured inputs and outputs of one parity file."""
    return load_file(DATA / f"{name}.safetensors")
