"""A lone click: the likeliest windows are decoded first, the others when they are asked for."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
import pytest
from discs import disc_image

import napari_seem as ns
from napari_seem.models.turns import SAME

WINDOWS = 4
"""That the model tries on an image of this size: of 64 to 512 pixels at twice its size."""


@pytest.fixture(scope="module")
def shipped():
    return ns.load_model("compact", device="cpu")


@pytest.fixture
def decoded(shipped, monkeypatch):
    """Numbers of windows in the batches that the model decodes."""
    batches, decode = [], shipped.decode
    monkeypatch.setattr(
        shipped, "decode", lambda views, *rest: batches.append(len(views)) or decode(views, *rest)
    )
    return batches


@pytest.fixture(scope="module")
def embedding(shipped):
    """Of two discs of 12 pixels in radius, enlarged three times, with some noise."""
    image = np.kron(disc_image()[0], np.ones((3, 3), np.uint8))
    noise = np.random.default_rng(0).normal(0, 8, image.shape)
    return shipped.encode(np.clip(image + noise, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def ramp(shipped):
    return shipped.encode(np.tile(np.arange(192, dtype=np.uint8), (192, 1)))


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def disc():
    labels = np.kron(disc_image()[1], np.ones((3, 3), int))
    rows, cols = np.nonzero(labels == 1)
    return ns.Point(round(rows.mean()), round(cols.mean()))


def test_a_sure_answer_takes_the_likeliest_windows_and_the_others_wait_to_be_asked_for(
    shipped, embedding, decoded
):
    answer = shipped.predict(embedding, [disc()])
    before = list(decoded)
    again, others = answer.alternatives, decoded[len(before) :]

    assert before in ([1], [1, 1], [1, 1, 1])  # at most two, and one fitted to their answer
    assert 2 <= sum(others) < WINDOWS
    assert answer.alternatives[1] is again[1]
    assert decoded == before + others


def test_where_no_answer_is_sure_every_window_is_decoded(shipped, ramp, decoded):
    answer = shipped.predict(ramp, [ns.Point(90, 90)])
    before = sum(decoded)
    others = answer.alternatives

    assert WINDOWS <= before <= WINDOWS + 1  # one more is fitted to the best answer
    assert len(others) > 1
    assert sum(decoded) == before


def test_objects_together_take_no_more_windows_and_get_the_answers_they_get_alone(
    shipped, embedding, decoded
):
    prompts = [[disc()], [ns.Point(10, 180)]]

    together = list(shipped.predict_many(embedding, prompts))
    windows = sum(decoded)
    decoded.clear()
    alone = [shipped.predict(embedding, some) for some in prompts]

    assert sum(decoded) == windows
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(one.mask, other.mask)
        assert one.alternatives == (one,)


def test_alternatives_differ_from_one_another_and_hold_what_was_clicked(shipped, ramp):
    click = ns.Point(60, 90)

    answers = shipped.predict(ramp, [click]).alternatives

    assert len(answers) > 1
    assert all(one.mask[60, 90] for one in answers)
    assert max(overlap(a.mask, b.mask) for a, b in combinations(answers, 2)) < SAME + 0.1
    later = shipped.predict(ramp, [click, ns.Point(62, 92)], answers[1].memory)
    assert later.mask[60, 90]


def test_alternatives_are_the_same_in_another_thread_and_in_a_copy(shipped, embedding):
    answer, again = (shipped.predict(embedding, [disc()]) for _ in range(2))

    with ThreadPoolExecutor(1) as pool:
        there = pool.submit(lambda: answer.alternatives).result()
    copied = pickle.loads(pickle.dumps(again)).alternatives

    assert there[0] is answer
    assert len(there) > 1
    assert there == again.alternatives == copied


@pytest.mark.parametrize("prompt", [ns.Box(20, 20, 90, 90), ns.Point(5, 5, positive=False)])
def test_what_leaves_no_choice_has_no_alternative(shipped, embedding, prompt):
    answer = shipped.predict(embedding, [prompt])

    assert answer.alternatives == (answer,)


def test_the_answer_of_any_model_may_have_alternatives():
    found = []
    inside = np.pad(np.ones((4, 4), np.float32), 2, constant_values=-1)
    other = ns.Prediction(-inside, 0.5)

    answer = ns.Prediction(inside, 0.9, others=lambda: found.append(1) or [other])

    assert not found
    assert answer.alternatives == answer.alternatives == (answer, other)
    assert found == [1]
