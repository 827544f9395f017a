"""Objects that were accepted steer the next one: shown, switched off, logged, and replayed."""

from __future__ import annotations

from copy import copy

import numpy as np
import pytest
from discs import HeldModel
from scipy import ndimage

from napari_seem.commands.replay import replay
from napari_seem.labels.log import SessionLog
from napari_seem.models.base import Prediction
from napari_seem.models.context import Context
from napari_seem.viewer.documents import document_of
from napari_seem.widgets._shared.preferences import keep_preference

CENTRES = [(20, 20), (20, 60), (60, 20), (60, 60), (60, 100), (20, 100)]
RADIUS = 9
AREA = int(sum(x**2 + y**2 <= RADIUS**2 for x in range(-9, 10) for y in range(-9, 10)))


class Steered(HeldModel):
    """Answers with a rim of a pixel around the disc where something was accepted before."""

    context = Context()

    def with_context(self, context):
        new = copy(self)
        new.context = context or Context()
        return new

    def predict(self, embedding, prompts, memory=None):
        answer = super().predict(embedding, prompts, memory)
        if not self.context.steers or memory:
            return answer
        mask = ndimage.binary_dilation(answer.mask)
        return Prediction(np.where(mask, np.float32(4), np.float32(-4)), 0.9, "", answer.memory)


@pytest.fixture
def model():
    return Steered()


def discs():
    """Six discs: image (uint8) and labels (1 to 6)."""
    rows, cols = np.mgrid[:80, :120]
    labels = np.zeros((80, 120), np.uint8)
    for number, (y, x) in enumerate(CENTRES, 1):
        labels[(rows - y) ** 2 + (cols - x) ** 2 <= RADIUS**2] = number
    return np.where(labels > 0, 220, 20).astype(np.uint8), labels


@pytest.fixture(autouse=True)
def _steer_again():
    yield
    keep_preference("steer", True)


@pytest.fixture
def accept(docked, settle):
    """The dock on six discs, and a function that accepts some of them: `accept(dock, 1, 2)`."""
    dock = docked(discs()[0])

    def accept_some(*numbers, concept=""):
        dock.annotator.classes.choose(concept)
        for number in numbers:
            dock.annotator.prompt_layers.points.add(CENTRES[number - 1])
            settle(dock)
            dock.commit()

    return dock, accept_some


def click(dock, settle, number):
    dock.annotator.prompt_layers.points.add(CENTRES[number - 1])
    settle(dock)
    return int(dock.annotator.prediction.mask.sum())


def test_four_objects_steer_the_fifth_and_the_dock_says_so(accept, settle):
    dock, accept_some = accept
    accept_some(1, 2, 3)
    assert click(dock, settle, 4) == AREA
    assert "steered" not in dock.panel.status.text()
    dock.commit()
    assert click(dock, settle, 5) > AREA
    assert "steered by 4 objects" in dock.panel.status.text()
    assert dock.annotator.work.context == Context.of_areas([AREA] * 4)


def test_the_tick_takes_that_back_at_once(accept, settle):
    dock, accept_some = accept
    accept_some(1, 2, 3, 4)
    assert click(dock, settle, 5) > AREA
    dock.panel.steer.setChecked(False)
    settle(dock)
    assert int(dock.annotator.prediction.mask.sum()) == AREA
    assert "steered" not in dock.panel.status.text()
    dock.panel.steer.setChecked(True)
    settle(dock)
    assert int(dock.annotator.prediction.mask.sum()) > AREA


def test_only_objects_of_the_active_class_steer(accept, settle):
    dock, accept_some = accept
    accept_some(1, 2, 3, concept="cell")
    accept_some(4, concept="blood")
    assert click(dock, settle, 5) == AREA
    dock.clear()
    dock.annotator.classes.choose("")
    assert click(dock, settle, 5) > AREA


def test_undo_of_an_accepted_object_counts(accept, settle):
    dock, accept_some = accept
    accept_some(1, 2, 3, 4)
    dock.annotator.undo()
    settle(dock)
    dock.clear()
    assert click(dock, settle, 5) == AREA
    dock.clear()
    accept_some(4)
    assert click(dock, settle, 5) > AREA


def test_objects_of_the_image_before_count_while_there_are_few(accept, settle):
    dock, accept_some = accept
    accept_some(1, 2, 3, 4)
    before = dock.annotator.labels
    other = dock.viewer.add_image(discs()[0][::-1, ::-1].copy(), name="next")
    dock.annotator.choose_image(other)
    rows, cols = np.nonzero(discs()[1][::-1, ::-1] == 5)
    middle = round(rows.mean()), round(cols.mean())
    for removed in (False, True):
        if removed:
            dock.viewer.layers.remove(before)
        dock.annotator.prompt_layers.points.add(middle)
        settle(dock)
        assert dock.annotator.work.context.elsewhere
        assert dock.annotator.work.context.count == 4
        dock.clear()


def test_labels_that_do_not_fit_the_image_steer_nothing(accept, settle):
    dock, _ = accept
    labels = dock.viewer.add_labels(np.tile(discs()[1], (2, 2)))
    dock.annotator.choose_labels(labels)
    assert click(dock, settle, 4) == AREA


def test_a_model_that_takes_no_context_is_not_said_to_be_steered(accept, settle):
    dock, accept_some = accept
    accept_some(1, 2, 3, 4)
    dock.annotator.model_cache.put("compact", HeldModel())
    assert click(dock, settle, 5) == AREA
    assert "steered" not in dock.panel.status.text()


def test_the_log_holds_the_context_and_a_replay_gives_the_same(accept, settle, model):
    dock, accept_some = accept
    accept_some(1, 2, 3, 4, 5)
    dock.panel.steer.setChecked(False)
    accept_some(6)
    labels = dock.annotator.labels
    events = [dict(event) for event in document_of(labels).log.events]
    commits = [event for event in events if event["event"] == "commit"]
    assert ["context" in event for event in commits] == [False, False, False, False, True, False]
    assert commits[4]["context"] == Context.of_areas([AREA] * 4).to_dict()

    again = replay(SessionLog(events), lambda line: discs()[0], lambda name: model)

    assert again.redone == 6
    assert not again.differences
    assert np.array_equal(again.labels, np.asarray(labels.data))
    del commits[4]["context"]  # as of a version that knew none
    differences = replay(
        SessionLog(events), lambda line: discs()[0], lambda name: model
    ).differences
    assert [one.kind for one in differences] == ["commit"]
