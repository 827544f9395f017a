"""SegGPT on graphics of Macs, on tensors that allow no more."""

from __future__ import annotations

import mps_stand_in
import numpy as np
from mps_stand_in import KIND, Pretended
from seggpt_recipe import made_up_network

import napari_seem as ns
from napari_seem.models.running import fallback, mps
from napari_seem.models.seggpt.model import SegGptModel


def test_it_keeps_to_what_they_allow(monkeypatch, rng):
    image = (rng.random((70, 90)) * 200).astype(np.uint8)
    labels = np.zeros(image.shape, int)
    labels[5:20, 8:30] = 2
    here = SegGptModel(made_up_network(), "seggpt:small")
    expected = np.asarray(ns.label_like(here, (image, labels), image))
    mps_stand_in.pretend(monkeypatch)
    with Pretended():
        with mps.LOCK:
            there = fallback.on_device(SegGptModel(made_up_network(), "seggpt:small", KIND), KIND)
        found = np.asarray(ns.label_like(there, (image, labels), image))
    assert (found == expected).mean() > 0.99
