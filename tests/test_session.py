"""A session: prompts in any mix, undo and redo of every step, nothing lost on errors."""

from __future__ import annotations

import subprocess
import sys
from copy import copy

import numpy as np
import pytest

from napari_seem.errors import InvalidArgument, InvalidLabels, InvalidPrompt, UnknownWord
from napari_seem.planes import Plane
from napari_seem.prompts import Box, Point, Text
from napari_seem.session import Session

LEFT, RIGHT, ABOVE = Point(32, 20), Point(32, 58), Point(30, 20)


@pytest.fixture
def labels(disc_image):
    return disc_image[1]


@pytest.fixture
def session(disc_model, disc_image):
    return Session(disc_model, disc_model.encode(disc_image[0]))


def test_prompts_add_up_and_one_encode_serves_all(session, labels, disc_model):
    assert np.array_equal(session.add(LEFT).mask, labels == 1)
    assert np.array_equal(session.add(RIGHT).mask, labels > 0)
    assert disc_model.encoded == 1


def test_undo_and_redo_walk_the_turns(session, labels):
    session.add(LEFT)
    session.add(RIGHT)

    assert np.array_equal(session.undo().mask, labels == 1)
    assert session.undo() is None
    assert session.prompts == ()
    assert session.undo() is None
    session.redo()
    assert np.array_equal(session.redo().mask, labels > 0)
    assert not session.can_redo


def test_any_prompt_can_be_removed_and_the_removal_undone(session, labels):
    session.add(LEFT)
    session.add(RIGHT)

    assert np.array_equal(session.remove(0).mask, labels == 2)
    assert session.prompts == (RIGHT,)
    assert np.array_equal(session.undo().mask, labels > 0)
    with pytest.raises(InvalidPrompt, match="number 2"):
        session.remove(2)


def test_a_removed_prompt_leaves_no_trace_in_memory(session):
    session.add(LEFT)
    session.push(RIGHT)
    assert session.request().memory == (1,)

    session.replace(session.prompts[1:])
    assert session.request().memory is None


def test_an_answer_that_was_given_is_not_asked_for_again(session, disc_model):
    first = session.add(LEFT)
    session.add(RIGHT)
    disc_model.predict = None  # it would fail

    assert session.remove(1) is first


@pytest.mark.parametrize(
    ("prompt", "error"),
    [(Point(99, 0), InvalidPrompt), (Box(0, 0, 1, 1), InvalidPrompt), (Text("dics"), UnknownWord)],
)
def test_a_refused_prompt_changes_nothing(session, labels, prompt, error):
    session.add(LEFT)
    session.add(RIGHT)
    session.undo()

    with pytest.raises(error):
        session.add(prompt)

    assert session.prompts == (LEFT,)
    assert np.array_equal(session.prediction.mask, labels == 1)
    assert np.array_equal(session.redo().mask, labels > 0)


def test_a_late_answer_is_dropped(session):
    session.push(LEFT)
    late = session.request()
    session.push(RIGHT)

    assert not session.deliver(late, late.run())
    assert session.prediction is None
    newest = session.request()
    assert session.deliver(newest, newest.run())
    assert session.prediction.mask.any()


def test_an_answer_that_comes_after_undo_is_dropped(session):
    session.push(LEFT)
    request = session.request()
    session.step_back()

    assert not session.deliver(request, request.run())
    assert session.prediction is None


def test_commit_gives_an_edit_that_keeps_other_objects(session, labels):
    drawn = np.zeros(labels.shape, np.uint16)
    drawn[:, 20:] = 9
    session.add(LEFT)

    session.commit(1, drawn).apply(drawn)

    assert np.array_equal(drawn == 1, (labels == 1) & (np.arange(80) < 20))
    assert session.commit(4).count == (labels == 1).sum()
    assert session.commit(1, drawn, overwrite=True).count == ((labels == 1) & (drawn == 9)).sum()


def test_commit_into_a_volume_writes_one_plane(session, labels):
    volume = np.zeros((5, *labels.shape), np.uint8)
    session.add(LEFT)

    session.commit(7, volume, offset=(3, 0, 0)).apply(volume)

    assert np.array_equal(volume[3] == 7, labels == 1)
    assert not volume[[0, 1, 2, 4]].any()


