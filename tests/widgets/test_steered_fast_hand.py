"""Other answers and accepted objects together, by a fast hand on a real canvas; and replayed."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
from canvas import CTRL, SHIFT, press
from discs import disc_image
from several_answers import SeveralAnswers

from napari_seem.commands.replay import replay
from napari_seem.labels.log import SessionLog
from napari_seem.models.context import Context
from napari_seem.viewer.documents import document_of

LEFT, RIGHT = (32, 20), (32, 58)
BEFORE = {1: slice(0, 5), 2: slice(5, 10), 3: slice(59, 64), 4: slice(54, 59)}
"""Rows of objects that are there before, away from both discs."""


class SteeredAnswers(SeveralAnswers):
    """Its best answer has a smaller reach of others where something was accepted before."""

    context: Context | None = None

    def with_context(self, context):
        new = copy(self)
        new.context, new.reach = context, 2
        return new

    def predict(self, embedding, prompts, memory=None):
        answer = super().predict(embedding, prompts, memory)
        return answer if self.context is None else replace(answer, score=0.5)


@pytest.fixture
def model():
    return SteeredAnswers()


def with_objects(dock):
    """Labels with four objects in the border of the image, which are written to."""
    data = np.zeros(disc_image()[0].shape, np.uint8)
    for label_id, rows in BEFORE.items():
        data[rows, :8] = label_id
    dock.annotator.choose_labels(dock.viewer.add_labels(data))
    return dock.annotator.labels


def again(labels, model):
    events = [dict(event) for event in document_of(labels).log.events]
    return replay(SessionLog(events), lambda line: disc_image()[0], lambda name: model)


def test_three_keys_and_a_commit_while_the_first_answer_is_computed(shown, model, settle, qtbot):
    dock, mouse = shown
    labels = with_objects(dock)
    canvas = mouse.canvas.native
    model.go.clear()  # before the first answer: a moment after it the others are decoded
    mouse.click(LEFT)
    qtbot.waitUntil(lambda: dock.annotator.prediction is not None, timeout=20_000)
    assert dock.annotator.work.context.count == 4
    assert "steered by 4 objects" in dock.panel.status.text()
    for _ in range(4):
        press(canvas, "W", SHIFT)
    press(canvas, "Z", CTRL)
    dock.commit()
    mouse.click(RIGHT)
    press(canvas, "W", SHIFT)
    dock.commit()
    model.go.set()
    settle(dock)

    events = document_of(labels).log.events
    commits = [event for event in events if event["event"] == "commit"]
    assert [event.get("context", {}).get("count") for event in commits] == [4, 4]
    repeated = again(labels, model)
    assert not repeated.differences
    assert np.array_equal(repeated.labels, np.asarray(labels.data))
