"""Tiny networks of SAM and SAM 2.1 with random weights, and checkpoints as their authors write."""

from __future__ import annotations

from copy import deepcopy
from functools import cache

import numpy as np
import pytest
import torch

pytest.importorskip("transformers", reason="needs the extra 'sam'")

from tiny_sams import FIRST, SECOND, SMALL, written

from napari_seem.models.base import Embedding
from napari_seem.models.sam import network, sizes
from napari_seem.models.sam.model import SamModel


@pytest.fixture(autouse=True)
def tiny_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the tiny SAM 2.1 one of the known sizes."""
    monkeypatch.setitem(sizes.HEADS, SECOND.width, SECOND.heads)
    monkeypatch.setitem(sizes.GLOBAL, SECOND.stages, (4,))


@pytest.fixture(autouse=True)
def side(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Pixels along the square that the networks see.

    A small square has a sixteenth of the cells, and the tests take a fraction of the time.
    """
    side = getattr(request, "param", SMALL)
    monkeypatch.setattr(sizes, "SIDE", side)
    return side


@pytest.fixture(params=[FIRST, SECOND], ids=["sam", "sam2.1"])
def tiny(request: pytest.FixtureRequest) -> sizes.SamSizes | sizes.Sam2Sizes:
    """The sizes of one of both families."""
    return request.param


@pytest.fixture
def model(tiny: sizes.SamSizes | sizes.Sam2Sizes, side: int) -> SamModel:
    """A model with random weights that are the same in every run."""
    return _built(tiny, side)


def _built(tiny: sizes.SamSizes | sizes.Sam2Sizes, side: int) -> SamModel:
    """Return a model with hooks of its own; its weights, which no test may write to, are shared."""
    made = _network(tiny, side)
    shared = {id(tensor): tensor for tensor in (*made.parameters(), *made.buffers())}
    return SamModel(deepcopy(made, shared), "tiny")


@cache
def _network(tiny: sizes.SamSizes | sizes.Sam2Sizes, side: int) -> torch.nn.Module:
    assert side == sizes.SIDE
    torch.manual_seed(3)
    built = network.build(tiny).eval().requires_grad_(False)
    frequencies = built.prompt_encoder.shared_embedding.positional_embedding
    built.shared_image_embedding.positional_embedding.data = frequencies.data.clone()
    return built


@pytest.fixture
def image() -> np.ndarray:
    """A picture (150, 220, 3) that is no square."""
    return _picture()


def _picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (150, 220, 3), dtype=np.uint8)


@cache
def _encoded(tiny: sizes.SamSizes | sizes.Sam2Sizes, side: int) -> Embedding:
    return _built(tiny, side).encode(_picture())


@pytest.fixture
def embedding(tiny: sizes.SamSizes | sizes.Sam2Sizes, side: int) -> Embedding:
    """The picture `image` as `model` encodes it, once for all tests that do not test that."""
    return _encoded(tiny, side)


@pytest.fixture
def checkpoint(model: SamModel) -> dict[str, torch.Tensor]:
    """The model's weights under its authors' keys."""
    return written(model)
