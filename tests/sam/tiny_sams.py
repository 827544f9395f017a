"""Sizes of tiny networks of SAM and SAM 2.1, and weights as their authors write them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import torch

from napari_seem.models.sam import sizes
from napari_seem.models.sam.keys import renamed
from napari_seem.models.sam.model import SamModel

FIRST = sizes.SamSizes(width=32, depth=2, heads=2, whole=(1,), window=14)
SECOND = sizes.Sam2Sizes(width=16, heads=1, stages=(1, 1, 1, 2), background=7)
SMALL, PUBLISHED = 256, sizes.SIDE
"""Pixels along the square: those of nearly all tests here, and those of published weights."""
IN_BOTH_SQUARES = pytest.mark.parametrize(
    "side", [SMALL, pytest.param(PUBLISHED, marks=pytest.mark.long)], indirect=True
)
"""Tests of what may differ with the side see the large square, too, where there is time."""
AS_PUBLISHED = pytest.mark.parametrize("side", [PUBLISHED], indirect=True)
"""Tests of published shapes, and of places that a small square would blur."""


def written(model: SamModel) -> dict[str, torch.Tensor]:
    """Return a model's weights under its authors' keys."""
    theirs = _theirs(not model.keeps_aspect)
    state = dict(model.network.state_dict())
    if not model.keeps_aspect:
        for number, row in enumerate(state["prompt_encoder.point_embed.weight"].split(1)):
            state[f"prompt_encoder.point_embed.{number}.weight"] = row
    return {theirs[key]: tensor.clone() for key, tensor in state.items() if key in theirs}


@cache
def _theirs(second: bool) -> dict[str, str]:
    """Return the authors' keys of any size of a family, by the names of transformers."""
    known = json.loads((Path(__file__).parents[1] / "data/sam_keys.json").read_text())
    names = {key for size in known if size.startswith("sam2") == second for key in known[size]}
    return {renamed(name, second): name for name in names if name not in known}
