"""Many objects of one image, answered by SEEM together: each as it is alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_seem import Box, Point, Reference
from napari_seem.models.base import BatchPredictor
from napari_seem.models.seem.model import SeemModel
from napari_seem.models.seem.network import Seem
from napari_seem.models.seem.tokenizer import Tokenizer

SHAPE = (50, 70)


@pytest.fixture(scope="module")
def model(tiny: Seem) -> SeemModel:
    return SeemModel(tiny, Tokenizer([Path("no words")]), "tiny", short_side=64, long_side=128)


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
