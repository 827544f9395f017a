"""Many objects of one image, answered by SEEM together: each as it is alone."""

from __future__ import annotations

import numpy as np
import pages
import pytest

from napari_seem import Box, Point, Reference
from napari_seem.models import registry
from napari_seem.models.base import BatchPredictor
from napari_seem.models.seem.model import SeemModel

pytest.importorskip("tokenizers")
SHAPE = (50, 70)


def test_objects_together_have_the_answers_that_they_have_alone(model: SeemModel) -> None:
    image = np.random.default_rng(3).integers(0, 255, (*SHAPE, 3), dtype=np.uint8)
    image[10:30, 20:50] = (200, 30, 30)
    embedding = model.encode(image)
    region = np.zeros(SHAPE, bool)
    region[10:30, 20:50] = True
    clicks = [[Point(5 + 4 * number, 30)] for number in range(10)]
    objects = [
        *clicks, [Reference(embedding, region), Point(20, 30)], [Box(10, 10, 30, 40)],
        [Point(5, 5, positive=False)],
    ]  # fmt: skip

    together = list(model.predict_many(embedding, objects))

    assert isinstance(model, BatchPredictor)
    assert len(together) == len(objects)
    for prediction, prompts in zip(together, objects, strict=True):
        alone = model.predict(embedding, prompts)
        np.testing.assert_allclose(prediction.logits, alone.logits, atol=1e-3)
        np.testing.assert_allclose(prediction.score, alone.score, atol=1e-4)


def test_the_page_of_seem_runs_with_a_small_network(model, tmp_path, monkeypatch):
    fetched: list[str] = []
    monkeypatch.setattr(registry, "load_model", lambda name: model)
    monkeypatch.setattr(registry, "download_model", fetched.append)
    monkeypatch.chdir(tmp_path)

    left = pages.run("docs/seem.md")

    assert fetched == ["seem-focal-t"]
    assert left["second"].area >= 0
