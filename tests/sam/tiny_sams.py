"""Sizes of tiny networks of SAM and SAM 2.1, and weights as their authors write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from napari_seem.models.sam import sizes
from napari_seem.models.sam.decoder import InstanceDecoder
from napari_seem.models.sam.keys import renamed
from napari_seem.models.sam.model import SamModel

FIRST = sizes.SamSizes(width=32, depth=2, heads=2, whole=(1,), window=14)
SECOND = sizes.Sam2Sizes(width=16, heads=1, stages=(1, 1, 1, 2), background=7)


def coarsen(decoder: InstanceDecoder, patch: pytest.MonkeyPatch) -> None:
    """Let a decoder compute every fourth row and column by all of its layers, and fill the rest.

    Its layers have no other widths than trained ones: of a whole image they take ten seconds.
    """
    whole = decoder.forward
    patch.setattr(
        decoder, "forward",
        lambda encoded: F.interpolate(whole(encoded[:, :, ::4, ::4]), scale_factor=4.0),
    )  # fmt: skip


def written(model: SamModel) -> dict[str, torch.Tensor]:
    """Return a model's weights under its authors' keys."""
    second = not model.keeps_aspect
    known = json.loads((Path(__file__).parents[1] / "data/sam_keys.json").read_text())
    names = {key for size in known if size.startswith("sam2") == second for key in known[size]}
    state = dict(model.network.state_dict())
    if second:
        for number, row in enumerate(state["prompt_encoder.point_embed.weight"].split(1)):
            state[f"prompt_encoder.point_embed.{number}.weight"] = row
    theirs = {renamed(name, second): name for name in names if name not in known}
    return {theirs[key]: tensor.clone() for key, tensor in state.items() if key in theirs}
