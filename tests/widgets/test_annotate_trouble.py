"""Bad input and bad timing: nothing is lost, nothing is raised, the message names the remedy."""

from __future__ import annotations

import numpy as np
import pytest


def click(dock, labels, number=1):
    at = np.argwhere(labels == number).mean(0).round()
    dock.annotator.prompt_layers.points.add(at)
    return at


def stack_of(image, planes=4):
    return np.stack([np.roll(image, 3 * z, 1) for z in range(planes)])


def test_the_newest_prompt_wins_while_one_is_computed(dock, discs, model, settle):
    model.go.clear()
    at = click(dock, discs[1])
    for step in range(1, 5):
        dock.annotator.prompt_layers.points.add(np.add(at, (0, step)))
    model.go.set()
    settle(dock)

    assert len(dock.annotator.work.session.prompts) == 5
    assert dock.annotator.prediction is not None
    assert model.answered == 6  # the first, and all the rest at once, a turn for each
    assert model.encoded == 1


def test_switching_the_plane_while_computing_keeps_both_works(docked, discs, model, settle):
    dock = docked(stack_of(discs[0]))
    dock.viewer.dims.set_current_step(0, 1)
    model.go.clear()
    dock.annotator.prompt_layers.points.add((1, *np.argwhere(discs[1] == 1).mean(0)))
    dock.viewer.dims.set_current_step(0, 2)
    model.go.set()
    settle(dock)
    assert dock.annotator.work is None

    dock.viewer.dims.set_current_step(0, 1)
    settle(dock)
    assert len(dock.annotator.work.session.prompts) == 1
    assert np.array_equal(dock.annotator.prediction.mask, np.roll(discs[1] == 1, 3, 1))


def test_a_stack_is_written_on_its_own_plane_only(docked, discs, settle):
    dock = docked(stack_of(discs[0]), scale=(5, 0.5, 0.5), translate=(1, 2, 3))
    dock.viewer.dims.set_current_step(0, 2)
    row, col = np.argwhere(np.roll(discs[1], 6, 1) == 1).mean(0)
    dock.annotator.prompt_layers.points.add((2, row, col))
    settle(dock)
    dock.commit()

    labels = dock.annotator.labels
    assert np.array_equal(labels.data[2] == 1, np.roll(discs[1] == 1, 6, 1))
    assert not labels.data[[0, 1, 3]].any()
    assert np.allclose(labels.scale, (5, 0.5, 0.5))
    assert np.allclose(labels.translate, (1, 2, 3))


def test_any_displayed_axes_will_do(docked, discs, settle):
    volume = np.moveaxis(stack_of(discs[0]), 0, 2)  # planes along the last axis
    dock = docked(volume, rgb=False)  # four planes are not RGBA
    dock.viewer.dims.order = (2, 1, 0)
    dock.viewer.dims.set_current_step(2, 1)
    row, col = np.argwhere(np.roll(discs[1], 3, 1) == 1).mean(0)
    dock.annotator.prompt_layers.points.add((row, col, 1))
    settle(dock)
    dock.commit()

    assert dock.annotator.plane.axes == (1, 0)
    assert np.array_equal(dock.annotator.labels.data[..., 1] == 1, np.roll(discs[1] == 1, 3, 1))


def test_switching_image_and_model_loses_nothing(dock, discs, model, settle):
    click(dock, discs[1])
    settle(dock)
    first = dock.annotator.image
    second = dock.viewer.add_image(np.flipud(discs[0]), name="other")
    model.go.clear()
    dock.annotator.choose_image(second)
    click(dock, np.flipud(discs[1]))
    dock.annotator.choose_image(first)
    model.go.set()
    settle(dock)

    assert np.array_equal(dock.annotator.prediction.mask, discs[1] == 1)
    dock.annotator.choose_model("seem-focal-t")
    settle(dock)
    assert len(dock.annotator.work.session.prompts) == 1
    assert np.array_equal(dock.annotator.prediction.mask, discs[1] == 1)


def test_removing_layers_while_computing_raises_nothing(dock, discs, model, settle):
    click(dock, discs[1])
    settle(dock)
    dock.commit()
    model.go.clear()
    click(dock, discs[1], 2)
    dock.viewer.layers.remove(dock.annotator.labels)
    dock.viewer.layers.remove(dock.annotator.image)
    model.go.set()
    settle(dock)

    assert dock.annotator.labels is None
    assert dock.annotator.image is None
    assert dock.commit() is None


def test_closing_the_dock_while_computing_raises_nothing(dock, discs, model, qtbot):
    model.go.clear()
    click(dock, discs[1])
    dock.close()
    model.go.set()
    qtbot.waitUntil(lambda: model.answered == 1, timeout=20_000)

    assert dock.annotator.prediction is None


def test_a_refused_prompt_is_taken_back_and_told(dock, discs, settle):
    dock.annotator.set_positive(False)
    click(dock, discs[1])
    settle(dock)

    assert "negative" in dock.panel.message.text()
    assert len(dock.annotator.prompt_layers.points.data) == 0


def test_a_prompt_outside_the_image_is_refused_at_once(dock):
    dock.annotator.prompt_layers.points.add((-30, 5))

    assert "outside" in dock.panel.message.text()
    assert len(dock.annotator.prompt_layers.points.data) == 0


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda shape: np.zeros((4, 4), np.uint8), "shape"),
        (lambda shape: np.full(shape, 255, np.uint8), "does not fit"),
    ],
)
def test_labels_that_cannot_take_the_object_are_left_alone(dock, discs, settle, make, told):
    labels = dock.viewer.add_labels(make(discs[1].shape), name="target")
    before = labels.data.copy()
    dock.annotator.choose_labels(labels)
    click(dock, discs[1])
    settle(dock)

    assert dock.commit() is None
    assert told in dock.panel.message.text()
    assert np.array_equal(labels.data, before)
    assert dock.annotator.prediction is not None  # and can be committed elsewhere


def test_read_only_labels_are_left_alone(dock, discs, settle):
    data = np.zeros(discs[1].shape, np.uint8)
    data.flags.writeable = False
    dock.annotator.choose_labels(dock.viewer.add_labels(data, name="locked"))
    click(dock, discs[1])
    settle(dock)

    assert dock.commit() is None
    assert "read-only" in dock.panel.message.text()


def test_commit_without_an_object_says_what_to_do(dock):
    assert dock.commit() is None
    assert "add a prompt" in dock.panel.message.text()


def test_three_dimensional_display_is_refused_with_the_remedy(docked, discs):
    dock = docked(stack_of(discs[0]))
    dock.viewer.dims.ndisplay = 3
    dock.annotator.prompt_layers.points.add((1, 20, 20))

    assert "2-D display" in dock.panel.message.text()


def test_a_crash_of_a_model_is_shown_and_keeps_the_prompts(dock, discs, model, settle, monkeypatch):
    def crash(*_):
        raise ZeroDivisionError("inside the model")

    monkeypatch.setattr(model, "predict", crash)
    click(dock, discs[1])
    settle(dock)

    assert "inside the model" in dock.panel.message.text()
    assert len(dock.annotator.work.session.prompts) == 1
    monkeypatch.undo()
    dock.annotator.turns.compute()
    settle(dock)
    assert np.array_equal(dock.annotator.prediction.mask, discs[1] == 1)
