"""What a correcting click may change, and that it is obeyed."""

from __future__ import annotations

import numpy as np
import pytest

import napari_seem as ns
from napari_seem.models.base import OUTSIDE
from napari_seem.models.compact.corrections import SETTLED, corrected, hints

SHAPE = (40, 60)


def logits(*boxes, inside=3.0):
    """Logits above 0 in half-open boxes (y0, x0, y1, x1)."""
    out = np.full(SHAPE, -3, np.float32)
    for y0, x0, y1, x1 in boxes:
        out[y0:y1, x0:x1] = inside
    return out


def refuse(center, side):
    """A closer look that sees nothing new."""
    return np.full(SHAPE, OUTSIDE, np.float32)


def points(*where):
    return hints([ns.Point(y, x, positive=kind) for y, x, kind in where], SHAPE)


OBJECT, BUMP, FAR = (10, 10, 20, 20), (12, 20, 16, 26), (30, 40, 36, 50)


def test_an_answer_that_obeys_every_click_stands_as_a_whole():
    given = points((15, 15, True), (14, 23, True))
    answer = logits(OBJECT, BUMP, FAR)

    assert corrected(answer, logits(OBJECT), given, 60, refuse) is answer


def test_an_answer_that_breaks_an_earlier_click_changes_only_what_was_clicked():
    given = points((15, 15, True), (33, 45, False), (14, 23, True))

    mask = corrected(logits(OBJECT, BUMP, FAR), logits(OBJECT), given, 60, refuse) > 0

    assert np.array_equal(mask, logits(OBJECT, BUMP) > 0)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(logits(FAR), logits(OBJECT, FAR)), (logits(OBJECT, FAR), logits(OBJECT, FAR))],
    ids=["the rest was lost", "nothing else changed"],
)
def test_an_object_of_many_clicks_is_changed_only_where_it_is_clicked(answer, expected):
    settled = [(11 + i, 12, True) for i in range(SETTLED - 1)]
    given = points(*settled, (33, 45, True))

    mask = corrected(answer, logits(OBJECT), given, 60, refuse) > 0

    assert np.array_equal(mask, expected > 0)


def test_a_spill_is_taken_back_without_what_hangs_elsewhere():
    given = points((15, 15, True), (18, 11, True), (33, 45, False))
    previous = logits(OBJECT, FAR)

    mask = corrected(logits((10, 10, 14, 20)), previous, given, 60, refuse) > 0

    assert np.array_equal(mask, logits(OBJECT) > 0)


def test_a_click_that_is_not_obeyed_is_looked_at_more_closely():
    given = points((15, 15, True), (14, 23, True))
    asked = []

    def closer(center, side):
        asked.append((center, side))
        return logits(BUMP) if side < 20 else refuse(center, side)

    mask = corrected(logits(OBJECT), logits(OBJECT), given, 64, closer) > 0

    assert asked == [((14, 23), 32), ((14, 23), 16)]
    assert np.array_equal(mask, logits(OBJECT, BUMP) > 0)


@pytest.mark.parametrize("positive", [True, False])
def test_a_click_that_no_look_obeys_sets_its_own_pixels(positive):
    y, x = (25, 50) if positive else (15, 15)
    given = points((11, 11, True), (y, x, positive))

    out = corrected(logits(OBJECT), logits(OBJECT), given, 64, refuse)

    changed = (out > 0) != (logits(OBJECT) > 0)
    assert np.argwhere(changed).tolist() == [
        [y + i, x + j] for i in (-1, 0, 1) for j in (-1, 0, 1)
    ]  # fmt: skip


def test_strokes_count_by_most_of_their_pixels():
    stroke = np.zeros(SHAPE, bool)
    stroke[14, 12:30] = True
    (hint,) = hints([ns.Scribble(stroke)], SHAPE)

    assert hint.broken_by(logits((10, 10, 20, 18)))
    assert not hint.broken_by(logits((10, 10, 20, 26)))


def test_the_model_obeys_every_click_however_odd():
    rng = np.random.default_rng(3)
    image = rng.integers(0, 255, (96, 128)).astype(np.uint8)
    image[30:60, 40:90] //= 4
    model = ns.load_model("compact", device="cpu")
    embedding = model.encode(image)
    prompts, memory = [ns.Point(45, 60)], None

    for _ in range(14):
        found = model.predict(embedding, prompts, memory)
        memory = found.memory
        for prompt in prompts:
            assert found.mask[round(prompt.y), round(prompt.x)] == prompt.positive, prompt
        where = tuple(int(rng.integers(2, size - 2)) for size in image.shape)
        near = any(abs(where[0] - p.y) < 6 and abs(where[1] - p.x) < 6 for p in prompts)
        if not near:
            prompts.append(ns.Point(*where, positive=bool(rng.random() < 0.5)))
