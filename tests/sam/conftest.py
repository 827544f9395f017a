"""Tiny networks of SAM and SAM 2.1 with random weights, and checkpoints as their authors write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("transformers", reason="needs the extra 'sam'")

from napari_seem.models.sam import network, sizes
from napari_seem.models.sam.model import SamModel

FIRST = sizes.SamSizes(width=32, depth=2, heads=2, whole=(1,), window=14)
SECOND = sizes.Sam2Sizes(width=16, heads=1, stages=(1, 1, 2, 1), background=7)


@pytest.fixture(autouse=True)
def tiny_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the tiny SAM 2.1 one of the known sizes."""
    monkeypatch.setitem(sizes.HEADS, SECOND.width, SECOND.heads)
    monkeypatch.setitem(sizes.GLOBAL, SECOND.stages, (3,))


@pytest.fixture(params=[FIRST, SECOND], ids=["sam", "sam2.1"])
def tiny(request: pytest.FixtureRequest) -> sizes.SamSizes | sizes.Sam2Sizes:
    """The sizes of one of both families."""
    return request.param


@pytest.fixture
def model(tiny: sizes.SamSizes | sizes.Sam2Sizes) -> SamModel:
    """A model with random weights that are the same in every run."""
    torch.manual_seed(3)
    return SamModel(network.build(tiny).eval().requires_grad_(False), "tiny")


@pytest.fixture
def image() -> np.ndarray:
    """A picture (150, 220, 3) that is no square."""
    return np.random.default_rng(0).integers(0, 255, (150, 220, 3), dtype=np.uint8)


Save = Callable[[dict[str, torch.Tensor]], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write a state dict as a checkpoint."""

    def write(state: dict[str, torch.Tensor], name: str = "own.pth") -> Path:
        torch.save(state, tmp_path / name)
        return tmp_path / name

    return write
