"""Tiny networks of SAM and SAM 2.1 with random weights, and checkpoints as their authors write."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("transformers", reason="needs the extra 'sam'")

from napari_seem.models.base import Embedding
from napari_seem.models.sam import network, sizes
from napari_seem.models.sam.keys import renamed
from napari_seem.models.sam.model import SamModel

FIRST = sizes.SamSizes(width=32, depth=2, heads=2, whole=(1,), window=14)
SECOND = sizes.Sam2Sizes(width=16, heads=1, stages=(1, 1, 1, 2), background=7)


@pytest.fixture(autouse=True)
def tiny_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the tiny SAM 2.1 one of the known sizes."""
    monkeypatch.setitem(sizes.HEADS, SECOND.width, SECOND.heads)
    monkeypatch.setitem(sizes.GLOBAL, SECOND.stages, (4,))


@pytest.fixture(params=[FIRST, SECOND], ids=["sam", "sam2.1"])
def tiny(request: pytest.FixtureRequest) -> sizes.SamSizes | sizes.Sam2Sizes:
    """The sizes of one of both families."""
    return request.param


@pytest.fixture
def model(tiny: sizes.SamSizes | sizes.Sam2Sizes) -> SamModel:
    """A model with random weights that are the same in every run."""
    return _built(tiny)


def _built(tiny: sizes.SamSizes | sizes.Sam2Sizes) -> SamModel:
    torch.manual_seed(3)
    built = network.build(tiny).eval().requires_grad_(False)
    frequencies = built.prompt_encoder.shared_embedding.positional_embedding
    built.shared_image_embedding.positional_embedding.data = frequencies.data.clone()
    return SamModel(built, "tiny")


@pytest.fixture
def image() -> np.ndarray:
    """A picture (150, 220, 3) that is no square."""
    return _picture()


def _picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (150, 220, 3), dtype=np.uint8)


@cache
def _encoded(tiny: sizes.SamSizes | sizes.Sam2Sizes) -> Embedding:
    return _built(tiny).encode(_picture())


@pytest.fixture
def embedding(tiny: sizes.SamSizes | sizes.Sam2Sizes) -> Embedding:
    """The picture `image` as `model` encodes it, once for all tests that do not test that."""
    return _encoded(tiny)


@pytest.fixture
def checkpoint(model: SamModel) -> dict[str, torch.Tensor]:
    """The model's weights under its authors' keys."""
    return written(model)


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
