"""The Stack dock with a model that carries objects by its memory: SAM 2.1."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from remembering import RememberingModel, discs

from napari_seem.commands.models import ModelCache
from napari_seem.commands.replay import replay
from napari_seem.embeddings import EmbeddingCache
from napari_seem.labels.log import read_log
from napari_seem.sources.identity import ImageFile
from napari_seem.viewer.files import save_labels
from napari_seem.widgets.stack import runner

NAME = "sam2.1-tiny"


@pytest.fixture
def model():
    return RememberingModel()


@pytest.fixture
def model_cache(model):
    return ModelCache(lambda _: model, EmbeddingCache(1 << 24))


@pytest.fixture
def settle(qtbot):
    def wait(dock):
        qtbot.waitUntil(lambda: not dock.runner.steps.running, timeout=60_000)
        qtbot.wait(20)

    return wait


@pytest.fixture
def carried(open_stack, settle):
    """The dock after both seeds of twelve planes were carried to all others, and the labels."""
    volume, truth = discs(12)
    dock = open_stack(volume, {2: truth[2], 9: truth[9]})
    dock.panel.model.setCurrentText(NAME)
    dock.carry("both")
    settle(dock)
    return dock, truth


def test_every_plane_is_labelled_scored_and_put_up_for_review(carried, model):
    dock, truth = carried

    np.testing.assert_array_equal(dock.viewer.layers["organ"].data, truth)
    assert dock.panel.queue.count() == 10
    scores = dock.runner.engine.scores
    assert scores[2] == 1 > max(scores[k] for k in (0, 5, 11))
    worst = min(dock.runner.engine.to_review(), key=scores.__getitem__)
    dock.next_doubtful()
    assert dock.viewer.dims.current_step[0] == worst
    assert "10 planes carried" in dock.panel.message.text()
    assert sorted(model.encoded) == list(range(12))


def test_planes_between_corrected_ones_are_carried_again_and_accepted(carried, settle, model):
    dock, truth = carried
    organ = dock.viewer.layers["organ"]
    corrected = truth[6].copy()
    corrected[corrected == 8] = 0
    organ.data[6] = corrected
    organ.refresh()
    model.recalled.clear()

    dock.carry("both")
    settle(dock)

    assert sorted(model.recalled) == [3, 4, 5, 7, 8]
    np.testing.assert_array_equal(organ.data[6], corrected)
    np.testing.assert_array_equal(organ.data[7], truth[7])
    assert len(model.encoded) == 12  # nothing is encoded again
    dock.go_to(4)
    dock.accept_plane()
    assert dock.runner.engine.results[4].accepted
    assert dock.take_back() is None
    assert not organ.data[[0, 3, 11]].any()


def test_what_was_carried_and_corrected_is_redone(carried, settle, tmp_path):
    """A record of the labels gives the same again, by a model that remembers nothing yet."""
    dock, truth = carried
    organ = dock.viewer.layers["organ"]
    organ.data[6] = np.where(truth[6] == 8, 0, truth[6])
    organ.refresh()
    dock.carry("both")
    settle(dock)
    tifffile.imwrite(tmp_path / "body.tif", dock.viewer.layers["body"].data)

    log = save_labels(organ, tmp_path / "out.tif")[-1]
    picture = ImageFile(tmp_path / "body.tif")
    found = replay(read_log(log)[-1], picture.find, lambda _: RememberingModel())

    np.testing.assert_array_equal(found.labels, organ.data)
    assert not found.differences
    assert found.redone >= 10


def test_models_that_can_carry_are_offered_and_what_they_can_t_is_not(open_stack):
    volume, truth = discs(3)
    panel = open_stack(volume, {0: truth[0]}).panel
    offered = [panel.model.itemText(k) for k in range(panel.model.count())]
    assert {"compact", "seggpt-vit-l", NAME, "sam2.1-large"} <= set(offered)
    assert not {"sam-vit-b", "seem-focal-t", "micro-sam-vit-b-lm"} & set(offered)
    panel.find_new.value = True
    panel.model.setCurrentText(NAME)
    assert (panel.find_new.enabled, panel.find_new.value) == (False, False)
    panel.model.setCurrentText("compact")
    assert panel.find_new.enabled


def test_a_run_is_left_between_the_objects_of_a_plane(open_stack, settle, model):
    """Every object takes seconds: who cancels does not wait for all of a plane's."""
    volume, truth = discs(6)
    dock = open_stack(volume, {0: truth[0]})
    dock.panel.model.setCurrentText(NAME)
    track = model.track

    def slow(embedding, recalled, planes):
        if len(model.recalled.get(3, ())) == 1:  # the second object of plane 3
            dock.runner.steps.stop()
        return track(embedding, recalled, planes)

    model.track = slow
    dock.carry("both")
    settle(dock)

    assert len(model.recalled[3]) == 1
    assert sorted(dock.runner.engine.results) == [0, 1, 2]
    assert "stopped with 3 left" in dock.panel.message.text()
    model.track = track
    dock.carry("both")
    settle(dock)
    np.testing.assert_array_equal(dock.viewer.layers["organ"].data, truth)


def test_a_plane_of_many_objects_says_how_far_it_is(open_stack, settle, monkeypatch):
    """Every object may take seconds: the bar counts planes, and would stand still for minutes."""
    monkeypatch.setattr(runner, "LONG", 0.0)
    volume, truth = discs(3)
    dock = open_stack(volume, {0: truth[0]})
    dock.panel.model.setCurrentText(NAME)
    told = []
    dock.runner.told.connect(told.append)
    dock.carry("both")
    run = dock.runner.run
    dock.panel.model.setCurrentText("compact")
    dock.carry("both")  # one is under way
    assert dock.runner.run is run
    settle(dock)
    objects = len(np.unique(truth[0])) - 1
    assert len(told) == 2 * (objects - 1)
    assert told[0].startswith(f"carrying objects: {1 / objects:.0%} of this plane, ")
    assert told[0].endswith(" left")
    assert "2 planes carried" in dock.panel.message.text()


def test_weights_without_the_memory_are_reported(open_stack, settle, model):
    """As of a SAM 2.1 for single images, chosen in place of the published one."""
    model.capabilities = frozenset({"point"})
    volume, truth = discs(3)
    dock = open_stack(volume, {0: truth[0]})
    dock.panel.model.setCurrentText(NAME)

    dock.carry("both")
    settle(dock)

    assert "can't carry objects through a stack" in dock.panel.message.text()
    assert not dock.viewer.layers["organ"].data[1:].any()
