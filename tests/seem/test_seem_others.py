"""The masks of SEEM's other queries, as other answers to the same prompts."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from napari_seem import Point, Text
from napari_seem.models.base import Embedding
from napari_seem.models.seem import turns
from napari_seem.models.seem.model import SeemModel
from napari_seem.models.turns import SAME
from napari_seem.session import Session

pytest.importorskip("tokenizers")


@pytest.fixture(scope="module")
def embedding(model: SeemModel) -> Embedding:
    return model.encode(np.random.default_rng(3).integers(0, 255, (48, 70, 3), dtype=np.uint8))


@pytest.mark.parametrize("prompt", [Point(20, 30), Text("dog")])
def test_they_differ_and_are_worked_out_when_they_are_asked_for(
    prompt: Point | Text, model: SeemModel, embedding: Embedding
) -> None:
    answer = model.predict(embedding, [prompt])
    assert answer.known_alternatives is None

    answers = answer.alternatives

    assert answers[0] is answer
    assert len(answers) <= 1 + turns.RIVALS
    assert all(one.bbox for one in answers[1:])
    for one, other in combinations(answers, 2):
        overlap = (one.mask & other.mask).sum() / (one.mask | other.mask).sum()
        assert overlap < SAME + 0.1  # which is measured on a grid of a quarter of the size


def test_corrections_go_on_from_a_rival(
    model: SeemModel, embedding: Embedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_seem.models.seem.model.SAME", 2.0)  # all of them differ
    session = Session(model, embedding)
    session.add(Point(20, 30))
    first = session.best
    assert len(session.alternatives) > 1

    session.choose(1)
    corrected = session.add(Point(2, 2, False))

    session.undo()
    session.choose(0)
    assert session.prediction is first
    assert not np.array_equal(session.add(Point(2, 2, False)).logits, corrected.logits)
