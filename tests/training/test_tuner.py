"""Further training of a loaded model: it begins with what the model answers, and stays near."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load
from scenes import discs, seeded
from tuning_scene import QUICK, little_model

from napari_seem.sources.any_size import Compact
from napari_seem.training import Tuner
from napari_seem.training.tuning import trainable


@pytest.fixture(scope="module")
def model() -> Compact:
    return little_model()


def test_training_begins_with_what_the_model_answers(model):
    seeded(1)
    image = torch.randn(1, 3, 64, 64)

    with torch.no_grad():
        own, new = (
            network.encoder(image.to(next(network.parameters()).dtype))[0].float()
            for network in (model.network, trainable(model.network).eval())
        )

    assert torch.allclose(own, new, atol=0.1 if model.compute == torch.bfloat16 else 1e-4)


def test_a_step_changes_weights_but_no_statistics(model):
    tuner = Tuner(model, [discs(0)], QUICK)
    before = trainable(model.network).state_dict()

    tuner.step(0.0)
    after = tuner._learner.network.state_dict()

    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "encoder.down.0.0.0.weight" in changed
    assert not [name for name in changed if "running" in name]


def test_the_weights_lie_halfway_between_the_given_and_the_trained_ones(model):
    tuner = Tuner(model, [discs(0)], replace(QUICK, average=0.0))
    given = trainable(model.network).state_dict()

    tuner.step(0.0)
    trained, found = tuner._learner.average.state_dict(), load(tuner.weights())

    moved = {name for name in found if "running" not in name and given[name].is_floating_point()}
    assert any((trained[name] - given[name]).abs().max() > 1e-5 for name in moved)
    for name in moved:
        middle = (given[name] + trained[name]) / 2
        assert torch.allclose(found[name].float(), middle, rtol=1e-3, atol=1e-6)