def test_replace_draws_an_object_anew(session, labels):
    drawn = np.where(labels == 2, 1, 0).astype(np.uint8)
    session.add(LEFT)

    session.commit(1, drawn, replace=True).apply(drawn)

    assert np.array_equal(drawn == 1, labels == 1)


def test_there_is_nothing_to_commit_before_the_first_prompt(session, labels):
    with pytest.raises(InvalidPrompt, match="no object yet"):
        session.commit(1)
    session.add(LEFT)
    with pytest.raises(InvalidLabels, match="own size"):
        session.commit(1, np.zeros((3, 3), np.uint8))


def test_prompts_are_answered_one_by_one_however_they_came_to_stand_there(session):
    by_turns = Session(*session.resolve())
    for prompt in (LEFT, RIGHT, ABOVE):
        by_turns.add(prompt)
    at_once = Session(*session.resolve())
    at_once.replace((LEFT, RIGHT, ABOVE))
    thinned = Session(*session.resolve())
    for prompt in (Point(5, 5), LEFT, RIGHT, ABOVE):
        thinned.add(prompt)
    thinned.remove(0)

    assert by_turns.prediction.memory == (1, 2, 3)
    for other in (at_once, thinned, copy(by_turns)):
        assert other.compute() == by_turns.prediction
        assert other.prediction.memory == by_turns.prediction.memory


def test_a_copy_goes_its_own_way(session):
    session.add(LEFT)
    other = copy(session)
    other.add(RIGHT)

    assert session.prompts == (LEFT,)
    assert session.turn == 1


def test_a_session_is_about_an_encoded_image_of_its_model(disc_model, disc_image):
    with pytest.raises(InvalidPrompt, match="encoded image"):
        Session(disc_model, disc_image[0])
    with pytest.raises(InvalidArgument, match="no model"):
        Session("compact", disc_model.encode(disc_image[0]))


def test_a_plane_of_a_stack_is_named(session, labels):
    session.add(LEFT)
    volume = np.zeros((5, *labels.shape), np.uint8)

    with pytest.raises(InvalidLabels, match="name it by offset="):
        session.commit(7, volume)
    with pytest.raises(InvalidLabels, match="one for each"):
        session.commit(7, volume, offset=(1, 0))
    across = np.zeros((*labels.shape, 4), np.uint8)
    session.commit(7, across, plane=Plane.across(-1, 2)).apply(across)
    assert np.array_equal(across[..., 2] == 7, labels == 1)


def test_an_edit_says_what_the_object_got(session, labels):
    drawn = np.zeros(labels.shape, np.uint16)
    drawn[:, 20:] = 9
    session.add(LEFT)
    size = int((labels == 1).sum())
    lost = int(((labels == 1) & (drawn == 9)).sum())

    edit = session.commit(1, drawn)
    assert (edit.asked, edit.written, edit.kept, edit.taken) == (size, size - lost, {9: lost}, {})
    edit = session.commit(1, drawn, overwrite=True)
    assert (edit.asked, edit.written, edit.kept, edit.taken) == (size, size, {}, {9: lost})


def test_an_edit_is_applied_to_the_labels_it_was_made_for(session, labels):
    drawn = np.zeros(labels.shape, np.uint16)
    drawn[:, 20:] = 9
    before = drawn.copy()
    session.add(LEFT)

    with pytest.raises(InvalidLabels, match="have changed since the edit was made"):
        session.commit(1).apply(drawn)
    assert np.array_equal(drawn, before)
    edit = session.commit(1, drawn, overwrite=True)
    edit.apply(drawn)
    with pytest.raises(InvalidLabels, match="since the edit was made"):
        edit.apply(drawn)
    edit.revert(drawn)
    assert np.array_equal(drawn, before)


@pytest.mark.long
def test_the_answer_is_the_same_in_another_process():
    program = """
import hashlib, sys
import napari_seem as ns
from skimage.data import coins
model = ns.load_model("compact", "cpu")
session = ns.Session(model, model.encode(coins()[:160, :200]))
for prompt in (ns.Point(130, 120), ns.Point(155, 120, positive=False), ns.Box(100, 80, 158, 125)):
    session.add(prompt)
print(hashlib.sha256(session.prediction.logits.tobytes()).hexdigest(), session.prediction.score)
"""
    command = [sys.executable, "-c", program]
    there = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    here: list[str] = []
    exec(program, {"print": lambda *said: here.append(" ".join(map(str, said)))})

    assert there.strip() == here[0]
