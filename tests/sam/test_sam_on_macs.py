"""SAM on graphics of Macs: its answers by every door, on tensors that allow no more."""

from __future__ import annotations

import mps_stand_in
import numpy as np
import pytest
from mps_stand_in import KIND, Pretended

import napari_seem as ns
from napari_seem.models.running import fallback, mps
from napari_seem.models.sam import clicks, everything
from napari_seem.models.sam.decoder import InstanceDecoder
from napari_seem.models.sam.model import SamModel


def test_it_keeps_to_what_they_allow(
    model: SamModel, image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One lock, no float64; clicks answer as on the processor, stacks are carried."""
    mps_stand_in.pretend(monkeypatch)
    monkeypatch.setattr(everything, "grid", lambda shape: clicks.grid(shape)[::64])
    monkeypatch.setattr(clicks, "PEAKS", 4)
    region = np.zeros(image.shape[:2], bool)
    region[40:80, 60:120] = True
    expected = model.predict(model.encode(image), [ns.Point(40, 90)]).mask
    with Pretended():
        with mps.LOCK:
            decoder = None
            if model.keeps_aspect:
                decoder = InstanceDecoder().eval().requires_grad_(False)
            there = fallback.on_device(SamModel(model.network, "tiny", KIND, decoder), KIND)
        plane = there.encode(image)
        answer = there.predict(plane, [ns.Point(40, 90)])
        for prompts in ([ns.Box(20, 60, 90, 130), ns.Scribble(region)], [ns.Mask(region)]):
            assert there.predict(plane, prompts, answer.memory).logits.shape == region.shape
        assert all(one.logits.shape == region.shape for one in answer.alternatives)
        assert there.segment(plane).shape == region.shape
        if decoder is None:
            seeds = {0: region.astype(np.uint16)}
            assert len(np.asarray(ns.propagate(there, np.stack([image] * 2), seeds))) == 2
    assert (answer.mask == expected).mean() > 0.99
