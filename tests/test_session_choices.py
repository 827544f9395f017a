"""Another answer is chosen in a session: a step that later turns go on from, as the same later."""

from __future__ import annotations

from copy import copy

import numpy as np
import pytest
from several_answers import SeveralAnswers, sizes

from napari_seem.errors import InvalidPrompt
from napari_seem.models.turns import predict_in_turns
from napari_seem.prompts import Point
from napari_seem.session import Session

LEFT, RIGHT, ABOVE = Point(32, 20), Point(32, 58), Point(30, 20)


@pytest.fixture
def model():
    return SeveralAnswers()


@pytest.fixture
def embedding(model, disc_image):
    return model.encode(disc_image[0])


@pytest.fixture
def session(model, embedding):
    return Session(model, embedding)


@pytest.fixture
def areas(model, embedding):
    """Pixels of the three answers to a click on the left disc."""
    return sizes(model, embedding, [LEFT])


def test_others_are_made_when_they_are_asked_for(session, model, areas):
    made = len(model.decoded)
    session.add(LEFT)
    assert len(model.decoded) == made
    assert session.alternatives[0] is session.prediction
    assert [one.area for one in session.alternatives] == areas
    assert len(model.decoded) == made + 1


def test_a_choice_is_a_step_that_is_undone_and_redone(session, areas):
    session.add(LEFT)

    assert session.choose(1).area == areas[1]
    assert session.choose(2).area == areas[2]
    assert (session.chosen, session.undo_title) == (2, "answer")
    assert session.undo().area == areas[1]
    assert session.undo().area == areas[0]
    assert session.redo().area == areas[1]
    assert session.choices == (1,)
    assert session.prompts == (LEFT,)


def test_an_answer_that_is_not_there_is_refused_and_no_step(session):
    with pytest.raises(InvalidPrompt, match="add a prompt first"):
        session.choose(0)
    session.add(LEFT)
    for number in (3, -1):
        with pytest.raises(InvalidPrompt, match="there are 3, give 0 to 2"):
            session.choose(number)
    session.choose(0)
    assert session.turn == 1


def test_later_turns_go_on_from_the_chosen_answer(session):
    session.add(LEFT)
    session.choose(1)
    session.add(RIGHT)
    session.choose(2)

    assert session.add(ABOVE).memory == (1, "core", 2, "wide", 3)
    assert session.choices == (1, 2)


def test_the_same_prompts_and_choices_give_the_same_answer(session, model, embedding):
    session.add(LEFT)
    session.choose(1)
    session.add(RIGHT)
    at_once = Session(model, embedding)
    at_once.replace((LEFT, RIGHT), (1,))
    fresh = predict_in_turns(model, embedding, (LEFT, RIGHT), (1,))

    for other in (at_once.compute(), copy(session).compute(), fresh):
        assert other == session.prediction
        assert other.memory == (1, "core", 2)


def test_a_choice_holds_while_its_prompts_stay(session):
    for prompt in (LEFT, RIGHT, ABOVE):
        session.add(prompt)
        session.choose(1)

    session.remove(2)
    assert session.choices == (1, 1)
    session.remove(0)
    assert (session.prompts, session.choices) == ((RIGHT,), ())
    session.undo()
    assert session.prediction.memory == (1, "core", 2, "core")


def test_an_answer_that_was_given_is_not_asked_for_again(session, model):
    session.add(LEFT)
    session.choose(1)
    asked, made = model.answered, len(model.decoded)

    session.choose(2)
    session.undo()
    session.undo()

    assert (model.answered, len(model.decoded)) == (asked, made)


def test_a_choice_made_before_the_answers_are_known_counts_round_and_round(session, areas):
    session.push(LEFT)
    for number in (1, 2, 3, 4):
        session.replace(session.prompts, (number,))

    assert session.compute().area == areas[1]
    assert (session.chosen, session.choices, session.turn) == (1, (1,), 5)


def test_where_there_is_one_answer_a_choice_is_no_step(session, model):
    model.offers = 1
    session.add(LEFT)
    session.replace(session.prompts, (1,))

    session.compute()

    assert (session.turn, session.choices, session.undo_title) == (1, (), "point")


def test_a_request_does_nothing_in_the_thread_that_asks(session, model, areas):
    made = len(model.decoded)
    session.push(LEFT)
    session.replace(session.prompts, (1,))
    request = session.request()
    assert session.prediction is None
    best = request.run()

    assert session.deliver(request, best)
    assert (best.area, session.prediction.area) == (areas[0], areas[1])
    assert len(model.decoded) == made + 1


def test_choices_are_dropped_with_the_model_they_were_made_for(session, model, embedding):
    session.add(LEFT)
    session.choose(1)
    session.ask_anew(lambda: (model, embedding), same=True)
    assert session.compute().memory == (1, "core")

    session.ask_anew(lambda: (model, embedding))

    assert session.compute().memory == (1,)
    assert session.turn == 1  # the choice is no step any more
    assert not session.can_redo


def test_the_chosen_answer_is_written(session, areas):
    session.add(LEFT)
    session.choose(1)

    edit = session.commit(3)

    labels = np.zeros(session.shape, np.int32)
    edit.apply(labels)
    assert (labels == 3).sum() == areas[1]
