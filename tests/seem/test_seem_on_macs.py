"""SEEM on graphics of Macs, on tensors that allow no more."""

from __future__ import annotations

import mps_stand_in
import numpy as np
import pytest
from mps_stand_in import KIND, Pretended
from recipe import made_up_network

import napari_seem as ns
from napari_seem.models.running import fallback, mps
from napari_seem.models.seem.config import TINY
from napari_seem.models.seem.model import SeemModel
from napari_seem.models.seem.tokenizer import Tokenizer


@pytest.fixture(autouse=True)
def _no_gradients():
    """In place of inference mode, which wrapped tensors can't be in."""


def test_it_keeps_to_what_they_allow(monkeypatch, words):
    image = np.random.default_rng(0).integers(0, 255, (75, 110, 3), dtype=np.uint8)
    region = np.zeros(image.shape[:2], bool)
    region[20:40, 30:60] = True
    mps_stand_in.pretend(monkeypatch)
    with Pretended():
        with mps.LOCK:
            made = SeemModel(
                made_up_network(TINY), Tokenizer([words]), "tiny", device=KIND, short_side=64,
                long_side=128,
            )  # fmt: skip
            there = fallback.on_device(made, KIND)
        plane = there.encode(image)
        first = there.predict(plane, [ns.Point(20, 45)])
        there.predict(plane, [ns.Point(20, 45), ns.Point(5, 5, False)], first.memory)
        for prompt in (ns.Box(10, 30, 45, 65), ns.Scribble(region), ns.Text("dog"),
                       ns.Reference(plane, region)):  # fmt: skip
            assert there.predict(plane, [prompt]).logits.shape == region.shape
        assert len(list(there.predict_many(plane, [[ns.Point(20, 45)], [ns.Point(5, 5)]]))) == 2
        assert there.segment(plane, ["dog"]).shape == region.shape
