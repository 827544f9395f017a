"""Encoded planes of SAM come back from the disk as they were, and answer the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

import napari_seem as ns
from napari_seem.embeddings import packing
from napari_seem.models.sam.model import SamModel


def test_what_is_read_from_the_disk_answers_the_same(
    model: SamModel, image: np.ndarray, tmp_path: Path
) -> None:
    """No value is rounded, and a turn on it is that of the encoder."""
    embedding = model.encode(image)
    key = (embedding.model, "plane")
    packing.write(tmp_path / "plane.zip", key, embedding)
    back = packing.read(tmp_path / "plane.zip", key)
    assert set(back.tensors) == set(embedding.tensors)
    assert all(torch.equal(back.tensors[k], t) for k, t in embedding.tensors.items())
    click = [ns.Point(40, 90)]
    found, expected = model.predict(back, click), model.predict(embedding, click)
    assert np.array_equal(found.logits, expected.logits)
