from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from recipe import made_up_network

from napari_seem.models.seem.config import TINY
from napari_seem.models.seem.network import Seem


@pytest.fixture(scope="session")
def tiny() -> Seem:
    return made_up_network(TINY)


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield
