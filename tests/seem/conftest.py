from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from recipe import made_up_network

from napari_seem.models.seem.config import TINY
from napari_seem.models.seem.model import SeemModel
from napari_seem.models.seem.network import Seem
from napari_seem.models.seem.tokenizer import END, START, Tokenizer


@pytest.fixture(scope="session")
def tiny() -> Seem:
    return made_up_network(TINY)


def byte_letters() -> list[str]:
    """The 256 letters that byte-level tokenizers write bytes with."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    extra = (256 + n for n in range(256 - len(plain)))
    return [chr(b) if b in plain else chr(next(extra)) for b in range(256)]


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small vocabulary: all bytes, and the word 'dog'."""
    folder = tmp_path_factory.mktemp("vocabulary")
    letters = byte_letters()
    tokens = [*letters, *(letter + "</w>" for letter in letters), "do", "dog</w>", START, END]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\nd o\ndo g</w>\n")
    return folder


@pytest.fixture(scope="session")
def model(tiny: Seem, words: Path) -> SeemModel:
    return SeemModel(tiny, Tokenizer([words]), "tiny", short_side=64, long_side=128)


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield
